//! Reliability F8, F36 and related cases of the SQLite engine: a change that cannot be written starves no
//! other, a full disk leaves a way out, and closing never waits for storage that does not answer.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command as Program;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::workflow::Workflow;
use longhaul_model::{Command, Env, Failure, Fault, Span, TaskId, TaskStatus, Token};
use longhaul_store::conformance::support::{START, complete, definition, put, record, start, task};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Deletion, Store, StoreError, Submission, Trouble};
use rusqlite::Connection;

/// Upper bound of any wait, even on a busy machine.
const LONG: Duration = Duration::from_secs(60);

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

struct Place {
    directory: tempfile::TempDir,
    env: Env,
}

impl Place {
    fn new() -> Self {
        Place { directory: tempfile::tempdir().unwrap(), env: Env::manual(START) }
    }

    async fn open(&self) -> (Arc<Sqlite>, Arc<Workflow>) {
        let store = Sqlite::open(self.directory.path(), self.env.clone()).unwrap();
        let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
        (store, workflow)
    }

    /// Opens a connection of another process.
    fn other(&self) -> Connection {
        let other = Connection::open(self.directory.path().join("longhaul.db")).unwrap();
        other.busy_timeout(LONG).unwrap();
        other
    }

    async fn submit(&self, store: &Sqlite, workflow: &Arc<Workflow>) -> Result<TaskId, StoreError> {
        let task = task(&self.env, workflow, "one", None);
        let done = store.submit(Submission { task, key: None, audit: None, newest: false }).await?;
        Ok(done.task.id())
    }
}

fn completed(sub_task: u32) -> Command {
    Command::Complete { sub_task, token: Token(1), output: None, by: None, next: None }
}

fn failed(sub_task: u32) -> Command {
    let failure = Failure::Error { fault: Fault::new("F", "f"), retryable: false };
    Command::Fail { sub_task, token: Token(1), failure, by: None }
}

fn cancel() -> Command {
    Command::Cancel { by: "me".into(), grace: Span(0) }
}

fn step(store: &Sqlite, id: TaskId) -> TaskStatus {
    record(store, id).state.status
}

/// Simulated: every write to the rows of one task fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn change_that_fails_alone_is_set_aside_and_starves_nobody() {
    let place = Place::new();
    let (store, workflow) = place.open().await;
    let env = &place.env;
    let bad = start(&*store, env, &workflow, "bad").await;
    let good = start(&*store, env, &workflow, "good").await;
    let other = place.other();
    other
        .execute_batch(
            "CREATE TRIGGER bad BEFORE UPDATE ON hot WHEN old.name = 'bad' BEGIN SELECT raise(ABORT, 'a bad row'); END",
        )
        .unwrap();
    // In one batch with others, before and after it.
    for _ in 0..20 {
        store.post(bad, completed(0)).await;
        store.post(bad, Command::Due).await;
        place.submit(&store, &workflow).await.unwrap();
    }
    complete(&*store, good, 0, None).await;
    until("it is set aside", || !store.health().set_aside.is_empty()).await;
    let health = store.health();
    assert_eq!((health.set_aside[0].task, health.set_aside.len()), (bad, 1), "{health:?}");
    assert!(health.set_aside[0].reason.contains("a bad row"), "{health:?}");
    assert_eq!((health.trouble, store.is_writable()), (None, true));
    // Only the caller who requests the failing change is told.
    let (asked, submitted) =
        tokio::join!(store.command(bad, completed(0), None), place.submit(&store, &workflow));
    assert!(matches!(asked, Err(StoreError::Corrupt(_))), "{asked:?}");
    submitted.unwrap();
    // Once the cause is gone, the change is written after all.
    other.execute_batch("DROP TRIGGER bad").unwrap();
    until("it is done", || store.health().set_aside.is_empty()).await;
    complete(&*store, bad, 1, None).await;
    assert_eq!(step(&store, bad), TaskStatus::Successful);
    store.close().await;
}

/// Simulated: an invalid byte in each text of a row that is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn due_row_with_a_bad_byte_starves_nobody() {
    for column in ["name", "resources", "doc"] {
        let place = Place::new();
        let (store, workflow) = place.open().await;
        let bad = start(&*store, &place.env, &workflow, "bad").await;
        // Reopened, so that the writer reads the row again.
        store.close().await;
        place
            .other()
            .execute(&format!("UPDATE hot SET {column} = CAST(x'7bff' AS TEXT) WHERE name = 'bad'"), [])
            .unwrap();
        let (store, workflow) = place.open().await;
        let waiting = store.clone();
        let flood = tokio::spawn(async move {
            for _ in 0..50 {
                waiting.post(bad, Command::Due).await;
            }
        });
        for _ in 0..20 {
            place.submit(&store, &workflow).await.unwrap();
        }
        flood.await.unwrap();
        assert!(store.is_writable(), "{column}");
        store.close().await;
    }
}

