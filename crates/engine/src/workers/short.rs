//! Lock on the state of workers. Every lease, report and heartbeat needs it, so no caller may hold it for
//! long: one that goes through many items takes them in slices and passes the lock on in between. The longest
//! hold is measured, and so is the largest number of items visited in one.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

/// Number of items that are visited at the most while the lock is held once.
pub(super) const SLICE: usize = 64;

/// A mutex that is held for moments only.
#[derive(Default)]
pub(super) struct Short<T> {
    inner: Mutex<T>,
    /// Longest hold, in nanoseconds.
    longest: AtomicU64,
    most_visited: AtomicU64,
}

/// The lock, held.
pub(super) struct Holding<'a, T> {
    // The guard comes before the measure: the measured time ends when the lock is free.
    guard: MutexGuard<'a, T>,
    measure: Measure<'a>,
}

/// Measurement of one hold of the lock.
struct Measure<'a> {
    longest: &'a AtomicU64,
    most_visited: &'a AtomicU64,
    since: Instant,
    visited: usize,
}

impl<T> Short<T> {
    pub(super) fn lock(&self) -> Holding<'_, T> {
        let guard = self.inner.lock();
        let (longest, most_visited) = (&self.longest, &self.most_visited);
        Holding { guard, measure: Measure { longest, most_visited, since: Instant::now(), visited: 0 } }
    }

    /// Returns the longest time that the lock was held.
    pub(super) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Ordering::Relaxed))
    }

    /// Returns the largest number of items visited while the lock was held.
    #[cfg(test)]
    pub(super) fn most_visited(&self) -> u64 {
        self.most_visited.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn forget_longest(&self) {
        self.longest.store(0, Ordering::Relaxed);
        self.most_visited.store(0, Ordering::Relaxed);
    }
}

impl<T> Holding<'_, T> {
    /// Notes that so many items were visited; returns false once these are as many as one hold may visit.
    pub(super) fn visit(&mut self, items: usize) -> bool {
        self.measure.visited += items;
        self.measure.visited < SLICE
    }

    /// Releases the lock to whoever waits for it.
    pub(super) fn pass_on(self) {
        let Holding { guard, measure } = self;
        MutexGuard::unlock_fair(guard);
        drop(measure);
    }
}

impl Drop for Measure<'_> {
    fn drop(&mut self) {
        let held = u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // Most holds are shorter than the longest: they write nothing.
        if held > self.longest.load(Ordering::Relaxed) {
            self.longest.fetch_max(held, Ordering::Relaxed);
        }
        let visited = self.visited as u64;
        if visited > self.most_visited.load(Ordering::Relaxed) {
            self.most_visited.fetch_max(visited, Ordering::Relaxed);
        }
    }
}

impl<T> Deref for Holding<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Holding<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
