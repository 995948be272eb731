//! Deadlines: whatever the database does, callers are answered, posted changes are retried without holding
//! anything up, and the store closes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::{Command, Env, SubTaskStatus, TaskId, Token};
use longhaul_store::conformance::support::{Fixture, START, definition, put, record, start, task};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::{Health, Node, Store, StoreError, Submission, Trouble};
use longhaul_testbed::{Cluster, Durability};

use super::{CLUSTER, Database};

/// Upper bound of any answer, on a busy machine.
const ANSWERED: Duration = Duration::from_secs(30);

fn report(output: &str) -> Command {
    Command::Complete {
        sub_task: 0,
        token: Token(1),
        output: Some(serde_json::json!(output)),
        by: None,
        next: None,
    }
}

async fn until(what: &str, node: &Postgres, holds: impl Fn(&Health) -> bool) {
    let begun = Instant::now();
    while !holds(&node.health()) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:?}", node.health());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn done(node: &Postgres, id: TaskId) {
    let begun = Instant::now();
    while record(node, id).sub_tasks[0].status != SubTaskStatus::Successful {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is never written: {:?}", node.health());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Database {
    async fn new_task(&self, node: &Postgres) -> Result<(), StoreError> {
        let workflow = node.workflow("w", None)?;
        let task = task(&self.env, &workflow, "new", None);
        node.submit(Submission { task, key: None, audit: None, newest: false }).await.map(drop)
    }

    /// Opens a session that holds a lock until told to release it.
    async fn locked(&self, lock: &str) -> tokio::task::JoinHandle<()> {
        self.operator("CREATE TABLE IF NOT EXISTS released (n integer); TRUNCATE released");
        let statements = format!(
            "BEGIN; {lock}; SET application_name = 'locked';
             DO $$ BEGIN
               FOR n IN 1..6000 LOOP EXIT WHEN EXISTS (SELECT FROM released); PERFORM pg_sleep(0.02); END LOOP;
             END $$; COMMIT"
        );
        let name = self.name.clone();
        let session = tokio::task::spawn_blocking(move || drop(CLUSTER.sql(&name, &statements).unwrap()));
        let begun = Instant::now();
        let is_locked = "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'locked'";
        while self.operator_says(is_locked) != "1" {
            assert!(begun.elapsed() < Duration::from_secs(30), "it does not lock");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        session
    }
}

/// Reliability F8 and F36: a table locked by another session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_keeps_nobody_waiting() {
    let database = Database::new();
    let (node, other) = (database.node().await.unwrap(), database.node().await.unwrap());
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let id = start(&*node, &database.env, &workflow, "posted").await;
    let session = database.locked("LOCK TABLE hot IN ACCESS EXCLUSIVE MODE").await;
    node.post(id, report("kept")).await;
    for _ in 0..2 {
        let asked = Instant::now();
        let answer = database.new_task(&node).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        assert!(asked.elapsed() < ANSWERED, "{:?}", asked.elapsed());
    }
    let health = node.health();
    assert!(health.trouble.is_some() && health.repeated == 1 && !health.oldest_wait.is_zero(), "{health:?}");
    let closing = Instant::now();
    other.close().await;
    assert!(closing.elapsed() < ANSWERED, "{:?}", closing.elapsed());
    database.operator("INSERT INTO released VALUES (1)");
    session.await.unwrap();
    done(&node, id).await;
    until("it does not heal", &node, |health| health.trouble.is_none() && health.repeated == 0).await;
    database.new_task(&node).await.unwrap();
    node.close().await;
}

/// A row locked by another session holds up only its own task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_row_holds_up_its_own_task_only() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let id = start(&*node, &database.env, &workflow, "locked").await;
    let lock = format!("SELECT FROM hot WHERE id = '{id}' FOR UPDATE");
    let session = database.locked(&lock).await;
    node.post(id, report("kept")).await;
    until("it is not repeated", &node, |health| health.repeated == 1).await;
    let mut accepted = 0;
    for _ in 0..40 {
        // The sweep posts the same again and again.
        node.post(id, Command::Due).await;
        accepted += usize::from(database.new_task(&node).await.is_ok());
    }
    assert_eq!(accepted, 40, "{:?}", node.health());
    let asked = Instant::now();
    let cancel = Command::Cancel { by: "somebody".to_owned(), grace: longhaul_model::Span(0) };
    let answer = node.command(id, cancel, None).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    assert!(asked.elapsed() < ANSWERED, "{:?}", asked.elapsed());
    until("nobody is told", &node, |health| health.set_aside.iter().any(|aside| aside.task == id)).await;
    database.operator("INSERT INTO released VALUES (1)");
    session.await.unwrap();
    done(&node, id).await;
    node.close().await;
}

