//! PostgreSQL passes the suite, and keeps its promises when nodes and connections come and go.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says why")]

mod changes;
mod check;
mod claims;
mod clock;
mod damage;
mod deadlines;
mod deadlock;
mod failover;
mod idle;
mod migrations;
mod order;
mod partitioned;
mod surroundings;
mod sweeps;
mod transfer;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use longhaul_model::{Command, Effect, Env, Failure, NodeId, Span, TaskId, Token};
use longhaul_store::conformance::support::{Fixture, START, definition, put, record, start, submit, task};
use longhaul_store::peers::{News, Rare};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Accounts, Commit, CommitSink, Node, NodeState, Store, StoreError, TaskQuery};
use longhaul_testbed::{Cluster, Durability};

/// Server for all tests; each test has a database of its own.
static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::start(Durability::None).unwrap());

struct Database {
    name: String,
    url: String,
    env: Env,
}

impl Database {
    fn options(&self) -> PostgresOptions {
        PostgresOptions {
            url: self.url.clone(),
            connections: 4,
            keys: None,
            node: Node::default(),
            allow_unsafe: true,
            before: None,
        }
    }

    /// Runs statements as an operator would.
    fn operator(&self, statements: &str) {
        self.operator_says(statements);
    }

    /// Runs statements as an operator would, and returns the output.
    fn operator_says(&self, statements: &str) -> String {
        CLUSTER.sql(&self.name, statements).unwrap()
    }

