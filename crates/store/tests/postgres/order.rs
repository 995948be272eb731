//! A batch locks its tasks before it reads any of them, even if no statement is prepared yet; no change by
//! another node is therefore lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::{Command, SubTaskStatus, TaskId, Token};
use longhaul_store::conformance::support::{START, definition, put, record, start};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Node, Store, StoreError};
use longhaul_testbed::{Cluster, Durability};

/// Sub-tasks of the one task that both nodes work on.
const STEPS: usize = 96;

/// Two nodes work on one task, so that each must reload it after a change by the other, while connections are
/// cut so often that most batches are the first on theirs. The database's own log shows the order of
/// statements.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_batch_locks_before_it_reads() {
    let cluster = Cluster::with(
        Durability::None,
        &["log_statement=all", "log_line_prefix=<%p> ", "logging_collector=off"],
    )
    .unwrap();
    let options = PostgresOptions {
        url: cluster.create("tasks").unwrap(),
        connections: 4,
        keys: None,
        node: Node::default(),
        allow_unsafe: true,
        before: None,
    };
    let env = longhaul_model::Env::manual(START);
    let nodes = [
        Postgres::open(&options, env.clone()).await.unwrap(),
        Postgres::open(&options, env.clone()).await.unwrap(),
    ];
    let mut definition = definition("w", "T_RUN", STEPS);
    for step in &mut definition.sub_tasks {
        step.needs = Some(Vec::new());
    }
    let workflow = put(&*nodes[0], definition).await;
    let id = start(&*nodes[0], &env, &workflow, "shared").await;
    let tries: Vec<_> = nodes
        .iter()
        .enumerate()
        .map(|(n, node)| tokio::spawn(complete(node.clone(), id, (n..STEPS).step_by(2).collect())))
        .collect();
    while tries.iter().any(|tried| !tried.is_finished()) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND query !~ 'beat|LISTEN'";
        cluster.sql("tasks", cut).unwrap();
    }
    for tried in tries {
        tried.await.unwrap();
    }
    let record = record(&*nodes[1], id);
    assert!(record.sub_tasks.iter().all(|sub| sub.status == SubTaskStatus::Successful));
    assert!(record.state.status.is_ended(), "{:?}", record.state);
    for node in nodes {
        node.close().await;
    }
    let log = std::fs::read_to_string(cluster.log()).unwrap();
    let (loads, wrong) = loads(&log);
    assert!(loads > 50, "only {loads} batches loaded anything");
    assert!(wrong.is_empty(), "{} of {loads} batches read before they locked: {wrong:#?}", wrong.len());
}

/// Repeats the report of each step until it is written.
async fn complete(node: Arc<Postgres>, id: TaskId, steps: Vec<usize>) {
    for step in steps {
        let begun = Instant::now();
        loop {
            let report = Command::Complete {
                sub_task: step as u32,
                token: Token(1),
                output: Some(serde_json::json!(step)),
                by: None,
                next: None,
            };
            match node.command(id, report, None).await {
                Ok(()) | Err(StoreError::Refused(_)) => break,
                Err(StoreError::Unavailable(_) | StoreError::Conflict(_)) => {
                    assert!(begun.elapsed() < Duration::from_secs(60), "step {step} is never written");
                }
                Err(e) => panic!("step {step}: {e}"),
            }
        }
    }
}

/// Returns the number of batches in a server's log that loaded anything, and the statements that read a task
/// before it was locked.
fn loads(log: &str) -> (usize, Vec<String>) {
    let mut sessions: HashMap<&str, (bool, bool)> = HashMap::new();
    let (mut loads, mut wrong) = (0, Vec::new());
    // Continuation lines of a statement have no prefix.
    let entries = log.split("\n<").filter_map(|entry| entry.trim_start_matches('<').split_once("> "));
    for (session, entry) in entries {
        let (in_batch, locked) = sessions.entry(session).or_default();
        if entry.contains("statement: BEGIN") {
            (*in_batch, *locked) = (true, false);
        } else if entry.contains("statement: COMMIT") || entry.contains("statement: ROLLBACK") {
            *in_batch = false;
        } else if entry.contains("FOR UPDATE OF h") {
            loads += usize::from(*in_batch);
            *locked = true;
        } else if ["specs", "outputs", "chunks", "history"].iter().any(|table| {
            entry.contains(": SELECT") && entry.contains(&format!("FROM {table} WHERE id = ANY"))
        }) && *in_batch
            && !*locked
        {
            wrong.push(entry.lines().next().unwrap_or_default().to_owned());
        }
    }
    (loads, wrong)
}
