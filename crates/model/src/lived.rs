//! Lived time of a store: data is deleted by it, not by a clock alone. A clock that is years ahead at a start
//! would otherwise delete the whole history.
//!
//! A store keeps a mark of the time until which it was at work. At a start the clock is believed if it is
//! less than a day ahead of the mark. If it is further ahead, either the store was stopped for so long, or
//! the clock is wrong, and nobody can tell which: from then on the store counts only the time that passes
//! while it is at work, by a monotonic clock, until an operator confirms the clock, or until it was at work
//! for as long as the clock was ahead.

use serde::{Deserialize, Serialize};

use crate::time::{Span, Timestamp};

/// Longest time that a clock may be ahead of a store's mark at a start.
pub const BELIEVED: Span = Span(24 * 3_600_000);

/// Stored mark of the time that a store has lived through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// End of the time at work, in milliseconds since 1970.
    pub lived: i64,
    /// Time at work while the clock was doubted, in milliseconds.
    #[serde(default)]
    pub waited: u64,
}

/// Lived time of a store, while it is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lived {
    mark: Mark,
    doubt: Span,
}

impl Lived {
    /// Begins at a start, with the previous mark, if there is one, and the time that the clock shows.
    pub fn begin(mark: Option<Mark>, now: Timestamp) -> Lived {
        let mark = mark.unwrap_or(Mark { lived: now.0, waited: 0 });
        let mut lived = Lived { mark, doubt: Span(0) };
        lived.judge(now, ahead(mark, now) > BELIEVED.0);
        lived
    }

    /// Adds time that has passed by a monotonic clock. `stored` is the mark as it is kept by now: another
    /// node of the store may have moved it.
    pub fn pass(&mut self, stored: Option<Mark>, now: Timestamp, passed: Span) {
        let doubted = self.doubt.0 > 0;
        if doubted {
            self.mark.lived =
                self.mark.lived.saturating_add_unsigned(passed.0).min(now.0.max(self.mark.lived));
            self.mark.waited = self.mark.waited.saturating_add(passed.0);
        }
        if let Some(stored) = stored {
            self.mark.lived = self.mark.lived.max(stored.lived);
            self.mark.waited = if doubted { self.mark.waited.max(stored.waited) } else { 0 };
        }
        let ahead = ahead(self.mark, now);
        // A clock that is believed is steady, and goes on to be.
        self.judge(now, doubted && ahead > BELIEVED.0 && self.mark.waited < ahead);
    }

    /// Confirms that the clock is right, for somebody who knows the time.
    pub fn confirm(&mut self, now: Timestamp) {
        self.judge(now, false);
    }

    fn judge(&mut self, now: Timestamp, doubted: bool) {
        if doubted {
            self.doubt = Span(ahead(self.mark, now));
        } else {
            self.doubt = Span(0);
            self.mark = Mark { lived: self.mark.lived.max(now.0), waited: 0 };
        }
    }

    /// Returns the span by which the clock is ahead of the time that counts; 0 while it is believed.
    pub fn doubt(&self) -> Span {
        self.doubt
    }

    /// Returns the mark to be stored.
    pub fn mark(&self) -> Mark {
        self.mark
    }
}

/// Returns the span by which a clock is ahead of a mark, in milliseconds; 0 if it is behind.
fn ahead(mark: Mark, now: Timestamp) -> u64 {
    now.0.saturating_sub(mark.lived).max(0).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: u64 = 24 * 3_600_000;
    const YEARS: i64 = 10 * 365 * DAY as i64;

    fn at(ms: i64) -> Timestamp {
        Timestamp(ms)
    }

    #[test]
    fn a_clock_far_ahead_is_doubted_until_somebody_confirms_it() {
        let start = Lived::begin(None, at(1_000));
        assert_eq!((start.doubt(), start.mark().lived), (Span(0), 1_000));
        let mut lived = Lived::begin(Some(start.mark()), at(1_000 + YEARS));
        assert_eq!(lived.doubt(), Span(YEARS as u64));
        lived.pass(Some(start.mark()), at(1_000 + YEARS + 60_000), Span(60_000));
        assert_eq!((lived.doubt(), lived.mark().lived), (Span(YEARS as u64), 61_000));
        // Started again and again, it is no older for that.
        for _ in 0..1_000 {
            lived = Lived::begin(Some(lived.mark()), at(1_000 + YEARS + 70_000));
        }
        assert_eq!((lived.mark().lived, lived.doubt().0 > 0), (61_000, true));
        lived.confirm(at(1_000 + YEARS + 80_000));
        assert_eq!((lived.doubt(), lived.mark().lived), (Span(0), 1_000 + YEARS + 80_000));
    }

    #[test]
    fn a_long_rest_confirms_itself_by_as_long_at_work() {
        let mark = Mark { lived: 0, waited: 0 };
        let mut now = 3 * DAY as i64;
        let mut lived = Lived::begin(Some(mark), at(now));
        let mut worked = 0;
        while lived.doubt().0 > 0 {
            (now, worked) = (now + 3_600_000, worked + 3_600_000);
            // Across restarts, too.
            lived = Lived::begin(Some(lived.mark()), at(now - 3_600_000));
            lived.pass(None, at(now), Span(3_600_000));
            assert!(worked <= 3 * DAY, "it is never believed");
        }
        assert_eq!((worked, lived.mark().lived), (3 * DAY, now));
    }

    #[test]
    fn a_clock_that_is_behind_moves_nothing() {
        let mark = Mark { lived: YEARS, waited: 0 };
        let mut lived = Lived::begin(Some(mark), at(5));
        lived.pass(Some(mark), at(60_005), Span(60_000));
        assert_eq!((lived.doubt(), lived.mark()), (Span(0), mark));
    }

    #[test]
    fn what_one_node_confirms_all_believe() {
        let mark = Mark { lived: 0, waited: 0 };
        let (mut one, mut other) = (Lived::begin(Some(mark), at(YEARS)), Lived::begin(Some(mark), at(YEARS)));
        one.confirm(at(YEARS));
        other.pass(Some(one.mark()), at(YEARS + 60_000), Span(60_000));
        assert_eq!(other.doubt(), Span(0));
    }

    proptest! {
        /// The lived time that a store assumes, whatever the clock shows at its starts, is never more than a
        /// day ahead of the real one for each time that the clock was believed, or as far as the store waited
        /// before.
        #[test]
        fn no_clock_makes_a_store_older_than_it_is(
            runs in prop::collection::vec((-YEARS..YEARS, 0_u64..100), 1..40),
        ) {
            let (mut truth, mut mark) = (0_i64, Mark { lived: 0, waited: 0 });
            let mut believed = 0_i64;
            for (off, minutes) in runs {
                let mut lived = Lived::begin(Some(mark), at(truth + off));
                if lived.doubt().0 == 0 {
                    believed += BELIEVED.0 as i64;
                }
                for _ in 0..minutes {
                    truth += 60_000;
                    let doubted = lived.doubt().0 > 0;
                    let waited = lived.mark().waited as i64;
                    lived.pass(Some(lived.mark()), at(truth + off), Span(60_000));
                    if doubted && lived.doubt().0 == 0 {
                        believed += (waited + 60_000).max(BELIEVED.0 as i64);
                    }
                }
                mark = lived.mark();
                prop_assert!(mark.lived <= truth + believed + BELIEVED.0 as i64, "{mark:?} at {truth}");
            }
        }
    }
}
