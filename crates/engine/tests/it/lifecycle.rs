//! Tasks from their start to each of their ends.

use std::time::Duration;

use longhaul_engine::{EngineError, TaskQuery};
use longhaul_model::{Outcome, Refused, Resolution, SubTaskStatus, TaskStatus};
use serde_json::json;

use super::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submit_runs_to_success() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    engine.put_workflow(definition("five", vec![json!({}); 5]), audit()).await.unwrap();
    let record = run(&engine, "five").await;
    assert_eq!(record.state.status, TaskStatus::Successful);
    assert!(record.sub_tasks.iter().all(|sub| sub.status == SubTaskStatus::Successful && sub.attempt == 1));
    let page = engine.list(TaskQuery::default()).await.unwrap();
    assert_eq!((page.total, page.tasks.len()), (1, 1));
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_task_is_retried_from_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let failing = json!({ "action": { "simulate": { "failAttempts": [1] } } });
    engine.put_workflow(definition("fails", vec![json!({}), failing, json!({})]), audit()).await.unwrap();
    let record = run(&engine, "fails").await;
    assert_eq!(record.state.status, TaskStatus::Failed);
    assert_eq!(record.sub_tasks[2].status, SubTaskStatus::Pending);
    let first = record.sub_tasks[0].clone();

    engine.retry(record.id, audit()).await.unwrap();
    let record = ended(&engine, record.id).await;
    assert_eq!(record.state.status, TaskStatus::Successful);
    assert_eq!(record.state.resolution, Resolution::Resolved);
    assert_eq!(record.sub_tasks[0], first, "what succeeded is as it was");
    assert_eq!(record.sub_tasks[1].attempt, 2);
    let outcomes: Vec<_> = engine
        .attempts(record.id)
        .await
        .unwrap()
        .attempts
        .iter()
        .map(|a| (a.sub_task, a.number, a.outcome))
        .collect();
    let ok = Outcome::Successful;
    assert_eq!(outcomes, [(0, 1, ok), (1, 1, Outcome::Failed), (1, 2, ok), (2, 1, ok)]);
    assert!(matches!(
        engine.retry(record.id, audit()).await,
        Err(EngineError::Refused { refused: Refused::NotFailed(TaskStatus::Successful), .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn automatic_retry_waits_and_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let flaky = json!({ "action": { "simulate": { "failAttempts": [1, 2] } },
                        "retry": { "attempts": 3, "backoff": "20ms", "factor": 1, "jitter": false } });
    engine.put_workflow(definition("flaky", vec![flaky]), audit()).await.unwrap();
    let record = run(&engine, "flaky").await;
    assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::Successful, 3));
    let attempts = engine.attempts(record.id).await.unwrap().attempts;
    assert!(attempts[1].started_at.0 - attempts[0].ended_at.unwrap().0 >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_stops_a_running_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let slow = json!({ "action": { "simulate": { "duration": "1h" } } });
    engine.put_workflow(definition("slow", vec![slow, json!({})]), audit()).await.unwrap();
    let id = engine.submit(request("slow")).await.unwrap().task.id();
    engine.cancel(id, audit()).await.unwrap();
    let record = ended(&engine, id).await;
    assert_eq!(record.state.status, TaskStatus::Cancelled);
    assert_eq!(record.sub_tasks[1].status, SubTaskStatus::Pending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timeout_fails_the_attempt_and_skip_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let slow = json!({ "action": { "simulate": { "duration": "1h" } }, "timeout": "50ms" });
    engine.put_workflow(definition("late", vec![slow, json!({})]), audit()).await.unwrap();
    let record = run(&engine, "late").await;
    assert_eq!(record.state.errors[0].error_code, "SUB_TASK_TIMEOUT");
    engine.skip(record.id, "Step0", "not needed today", audit()).await.unwrap();
    let record = ended(&engine, record.id).await;
    assert_eq!(record.state.status, TaskStatus::CompletedWithWarning);
    assert_eq!(record.sub_tasks[0].status, SubTaskStatus::Skipped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_conditions_and_outputs_work_together() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let workflow = definition(
        "mixed",
        vec![
            json!({ "action": { "simulate": { "output": { "hosts": ["a", "b"], "wait": "30ms" } } } }),
            json!({ "action": { "wait": { "for": "{{ subTasks.Step0.output.wait }}" } } }),
            json!({ "when": "subTasks.Step0.output.hosts | length > 5" }),
            json!({ "action": { "simulate": { "output": "{{ subTasks.Step0.output.hosts[1] }}" } } }),
        ],
    );
    engine.put_workflow(workflow, audit()).await.unwrap();
    let record = run(&engine, "mixed").await;
    assert_eq!(record.state.status, TaskStatus::Successful, "{record:?}");
    assert_eq!(record.sub_tasks[2].status, SubTaskStatus::NotApplicable);
    let waited = record.sub_tasks[1].completed_at.unwrap().0 - record.sub_tasks[1].started_at.unwrap().0;
    assert!(waited >= 30, "{waited}");
    assert_eq!(engine.outputs(record.id).await.unwrap()[1], (3, json!("b")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invalid_input_names_every_violation() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path()).await;
    let mut workflow = definition("strict", vec![json!({})]);
    workflow.input =
        Some(json!({ "type": "object", "required": ["a"], "properties": { "b": { "type": "integer" } } }));
    engine.put_workflow(workflow, audit()).await.unwrap();
    let mut bad = request("strict");
    bad.input = json!({ "b": "x" });
    let Err(EngineError::InvalidInput { violations, .. }) = engine.submit(bad).await else { panic!() };
    assert_eq!(violations.len(), 2);
    assert!(violations.iter().any(|violation| violation.pointer == "/b"));
    assert!(
        matches!(engine.submit(request("strikt")).await, Err(EngineError::NoWorkflow { nearest: Some(n), .. }) if n == "strict")
    );
    assert_eq!(engine.list(TaskQuery::default()).await.unwrap().total, 0);
}
