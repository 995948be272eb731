//! Credentials tasks: resources that one task holds exclusively.

use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Command, Env, Spec, Task, TaskId, TaskStatus};
use serde_json::{Value, json};

use super::support::*;
use crate::{Store, StoreError, Submission};

fn rotate() -> Definition {
    serde_json::from_value(json!({
        "name": "rotate", "type": "CREDENTIALS_ROTATE", "title": "Rotate", "credentials": "ROTATE",
        "input": { "type": "object" },
        "subTasks": [{ "name": "Rotate", "description": "…", "action": { "simulate": {} } }]
    }))
    .expect("a definition")
}

fn spec(hosts: &[&str], password: &str) -> Value {
    let elements: Vec<Value> = hosts
        .iter()
        .map(|host| {
            json!({ "resourceName": host, "resourceType": "ESXI",
                    "credentials": [{ "username": "root", "password": password }] })
        })
        .collect();
    json!({ "operationType": "ROTATE", "elements": elements })
}

async fn begin(
    store: &dyn Store,
    env: &Env,
    workflow: &Arc<Workflow>,
    hosts: &[&str],
) -> Result<TaskId, StoreError> {
    let spec = Spec { input: spec(hosts, "a"), labels: Default::default(), requested_by: None, caller: None };
    let task = Task::new(env.new_task_id(), workflow.clone(), spec, None, None, env.now()).expect("a task");
    let submission = Submission { task: Box::new(task), key: None, audit: None, newest: false };
    store.submit(submission).await.map(|submitted| submitted.task.id())
}

/// A running or failed task holds its resources, also after a crash, until it succeeds or is cancelled.
pub async fn resources_are_held_until_dealt_with(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, rotate()).await;
    let first = begin(&*store, &env, &workflow, &["esxi-1", "esxi-2"]).await.expect("begun");
    let other = begin(&*store, &env, &workflow, &["esxi-3"]).await.expect("begun");
    let refused = begin(&*store, &env, &workflow, &["ESXI-2", "esxi-3"]).await;
    assert!(
        matches!(&refused, Err(StoreError::Locked(holders)) if holders.contains(&first) && holders.contains(&other)),
        "{refused:?}"
    );
    fail(&*store, first, 0).await;
    complete(&*store, other, 0, None).await;
    store.close().await;

    let store = fixture.open().await;
    assert!(matches!(begin(&*store, &env, &workflow, &["esxi-1"]).await, Err(StoreError::Locked(_))));
    begin(&*store, &env, &workflow, &["esxi-3"]).await.expect("free after success");
    let cancel = Command::CancelCredentials { by: "ada".into() };
    store.command(first, cancel, None).await.expect("cancelled");
    assert_eq!(record(&*store, first).state.status, TaskStatus::Cancelled);
    begin(&*store, &env, &workflow, &["esxi-1", "esxi-2"]).await.expect("free after the cancel");
    store.close().await;
}

/// A retry with a new spec stores it, and works on the same resources.
pub async fn retry_takes_a_new_spec(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, rotate()).await;
    let id = begin(&*store, &env, &workflow, &["esxi-1"]).await.expect("begun");
    fail(&*store, id, 0).await;
    let retry = |input| Command::RetryCredentials { by: "ada".into(), input: Some(input) };
    assert!(matches!(
        store.command(id, retry(spec(&["esxi-9"], "b")), None).await,
        Err(StoreError::Refused(longhaul_model::Refused::OtherResources))
    ));
    assert!(matches!(
        store.command(id, Command::Retry { by: "ada".into() }, None).await,
        Err(StoreError::Refused(longhaul_model::Refused::RetriedByOwnCall))
    ));
    store.command(id, retry(spec(&["esxi-1"], "b")), None).await.expect("retried");
    store.close().await;
    let store = fixture.open().await;
    let kept = store.spec(id).expect("read").expect("its own").input;
    assert_eq!(kept["elements"][0]["credentials"][0]["password"], "b");
    assert_eq!(record(&*store, id).state.status, TaskStatus::InProgress);
    assert!(matches!(begin(&*store, &env, &workflow, &["esxi-1"]).await, Err(StoreError::Locked(_))));
    store.close().await;
}
