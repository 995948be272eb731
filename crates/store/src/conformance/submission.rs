//! Accepting tasks: durable, and once per key.

use futures_like::join_all;
use longhaul_model::{SubTaskStatus, TaskStatus};

use super::support::*;
use crate::{IdempotencyKey, StoreError, Submission};

mod futures_like {
    //! Join of several futures, without a library for it.
    pub(super) async fn join_all<T: Send + 'static>(
        all: Vec<impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let tasks: Vec<_> = all.into_iter().map(tokio::spawn).collect();
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.expect("not panicked"));
        }
        results
    }
}

fn key(text: &str, fingerprint: u8) -> Option<IdempotencyKey> {
    Some(IdempotencyKey { principal: "p".into(), key: text.into(), fingerprint: [fingerprint; 32] })
}

/// A submitted task has begun, and is read back as it was answered.
pub async fn submitted_task_is_read_back(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 3)).await;
    let submitted = submit(&*store, task(&env, &workflow, "one", None), None).await;
    let read = record(&*store, submitted.task.id());
    assert_eq!(read.name, "one");
    assert_eq!(read.state.status, TaskStatus::InProgress);
    assert_eq!(read.sub_tasks[0].status, SubTaskStatus::InProgress);
    assert_eq!(read.state.resources.len(), 2);
    assert_eq!(store.spec(read.id).expect("spec").expect("own").input["title"], "one");
    assert!(!submitted.replayed);
    store.close().await;
}

/// An accepted submission is there after the store was opened again.
pub async fn submitted_task_survives_reopening(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 3)).await;
    let id = start(&*store, &env, &workflow, "one").await;
    complete(&*store, id, 0, Some(serde_json::json!({"n": 1}))).await;
    let before = record(&*store, id);
    store.close().await;
    let store = fixture.open().await;
    let after = record(&*store, id);
    let parts =
        |record: &longhaul_model::Record| (record.state.clone(), sub_tasks(record), record.name.clone());
    assert_eq!(parts(&after), parts(&before));
    assert_eq!(store.list(&Default::default()).expect("a list").total, 1);
    store.close().await;
}

/// A repeated key and request give the task that they made, whatever became of it.
pub async fn key_gives_the_same_task_also_after_reopening(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let first = submit(&*store, task(&env, &workflow, "one", None), key("k", 1)).await;
    complete(&*store, first.task.id(), 0, None).await;
    store.close().await;
    let store = fixture.open().await;
    let again = submit(&*store, task(&env, &workflow, "one", None), key("k", 1)).await;
    assert!(again.replayed);
    assert_eq!(again.task.id(), first.task.id());
    assert_eq!(store.list(&Default::default()).expect("a list").total, 1);
    store.close().await;
}

/// A repeated key with another request makes nothing.
pub async fn key_with_another_request_is_refused(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    submit(&*store, task(&env, &workflow, "one", None), key("k", 1)).await;
    let other =
        Submission { task: task(&env, &workflow, "two", None), key: key("k", 2), audit: None, newest: false };
    assert!(matches!(store.submit(other).await, Err(StoreError::KeyReused)));
    assert_eq!(store.list(&Default::default()).expect("a list").total, 1);
    store.close().await;
}

/// Concurrent submissions with one key, a hundred of them, make one task.
pub async fn concurrent_submissions_with_one_key_make_one_task(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let all = (0..100).map(|_| {
        let (store, task) = (store.clone(), task(&env, &workflow, "one", None));
        async move {
            store
                .submit(Submission { task, key: key("k", 1), audit: None, newest: false })
                .await
                .expect("submitted")
        }
    });
    let all = join_all(all.collect()).await;
    assert_eq!(all.iter().filter(|submitted| !submitted.replayed).count(), 1);
    assert!(all.iter().all(|submitted| submitted.task.id() == all[0].task.id()));
    assert_eq!(store.list(&Default::default()).expect("a list").total, 1);
    store.close().await;
}