    async fn node(&self) -> Result<Arc<Postgres>, StoreError> {
        Postgres::open(&self.options(), self.env.clone()).await
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

/// A node that could not open the secrets of others is refused.
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

/// Record of a node's effects, and of the events that it hears of others.
#[derive(Default)]
struct Told {
    commits: Mutex<Vec<Commit>>,
    news: Mutex<Vec<(NodeId, News)>>,
}

impl CommitSink for Told {
    fn committed(&self, commits: Vec<Commit>) {
        self.commits.lock().unwrap().extend(commits);
    }

    fn heard(&self, from: NodeId, news: News) {
        self.news.lock().unwrap().push((from, news));
    }
}

impl Told {
    fn attached(node: &Postgres) -> Arc<Told> {
        let told = Arc::new(Told::default());
        node.attach(told.clone());
        told
    }

    /// Waits until something was recorded.
    async fn until(&self, what: impl Fn(&Told) -> bool) {
        let start = Instant::now();
        while !what(self) {
            assert!(start.elapsed() < Duration::from_secs(15), "not told: {:?}", self.news.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn starts(&self, id: TaskId) -> usize {
        let commits = self.commits.lock().unwrap();
        let own = commits.iter().filter(|commit| commit.id == id);
        own.flat_map(|commit| &commit.effects).filter(|effect| matches!(effect, Effect::Start(_))).count()
    }

    fn heard(&self, news: &News) -> bool {
        self.news.lock().unwrap().iter().any(|(_, heard)| heard == news)
    }
}

/// Waits until two nodes know of each other.
async fn met(nodes: [&Postgres; 2]) {
    let start = Instant::now();
    while nodes.iter().any(|node| node.peers() == 0) {
        assert!(start.elapsed() < Duration::from_secs(10), "they do not meet");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Nodes run what they committed; a cancel at one stops an attempt at the other; a waiter at one hears of an
/// end at the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_work_on_the_same_tasks() {
    let database = Database::new();
    let (first, second) = (database.node().await.unwrap(), database.node().await.unwrap());
    let (told, other) = (Told::attached(&first), Told::attached(&second));
    met([&first, &second]).await;
    let workflow = put(&*first, definition("w", "T_RUN", 2)).await;
    let id = start(&*first, &database.env, &workflow, "shared").await;
    assert_eq!((told.starts(id), other.starts(id)), (1, 0));
    assert_eq!(record(&*second, id).sub_tasks[0].node, NodeId(1));
    let report = Command::Complete { sub_task: 0, token: Token(1), output: None, by: None, next: None };
    second.command(id, report, None).await.unwrap();
    assert_eq!((told.starts(id), other.starts(id)), (1, 1));
    let cancel = Command::Cancel { by: "somebody".to_owned(), grace: Span(60_000) };
    first.command(id, cancel, None).await.unwrap();
    other.until(|told| told.heard(&News::Stop(id, 1, Token(1)))).await;
    assert_eq!(first.stale(vec![(id, 1, Token(1)), (id, 0, Token(1))]).await.unwrap().len(), 2);
    let stopped = Command::Fail { sub_task: 1, token: Token(1), failure: Failure::Stopped, by: None };
    second.command(id, stopped, None).await.unwrap();
    told.until(|told| told.heard(&News::Ended(id))).await;
    let nodes = first.nodes().unwrap();
    assert!(nodes.len() == 2 && nodes.iter().all(|node| node.state == NodeState::Active), "{nodes:?}");
    first.close().await;
    second.close().await;
}

/// A workflow that one node stores is used by every other from then on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_know_what_others_change() {
    let database = Database::new();
    let (first, second) = (database.node().await.unwrap(), database.node().await.unwrap());
    let told = Told::attached(&second);
    let old = put(&*first, definition("w", "T_RUN", 1)).await;
    assert_eq!(second.workflow("w", None).unwrap().version, 1);
    let new = put(&*first, definition("w", "T_RUN", 2)).await;
    let submission = |workflow| longhaul_store::Submission {
        task: task(&database.env, workflow, "one", None),
        key: None,
        audit: None,
        newest: true,
    };
    assert!(matches!(second.submit(submission(&old)).await, Err(StoreError::WorkflowChanged)));
    second.submit(submission(&new)).await.unwrap();
    assert_eq!(second.workflow("w", None).unwrap().version, 2);
    let news = second.accounts_news();
    first.put_setting("queues", serde_json::json!({}), None).await.unwrap();
    told.until(|told| told.heard(&News::Changed(Rare::Settings))).await;
    // Of changes at both nodes at once none is lost, the first of a setting neither.
    for round in 0..10 {
        let (a, b) = tokio::join!(
            first.merge_setting("merged", serde_json::json!({ "q": { format!("a{round}"): round } }), None),
            second.merge_setting("merged", serde_json::json!({ "q": { format!("b{round}"): round } }), None),
        );
        let (a, b) = (a.unwrap(), b.unwrap());
        let kept = second.setting("merged").unwrap().unwrap();
        assert_eq!(kept["q"].as_object().unwrap().len(), 2 * (round + 1), "{kept}");
        assert!(kept == a || kept == b, "{a} {b}");
    }
    first.delete_workflow("w", None).await.unwrap();
    assert!(matches!(second.submit(submission(&new)).await, Err(StoreError::WorkflowChanged)));
    assert_eq!(second.accounts_news(), news);
    assert_eq!(second.signing_keys().unwrap(), None);
    assert!(first.put_signing_keys(None, "a".to_owned()).await.unwrap());
    assert!(!second.put_signing_keys(None, "b".to_owned()).await.unwrap());
    assert_eq!(second.signing_keys().unwrap().as_deref(), Some("a"));
    assert!(second.put_signing_keys(Some("a".to_owned()), "b".to_owned()).await.unwrap());
    assert_eq!(first.signing_keys().unwrap().as_deref(), Some("b"));
    first.close().await;
    second.close().await;
}

/// The work of a dead node is taken over by another: attempts run again, and nothing is moved twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_take_over_from_the_dead() {
    let database = Database::new();
    let (first, second) = (database.node().await.unwrap(), database.node().await.unwrap());
    let told = Told::attached(&second);
    let workflow = put(&*first, definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for n in 0..50 {
        tasks.push(start(&*first, &database.env, &workflow, &format!("lost {n}")).await);
    }
    let own = start(&*second, &database.env, &workflow, "own").await;
    database.operator("UPDATE turns SET over = true WHERE node = 1");
    told.until(|told| tasks.iter().all(|id| told.starts(*id) == 1)).await;
    for id in &tasks {
        let sub = record(&*second, *id).sub_tasks[0].clone();
        assert_eq!((sub.node, sub.attempt, sub.lost), (NodeId(2), 2, 1));
    }
    assert_eq!((told.starts(own), record(&*second, own).sub_tasks[0].attempt), (1, 1));
    let start = Instant::now();
    while database.operator_says("SELECT count(*) FROM turns WHERE over") != "0" {
        assert!(start.elapsed() < Duration::from_secs(10), "it is never done");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The number is free again.
    let third = database.node().await.unwrap();
    assert_eq!(third.recover().await.unwrap(), 0);
    for node in [first, second, third] {
        node.close().await;
    }
}

/// A node whose session is over writes nothing any more, though it has not noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_whose_turn_is_over_writes_nothing() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    database.operator("UPDATE turns SET over = true");
    let (over, told) = std::sync::mpsc::channel();
    node.when_over(move || over.send(()).unwrap());
    let late = longhaul_store::Submission {
        task: task(&database.env, &workflow, "late", None),
        key: None,
        audit: None,
        newest: false,
    };
    let id = late.task.id();
    assert!(matches!(node.submit(late).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(node.get(id), Err(StoreError::NotFound)));
    told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(!node.is_writable());
    node.close().await;
}

/// Reliability F18: connections are cut again and again under load; accepted tasks are there, and the node
/// goes on.
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
            let submission = longhaul_store::Submission { task, key: None, audit: None, newest: false };
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

/// Reliability F17, with a standby that was behind: a node whose database has lost confirmed commits ends. A
/// node whose connections were only cut goes on, with exact totals.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_forgot_is_noticed() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let submission = || longhaul_store::Submission {
        task: task(&database.env, &workflow, "one", None),
        key: None,
        audit: None,
        newest: false,
    };
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query !~ 'beat|LISTEN'";
    for _ in 0..3 {
        node.submit(submission()).await.unwrap();
        CLUSTER.sql(&database.name, cut).unwrap();
    }
    let last = node.submit(submission()).await.unwrap().task.id();
    assert_eq!(node.list(&TaskQuery::default()).unwrap().total, 4);

    // The state is as if that commit had never been.
    database.operator(&format!("DELETE FROM hot WHERE id = '{last}'; DELETE FROM specs WHERE id = '{last}'"));
    database.operator(
        "DELETE FROM tallies WHERE (place, number) = (SELECT place, max(number) FROM tallies GROUP BY place
         ORDER BY max(number) DESC LIMIT 1)",
    );
    CLUSTER.sql(&database.name, cut).unwrap();
    assert!(matches!(node.submit(submission()).await, Err(StoreError::Unavailable(_))));
    assert!(!node.is_writable());
    node.close().await;

    let node = database.node().await.unwrap();
    node.submit(submission()).await.unwrap();
    node.close().await;
}

/// A loan of many sub-tasks, far longer than a notification, arrives, and so do the events sent after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_news_arrive_whole() {
    let database = Database::new();
    let (first, second) = (database.node().await.unwrap(), database.node().await.unwrap());
    let told = Told::attached(&second);
    met([&first, &second]).await;
    let items: Vec<_> = (0..5_000).map(|n| (database.env.new_task_id(), n, 0)).collect();
    let last = database.env.new_task_id();
    first.tell(longhaul_store::peers::To::Node(NodeId(2)), News::Given("q".to_owned(), items.clone()));
    first.tell(longhaul_store::peers::To::All, News::Ended(last));
    told.until(|told| told.heard(&News::Ended(last))).await;
    let given = |told: &Told| -> usize {
        let news = told.news.lock().unwrap();
        news.iter().map(|(_, news)| if let News::Given(_, items) = news { items.len() } else { 0 }).sum()
    };
    told.until(|told| given(told) == items.len()).await;
    assert_eq!(first.health().failed_statements, Some(0));
    first.close().await;
    second.close().await;
}
