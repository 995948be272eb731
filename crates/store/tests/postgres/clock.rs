//! Liveness is based on counted beats: whatever the database's clock is set to, only a node that stopped
//! counting is dead.

use std::time::{Duration, Instant};

use longhaul_model::{SubTaskStatus, TaskId};
use longhaul_store::conformance::support::{Fixture, definition, put, record, start};
use longhaul_store::postgres::Postgres;
use longhaul_store::{NodeState, Store};

use super::{CLUSTER, Database, Told};

/// Clock set by the operator, which every statement of every session finds before the database's own.
const CLOCK: &str = "CREATE SCHEMA faked;
     CREATE TABLE faked.step (by interval NOT NULL);
     INSERT INTO faked.step VALUES ('0 s');
     CREATE FUNCTION faked.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
       AS 'SELECT pg_catalog.clock_timestamp() + (SELECT by FROM faked.step)'";

fn with_a_clock() -> Database {
    let database = Database::new();
    database.operator(CLOCK);
    let first = format!("ALTER DATABASE {} SET search_path = faked, pg_catalog, public", database.name);
    CLUSTER.sql("postgres", &first).unwrap();
    database
}

impl Database {
    fn number(&self, statement: &str) -> i64 {
        self.operator_says(statement).parse().unwrap()
    }

    async fn until(&self, what: &str, statement: &str) {
        let begun = Instant::now();
        while self.operator_says(statement) != "t" {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until every node has counted `more` beats, and thereby observed all others.
    async fn beats(&self, more: i64) {
        let from = self.number("SELECT max(beat) FROM nodes");
        let counted = format!(
            "SELECT min(beat) >= {} FROM nodes JOIN turns USING (turn) WHERE turns.node < 9",
            from + more
        );
        self.until("the nodes do not count", &counted).await;
    }
}

fn all_live(nodes: &[std::sync::Arc<Postgres>], tasks: &[TaskId], when: &str) {
    for node in nodes {
        assert!(node.is_writable(), "{when}");
        let known = node.nodes().unwrap();
        assert!(known.iter().all(|known| known.state == NodeState::Active), "{when}: {known:?}");
        assert_eq!((known.len(), node.peers()), (3, 2), "{when}: {known:?}");
    }
    for id in tasks {
        let sub = record(&*nodes[0], *id).sub_tasks[0].clone();
        assert_eq!((sub.status, sub.attempt, sub.lost), (SubTaskStatus::InProgress, 1, 0), "{when}");
    }
}

/// A step of the database's clock, however large, makes no node dead, and nothing is taken over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_of_the_databases_clock_kills_nobody() {
    let database = with_a_clock();
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        let mut options = database.options();
        options.node.name = name.to_owned();
        nodes.push(Postgres::open(&options, database.env()).await.unwrap());
    }
    let _told: Vec<_> = nodes.iter().map(|node| Told::attached(node)).collect();
    let workflow = put(&*nodes[0], definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for node in &nodes {
        tasks.push(start(&**node, &database.env, &workflow, "long").await);
    }
    database.beats(3).await;
    all_live(&nodes, &tasks, "at the beginning");
    for step in ["15 s", "-15 s", "1 day", "-1 day", "3 years", "0 s"] {
        database.operator(&format!("UPDATE faked.step SET by = '{step}'"));
        database.beats(3).await;
        all_live(&nodes, &tasks, step);
    }
    for node in nodes {
        node.close().await;
    }
}

/// A node that stopped counting is taken over from, whatever its last timestamp; a node of an earlier
/// version, which only updates its timestamp, is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_are_found_by_their_beats() {
    let database = with_a_clock();
    let node = database.node().await.unwrap();
    database.operator(
        "INSERT INTO turns VALUES (2, 9), (3, 10);
         INSERT INTO nodes (turn, node, name, address, version, started_at, process, application, alone, seen_at)
         SELECT turn, node, 'n' || turn, '', '', 0, NULL, 'nobody', false, clock_timestamp() + interval '1 year'
         FROM turns WHERE node IN (9, 10)",
    );
    let begun = Instant::now();
    while database.operator_says("SELECT count(*) FROM turns WHERE node = 9 AND NOT over") != "0" {
        assert!(begun.elapsed() < Duration::from_secs(60), "the dead one is not found");
        database.operator("UPDATE nodes SET seen_at = seen_at + interval '1 s' WHERE node = 10");
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(database.operator_says("SELECT count(*) FROM turns WHERE node = 10 AND NOT over"), "1");
    assert!(node.is_writable());
    node.close().await;
}
