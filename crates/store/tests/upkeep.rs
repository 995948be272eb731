//! Upkeep of the SQLite engine under load: its log stays small under readers and shrinks, the data of a
//! deleted task is removed in slices, and a backup is of one moment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use longhaul_model::{Env, Spec, Task, TaskId};
use longhaul_store::conformance::support::{START, complete, definition, put, start, submit};
use longhaul_store::sqlite::{Sqlite, backup};
use longhaul_store::{Deletion, LogLine, LogStream, Store, StoreError, TaskQuery};
use rusqlite::Connection;
use serde_json::json;

/// Upper bound of any wait, even on a busy machine.
const LONG: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;
/// Bytes in the input of a large task.
const FILLING: usize = 300_000;

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONG, "{what}: not within {LONG:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn other(directory: &Path) -> Connection {
    let other = Connection::open(directory.join("longhaul.db")).unwrap();
    other.busy_timeout(LONG).unwrap();
    other
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Reliability P13: eight readers of long lists overlap, so that there is no moment without a reader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_stays_small_under_readers_and_shrinks_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    for _ in 0..300 {
        start(&*store, &env, &workflow, "listed").await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let lists = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (store, over, lists) = (store.clone(), over.clone(), lists.clone());
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let page = store.list(&TaskQuery { limit: 100, ..TaskQuery::default() }).unwrap();
                    assert!(page.total >= 300);
                    lists.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let log = directory.path().join("longhaul.db-wal");
    let size = || std::fs::metadata(&log).map_or(0, |meta| meta.len());
    let (mut written, mut largest) = (0, 0);
    // Writes several times the permitted size of the log.
    while written < 160 * MIB {
        fill(&store, &env, &workflow).await;
        written += 16 * FILLING as u64;
        largest = largest.max(size());
        // The writer is no faster than the readers, however busy the machine is.
        let read = lists.load(Ordering::Relaxed);
        until("they read on", || lists.load(Ordering::Relaxed) >= read + 8).await;
    }
    assert!(largest <= 64 * MIB, "the log grew to {} MiB", largest / MIB);
    over.store(true, Ordering::Relaxed);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert!(lists.load(Ordering::Relaxed) >= 8);
    until("the log shrinks", || size() <= 8 * MIB).await;
    store.close().await;
}

/// A long read from outside of the process, such as a backup, keeps the log from restarting, and the writer
/// goes on all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_from_outside_does_not_stop_the_writer() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let mut other = other(directory.path());
    let moment = other.transaction().unwrap();
    assert_eq!(count(&moment, "ids"), 0);
    let size = || std::fs::metadata(directory.path().join("longhaul.db-wal")).map_or(0, |meta| meta.len());
    while size() < 96 * MIB {
        fill(&store, &env, &workflow).await;
    }
    drop(moment);
    fill(&store, &env, &workflow).await;
    until("the log shrinks", || size() <= 8 * MIB).await;
    store.close().await;
}

/// Submits sixteen tasks at once with an input of 300 kB each.
async fn fill(store: &Sqlite, env: &Env, workflow: &Arc<longhaul_model::workflow::Workflow>) {
    let filling = "x".repeat(FILLING);
    let tasks = (0..16).map(|_| {
        let input = json!({ "title": "large", "host": "h", "filling": filling });
        let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
        let task = Task::new(env.new_task_id(), workflow.clone(), spec, None, None, env.now()).unwrap();
        submit(store, Box::new(task), None)
    });
    futures_util::future::join_all(tasks).await;
}

async fn chatty(store: &Sqlite, env: &Env, workflow: &Arc<longhaul_model::workflow::Workflow>) -> TaskId {
    let id = start(store, env, workflow, "chatty").await;
    for _ in 0..64 {
        let line = || LogLine::new(env.now(), LogStream::Out, "x".repeat(8_000));
        store.write_log(id, 0, 1, (0..8).map(|_| line()).collect()).await.unwrap();
    }
    complete(store, id, 0, None).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_deleted_task_wrote_goes_in_slices_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let (first, kept) = (chatty(&store, &env, &workflow).await, chatty(&store, &env, &workflow).await);
    let other = other(directory.path());
    let chunks = count(&other, "logs");
    assert_eq!(store.delete_history(vec![first], None).await.unwrap(), [(first, Deletion::Deleted)]);
    // Deleted for all readers at once, and no longer counted.
    assert!(matches!(store.get(first), Err(StoreError::NotFound)));
    let page = store.list(&TaskQuery { limit: 10, ..TaskQuery::default() }).unwrap();
    assert_eq!((page.total, page.tasks[0].id()), (1, kept));
    assert_eq!(store.stats().unwrap().tasks.iter().map(|(_, n)| n).sum::<u64>(), 1);
    until("its parts are gone", || count(&other, "doomed") == 0).await;
    assert_eq!(count(&other, "logs") * 2, chunks);
    assert_eq!((count(&other, "specs"), count(&other, "attempts")), (1, 0));
    store.close().await;
    // Simulated: a crash after the first slice of another task's deletion.
    let gone = "seq = (SELECT seq FROM ids)";
    other
        .execute_batch(&format!(
            "INSERT INTO doomed SELECT seq FROM ids; DELETE FROM hot WHERE {gone}; DELETE FROM history WHERE {gone};
             DELETE FROM ids"
        ))
        .unwrap();
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    until("its parts are gone", || count(&other, "doomed") == 0).await;
    assert_eq!((count(&other, "logs"), count(&other, "specs"), count(&other, "outputs")), (0, 0, 0));
    store.close().await;
}

/// A deletion of a large task handles no more than a slice in its first transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deletion_of_a_large_task_holds_the_writer_for_a_slice_only() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = chatty(&store, &env, &workflow).await;
    let other = other(directory.path());
    // Rows deleted in one transaction, recorded by the database itself.
    other
        .execute_batch(
            "CREATE TABLE seen (at INTEGER);
             CREATE TRIGGER seen AFTER DELETE ON logs BEGIN INSERT INTO seen SELECT count(*) FROM doomed; END",
        )
        .unwrap();
    store.delete_history(vec![id], None).await.unwrap();
    until("its parts are gone", || count(&other, "doomed") == 0).await;
    let (all, later): (i64, i64) = other
        .query_row("SELECT count(*), count(*) FILTER (WHERE at > 0) FROM seen", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(all, 64);
    assert!(later >= 48, "{later} of {all} chunks were deleted after the first transaction");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_is_of_one_moment_while_others_write() {
    let directory = tempfile::tempdir().unwrap();
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    for _ in 0..500 {
        start(&*store, &env, &workflow, "before").await;
    }
    let target = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().to_owned(), target.path().join("longhaul.db"));
    let copied = std::thread::spawn(move || backup(&from, &to, |_, _| {}));
    let mut during = 0;
    while !copied.is_finished() || during < 20 {
        start(&*store, &env, &workflow, "during").await;
        during += 1;
    }
    copied.join().unwrap().unwrap();
    let copy = Sqlite::open(target.path(), env.clone()).unwrap();
    let total = copy.list(&TaskQuery { limit: 1, ..TaskQuery::default() }).unwrap().total;
    assert!((500..=500 + during).contains(&total), "{total} of 500 + {during}");
    let found: u64 = copy.stats().unwrap().tasks.iter().map(|(_, n)| n).sum();
    assert_eq!(found, total);
    copy.close().await;
    let whole: String =
        other(target.path()).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    store.close().await;
}
