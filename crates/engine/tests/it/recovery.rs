//! Recovery: a new engine takes up the tasks that an old one left.

use std::time::Duration;

use longhaul_engine::{Ask, Beat, Beats, Ending, Engine, LeaseState, Recorded, WorkerReport};
use longhaul_model::{Env, Outcome, Span, SubTaskStatus, TaskStatus, Timestamp, WorkerId};
use longhaul_testbed::{Cluster, Durability};
use serde_json::json;

use super::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attempt_that_was_running_is_lost_and_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let first = engine(dir.path()).await;
    let slow = json!({ "action": { "simulate": { "duration": "300ms" } } });
    first.put_workflow(definition("slow", vec![slow.clone()]), audit()).await.unwrap();
    let mut fragile = slow;
    fragile["repeatable"] = json!(false);
    first.put_workflow(definition("fragile", vec![fragile]), audit()).await.unwrap();
    let repeated = first.submit(request("slow")).await.unwrap().task.id();
    let parked = first.submit(request("fragile")).await.unwrap().task.id();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // As good as a crash for the attempts: they get no time to end.
    first.shutdown(Duration::ZERO).await;
    drop(first);
    tokio::time::sleep(Duration::from_millis(400)).await;

    let second = engine(dir.path()).await;
    let record = ended(&second, repeated).await;
    assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::Successful, 2));
    let attempts = second.attempts(repeated).await.unwrap().attempts;
    assert_eq!(attempts[0].outcome, Outcome::Lost);

    let record = ended(&second, parked).await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    assert!(record.sub_tasks[0].outcome_unknown && !record.is_retryable());
    let verdict = longhaul_engine::VerdictRequest { sub_task: "Step0".into(), done: true, output: None };
    second.resolve(parked, "looked at it", Some(verdict), audit()).await.unwrap();
    let record = ended(&second, parked).await;
    assert_eq!(record.state.status, TaskStatus::Successful);
    assert_eq!(record.sub_tasks[0].status, SubTaskStatus::Successful);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timers_outlive_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let first = engine(dir.path()).await;
    first
        .put_workflow(definition("waits", vec![json!({ "action": { "wait": { "for": "300ms" } } })]), audit())
        .await
        .unwrap();
    let id = first.submit(request("waits")).await.unwrap().task.id();
    first.shutdown(Duration::ZERO).await;
    let second = engine(dir.path()).await;
    let record = ended(&second, id).await;
    assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::Successful, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_between_two_sub_tasks_spends_no_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let first = engine(dir.path()).await;
    let slow = json!({ "action": { "simulate": { "duration": "300ms" } } });
    let once = json!({ "repeatable": false, "action": { "simulate": { "duration": "10ms" } } });
    first.put_workflow(definition("two", vec![slow, once]), audit()).await.unwrap();
    let id = first.submit(request("two")).await.unwrap().task.id();
    tokio::time::sleep(Duration::from_millis(100)).await;
    first.shutdown(Duration::from_secs(5)).await;
    let second = engine(dir.path()).await;
    let record = ended(&second, id).await;
    assert_eq!(record.state.status, TaskStatus::Successful, "{:?}", record.sub_tasks[1]);
    second.shutdown(Duration::from_secs(5)).await;
}

