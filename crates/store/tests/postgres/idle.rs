//! The cost of nodes that have nothing to do: statements are counted for each beat, so that a slow machine
//! counts no more of them.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Env, Span};
use longhaul_store::Store;
use longhaul_store::conformance::support::{Fixture, START, definition, put, submit, task};
use longhaul_store::postgres::Postgres;
use longhaul_testbed::{Cluster, Durability};

use super::Database;

const NODES: usize = 3;
/// Beats of each node over which statements are counted.
const BEATS: i64 = 4;
/// Looks for each beat, each of them one statement.
const LOOKS_PER_BEAT: i64 = 2;
/// Interval between the sweeps of an engine.
const SWEEP: Duration = Duration::from_millis(500);

/// Number of statements of nodes and of their beats so far.
struct Counted {
    statements: i64,
    beats: i64,
}

impl Counted {
    fn of(cluster: &Cluster) -> Counted {
        let said = cluster.sql(
            "idle",
            "SELECT coalesce(sum(calls), 0)::bigint || ' ' || (SELECT sum(beat) FROM nodes)
             FROM pg_stat_statements WHERE query !~ 'pg_stat_statements'",
        );
        let said = said.unwrap();
        let (statements, beats) = said.split_once(' ').unwrap();
        Counted { statements: statements.parse().unwrap(), beats: beats.parse().unwrap() }
    }

    /// Waits until there are so many beats.
    async fn at(cluster: &Cluster, beats: i64) -> Counted {
        loop {
            let counted = Counted::of(cluster);
            if counted.beats >= beats {
                return counted;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Runs the sweeps of an engine, until stopped.
async fn sweeps(node: Arc<Postgres>, env: Env) {
    loop {
        tokio::time::sleep(SWEEP).await;
        assert_eq!(node.due(env.now(), 500).await.unwrap(), []);
        assert_eq!(node.sweep_claims().await.unwrap().found, 0);
    }
}

/// Nodes beside each other with a task that waits for its start: a look each second and node, and not one
/// statement more for each sweep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_asks_one_question_a_look() {
    let library = "shared_preload_libraries=pg_stat_statements";
    let cluster = Cluster::with(Durability::None, &[library]).unwrap();
    let (url, env) = (cluster.create("idle").unwrap(), Env::manual(START));
    cluster.sql("idle", "CREATE EXTENSION pg_stat_statements").unwrap();
    let database = Database { name: "idle".to_owned(), url, env: env.clone() };
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(database.node().await.unwrap());
    }
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let at = env.now().after(Span(3_600_000));
    submit(&*nodes[0], task(&env, &workflow, "later", Some(at)), None).await;
    let swept: Vec<_> = nodes.iter().map(|node| tokio::spawn(sweeps(node.clone(), env.clone()))).collect();
    // A start asks more.
    let started = Counted::of(&cluster).beats + 2 * NODES as i64;
    let before = Counted::at(&cluster, started).await;
    let after = Counted::at(&cluster, before.beats + BEATS * NODES as i64).await;
    for swept in swept {
        swept.abort();
        assert!(swept.await.unwrap_err().is_cancelled(), "a sweep failed");
    }
    // Each may have looked once more since its last beat.
    let looks = (after.beats - before.beats) * LOOKS_PER_BEAT + NODES as i64;
    let statements = after.statements - before.statements;
    let most = "SELECT string_agg(calls || ' x ' || left(query, 80), E'\\n' ORDER BY calls DESC)
         FROM pg_stat_statements WHERE calls > 5";
    assert!(
        statements <= looks + looks / 2,
        "{statements} statements with {looks} looks:\n{}",
        cluster.sql("idle", most).unwrap()
    );
    for node in nodes {
        node.close().await;
    }
}

/// Changes of a node itself are found by its sweeps at once, whatever the last look showed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_changes_are_found_at_once() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    for n in 0..20 {
        let at = database.env.now().after(Span(1_000));
        let id =
            submit(&*node, task(&database.env, &workflow, &format!("{n}"), Some(at)), None).await.task.id();
        assert_eq!(node.due(database.env.now(), 500).await.unwrap(), []);
        database.env.advance(Span(1_001));
        assert!(node.due(database.env.now(), 500).await.unwrap().contains(&id), "task {n}");
        node.command(id, longhaul_model::Command::Due, None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(90)).await;
    }
    node.close().await;
}

/// Changes of another node are found by the next look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_others_are_found_by_the_next_look() {
    let database = Database::new();
    let nodes = [database.node().await.unwrap(), database.node().await.unwrap()];
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let at = database.env.now().after(Span(1_000));
    let id = submit(&*nodes[0], task(&database.env, &workflow, "later", Some(at)), None).await.task.id();
    // So late that every node sees to it.
    database.env.advance(Span(60_000));
    let begun = std::time::Instant::now();
    while !nodes[1].due(database.env.now(), 500).await.unwrap().contains(&id) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for node in nodes {
        node.close().await;
    }
}

/// Indexes of active tasks become small again once the tasks are gone, and not while many are there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_shrink_after_a_burst() {
    const SIZE: &str =
        "SELECT max(pg_relation_size(indexrelid)) / 1048576 FROM pg_index WHERE indrelid = 'hot'::regclass";
    let database = Database::new();
    let node = database.node().await.unwrap();
    database.operator(
        "INSERT INTO hot SELECT gen_random_uuid(), 0, 1, 'n', 'n', 'n', 't', 3, n, NULL, NULL, '{}', '', '', '{}'
         FROM generate_series(1, 80000) AS n",
    );
    let size = || database.operator_says(SIZE).parse::<i64>().unwrap();
    assert!(size() >= 2, "{} MiB", size());
    assert_eq!(node.shrink_indexes().await.unwrap(), 0, "the table is not empty");
    database.operator("DELETE FROM hot");
    // A vacuum keeps what a sweep of the node may still see, and gives no pages back while one reads the
    // table.
    let begun = std::time::Instant::now();
    while database.operator_says("SELECT pg_relation_size('hot')") != "0" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the table is not emptied");
        database.operator("VACUUM hot");
    }
    assert!(size() >= 2, "{} MiB", size());
    assert!(node.shrink_indexes().await.unwrap() >= 1);
    assert_eq!((size(), node.shrink_indexes().await.unwrap()), (0, 0));
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    submit(&*node, task(&database.env, &workflow, "one", None), None).await;
    node.close().await;
}
