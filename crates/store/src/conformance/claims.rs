//! Locks and slots: all at once, in order of arrival, released at the end.

use longhaul_model::{ClaimMode, Command, Env, Hold, Span, Spec, Task, TaskId, TaskStatus};
use serde_json::{Value, json};

use super::support::*;
use crate::{LockQuery, Store, Submission};

async fn claim(store: &dyn Store, env: &Env, name: &str, resources: Value, slot: Option<u32>) -> TaskId {
    let mut definition = json!({
        "name": name, "type": "T", "title": "{{ input.name }}", "input": { "type": "object" }, "resources": resources,
        "subTasks": [{ "name": "Work", "description": "…", "action": { "simulate": {} } }]
    });
    if let Some(limit) = slot {
        definition["concurrency"] = json!({ "key": "k", "limit": limit });
    }
    let workflow = put(store, serde_json::from_value(definition).expect("a definition")).await;
    let spec =
        Spec { input: json!({ "name": name }), labels: Default::default(), requested_by: None, caller: None };
    let task = Task::new(env.new_task_id(), workflow, spec, None, None, env.now()).expect("a task");
    let submission = Submission { task: Box::new(task), key: None, audit: None, newest: false };
    store.submit(submission).await.expect("accepted").task.id()
}

fn host(id: &str, lock: &str) -> Value {
    json!({ "type": "HOST", "resourceId": id, "lock": lock })
}

fn runs(store: &dyn Store, id: TaskId) -> bool {
    record(store, id).state.status == TaskStatus::InProgress
}

/// Locks go to whoever came first, on every key at once; tasks that share a lock run side by side.
pub async fn locks_are_granted_in_order_of_arrival(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let both = json!([host("a", "exclusive"), host("b", "exclusive")]);
    let first = claim(&*store, &env, "first", json!([host("a", "exclusive")]), None).await;
    let second = claim(&*store, &env, "second", both, None).await;
    let third = claim(&*store, &env, "third", json!([host("B", "shared")]), None).await;
    let fourth = claim(&*store, &env, "fourth", json!([host("b", "shared")]), None).await;
    let state = |store: &dyn Store| [first, second, third, fourth].map(|id| runs(store, id));
    // The third could have `b` now; but then the second might wait for ever.
    assert_eq!(state(&*store), [true, false, false, false]);
    let blockers = store.blockers(third, 10).expect("read");
    assert_eq!(blockers.iter().map(|lock| (lock.task, lock.held)).collect::<Vec<_>>(), [(second, false)]);
    let named =
        LockQuery { kind: Some("host".into()), name: Some("A".into()), limit: 10, ..LockQuery::default() };
    let page = store.locks(&named).expect("read");
    let held: Vec<_> = page.locks.iter().map(|lock| (lock.task, lock.held, lock.mode)).collect();
    assert_eq!(held, [(first, true, ClaimMode::Exclusive), (second, false, ClaimMode::Exclusive)]);
    assert_eq!((page.total, page.locks[0].task_name.as_str()), (2, "first"));
    store.close().await;

    let store = fixture.open().await;
    complete(&*store, first, 0, None).await;
    assert_eq!(state(&*store), [false, true, false, false]);
    complete(&*store, second, 0, None).await;
    assert_eq!(state(&*store), [false, false, true, true]);
    complete(&*store, third, 0, None).await;
    complete(&*store, fourth, 0, None).await;
    assert_eq!(store.locks(&LockQuery { limit: 10, ..LockQuery::default() }).expect("read").total, 0);
    store.close().await;
}

/// A failed task releases its locks; its retry queues behind tasks that came meanwhile. A cancelled task
/// waits no more.
pub async fn locks_are_let_go_of_at_the_end(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let of = || json!([host("a", "exclusive")]);
    let first = claim(&*store, &env, "first", of(), None).await;
    let second = claim(&*store, &env, "second", of(), None).await;
    let third = claim(&*store, &env, "third", of(), None).await;
    fail(&*store, first, 0).await;
    assert!(runs(&*store, second));
    store.command(first, Command::Retry { by: "ada".into() }, None).await.expect("accepted");
    assert_eq!(record(&*store, first).state.hold, Hold::Waiting);
    let cancel = Command::Cancel { by: "ada".into(), grace: Span(1_000) };
    store.command(third, cancel, None).await.expect("cancelled");
    complete(&*store, second, 0, None).await;
    assert!(runs(&*store, first));
    store.close().await;
}

/// At most `limit` tasks of a key run at once, and the next starts when one ends.
pub async fn places_are_limited(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let mut tasks = Vec::new();
    for _ in 0..4 {
        tasks.push(claim(&*store, &env, "same", json!([]), Some(2)).await);
    }
    let other = claim(&*store, &env, "other", json!([]), Some(1)).await;
    let state = |store: &dyn Store| tasks.iter().map(|id| runs(store, *id)).collect::<Vec<_>>();
    assert_eq!(state(&*store), [true, true, false, false]);
    assert!(runs(&*store, other), "keys are those of one workflow");
    complete(&*store, tasks[1], 0, None).await;
    assert_eq!(state(&*store), [true, false, true, false]);
    store.close().await;
}