/// A start does not wait until everything has recovered, and nobody notices: a task that is asked for sooner
/// recovers first. `start` starts an engine on one and the same store.
async fn calls_are_served_while_tasks_recover(start: impl AsyncFn() -> Engine) {
    let first = start().await;
    let slow = json!({ "action": { "wait": { "for": "1h" } } });
    let works = json!({ "action": { "worker": { "queue": "q" } } });
    first.put_workflow(definition("slow", vec![slow]), audit()).await.unwrap();
    first.put_workflow(definition("works", vec![works]), audit()).await.unwrap();
    first.put_workflow(definition("quick", vec![json!({})]), audit()).await.unwrap();
    for _ in 0..400 {
        first.submit(request("slow")).await.unwrap();
    }
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(first.submit(request("works")).await.unwrap().task.id());
    }
    let worker = WorkerId("tester/w".into());
    let ask = Ask {
        worker: worker.clone(),
        queues: vec!["q".into()],
        max: 2,
        wait: Duration::from_secs(10),
        lease: Span(60_000),
        request: None,
        origin: None,
    };
    let leases: Vec<_> = first.lease(ask).await.unwrap().leases.iter().map(|one| one.lease).collect();
    first.shutdown(Duration::ZERO).await;
    drop(first);

    // The newest recover last: they are asked for at once.
    let second = start().await;
    let beat = Beat { lease: leases[0], progress: None, stages: None, log: Vec::new() };
    let beats = Beats { worker: worker.clone(), leases: vec![beat], wait: Duration::ZERO };
    let states = second.heartbeat(beats).await.unwrap();
    assert!(matches!(states[..], [LeaseState::Live(_)]), "{states:?}");
    assert_eq!(run(&second, "quick").await.state.status, TaskStatus::Successful);
    assert_eq!(leases.len(), 2);
    for lease in leases {
        let report = WorkerReport { lease, ending: Ending::Completed { output: None }, log: Vec::new() };
        let (recorded, _) = second.report(worker.clone(), vec![report], None).await.unwrap();
        assert_eq!(recorded, [Recorded::Yes]);
    }
    for id in ids {
        let record = ended(&second, id).await;
        assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::Successful, 1));
    }
    second.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_served_while_active_tasks_recover() {
    let dir = tempfile::tempdir().unwrap();
    calls_are_served_while_tasks_recover(async || engine(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_served_while_active_tasks_of_a_postgresql_database_recover() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Durability::None).unwrap();
    let url = cluster.create("tasks").unwrap();
    calls_are_served_while_tasks_recover(async || engine_on(&url, dir.path(), Env::real()).await).await;
}

/// Returns an environment whose clock is off by `years` at a start.
fn years_off(years: i64) -> Env {
    let env = Env::real();
    env.refer(Timestamp(env.now().0 + years * 365 * 24 * 3_600_000));
    env
}

/// Checks that a clock years ahead deletes nothing until it is confirmed. `start` starts an engine on one and
/// the same store, with a clock of its own.
async fn a_clock_years_ahead_deletes_nothing(start: impl AsyncFn(Env) -> Engine) {
    let first = start(Env::real()).await;
    first.put_workflow(definition("old", vec![json!({})]), audit()).await.unwrap();
    let id = run(&first, "old").await.id;
    first.shutdown(Duration::ZERO).await;
    drop(first);

    for years in [10, -10] {
        let wrong = start(years_off(years)).await;
        assert_eq!(wrong.clock_doubt().0 > 0, years > 0);
        assert_eq!(wrong.retain().await.unwrap(), 0, "{years} years");
        assert_eq!(own(wrong.get(id).unwrap()).id, id);
        wrong.shutdown(Duration::ZERO).await;
    }

    let right = start(years_off(10)).await;
    assert!(right.clock_doubt().0 > 0);
    right.confirm_clock(audit()).await.unwrap();
    assert_eq!(right.clock_doubt().0, 0);
    let begun = std::time::Instant::now();
    while right.retain().await.unwrap() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never deleted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(right.get(id).is_err());
    right.shutdown(Duration::ZERO).await;
    drop(right);
    let again = start(years_off(10)).await;
    assert_eq!(again.clock_doubt().0, 0, "it was confirmed");
    again.shutdown(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_years_ahead_deletes_nothing_until_it_is_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    a_clock_years_ahead_deletes_nothing(async |env| engine_at(dir.path(), env).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_years_ahead_deletes_nothing_of_a_postgresql_database_until_it_is_confirmed() {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(Durability::None).unwrap();
    let url = cluster.create("tasks").unwrap();
    a_clock_years_ahead_deletes_nothing(async |env| engine_on(&url, dir.path(), env).await).await;
}