/// Simulated: another process holds the database, so that nothing can be written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_posted_while_nothing_can_be_written_is_written_afterwards() {
    let place = Place::new();
    let (store, workflow) = place.open().await;
    let id = start(&*store, &place.env, &workflow, "one").await;
    let other = place.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.post(id, completed(0)).await;
    until("readiness tells", || matches!(store.health().trouble, Some(Trouble::Failing(_)))).await;
    assert!(!store.is_writable());
    // Answered while the other process goes on holding it.
    let begun = Instant::now();
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < LONG);
    until("it waits", || store.health().repeated == 1).await;
    assert!(store.health().oldest_wait > Duration::ZERO);
    // Reads still work.
    assert_eq!(step(&store, id), TaskStatus::InProgress);
    other.execute_batch("ROLLBACK").unwrap();
    until("readiness tells", || store.is_writable()).await;
    until("it is written", || store.health().repeated == 0).await;
    complete(&*store, id, 1, None).await;
    place.submit(&store, &workflow).await.unwrap();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_overtakes_what_cannot_be_written() {
    let place = Place::new();
    let (store, workflow) = place.open().await;
    let id = start(&*store, &place.env, &workflow, "one").await;
    let other = place.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..2_000)
        .map(|_| {
            let (store, workflow, env) = (store.clone(), workflow.clone(), place.env.clone());
            tokio::spawn(async move {
                let task = task(&env, &workflow, "late", None);
                store.submit(Submission { task, key: None, audit: None, newest: false }).await
            })
        })
        .collect();
    store.post(id, completed(0)).await;
    let begun = Instant::now();
    store.close().await;
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    for answer in waiting {
        assert!(matches!(answer.await.unwrap(), Err(StoreError::Unavailable(_))));
    }
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Unavailable(_))));
}

/// Simulated: a statement that never returns, as on a disk that hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_that_hangs_keeps_nobody_waiting() {
    let place = Place::new();
    let (store, workflow) = place.open().await;
    let tables = ["sqlite_schema"; 12].join(", ");
    place
        .other()
        .execute_batch(&format!(
            "CREATE TRIGGER hang AFTER INSERT ON specs BEGIN
               DELETE FROM settings WHERE name = (SELECT count(*) FROM {});
             END",
            tables
                .split(", ")
                .enumerate()
                .map(|(i, t)| format!("{t} AS t{i}"))
                .collect::<Vec<_>>()
                .join(", ")
        ))
        .unwrap();
    let begun = Instant::now();
    let (first, second) = tokio::join!(place.submit(&store, &workflow), place.submit(&store, &workflow));
    assert!(matches!((first, second), (Err(StoreError::Unavailable(_)), Err(StoreError::Unavailable(_)))));
    assert!(begun.elapsed() < LONG);
    let health = store.health();
    assert!(matches!(health.trouble, Some(Trouble::Stuck(_))) && !store.is_writable(), "{health:?}");
    // By now every call is refused at once, and reads still work.
    let begun = Instant::now();
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Unavailable(_))));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    store.stats().unwrap();
    let begun = Instant::now();
    store.close().await;
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

/// A small file system for one test; the test fails if it cannot be mounted.
struct Small {
    place: Place,
}

impl Small {
    fn new(size: &str) -> Self {
        let place = Place::new();
        let mounted = Program::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
            .arg(place.directory.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "this test mounts a small file system: run it as root");
        Small { place }
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.place.directory.path().join("ballast")
    }

    /// Fills the remaining space.
    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // Lazy unmount: a failed store may still have files open.
        let _ = Program::new("umount").arg("-l").arg(self.place.directory.path()).status();
    }
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Reliability F8 and F36: the disk fills up with results in flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_leaves_a_way_out_and_heals_by_itself() {
    let small = Small::new("8m");
    let place = &small.place;
    let (store, workflow) = place.open().await;
    let reserve = place.directory.path().join("reserve");
    until("the reserve is there", || store.health().reserve == Some(true)).await;
    assert!(size(&reserve) >= 256 << 10);
    let env = &place.env;
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(start(&*store, env, &workflow, "one").await);
    }
    let [ended, skipped, parked, cancelled, running, ..] = ids[..] else { panic!() };
    for sub_task in 0..2 {
        complete(&*store, ended, sub_task, None).await;
    }
    for id in [skipped, parked] {
        store.command(id, failed(0), None).await.unwrap();
    }
    small.fill();
    // The result in flight arrives first of all.
    store.post(running, completed(0)).await;
    until("it is known", || matches!(store.health().trouble, Some(Trouble::Full))).await;
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Full)));
    assert_eq!((size(&reserve), store.is_writable()), (0, false));
    // Changes that free something are still accepted.
    let decision = || ("me".to_owned(), "why".to_owned());
    store.command(cancelled, cancel(), None).await.unwrap();
    let (by, reason) = decision();
    store.command(skipped, Command::Skip { sub_task: 0, by, reason }, None).await.unwrap();
    let (by, reason) = decision();
    store.command(parked, Command::Resolve { by, reason, verdict: None }, None).await.unwrap();
    store.command(running, completed(1), None).await.unwrap();
    assert_eq!(step(&store, running), TaskStatus::Successful);
    let deleted = store.delete_history(vec![ended], None).await.unwrap();
    assert_eq!(deleted, [(ended, Deletion::Deleted)]);
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Full)));
    // With space available again, everything continues without a restart, and the reserve is back.
    std::fs::remove_file(small.ballast()).unwrap();
    until("it is ready again", || store.is_writable()).await;
    place.submit(&store, &workflow).await.unwrap();
    until("the reserve is back", || store.health().reserve == Some(true)).await;
    store.close().await;
}

/// Changes posted before the full disk is noticed are written too, and a start on a full disk succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_opens_on_a_full_disk() {
    let small = Small::new("8m");
    let place = &small.place;
    let (store, workflow) = place.open().await;
    until("the reserve is there", || store.health().reserve == Some(true)).await;
    let id = start(&*store, &place.env, &workflow, "one").await;
    store.close().await;
    small.fill();
    let store = Sqlite::open(place.directory.path(), place.env.clone()).unwrap();
    store.recover().await.unwrap();
    store.command(id, cancel(), None).await.unwrap();
    until("it is full", || store.health().trouble == Some(Trouble::Full)).await;
    assert!(matches!(place.submit(&store, &workflow).await, Err(StoreError::Full)));
    std::fs::remove_file(small.ballast()).unwrap();
    until("it is ready again", || store.is_writable()).await;
    place.submit(&store, &workflow).await.unwrap();
    store.close().await;
}
