//! Transfer of a store: the target equals the source, wherever the transfer was cut off, and nobody serves
//! half of it.

use std::path::Path;
use std::sync::Arc;

use longhaul_model::{Env, TaskStatus, Timestamp};
use longhaul_store::conformance::support::{Fixture, START, complete, definition, fail, put, record, start};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{
    Accounts, Audit, AuditQuery, ImportedTask, Location, Moved, Node, Store, StoreError, Stored, TaskQuery,
    transfer, undo_transfer,
};

use super::Database;

/// Store that is moved to the other engine before each time that it is opened, so that the suite tests moved
/// data. It begins in a database, or in files.
struct Moving<const DATABASE: bool> {
    at: Location,
    /// Directories of the stores, kept for as long as they are used.
    homes: Vec<tempfile::TempDir>,
    env: Env,
    opened: bool,
}

#[async_trait::async_trait]
impl<const DATABASE: bool> Fixture for Moving<DATABASE> {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let at = if DATABASE {
            Location::Database(Database::new().url)
        } else {
            Location::Directory(home.path().to_owned())
        };
        Moving { at, homes: vec![home], env: Env::manual(START), opened: false }
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        self.open_accounts().await.0
    }

    async fn open_accounts(&mut self) -> (Arc<dyn Store>, Arc<dyn Accounts>) {
        if std::mem::replace(&mut self.opened, true) {
            let to = match &self.at {
                Location::Directory(_) => Location::Database(Database::new().url),
                Location::Database(_) => {
                    self.homes.push(tempfile::tempdir().unwrap());
                    Location::Directory(self.homes.last().unwrap().path().to_owned())
                }
            };
            moved(&self.at, &to, &self.env).await.unwrap();
            self.at = to;
        }
        open(&self.at, &self.env).await.unwrap()
    }
}

mod from_files {
    longhaul_store::store_conformance!(super::Moving<false>);
}

mod from_database {
    longhaul_store::store_conformance!(super::Moving<true>);
}

/// Moves where no runtime is.
async fn moved(from: &Location, to: &Location, env: &Env) -> Result<Moved, StoreError> {
    until(from, to, env, usize::MAX).await
}

/// Runs a transfer that is cut off after so many steps.
async fn until(from: &Location, to: &Location, env: &Env, steps: usize) -> Result<Moved, StoreError> {
    let (from, to, env) = (from.clone(), to.clone(), env.clone());
    let mut left = steps;
    let step = move |_| {
        if left == 0 {
            return Err(StoreError::Unavailable("cut off".to_owned()));
        }
        left -= 1;
        Ok(())
    };
    alone(move || transfer(&from, &to, None, &env, step)).await
}

async fn alone<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (answer, answered) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || answer.send(work()).ok());
    answered.await.unwrap()
}

async fn open(at: &Location, env: &Env) -> Result<(Arc<dyn Store>, Arc<dyn Accounts>), StoreError> {
    match at {
        Location::Directory(directory) => {
            let store = Sqlite::open(directory, env.clone())?;
            Ok((store.clone(), store))
        }
        Location::Database(url) => {
            let options = PostgresOptions {
                url: url.clone(),
                connections: 4,
                keys: None,
                node: Node::default(),
                allow_unsafe: true,
                before: None,
            };
            let store = Postgres::open(&options, env.clone()).await?;
            Ok((store.clone(), store))
        }
    }
}

fn directory(home: &Path, name: &str) -> Location {
    Location::Directory(home.join(name))
}

#[track_caller]
fn refusal<T>(done: Result<T, StoreError>) -> String {
    match done {
        Err(StoreError::Open(message)) => message,
        Err(other) => panic!("refused with another error: {other}"),
        Ok(_) => panic!("not refused"),
    }
}

/// Fills a store with more than a page of tasks, and some of everything else.
async fn fill(at: &Location, env: &Env) {
    let (store, accounts) = open(at, env).await.unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 20)).await;
    let ended = start(&*store, env, &workflow, "ended").await;
    complete(&*store, ended, 0, Some(serde_json::json!({ "n": 1 }))).await;
    fail(&*store, ended, 1).await;
    start(&*store, env, &workflow, "running").await;
    let imported = (0..4_100).map(|n| ImportedTask {
        id: env.new_task_id(),
        name: format!("Imported {n}"),
        kind: "Old_Kind".to_owned(),
        status: TaskStatus::Successful,
        created_at: Timestamp(START.0 - n % 1_000),
        completed_at: Some(START),
        resources: Vec::new(),
        json: format!("{{\"n\":{n}}}"),
    });
    store.import(imported.collect(), None).await.unwrap();
    accounts.note(Audit::new("me".into(), None, "test")).await.unwrap();
    store.close().await;
}

/// Returns everything that can be read, as text.
async fn shown(at: &Location, env: &Env) -> String {
    let (store, accounts) = open(at, env).await.unwrap();
    let page = store.list(&TaskQuery { limit: 5_000, ..TaskQuery::default() }).unwrap();
    let mut shown = format!("{} tasks\n", page.total);
    for stored in &page.tasks {
        shown += &match stored {
            Stored::Imported { id, json } => format!("{id} {json}\n"),
            Stored::Damaged(damaged) => panic!("{damaged:?}"),
            Stored::Own(record) => {
                let (id, version) = (record.id, record.workflow.version);
                let rest = (store.spec(id).unwrap(), store.attempts(id).unwrap(), store.outputs(id).unwrap());
                format!("{id} {} {version} {:?} {:?} {rest:?}\n", record.name, record.state, record.sub_tasks)
            }
        };
    }
    let notes = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).unwrap();
    shown += &format!("{notes:?}\n{:?}\n{:?}\n", accounts.users().unwrap(), store.stats().unwrap().tasks);
    store.close().await;
    shown
}

