//! The writer and the disk's space: a disk that is full is noticed, the reserve is given up and made again,
//! and meanwhile only what ends or frees something is written.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use longhaul_model::Command;

use super::answers::refuse;
use super::need::Need;
use super::queue::Entry;
use super::rows::sql;
use super::writer::{Job, Writer};
use crate::error::StoreError;

/// How often a storage that fails, and a disk that is full, are looked at while nobody asks for anything.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How often the free space is looked at under load.
const SPACE: Duration = Duration::from_millis(100);
/// A disk that is full again at once is not looked at so soon.
const REGAINED: Duration = Duration::from_secs(4);

impl Writer {
    /// Looks at the disk, and at a storage that failed.
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

    /// The disk is full: the reserve is given up. False if there was none.
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

    /// Makes the reserve again if there is room. The disk is full no longer once it is there, or once as much
    /// is free inside the database.
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

    /// Writes something that changes nothing, to see whether the storage is sound again.
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

    /// What is left of the jobs while the disk is full; the others are answered.
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
                // How far an attempt is says the next report of it.
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
