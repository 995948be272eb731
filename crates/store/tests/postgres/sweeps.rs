//! Reliability F34: every sweep by several nodes at once on the same rows. Each row is handled once, and
//! nothing is moved back, also when connections are cut in the middle.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Command, Failure, NodeId, Span, TaskId, TaskStatus, Timestamp, Token};
use longhaul_store::conformance::support::{Fixture, complete, definition, put, record, start, submit, task};
use longhaul_store::postgres::Postgres;
use longhaul_store::{Deletion, Store, StoreError, TaskQuery};

use super::{CLUSTER, Database, Told, met};

const TASKS: usize = 200;

/// Two nodes that know each other.
async fn two(database: &Database) -> [Arc<Postgres>; 2] {
    let nodes = [database.node().await.unwrap(), database.node().await.unwrap()];
    met([&nodes[0], &nodes[1]]).await;
    nodes
}

async fn close(nodes: impl IntoIterator<Item = Arc<Postgres>>) {
    for node in nodes {
        node.close().await;
    }
}

/// Runs the same command on each of these tasks at both nodes at once; returns the count of those that were
/// carried out.
async fn both(nodes: &[Arc<Postgres>; 2], tasks: &[TaskId], command: Command) -> usize {
    let tries = tasks.iter().flat_map(|id| {
        let tried = |node: &Arc<Postgres>| {
            let (node, id, command) = (node.clone(), *id, command.clone());
            tokio::spawn(async move { node.command(id, command, None).await })
        };
        nodes.each_ref().map(tried)
    });
    let mut done = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            Ok(()) => done += 1,
            Err(StoreError::Refused(_)) => {}
            Err(e) => panic!("{e}"),
        }
    }
    done
}

/// Two sweeps of timers begin due tasks once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_tasks_begin_once() {
    let database = Database::new();
    let nodes = two(&database).await;
    let told = nodes.each_ref().map(|node| Told::attached(node));
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let at = database.env.now().after(Span(60_000));
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        let later = task(&database.env, &workflow, &format!("later {n}"), Some(at));
        tasks.push(submit(&*nodes[n % 2], later, None).await.task.id());
    }
    // The time is so late that a node also does the other one's share.
    database.env.advance(Span(120_000));
    let now = database.env.now();
    let found = [nodes[0].due(now, 1_000).await.unwrap(), nodes[1].due(now, 1_000).await.unwrap()];
    assert_eq!(found[0].len() + found[1].len(), 2 * TASKS, "both find all of it");
    both(&nodes, &tasks, Command::Due).await;
    for id in &tasks {
        assert_eq!(told.iter().map(|told| told.starts(*id)).sum::<usize>(), 1);
        let record = record(&*nodes[0], *id);
        assert_eq!((record.state.status, record.sub_tasks[0].attempt), (TaskStatus::InProgress, 1));
    }
    close(nodes).await;
}

/// Two reapers: a lost attempt is lost once, and repeated once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_attempts_are_repeated_once() {
    let database = Database::new();
    let nodes = two(&database).await;
    let told = nodes.each_ref().map(|node| Told::attached(node));
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        tasks.push(start(&*nodes[n % 2], &database.env, &workflow, &format!("lost {n}")).await);
    }
    let lost = Command::Fail { sub_task: 0, token: Token(1), failure: Failure::Lost, by: None };
    assert_eq!(both(&nodes, &tasks, lost).await, TASKS);
    for id in &tasks {
        assert_eq!(told.iter().map(|told| told.starts(*id)).sum::<usize>(), 2);
        let sub = record(&*nodes[0], *id).sub_tasks[0].clone();
        assert_eq!((sub.attempt, sub.lost), (2, 1));
    }
    close(nodes).await;
}

/// Two nodes take over from a third one while their connections are cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_take_over_once_though_they_are_cut_off() {
    let database = Database::new();
    let dead = database.node().await.unwrap();
    let nodes = two(&database).await;
    let told = nodes.each_ref().map(|node| Told::attached(node));
    let workflow = put(&*dead, definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        tasks.push(start(&*dead, &database.env, &workflow, &format!("left {n}")).await);
    }
    database.operator("UPDATE turns SET over = true WHERE node = 1");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        // All connections are cut but those of the nodes' beats.
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND query !~ 'beat|LISTEN'";
        CLUSTER.sql(&database.name, cut).unwrap();
    }
    let starts = |id: &TaskId| told.iter().map(|told| told.starts(*id)).sum::<usize>();
    told[0].until(|_| tasks.iter().all(|id| starts(id) > 0)).await;
    for id in &tasks {
        let sub = record(&*nodes[0], *id).sub_tasks[0].clone();
        assert_eq!((starts(id), sub.attempt, sub.lost), (1, 2, 1));
        assert_ne!(sub.node, NodeId(1));
    }
    dead.close().await;
    close(nodes).await;
}

/// Two runs of retention, and two deletions by name, delete each task once, and its totals with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_tasks_go_once() {
    let database = Database::new();
    let nodes = two(&database).await;
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for n in 0..TASKS {
        let id = start(&*nodes[n % 2], &database.env, &workflow, &format!("old {n}")).await;
        complete(&*nodes[n % 2], id, 0, None).await;
        tasks.push(id);
    }
    let running = start(&*nodes[0], &database.env, &workflow, "running").await;
    let (named, aged) = tasks.split_at(TASKS / 2);
    let by_name = |node: &Arc<Postgres>| {
        let (node, named) = (node.clone(), named.to_vec());
        tokio::spawn(async move { node.delete_history(named, None).await.unwrap() })
    };
    let mut gone = Vec::new();
    for tried in nodes.each_ref().map(by_name) {
        gone.extend(tried.await.unwrap());
    }
    assert_eq!(gone.iter().filter(|(_, what)| *what == Deletion::Deleted).count(), named.len());
    database.env.advance(Span(60_000));
    let before = database.env.now();
    let mut purged = 0;
    for run in nodes.each_ref().map(|node| tokio::spawn(retain(node.clone(), before))) {
        purged += run.await.unwrap();
    }
    assert_eq!(purged, aged.len() as u64);
    for node in &nodes {
        assert!(tasks.iter().all(|id| matches!(node.get(*id), Err(StoreError::NotFound))));
        assert_eq!(node.list(&TaskQuery::default()).unwrap().total, 1);
        assert_eq!(record(&**node, running).state.status, TaskStatus::InProgress);
    }
    close(nodes).await;
}

/// Deletes old tasks in small rounds; returns their count.
async fn retain(node: Arc<Postgres>, before: Timestamp) -> u64 {
    let (mut from, mut deleted) = (None, 0);
    loop {
        let round = node.purge(before, from, 7).await.unwrap();
        deleted += round.deleted;
        match round.next {
            Some(next) => from = Some(next),
            None => return deleted,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_successes_are_made_good() {
    let mut database = Database::new();
    let name = database.name.clone();
    let plant = move |outputs: &[(TaskId, u32, serde_json::Value)]| {
        let planted = outputs.iter().map(|(id, sub_task, output)| {
            format!(
                "INSERT INTO outputs (id, shard, sub_task, doc)
                 SELECT id, shard, {sub_task}, '{output}' FROM hot WHERE id = '{id}';"
            )
        });
        CLUSTER.sql(&name, &planted.collect::<String>()).unwrap();
    };
    longhaul_store::conformance::lost::lost_successes_are_made_good(&mut database, plant).await;
}