/// Panics with the first difference.
#[track_caller]
fn same(now: &str, before: &str) {
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before);
    }
    assert_eq!(now.lines().count(), before.lines().count());
}

/// A transfer cut off behind each step, one after the other, in both directions, continues, and nothing is
/// lost, doubled or changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_cut_off_goes_on() {
    let (home, env) = (tempfile::tempdir().unwrap(), Env::manual(START));
    let files = directory(home.path(), "files");
    fill(&files, &env).await;
    let before = shown(&files, &env).await;
    let (database, back) = (Location::Database(Database::new().url), directory(home.path(), "back"));
    for (from, to) in [(&files, &database), (&database, &back)] {
        let mut cut = 0;
        let done = loop {
            // Each transfer goes one step further; the comparison begins from the start.
            match until(from, to, &env, if cut < 25 { 1 } else { cut }).await {
                Ok(done) => break done,
                Err(StoreError::Unavailable(_)) => cut += 1,
                Err(e) => panic!("after {cut} times: {e}"),
            }
            assert!(
                refusal(open(from, &env).await.map(drop)).contains("on their way"),
                "the source was served"
            );
            assert!(refusal(open(to, &env).await.map(drop)).contains("half filled"), "the target was served");
        };
        assert!(done.resumed && cut >= 25, "cut off {cut} times");
        assert!(done.rows.contains(&("tasks", 4_102)), "{:?}", done.rows);
        same(&shown(to, &env).await, &before);
        assert!(refusal(open(from, &env).await.map(drop)).contains("were moved to"), "the source was served");
        // A repetition changes nothing.
        let again = moved(from, to, &env).await.unwrap();
        assert!(again.resumed && again.rows == done.rows);
    }
}

/// Stores that are in use, do not exist or are not empty are refused, and not touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_moved_is_refused_and_stays() {
    let (home, env) = (tempfile::tempdir().unwrap(), Env::manual(START));
    let (files, database) = (directory(home.path(), "files"), Location::Database(Database::new().url));
    assert!(refusal(moved(&files, &database, &env).await).contains("no database in"));
    assert!(refusal(moved(&database, &files, &env).await).contains("nothing of Longhaul"));
    let (store, _) = open(&files, &env).await.unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = start(&*store, &env, &workflow, "kept").await;
    assert!(refusal(moved(&files, &database, &env).await).contains("in use by process"));
    let (node, _) = open(&database, &env).await.unwrap();
    put(&*node, definition("other", "T_RUN", 1)).await;
    store.close().await;
    assert!(refusal(moved(&files, &database, &env).await).contains("in use by"));
    node.close().await;
    assert!(refusal(moved(&files, &database, &env).await).contains("is not empty"));
    let (store, _) = open(&files, &env).await.unwrap();
    assert_eq!(record(&*store, id).name, "kept");
    store.close().await;
}

/// Moved data is served again after an undo, and half-moved data does not mix with what happened since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undone_transfer_leaves_the_source_as_it_was() {
    let (home, env) = (tempfile::tempdir().unwrap(), Env::manual(START));
    let (files, database) = (directory(home.path(), "files"), Location::Database(Database::new().url));
    fill(&files, &env).await;
    let before = shown(&files, &env).await;
    assert!(until(&files, &database, &env, 3).await.is_err());
    let undo = |at: &Location| {
        let (at, env) = (at.clone(), env.clone());
        alone(move || undo_transfer(&at, &env))
    };
    undo(&files).await.unwrap();
    same(&shown(&files, &env).await, &before);
    assert!(refusal(undo(&files).await).contains("nothing was moved"));
    let other = Location::Database(Database::new().url);
    assert!(refusal(moved(&files, &database, &env).await).contains("half filled by another transfer"));
    moved(&files, &other, &env).await.unwrap();
    same(&shown(&other, &env).await, &before);
}

/// Rows that were damaged on the way, or changed by somebody else meanwhile, are found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_is_found() {
    let (home, env) = (tempfile::tempdir().unwrap(), Env::manual(START));
    let files = directory(home.path(), "files");
    fill(&files, &env).await;
    let database = Database::new();
    let target = Location::Database(database.url.clone());
    // Every table is over, and is to be compared.
    let mut moving = 20;
    while until(&files, &target, &env, moving).await.is_err() {
        let spoilt = database.operator_says("SELECT count(*) FROM audit");
        if spoilt != "0" {
            break;
        }
        moving = 1;
    }
    database.operator("UPDATE history SET doc = replace(doc, '\"n\":7}', '\"n\":8}')");
    let Err(StoreError::Corrupt(message)) = moved(&files, &target, &env).await else { panic!("not found") };
    assert!(message.contains("tasks of"), "{message}");
    assert!(refusal(open(&target, &env).await.map(drop)).contains("half filled"));
}
