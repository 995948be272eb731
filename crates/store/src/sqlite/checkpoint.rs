//! Checkpoints off the writer's path: a thread of its own copies the write-ahead log into the database while
//! commits go on. Under load it never quite catches up, and only a log that is wholly copied is begun anew: so
//! when it nearly has, the writer copies the small rest between two batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;

use super::open;
use crate::error::StoreError;

/// The log's size from which copying begins.
const COPY_FROM: u64 = 4 << 20;
/// The log's size from which the writer is asked to finish a copy.
const FINISH_FROM: u64 = 24 << 20;
const PAUSE: Duration = Duration::from_millis(50);

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
    let path = open::database(directory);
    let connection = Connection::open(&path)
        .and_then(|connection| {
            connection.execute_batch(
                "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;",
            )?;
            Ok(connection)
        })
        .map_err(|e| StoreError::Open(format!("the database cannot be opened for checkpoints: {e}")))?;
    let mut log = path.into_os_string();
    log.push("-wal");
    std::thread::Builder::new()
        .name("checkpoint".into())
        .spawn(move || run(&connection, &PathBuf::from(log), &signals))
        .map_err(|e| StoreError::Open(format!("no thread for checkpoints: {e}")))
}

fn run(connection: &Connection, log: &Path, signals: &Signals) {
    let mut copied_at = 0;
    while !signals.stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let size = std::fs::metadata(log).map_or(0, |meta| meta.len());
        // The file keeps its length when the log begins anew: a log that did not grow may be quiet or in reuse.
        if size < COPY_FROM || (size == copied_at && !moved(connection)) {
            continue;
        }
        if let Err(e) = passive(connection) {
            tracing::warn!(error = %e, "a checkpoint failed; it will be repeated");
        }
        copied_at = size;
        if size >= FINISH_FROM {
            signals.finish.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether anything was committed since this connection last looked.
fn moved(connection: &Connection) -> bool {
    // data_version changes with commits of other connections only.
    thread_local!(static SEEN: std::cell::Cell<i64> = const { std::cell::Cell::new(0) });
    let version: i64 = connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap_or(0);
    SEEN.replace(version) != version
}

/// Copies what can be copied without waiting for anybody.
pub(super) fn passive(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}
