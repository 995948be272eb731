//! Deleting tasks for good, by name and by age.

use longhaul_model::{Task, TaskId, TaskStatus, Timestamp};

use super::support::*;
use crate::{Deletion, IdempotencyKey, Store, StoreError, TaskQuery};

async fn finished(store: &dyn Store, env: &longhaul_model::Env, name: &str) -> TaskId {
    let workflow = put(store, definition("w", "T_RUN", 1)).await;
    let id = start(store, env, &workflow, name).await;
    complete(store, id, 0, None).await;
    id
}

fn total(store: &dyn Store, name: Option<&str>) -> u64 {
    let query = TaskQuery { name_contains: name.map(str::to_owned), ..TaskQuery::default() };
    store.list(&query).expect("a list").total
}

/// Tasks that cannot change any more are deleted, whole; all others stay; numbers are not given again.
pub async fn tasks_are_deleted_by_name(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let mut ended = Vec::new();
    for n in 0..3 {
        ended.push(finished(&*store, &env, &format!("ended-{n}")).await);
    }
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let running = start(&*store, &env, &workflow, "running").await;
    let failed = start(&*store, &env, &workflow, "failed").await;
    fail(&*store, failed, 0).await;
    store.close().await;

    let store = fixture.open().await;
    let unknown = env.new_task_id();
    let wish = vec![ended[2], unknown, running, ended[0], failed, ended[0]];
    let gone = store.delete_history(wish, None).await.expect("tried");
    assert_eq!(
        gone,
        [
            (ended[2], Deletion::Deleted),
            (unknown, Deletion::NotFound),
            (running, Deletion::Open(TaskStatus::InProgress)),
            (ended[0], Deletion::Deleted),
            (failed, Deletion::Open(TaskStatus::Failed)),
            (ended[0], Deletion::NotFound),
        ]
    );
    assert!(matches!(store.get(ended[0]), Err(StoreError::NotFound)));
    assert!(store.attempts(ended[0]).is_err() && store.spec(ended[0]).is_err());
    assert_eq!((total(&*store, None), total(&*store, Some("ended-"))), (3, 1));
    let again = start(&*store, &env, &workflow, "ended-again").await;
    store.close().await;
    let store = fixture.open().await;
    let seen: Vec<TaskId> =
        store.list(&TaskQuery::default()).expect("a list").tasks.iter().map(|task| task.id()).collect();
    assert_eq!(seen.len(), 4);
    assert!(seen.contains(&again) && seen.contains(&ended[1]));
    store.close().await;
}

/// A key outlives its task only as a key that may be used again.
pub async fn key_of_a_deleted_task_is_free(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let key = || Some(IdempotencyKey { principal: "p".into(), key: "k".into(), fingerprint: [1; 32] });
    let fresh = || -> Box<Task> { task(&env, &workflow, "keyed", None) };
    let first = submit(&*store, fresh(), key()).await.task.id();
    complete(&*store, first, 0, None).await;
    assert!(submit(&*store, fresh(), key()).await.replayed);
    store.delete_history(vec![first], None).await.expect("deleted");
    let second = submit(&*store, fresh(), key()).await;
    assert!(!second.replayed && second.task.id() != first);
    store.close().await;
}

/// Retention deletes oldest first, in rounds, and spares tasks that somebody has yet to deal with.
pub async fn old_tasks_are_purged_in_rounds(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    for n in 0..25 {
        finished(&*store, &env, &format!("old-{n}")).await;
    }
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    start(&*store, &env, &workflow, "running").await;
    let waiting = task(&env, &workflow, "waiting", Some(Timestamp(env.now().0 + 1_000_000)));
    submit(&*store, waiting, None).await;
    let none = store.purge(env.now(), None, 100).await.expect("a round");
    assert_eq!((none.deleted, none.next), (0, None), "none is older than now");
    let later = Timestamp(env.now().0 + 1);
    let (mut from, mut rounds, mut deleted) = (None, 0, 0);
    loop {
        let purged = store.purge(later, from, 10).await.expect("a round");
        assert!(purged.deleted <= 10);
        (rounds, deleted) = (rounds + 1, deleted + purged.deleted);
        from = purged.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!((rounds, deleted), (3, 25));
    assert_eq!((total(&*store, None), total(&*store, Some("old-"))), (2, 0));
    store.close().await;
}

/// Tasks that wait for their start are listed and found, start when they are due, and can be cancelled; also
/// when they have been waiting for so long that the store sealed them.
pub async fn waiting_tasks_rest_and_wake(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let due = Timestamp(env.now().0 + 1_000);
    let mut waiting = Vec::new();
    for n in 0..1500 {
        let waits = task(&env, &workflow, &format!("waits-{n}"), Some(due));
        waiting.push(submit(&*store, waits, None).await.task.id());
    }
    store.close().await;
    let store = fixture.open().await;
    assert_eq!(total(&*store, Some("waits-")), 1500);
    assert!(store.due(env.now(), 10).await.expect("asked").is_empty());
    let all = store.due(Timestamp(due.0 + 1), 2000).await.expect("asked");
    assert_eq!(all.len(), 1500);
    for &id in [waiting[0], waiting[1499]].iter() {
        let cancel = longhaul_model::Command::Cancel { by: "ada".into(), grace: longhaul_model::Span(1000) };
        store.command(id, cancel, None).await.expect("cancelled");
        assert_eq!(record(&*store, id).state.status, TaskStatus::Cancelled);
    }
    assert_eq!(total(&*store, Some("waits-")), 1500);
    store.close().await;
}
