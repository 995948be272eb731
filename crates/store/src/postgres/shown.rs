//! Samples of the database's clock, and what follows from one for the clock of a node.

use std::time::{Duration, Instant};

use longhaul_model::Timestamp;

/// Sample of the database's clock.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    /// Time in the middle between question and answer, by the database's clock.
    pub(super) at: Timestamp,
    /// Time between question and answer.
    pub(super) took: Duration,
    /// Instant of the answer.
    answered: Instant,
}

impl Shown {
    /// Creates the sample of an answer that has just arrived.
    pub(super) fn new(clock: i64, took: Duration) -> Shown {
        // The clock showed this somewhere between the question and the answer.
        Shown { at: Timestamp(clock + took.as_millis() as i64 / 2), took, answered: Instant::now() }
    }

    /// Returns the time that the clock shows now, as far as the sample tells.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.at.0 + self.answered.elapsed().as_millis() as i64)
    }

    /// Returns what a node's clock should show that shows `own` now; `None` if the sample does not prove it
    /// wrong.
    pub(super) fn corrected(&self, own: Timestamp) -> Option<Timestamp> {
        // The sample is right within half the time that the answer took, and what rounding takes.
        corrected(own.0, self.now().0, 1 + self.took.as_millis() as i64 / 2).map(Timestamp)
    }
}

/// Moves a clock as little as a sample demands that is right within `error`: if the way to the database takes
/// longer than the way back, the middle of the sample is wrong by nearly as much, and a clock that followed
/// it would be ahead of all others.
fn corrected(own: i64, shown: i64, error: i64) -> Option<i64> {
    let off = shown - own;
    (off.abs() > error).then(|| shown - off.signum() * error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the ways take, no sample takes a clock further from the truth, and none that answers promptly
    /// leaves it far from that.
    #[test]
    fn no_sample_makes_a_clock_worse() {
        let times = [0, 1, 2, 5, 40, 399, 1_999];
        let ways: Vec<(i64, i64)> =
            times.into_iter().flat_map(|there| times.map(|back| (there, back))).collect();
        for error in [-5_000, -300, -3, -1, 0, 1, 3, 300, 5_000] {
            for n in 0..ways.len().pow(3) {
                let mut own: i64 = error;
                for (there, back) in [n, n / ways.len(), n / ways.len().pow(2)].map(|n| ways[n % ways.len()])
                {
                    // By the true time the answer arrives at 0; the clock is read before its way back.
                    let (took, before) = (there + back, own.abs());
                    own = corrected(own, took / 2 - back, 1 + took / 2).unwrap_or(own);
                    assert!(own.abs() <= before, "from {before} to {own} by {there} there and {back} back");
                    assert!(own.abs() <= 2 + took, "{own} after an answer of {took} ms");
                }
            }
        }
    }

    #[test]
    fn slow_question_does_not_put_a_clock_ahead() {
        // A clock that is 3 ms behind, a question of 400 ms, an answer at once.
        assert_eq!(corrected(-3, 200, 201), Some(-1));
        assert_eq!(corrected(0, 200, 201), None);
        assert_eq!(corrected(-5_000, 0, 1), Some(-1));
        assert_eq!(corrected(5_000, 0, 1), Some(1));
    }
}
