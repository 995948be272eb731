//! Checkpoints off the writer's path: a thread of its own copies the write-ahead log into the database while
//! commits go on. Under load it never quite catches up, and only a log that is wholly copied is restarted: so
//! when nearly all is copied, the writer copies the small rest between two batches. Where readers keep the
//! log from restarting, the gate holds them back for a moment; a writer that fills it faster than that stops.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::brake::{Brake, LONGEST_STOP, Restart};
use super::gate::{Gate, Stayed};
use super::open;
use crate::error::StoreError;

/// Pages in the log from which the writer is asked to finish a copy: 24 MiB.
const FINISH_FROM: i64 = 6144;
/// Pages in the log from which readers are held back at the gate: 32 MiB.
const GATE_FROM: i64 = 8192;
/// Maximum pages left to copy while nobody may read: a few milliseconds.
const REST: i64 = 1024;
/// Bytes above which the log file is truncated at a restart; a smaller one is overwritten, which costs less.
const CUT_FROM: u64 = 48 << 20;
/// Size from which a log is cut that has been idle for a while.
const CUT_IDLE_FROM: u64 = 4 << 20;
const IDLE: Duration = Duration::from_secs(5);
/// Interval between looks at the log.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest wait for long readers to leave, and the pause after a failed attempt. Both double with each
/// failure: the pause up to four times this value, the wait up to the longest. A log that is too large gets
/// the longest wait at once.
const PATIENCE: Duration = Duration::from_millis(500);
const LONGEST_PATIENCE: Duration = Duration::from_secs(8);
const TOO_LARGE: i64 = 12_288;
/// Pages in the log from which the writer stops until it restarts, 40 MiB: with the largest usual batch the
/// log stays within 64 MiB.
const STOP_FROM: i32 = 10_240;

/// Signals between the writer and the checkpoint thread.
#[derive(Default)]
pub(super) struct Signals {
    /// True if the writer should copy the rest at its next opportunity.
    finish: AtomicBool,
    /// True if the disk is full: the log keeps the space it has.
    pub(super) full: AtomicBool,
    /// The thread should end.
    stop: AtomicBool,
    /// Pages in the log after the last commit; 0 once it restarted.
    pages: AtomicI32,
    brake: Brake,
}

impl Signals {
    /// Makes the writer's connection report the length of the log.
    pub(super) fn watch(self: &Arc<Self>, writer: &mut Connection) -> rusqlite::Result<()> {
        let signals = self.clone();
        writer.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            signals.pages.store(pages, Ordering::Relaxed);
            Ok(())
        }))
    }

    /// Copies a small rest of the log, between two batches of the writer, and stops before a log that is too
    /// large.
    pub(super) fn between_batches(&self, writer: &Connection) {
        if self.finish.swap(false, Ordering::Relaxed)
            && let Err(e) = passive(writer)
        {
            tracing::warn!(error = %e, "a checkpoint failed; it will be repeated");
        }
        if self.pages.load(Ordering::Relaxed) >= STOP_FROM {
            self.brake.stop();
        }
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.brake.end();
    }
}

/// Starts the thread.
pub(super) fn start(
    directory: &Path,
    signals: Arc<Signals>,
    gate: Arc<Gate>,
) -> Result<JoinHandle<()>, StoreError> {
    let connection = Connection::open(open::database(directory))
        .and_then(|connection| {
            connection.execute_batch(
                "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;
                 PRAGMA busy_timeout = 100;",
            )?;
            Ok(connection)
        })
        .map_err(|e| StoreError::Open(format!("the database cannot be opened for checkpoints: {e}")))?;
    let file = PathBuf::from(format!("{}-wal", open::database(directory).display()));
    let log = Log { connection, file, signals, gate, patience: PATIENCE, next: Instant::now() };
    std::thread::Builder::new()
        .name("checkpoint".into())
        .spawn(move || log.run())
        .map_err(|e| StoreError::Open(format!("no thread for checkpoints: {e}")))
}

/// Write-ahead log as the thread sees it.
struct Log {
    connection: Connection,
    file: PathBuf,
    signals: Arc<Signals>,
    gate: Arc<Gate>,
    patience: Duration,
    /// Earliest time at which readers are held back again.
    next: Instant,
}

impl Log {
    fn run(mut self) {
        let (mut seen, mut changed) = (0, Instant::now());
        while !self.signals.stop.load(Ordering::Relaxed) {
            if self.signals.brake.rest(PAUSE) {
                let outcome = self.restart(LONGEST_STOP, CUT_FROM);
                self.signals.brake.release(outcome);
                continue;
            }
            // Changes with commits of other connections only.
            let version: i64 =
                self.connection.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap_or(0);
            if std::mem::replace(&mut seen, version) == version {
                if changed.elapsed() >= IDLE && self.size() > CUT_IDLE_FROM {
                    self.begin_anew(CUT_IDLE_FROM);
                }
                continue;
            }
            changed = Instant::now();
            self.copy();
        }
    }

    /// Copies as much as possible, and holds readers back where the log has become large.
    fn copy(&mut self) {
        match passive(&self.connection) {
            Ok((pages, _)) => {
                if pages >= FINISH_FROM {
                    self.signals.finish.store(true, Ordering::Relaxed);
                }
                if pages >= TOO_LARGE {
                    self.patience = LONGEST_PATIENCE;
                }
                if pages >= GATE_FROM {
                    self.begin_anew(CUT_FROM);
                }
            }
            Err(e) => tracing::warn!(error = %e, "a checkpoint failed; it will be repeated"),
        }
    }

    fn size(&self) -> u64 {
        std::fs::metadata(&self.file).map_or(0, |meta| meta.len())
    }

    /// Restarts the log, and truncates a file larger than `cut_from`. Fails, to be retried later, while a
    /// reader takes long or another process reads.
    fn begin_anew(&mut self, cut_from: u64) {
        if Instant::now() < self.next {
            return;
        }
        if self.restart(self.patience, cut_from) == Restart::Done {
            self.patience = PATIENCE;
        } else {
            self.next = Instant::now() + self.patience.min(PATIENCE * 4);
            self.patience = (self.patience * 2).min(LONGEST_PATIENCE);
        }
    }

    /// Tries once to restart the log: holds readers back, long ones for at most `patience`.
    fn restart(&self, patience: Duration, cut_from: u64) -> Restart {
        let cut = self.size() > cut_from && !self.signals.full.load(Ordering::Relaxed);
        let nearly = || passive(&self.connection).is_ok_and(|(pages, copied)| pages - copied <= REST);
        let mode = if cut { "TRUNCATE" } else { "RESTART" };
        let outcome = self.gate.closed(patience, nearly, || {
            let checkpoint = format!("PRAGMA wal_checkpoint({mode})");
            let busy = self.connection.query_row(&checkpoint, [], |row| row.get::<_, i64>(0));
            busy.is_ok_and(|busy| busy == 0)
        });
        match outcome {
            Ok(()) => {
                self.signals.pages.store(0, Ordering::Relaxed);
                Restart::Done
            }
            Err(Stayed::Inside) => Restart::Reader,
            Err(Stayed::Outside) => Restart::Outsider,
        }
    }
}

/// Copies all that can be copied without waiting for anybody. Returns the pages in the log and the number of
/// them copied: a fully copied log restarts with the next commit.
pub(super) fn passive(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))
}