/// Full storage is reported at once, even with work waiting to be written, and its end is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_storage_is_said_at_once() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let id = start(&*node, &database.env, &workflow, "posted").await;
    database.operator(
        "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql
           AS $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
         CREATE TRIGGER is_full BEFORE INSERT ON tallies FOR EACH ROW EXECUTE FUNCTION is_full()",
    );
    node.post(id, report("kept")).await;
    for _ in 0..5 {
        let asked = Instant::now();
        let answer = database.new_task(&node).await;
        assert!(matches!(answer, Err(StoreError::Full)), "{answer:?}");
        let answer = node.put_setting("s", 1.into(), None).await;
        assert!(matches!(answer, Err(StoreError::Full)), "{answer:?}");
        assert!(asked.elapsed() < ANSWERED, "{:?}", asked.elapsed());
    }
    assert_eq!(node.health().trouble, Some(Trouble::Full));
    database.operator("DROP TRIGGER is_full ON tallies");
    // No call is made: the store recovers by itself.
    until("it does not heal", &node, |health| health.trouble.is_none() && health.repeated == 0).await;
    done(&node, id).await;
    node.close().await;
}

/// A change that fails while all others can be written is set aside, reported, and written once it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_alone_is_set_aside() {
    let database = Database::new();
    let node = database.node().await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for _ in 0..20 {
        tasks.push(start(&*node, &database.env, &workflow, "one").await);
    }
    database.operator(
        "CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql
           AS $$ BEGIN IF NEW.doc ~ 'poison' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refused BEFORE INSERT ON outputs FOR EACH ROW EXECUTE FUNCTION refused()",
    );
    for (n, id) in tasks.iter().enumerate() {
        node.post(*id, report(if n == 7 { "poison" } else { "good" })).await;
    }
    for (n, id) in tasks.iter().enumerate().filter(|(n, _)| *n != 7) {
        done(&node, *id).await;
        assert_ne!(n, 7);
    }
    let begun = Instant::now();
    while node.health().set_aside.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody is told: {:?}", node.health());
        database.new_task(&node).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let health = node.health();
    assert_eq!((health.set_aside[0].task, health.repeated), (tasks[7], 1), "{health:?}");
    assert!(health.set_aside[0].reason.contains("not this one"), "{health:?}");
    database.operator("DROP TRIGGER refused ON outputs");
    done(&node, tasks[7]).await;
    node.close().await;
}

/// A database server that hangs: every caller is answered, and the store closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_keeps_nobody() {
    let mut cluster = Cluster::start(Durability::None).unwrap();
    let options = PostgresOptions {
        url: cluster.create("tasks").unwrap(),
        connections: 4,
        keys: None,
        node: Node::default(),
        allow_unsafe: true,
        before: None,
    };
    let env = Env::manual(START);
    let node: Arc<Postgres> = Postgres::open(&options, env.clone()).await.unwrap();
    let workflow = put(&*node, definition("w", "T_RUN", 1)).await;
    let id = start(&*node, &env, &workflow, "posted").await;
    cluster.hang().unwrap();
    node.post(id, report("lost")).await;
    let asked = Instant::now();
    let task = task(&env, &workflow, "new", None);
    let submission = Submission { task, key: None, audit: None, newest: false };
    let (submitted, noted) = tokio::join!(node.submit(submission), node.put_setting("s", 1.into(), None));
    assert!(matches!(submitted, Err(StoreError::Unavailable(_))));
    assert!(matches!(noted, Err(StoreError::Unavailable(_))), "{noted:?}");
    assert!(asked.elapsed() < ANSWERED, "{:?}", asked.elapsed());
    assert!(node.health().trouble.is_some(), "{:?}", node.health());
    let closing = Instant::now();
    node.close().await;
    assert!(closing.elapsed() < ANSWERED, "{:?}", closing.elapsed());
}
