//! What a new engine makes of what an old one left.

use std::time::Duration;

use longhaul_model::{Outcome, SubTaskStatus, TaskStatus};
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
