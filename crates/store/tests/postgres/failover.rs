//! Failover: a standby that was behind is promoted, and the nodes go on with it.

use std::time::{Duration, Instant};

use longhaul_model::Env;
use longhaul_store::conformance::support::{START, definition, put};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Node, Store};
use longhaul_testbed::{Cluster, Durability, Stop};

fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reliability F17 with an asynchronous standby: a node that has lost nothing of its own also forgets what
/// others have lost, though what comes instead has the same numbers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_lost_is_forgotten() {
    let mut primary = Cluster::start(Durability::None).unwrap();
    primary.create("tasks").unwrap();
    let standby = Cluster::standby_of(&primary).unwrap();
    primary.wait_for_no_standby().unwrap();
    let options = PostgresOptions {
        url: longhaul_testbed::url(&[primary.home(), standby.home()], "tasks"),
        connections: 4,
        keys: None,
        node: Node::default(),
        allow_unsafe: true,
        before: None,
    };
    let env = Env::manual(START);
    let open = async || Postgres::open(&options, env.clone()).await.unwrap();
    let (first, second) = (open().await, open().await);
    put(&*first, definition("w", "T_KEPT", 1)).await;
    let position = primary.sql("tasks", "SELECT pg_current_wal_lsn()").unwrap();
    let behind = format!("SELECT pg_last_wal_replay_lsn() >= '{position}'");
    until("the standby does not follow", || standby.sql("tasks", &behind).unwrap() == "t");

    standby.sql("postgres", "ALTER SYSTEM SET primary_conninfo = ''").unwrap();
    standby.sql("postgres", "SELECT pg_reload_conf()").unwrap();
    let followers = "SELECT count(*) FROM pg_stat_replication";
    until("the standby follows still", || primary.sql("postgres", followers).unwrap() == "0");
    let lost = put(&*first, definition("w", "T_LOST", 1)).await;
    // Time until the second node has heard of it in every way, and forgets nothing for that any more.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let newest = |node: &Postgres| node.workflow("w", None).unwrap();
    assert_eq!(newest(&second).definition.kind, "T_LOST");
    first.close().await;

    primary.stop(Stop::Immediate).unwrap();
    standby.promote().unwrap();
    until("the second node remembers what is lost", || newest(&second).definition.kind == "T_KEPT");
    let third = open().await;
    let new = put(&*third, definition("w", "T_NEW", 1)).await;
    assert_eq!(new.version, lost.version);
    until("the second node hears nothing new", || newest(&second).definition.kind == "T_NEW");
    assert_eq!(second.workflow("w", Some(lost.version)).unwrap().definition.kind, "T_NEW");
    for node in [second, third] {
        node.close().await;
    }
}

/// A server that accepts connections and answers nobody keeps no node from the one that took its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_passed_over() {
    let cluster = Cluster::start(Durability::None).unwrap();
    let url = cluster.create("tasks").unwrap();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("@{},", hanging.local_addr().unwrap());
    let options = PostgresOptions {
        url: url.replacen('@', &first, 1),
        connections: 4,
        keys: None,
        node: Node::default(),
        allow_unsafe: true,
        before: None,
    };
    let begun = Instant::now();
    let node = Postgres::open(&options, Env::manual(START)).await.unwrap();
    put(&*node, definition("w", "T", 1)).await;
    // The server is skipped once: the one that answered last is asked first.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    node.close().await;
    drop(hanging);
}
