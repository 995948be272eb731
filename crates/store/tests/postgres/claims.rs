//! Claims of several nodes on the same keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::{Command, Span, TaskId, TaskStatus};
use longhaul_store::conformance::line;
use longhaul_store::conformance::support::{Fixture, complete, put, record, submit};
use longhaul_store::postgres::Postgres;
use longhaul_store::{LockQuery, Store};
use serde_json::json;

use super::{CLUSTER, Database, met};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lines_follow_the_plain_rules() {
    line::long_lines_follow_the_plain_rules(&mut Database::new(), 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_wake_ups_are_made_good() {
    let mut database = Database::new();
    let name = database.name.clone();
    let operator = move |statements: &str| drop(CLUSTER.sql(&name, statements).unwrap());
    line::lost_wake_ups_are_made_good(&mut database, operator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_before_go_on() {
    let mut database = Database::new();
    let name = database.name.clone();
    let before = move || {
        let statements =
            "ALTER TABLE claims DROP COLUMN clear CASCADE; DROP INDEX IF EXISTS claims_alone, claims_held;
             DELETE FROM schema_migrations WHERE number = 4";
        CLUSTER.sql(&name, statements).unwrap();
    };
    line::claims_of_before_go_on(&mut database, before).await;
}

const TASKS: usize = 120;

/// Two nodes submit, complete and cancel on the same locks and slots: the limits are never exceeded, and
/// every task gets its claims without the sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_share_keys() {
    let database = Database::new();
    let nodes = [database.node().await.unwrap(), database.node().await.unwrap()];
    met([&nodes[0], &nodes[1]]).await;
    let definition = json!({
        "name": "w", "type": "T", "title": "t", "input": { "type": "object" },
        "resources": [{ "type": "HOST", "resourceId": "{{ input.a }}", "lock": "exclusive" },
                      { "type": "HOST", "resourceId": "{{ input.b }}", "lock": "shared" }],
        "concurrency": { "key": "k", "limit": 3 },
        "subTasks": [{ "name": "Work", "description": "…", "action": { "simulate": {} } }]
    });
    let workflow = put(&*nodes[0], serde_json::from_value(definition).unwrap()).await;
    let mut ids = Vec::new();
    let mut submitting = Vec::new();
    for n in 0..TASKS {
        let input = json!({ "a": format!("h{}", n % 7), "b": format!("h{}", (n + 3) % 7) });
        let spec =
            longhaul_model::Spec { input, labels: Default::default(), requested_by: None, caller: None };
        let id = database.env.new_task_id();
        let task =
            longhaul_model::Task::new(id, workflow.clone(), spec, None, None, database.env.now()).unwrap();
        ids.push(id);
        let node = nodes[n % 2].clone();
        submitting.push(tokio::spawn(async move { submit(&*node, Box::new(task), None).await }));
    }
    for submitting in submitting {
        submitting.await.unwrap();
    }
    let (mut left, begun) = (ids.clone(), Instant::now());
    while !left.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{} tasks are stuck", left.len());
        let held = holders(&nodes[0]);
        assert!(held.len() <= 3, "no more than three have a place: {held:?}");
        let runs = |id: &&TaskId| record(&*nodes[0], **id).state.status == TaskStatus::InProgress;
        let running: Vec<TaskId> = left.iter().filter(runs).copied().collect();
        let mut ending = Vec::new();
        for (n, id) in running.iter().copied().enumerate() {
            let node = nodes[n % 2].clone();
            ending.push(tokio::spawn(async move { complete(&*node, id, 0, None).await }));
        }
        // A waiting task is meanwhile cancelled at the other node.
        let waits =
            left.iter().rev().find(|id| !running.contains(id)).copied().filter(|_| left.len() % 5 == 0);
        if let Some(id) = waits {
            let cancel = Command::Cancel { by: "ada".into(), grace: Span(1_000) };
            // The task may be running by now, and is then completed with the others.
            let _ = nodes[1].command(id, cancel, None).await;
        }
        for ending in ending {
            ending.await.unwrap();
        }
        left.retain(|id| !record(&*nodes[0], *id).state.status.is_ended());
        for id in &left {
            // The task was cancelled while it ran.
            let stopped = record(&*nodes[0], *id).state.stopping.is_some();
            if stopped {
                let _ = stop(&nodes[0], *id).await;
            }
        }
    }
    assert_eq!(nodes[1].locks(&LockQuery { limit: 10, ..LockQuery::default() }).unwrap().total, 0);
    for node in nodes {
        node.close().await;
    }
}

/// Returns the tasks that hold anything.
fn holders(node: &Arc<Postgres>) -> std::collections::BTreeSet<TaskId> {
    let page = node.locks(&LockQuery { limit: 10_000, ..LockQuery::default() }).unwrap();
    page.locks.iter().filter(|lock| lock.held).map(|lock| lock.task).collect()
}

async fn stop(node: &Arc<Postgres>, id: TaskId) -> Result<(), longhaul_store::StoreError> {
    let token = longhaul_model::Token(1);
    let stopped = Command::Fail { sub_task: 0, token, failure: longhaul_model::Failure::Stopped, by: None };
    node.command(id, stopped, None).await
}
