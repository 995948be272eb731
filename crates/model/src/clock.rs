//! Monotonic clock, adjusted to the wall clock. If somebody sets the clock of a machine by an hour, timers,
//! leases and limits under way should not all end at once, nor should anything end before it began. So time
//! goes on as the machine counts it from its boot, and approaches the wall clock by a tenth of the time that
//! passes. Servers that work on the same tasks follow the clock of their database instead, so that theirs
//! need not agree.

use std::sync::atomic::{AtomicI64, Ordering};

use nix::time::ClockId;

use crate::time::Timestamp;

/// Interval between looks at the wall clock, in milliseconds.
const LOOK: i64 = 1_000;
/// Divisor of the time passed by which the clock approaches the wall clock.
const PART: i64 = 10;

/// A clock that is never set.
pub struct Steady {
    /// Difference to the time since the boot, in milliseconds.
    offset: AtomicI64,
    /// Time of the last look at the wall clock, in milliseconds since the boot.
    looked: AtomicI64,
    /// Latest time that was returned: time does not go back.
    latest: AtomicI64,
    /// Difference of the clock that is followed instead of the wall clock; [`NONE`] while there is none.
    reference: AtomicI64,
}

const NONE: i64 = i64::MIN;

impl Steady {
    pub(crate) fn new() -> Self {
        Steady::starting(wall(), since_boot())
    }

    /// Creates a clock that starts when the wall clock shows `wall`, and `boot` milliseconds have passed
    /// since the machine's boot.
    pub fn starting(wall: i64, boot: i64) -> Self {
        Steady {
            offset: AtomicI64::new(wall - boot),
            looked: AtomicI64::new(boot),
            latest: AtomicI64::new(wall),
            reference: AtomicI64::new(NONE),
        }
    }

    /// Sets the reference: another clock shows this at the moment, in milliseconds since 1970. From the first
    /// call on it is followed instead of the wall clock, and then at once: nothing can have begun by the
    /// other one.
    pub(crate) fn refer(&self, shown: i64) {
        let offset = shown - since_boot();
        if self.reference.swap(offset, Ordering::Relaxed) == NONE {
            self.offset.store(offset, Ordering::Relaxed);
            self.latest.store(shown, Ordering::Relaxed);
        }
    }

    /// Time of the clock that is followed, leaps and all.
    pub(crate) fn shown(&self) -> i64 {
        match self.reference.load(Ordering::Relaxed) {
            NONE => wall(),
            offset => since_boot() + offset,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.at(since_boot(), || self.shown())
    }

    /// Returns the time at so many milliseconds since the boot; `wall` reads the clock that is followed.
    pub fn at(&self, boot: i64, wall: impl Fn() -> i64) -> Timestamp {
        let looked = self.looked.load(Ordering::Relaxed);
        if boot - looked >= LOOK
            && self.looked.compare_exchange(looked, boot, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.follow(wall() - boot, boot - looked);
        }
        let now = boot + self.offset.load(Ordering::Relaxed);
        Timestamp(now.max(self.latest.fetch_max(now, Ordering::Relaxed)))
    }

    fn follow(&self, wanted: i64, passed: i64) {
        let offset = self.offset.load(Ordering::Relaxed);
        let most = passed / PART;
        self.offset.store(offset + (wanted - offset).clamp(-most, most), Ordering::Relaxed);
    }
}

/// Reads the wall clock, in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
pub(crate) fn wall() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_millis() as i64)
}

/// Returns the milliseconds since the boot, with those in which the machine slept.
fn since_boot() -> i64 {
    // There is no Linux without that clock; on anything else time would stand still, which tests see.
    ClockId::CLOCK_BOOTTIME.now().map_or(0, |t| t.tv_sec() * 1000 + t.tv_nsec() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Steady {
        let zero = || AtomicI64::new(0);
        let (offset, reference) = (AtomicI64::new(1_000_000), AtomicI64::new(NONE));
        Steady { offset, looked: zero(), latest: zero(), reference }
    }

    #[test]
    fn another_clock_is_taken_over_at_once_and_then_followed_slowly() {
        let clock = Steady::new();
        let there = wall() - 7_200_000;
        clock.refer(there);
        assert!((clock.now().0 - there).abs() < 100 && (clock.shown() - there).abs() < 100);
        clock.refer(there + 3_600_000);
        assert!((clock.now().0 - there).abs() < 1_000);
        assert!((clock.shown() - there - 3_600_000).abs() < 100);
    }

    #[test]
    fn a_clock_that_is_right_is_followed_to_the_millisecond() {
        let clock = clock();
        for boot in (0..60_000).step_by(250) {
            // The wall runs faster by a hundredth, as clocks do that are being corrected.
            let wall = 1_000_000 + boot + boot / 100;
            let off = wall - clock.at(boot, || wall).0;
            assert!((0..=15).contains(&off), "{off} ms at {boot}");
        }
    }

    #[test]
    fn leaps_are_followed_slowly_and_time_never_goes_back() {
        for leap in [3_600_000, -3_600_000, 86_400_000, -86_400_000] {
            let clock = clock();
            let mut before = clock.at(0, || 1_000_000).0;
            for boot in (0..7_200_000).step_by(100) {
                let now = clock.at(boot, || 1_000_000 + boot + leap).0;
                assert!(now >= before && now - before <= 250, "{before} to {now} at {boot}");
                before = now;
            }
            let passed = before - 1_000_000;
            assert!((6_400_000..=8_000_000).contains(&passed), "{leap}: {passed}");
        }
    }

    #[test]
    fn it_begins_at_the_wall() {
        assert!((Steady::new().now().0 - wall()).abs() < 100);
    }
}
