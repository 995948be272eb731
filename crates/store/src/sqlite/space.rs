//! Writer and disk space: notices a full disk, frees and recreates the reserve, and meanwhile writes only
//! jobs that end or free something.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use longhaul_model::Command;

use super::answers::refuse;
use super::failed::sql;
use super::need::Need;
use super::queue::Entry;
use super::writer::{Job, Writer};
use crate::error::StoreError;

/// Interval between checks of a failing storage or a full disk while there are no jobs.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Interval between checks of the free space under load.
const SPACE: Duration = Duration::from_millis(100);
/// Minimum time from the end of a full disk to the next attempt to recreate the reserve, in case it fills up
/// again.
const REGAINED: Duration = Duration::from_secs(4);

impl Writer {
    /// Checks the free space, and a storage that failed.
    pub(super) fn look(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.looked);
        if self.reserve.is_there() {
            if since >= SPACE {
                self.looked = now;
                if self.reserve.is_needed() {
                    self.fills();
                }
            }
        } else if since >= LOOK && now.saturating_duration_since(self.regained) >= REGAINED {
            self.looked = now;
            self.regain();
        }
        if since >= LOOK && self.shared.condition.is_failing() && self.repeats.is_empty() {
            self.looked = now;
            self.probe();
        }
    }

    /// Notes a full disk and frees the reserve. Returns false if there was none.
    pub(super) fn fills(&mut self) -> bool {
        let released = self.reserve.release();
        let condition = &self.shared.condition;
        condition.has_reserve(false);
        if !condition.is_full() {
            tracing::error!(
                reserve = released,
                "the disk is full: nothing new is taken in until there is room"
            );
        }
        condition.fills(true);
        self.shared.signals.full.store(true, Ordering::Relaxed);
        released
    }

    /// Recreates the reserve if there is space. The disk is no longer full once the reserve exists, or once
    /// twice its size is free inside the database.
    fn regain(&mut self) {
        let restored = self.reserve.restore();
        let condition = &self.shared.condition;
        condition.has_reserve(restored);
        if condition.is_full() && (restored || self.is_free_inside()) {
            tracing::info!(reserve = restored, "there is room on the disk again");
            self.regained = Instant::now();
            condition.fills(false);
            self.shared.signals.full.store(false, Ordering::Relaxed);
            self.repeats.healed();
        }
    }

    fn is_free_inside(&self) -> bool {
        let pages: i64 =
            self.connection.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap_or(0);
        pages.max(0) as u64 * 4096 >= 2 * self.reserve.size()
    }

    /// Writes a no-op change to find out whether the storage is sound again.
    fn probe(&mut self) {
        let written = self
            .begin()
            .and_then(|()| self.connection.execute_batch("PRAGMA user_version = 0").map_err(sql))
            .and_then(|()| self.commit());
        match written {
            Ok(()) => self.wrote(),
            Err(e) => {
                self.roll_back();
                self.shared.condition.failed(&e);
            }
        }
    }

    /// Returns the jobs that may be run while the disk is full; the others are refused, or repeated later if
    /// posted.
    pub(super) fn admitted(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if !self.shared.condition.is_full() {
            return entries;
        }
        let spare = self.reserve.free() >= self.reserve.size() / 2;
        let (mut admitted, mut waiting) = (Vec::new(), Vec::new());
        for mut entry in entries {
            match (Need::of(&entry.job), &mut entry.job) {
                (Need::WayOut, _) => admitted.push(entry),
                (Need::Record, Job::Work(work, _)) if spare => {
                    work.room = 0;
                    admitted.push(entry);
                }
                (Need::Record, _) if spare => admitted.push(entry),
                // The attempt's next report repeats its progress.
                (_, Job::Command(_, Command::Report { .. }, None)) => {}
                (_, Job::Command(_, _, None)) => waiting.push(entry),
                _ => refuse([entry], &StoreError::Full),
            }
        }
        if !waiting.is_empty() {
            let (posted, _) = Entry::apart(waiting.into_iter());
            self.repeats.failed(posted, false);
        }
        admitted
    }
}
