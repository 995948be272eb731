//! Checkpoints off the writer's path: a thread of its own copies the write-ahead log into the database while
//! commits go on. Under load it never quite catches up, and only a log that is wholly copied is begun anew: so
//! when it nearly has, the writer copies the small rest between two batches.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::open;
use crate::error::StoreError;

/// Pages in the log from which the writer is asked to finish a copy: 24 MiB.
const FINISH_FROM: i64 = 6144;
/// How often the log is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// What writer and checkpoint thread tell each other.
#[derive(Default)]
pub(super) struct Signals {
    /// The writer should copy the rest at its next opportunity.
    pub(super) finish: AtomicBool,
    /// The thread should end.
    pub(super) stop: AtomicBool,
}

/// Starts the thread.
pub(super) fn start(directory: &Path, signals: Arc<Signals>) -> Result<JoinHandle<()>, StoreError> {
    let connection = Connection::open(open::database(directory))
        .and_then(|connection| {
            connection.execute_batch(
                "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;",
            )?;
            Ok(connection)
        })
        .map_err(|e| StoreError::Open(format!("the database cannot be opened for checkpoints: {e}")))?;
    std::thread::Builder::new()
        .name("checkpoint".into())
        .spawn(move || run(&connection, &signals))
        .map_err(|e| StoreError::Open(format!("no thread for checkpoints: {e}")))
}

fn run(connection: &Connection, signals: &Signals) {
    let mut seen = 0;
    while !signals.stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        // Changes with commits of other connections only.
        let version: i64 = connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap_or(0);
        if std::mem::replace(&mut seen, version) == version {
            continue;
        }
        match passive(connection) {
            Ok(pages) if pages >= FINISH_FROM => signals.finish.store(true, Ordering::Relaxed),
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, "a checkpoint failed; it will be repeated"),
        }
    }
}

/// Copies what can be copied without waiting for anybody. Gives the pages in the log: one that is wholly copied
/// begins anew with the next commit.
pub(super) fn passive(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))
}
