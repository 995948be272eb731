//! PostgreSQL passes the suite, and keeps its promises when nodes and connections come and go.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says why")]

mod transfer;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use longhaul_model::Env;
use longhaul_store::conformance::support::{Fixture, START, definition, put, record, start, submit, task};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Accounts, Node, Store, StoreError};
use longhaul_testbed::{Cluster, Durability};

/// One for all tests; each has a database of its own.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(Durability::None).unwrap());

struct Database {
    name: String,
    url: String,
    env: Env,
}

impl Database {
    fn options(&self) -> PostgresOptions {
        PostgresOptions { url: self.url.clone(), connections: 4, keys: None, node: Node::default() }
    }

    /// Runs statements as an operator would.
    fn operator(&self, statements: &str) {
        self.operator_says(statements);
    }

    /// The same, with what was printed.
    fn operator_says(&self, statements: &str) -> String {
        CLUSTER.sql(&self.name, statements).unwrap()
    }

    async fn node(&self) -> Result<Arc<Postgres>, StoreError> {
        Postgres::open(
            &PostgresOptions { url: self.url.clone(), connections: 4, keys: None, node: Node::default() },
            self.env.clone(),
        )
        .await
    }
}

#[async_trait::async_trait]
impl Fixture for Database {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Database { url: CLUSTER.create(&name).unwrap(), name, env: Env::manual(START) }
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        self.node().await.unwrap()
    }

    async fn open_accounts(&mut self) -> (Arc<dyn Store>, Arc<dyn Accounts>) {
        let store = self.node().await.unwrap();
        (store.clone(), store)
    }
}

longhaul_store::store_conformance!(Database);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_of_the_future_is_refused() {
    let database = Database::new();
    database.node().await.unwrap().close().await;
    database.operator("INSERT INTO schema_migrations VALUES (998, 'more', '', 0, 1)");
    // It only adds: nodes of both versions run on it.
    database.node().await.unwrap().close().await;
    database.operator("INSERT INTO schema_migrations VALUES (999, 'future', '', 0, 999)");
    let Err(StoreError::Open(message)) = database.node().await else { panic!("it is opened") };
    assert!(message.contains("schema 999"), "{message}");
}

/// A node that could not open what others sealed does not even stand by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_with_other_keys_is_refused() {
    let database = Database::new();
    let with = |keys: &str| PostgresOptions { keys: Some(keys.to_owned()), ..database.options() };
    let first = Postgres::open(&with("one"), database.env.clone()).await.unwrap();
    let Err(StoreError::Open(message)) = Postgres::open(&with("other"), database.env.clone()).await else {
        panic!("it is opened")
    };
    assert!(message.contains("--key-file"), "{message}");
    first.close().await;
    Postgres::open(&with("one"), database.env.clone()).await.unwrap().close().await;
}

/// A node that stands by takes over when the active one closes, and reads what that one wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_that_stands_by_takes_over() {
    let database = Database::new();
    let first = database.node().await.unwrap();
    let workflow = put(&*first, definition("w", "T_RUN", 1)).await;
    let id = start(&*first, &database.env, &workflow, "kept").await;
    let options = database.options();
    let env = database.env.clone();
    let waiting = tokio::spawn(async move { Postgres::open(&options, env).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(!waiting.is_finished(), "two are active");
    first.close().await;
    let second = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(record(&*second, id).name, "kept");
    second.close().await;
}

/// A node whose turn is over writes nothing any more, though it has not noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_whose_turn_is_over_writes_nothing() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    database.operator("UPDATE activity SET turn = turn + 1, node = 'another'");
    let (over, told) = std::sync::mpsc::channel();
    node.when_over(move || over.send(()).unwrap());
    let late = longhaul_store::Submission {
        task: task(&database.env, &workflow, "late", None),
        key: None,
        audit: None,
    };
    let id = late.task.id();
    assert!(matches!(node.submit(late).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(node.get(id), Err(StoreError::NotFound)));
    told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(!node.is_writable());
    node.close().await;
}

/// Reliability F18: connections are cut again and again under load; what was accepted is there, and the node goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_nothing() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let (until, mut accepted, mut refused) = (Instant::now() + Duration::from_secs(4), Vec::new(), 0);
    let name = database.name.clone();
    let cutter = tokio::task::spawn_blocking(move || {
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(150));
            let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
            CLUSTER.sql(&name, others).unwrap();
        }
    });
    while Instant::now() < until {
        let tasks = (0..16).map(|_| {
            let task = task(&database.env, &workflow, "one", None);
            let id = task.id();
            let submission = longhaul_store::Submission { task, key: None, audit: None };
            let node = node.clone();
            tokio::spawn(async move { (id, node.submit(submission).await) })
        });
        for done in tasks.collect::<Vec<_>>() {
            match done.await.unwrap() {
                (id, Ok(_)) => accepted.push(id),
                (_, Err(StoreError::Unavailable(_))) => refused += 1,
                (id, Err(e)) => panic!("{id}: {e}"),
            }
        }
    }
    cutter.await.unwrap();
    let healed = Instant::now();
    while !node.is_writable() {
        assert!(healed.elapsed() < Duration::from_secs(15), "the node does not heal");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = submit(&*node, task(&database.env, &workflow, "last", None), None).await.task.id();
    assert!(accepted.len() > 100, "{} accepted, {refused} refused", accepted.len());
    for id in accepted.iter().chain([&last]) {
        assert_eq!(record(&*node, *id).id, *id);
    }
    node.close().await;
}
