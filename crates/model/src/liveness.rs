//! Liveness by counted beats. A node raises a counter of its own at every beat; each watcher remembers, by
//! its own monotonic clock, since when the counter has not changed. No two clocks are ever compared, so a
//! clock that is set wrong, or stepped, makes no node look dead.
//!
//! The observer is pure: the watcher provides the time, as the time since some start of its own.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Longest silence of a node before the others take over from it.
pub const SILENT: Duration = Duration::from_secs(10);
/// Longest gap between looks: a longer one tells nothing about the time between them, as the watcher itself
/// may have stood still, and the nodes with it.
pub const GAP: Duration = Duration::from_secs(5);

/// Knowledge of one watcher about the beats of others. `T` names a node session; `B` is its beat, of which
/// only equality counts: a counter that went back, as after the crash of a database, has changed too.
#[derive(Clone, Debug)]
pub struct Observer<T, B> {
    span: Duration,
    gap: Duration,
    /// Time at which the last look began.
    looked: Option<Duration>,
    seen: HashMap<T, Seen<B>>,
}

#[derive(Clone, Debug)]
struct Seen<B> {
    beat: B,
    /// Time at which the watcher knew of this beat for the first time, or started to count again.
    since: Duration,
    /// Time up to which the beat is known not to have changed.
    until: Duration,
}

impl<T: Eq + Hash, B: PartialEq> Observer<T, B> {
    /// Creates an observer that takes a node for silent after `span` without a beat, all of it observed by
    /// looks no more than `gap` apart.
    pub fn new(span: Duration, gap: Duration) -> Self {
        Observer { span, gap, looked: None, seen: HashMap::new() }
    }

    /// Takes in a look at all beats, which was asked for and answered at these times. A session that is not
    /// among them is forgotten, and would be observed from the beginning.
    pub fn look(&mut self, asked: Duration, answered: Duration, beats: impl IntoIterator<Item = (T, B)>) {
        let answered = answered.max(asked);
        let stood_still = self.looked.is_some_and(|before| asked.saturating_sub(before) > self.gap);
        // Never back: of two looks at once the older one may be told of last.
        self.looked = self.looked.max(Some(asked));
        let mut before = std::mem::take(&mut self.seen);
        for (turn, beat) in beats {
            let seen = match before.remove(&turn) {
                // Unchanged when the question was asked, at least; it may have been read right then.
                Some(seen) if seen.beat == beat && !stood_still => {
                    Seen { until: seen.until.max(asked), ..seen }
                }
                // It may have changed as late as the moment of the answer.
                _ => Seen { beat, since: answered, until: answered },
            };
            self.seen.insert(turn, seen);
        }
    }

    /// Returns true if a node was silent for the whole span, as far as this watcher has observed it. A
    /// session that it does not know is never silent.
    pub fn is_silent(&self, turn: &T) -> bool {
        self.seen.get(turn).is_some_and(|seen| seen.until.saturating_sub(seen.since) >= self.span)
    }

    /// Returns the beat of a node that was silent for the whole span: its session may only be ended if this
    /// is still its beat.
    pub fn silent_at(&self, turn: &T) -> Option<&B> {
        self.seen.get(turn).filter(|_| self.is_silent(turn)).map(|seen| &seen.beat)
    }
}

impl<T: Eq + Hash, B: PartialEq> Default for Observer<T, B> {
    fn default() -> Self {
        Observer::new(SILENT, GAP)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn look(observer: &mut Observer<u8, u64>, at: u64, beats: &[(u8, u64)]) {
        observer.look(ms(at), ms(at), beats.iter().copied());
    }

    #[test]
    fn only_a_whole_span_of_own_observation_is_silence() {
        let mut observer = Observer::default();
        // It may have been dead for years: that is not known yet.
        for at in (0..10_000).step_by(1_000) {
            look(&mut observer, at, &[(1, 7), (2, at)]);
            assert!(!observer.is_silent(&1) && observer.silent_at(&1).is_none(), "at {at}");
        }
        look(&mut observer, 10_000, &[(1, 7), (2, 10_000)]);
        assert_eq!((observer.silent_at(&1), observer.silent_at(&2)), (Some(&7), None));
        assert!(!observer.is_silent(&3));
        // A beat, also one that goes back.
        look(&mut observer, 11_000, &[(1, 6), (2, 11_000)]);
        assert!(!observer.is_silent(&1));
    }

    #[test]
    fn an_observer_that_stood_still_begins_anew() {
        let mut observer = Observer::default();
        for at in [0, 1_000, 2_000, 60_000] {
            look(&mut observer, at, &[(1, 7)]);
            assert!(!observer.is_silent(&1), "at {at}");
        }
        for at in (61_000..70_000).step_by(1_000) {
            look(&mut observer, at, &[(1, 7)]);
            assert!(!observer.is_silent(&1), "at {at}");
        }
        look(&mut observer, 70_000, &[(1, 7)]);
        assert!(observer.is_silent(&1));
    }

    #[test]
    fn a_slow_answer_counts_for_the_node() {
        let mut observer = Observer::default();
        observer.look(ms(0), ms(3_000), [(1_u8, 7_u64)]);
        for at in [4_000, 8_000, 12_000] {
            // Asked before the span was over, though answered after it.
            observer.look(ms(at), ms(at + 3_000), [(1, 7)]);
            assert!(!observer.is_silent(&1), "at {at}");
        }
        observer.look(ms(16_000), ms(16_000), [(1, 7)]);
        assert!(observer.is_silent(&1));
    }

    proptest! {
        /// Living nodes are never silent: a node whose last beat is younger than the span, by the one true
        /// time, is not, whatever the looks are; and one that stays dead is found by looks that are close
        /// enough.
        #[test]
        fn the_living_are_never_silent(
            looks in prop::collection::vec((1_u64..7_000, 0_u64..4_000), 1..60),
            beats in prop::collection::vec(1_u64..12_000, 0..40),
        ) {
            let beats: Vec<u64> = beats.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let mut observer = Observer::default();
            let mut now = 0;
            for (pause, took) in looks {
                let asked = now + pause;
                // Read somewhere between question and answer.
                let read = asked + took / 2;
                let count = beats.iter().filter(|at| **at <= read).count() as u64;
                observer.look(ms(asked), ms(asked + took), [((), count)]);
                now = asked + took;
                let last = beats.iter().rfind(|at| **at <= read).copied().unwrap_or(0);
                if observer.is_silent(&()) {
                    prop_assert!(read - last >= SILENT.as_millis() as u64, "read {read}, beat {last}");
                }
            }
            for step in 0..=11 {
                let at = now + step * 1_000;
                observer.look(ms(at), ms(at), [((), u64::MAX)]);
            }
            prop_assert!(observer.is_silent(&()));
        }
    }
}
