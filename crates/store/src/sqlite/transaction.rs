//! The writer's transaction and its savepoints, with the in-memory state that belongs to either.

use std::time::Duration;

use super::failed::sql;
use super::writer::Writer;
use crate::error::StoreError;

/// Longest wait for another process that writes, and the shorter one while that process goes on.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
const IMPATIENCE: Duration = Duration::from_millis(100);

/// State of the writer's memory, to return to if the next job is undone.
#[derive(Clone, Copy)]
pub(super) struct Place {
    resting: usize,
    touched: usize,
    counted: usize,
    changed: usize,
    recovering: usize,
}

impl Writer {
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        let begun = self.connection.execute_batch("BEGIN IMMEDIATE");
        if begun.as_ref().is_err_and(|e| e.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)) {
            self.be_patient(IMPATIENCE);
        }
        begun.map_err(sql)
    }

    pub(super) fn be_patient(&mut self, patience: Duration) {
        if self.patience != patience && self.connection.busy_timeout(patience).is_ok() {
            self.patience = patience;
        }
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
        self.connection.execute_batch("COMMIT").map_err(|e| {
            // After a failed fsync the state on disk is unknown: carrying on as if nothing had happened would
            // be a lie.
            let is_lost = |e: &rusqlite::ffi::Error| {
                matches!(e.extended_code, SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC)
            };
            if e.sqlite_error().is_some_and(is_lost) {
                tracing::error!(error = %e, "a commit could not be made durable: writing stops until the server is restarted");
                self.shared.condition.breaks("a commit could not be made durable");
            }
            sql(e)
        })
    }

    pub(super) fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(e) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(error = %e, "a rollback failed: writing stops until the server is restarted");
            self.shared.condition.breaks("a rollback failed");
        }
        self.counters.clear();
        self.changes.clear();
        self.cache.forget_touched();
        self.unrecovered.extend(self.recovering.drain(..));
        for seq in self.sealing.drain(..).rev() {
            self.resting.push_front(seq);
        }
    }

    /// Returns the state of the writer's memory.
    pub(super) fn place(&self) -> Place {
        Place {
            resting: self.resting.len(),
            touched: self.cache.touched(),
            counted: self.counters.mark(),
            changed: self.changes.mark(),
            recovering: self.recovering.len(),
        }
    }

    /// Keeps the changes since a savepoint, provided the batch commits.
    pub(super) fn release(&self, savepoint: &str) -> Result<(), StoreError> {
        let release = format!("RELEASE {savepoint}");
        self.connection.prepare_cached(&release).and_then(|mut s| s.execute([])).map(|_| ()).map_err(sql)
    }

    /// Undoes the changes since a savepoint, also in memory.
    pub(super) fn back_to(&mut self, savepoint: &str, place: Place) -> Result<(), StoreError> {
        self.connection
            .execute_batch(&format!("ROLLBACK TO {savepoint}; RELEASE {savepoint}"))
            .map_err(|e| StoreError::Unavailable(e.to_string()))?;
        self.resting.truncate(place.resting);
        self.unrecovered.extend(self.recovering.drain(place.recovering..));
        self.cache.forget_since(place.touched);
        self.counters.take_back(place.counted);
        self.changes.take_back(place.changed);
        Ok(())
    }

    /// Runs a part in a savepoint: nothing of it is written if it fails for a reason of its own.
    pub(super) fn apart(
        &mut self,
        part: impl FnOnce(&mut Writer) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.connection.prepare_cached("SAVEPOINT part").and_then(|mut s| s.execute([])).map_err(sql)?;
        let place = self.place();
        let done = part(self);
        match &done {
            Ok(()) => self.release("part")?,
            Err(StoreError::Corrupt(_)) => self.back_to("part", place)?,
            Err(_) => {}
        }
        done
    }
}
