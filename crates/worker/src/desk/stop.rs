//! The end of a worker, in order: it asks for no more, what runs may end within the grace, what does not is
//! asked to stop, and all of it is reported.

use std::time::Duration;

use tokio::time::Instant;

use super::Desk;
use super::attempt::far;
use crate::context::StopReason;
use crate::error::WorkerError;

/// Longest time that the last reports may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Phase of a worker's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Working,
    /// Running attempts may end until then.
    Finishing(Instant),
    /// Handlers were asked to stop.
    Stopping,
    /// No handler runs; reports are sent until then.
    Leaving(Instant),
}

impl Desk {
    pub(super) fn is_working(&self) -> bool {
        self.phase == Phase::Working
    }

    pub(super) fn begin_to_stop(&mut self) {
        let (grace, running) = (self.orders.grace, self.running.len());
        tracing::info!(running, ?grace, "the worker stops: it takes no more work");
        self.phase = Phase::Finishing(far(grace));
        // What this worker gives back must not come to it again.
        self.asking.abandon();
    }

    /// Carries out the steps that are due.
    pub(super) fn advance(&mut self, now: Instant) {
        self.break_off(now);
        let all_done = self.running.is_empty();
        match self.phase {
            Phase::Finishing(until) if all_done => {
                self.phase = Phase::Leaving(until.max(now + LAST_WORDS));
            }
            Phase::Finishing(until) if until <= now => {
                let cleanup = self.orders.cleanup;
                for running in self.running.values_mut() {
                    running.stop(StopReason::Stopping, cleanup);
                }
                self.phase = Phase::Stopping;
            }
            Phase::Stopping if all_done => self.phase = Phase::Leaving(now + LAST_WORDS),
            Phase::Leaving(until) if until <= now => self.given_up.cancel(),
            Phase::Working | Phase::Finishing(_) | Phase::Stopping | Phase::Leaving(_) => {}
        }
    }

    pub(super) fn phase_due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Working | Phase::Stopping => None,
            Phase::Finishing(until) => Some(until),
            Phase::Leaving(until) => Some(until).filter(|_| !self.given_up.is_cancelled()),
        }
    }

    /// Returns true once no handler runs and every report was sent, or cannot be.
    pub(super) fn is_over(&self) -> bool {
        let said = self.ended.is_empty() && self.reporting.flight.is_idle();
        matches!(self.phase, Phase::Leaving(_)) && (said || self.given_up.is_cancelled())
    }

    pub(super) fn leave(mut self) -> Result<(), WorkerError> {
        self.asking.abandon();
        let count = self.ended.len() + self.reporting.under_way();
        match count {
            0 => {
                tracing::info!("the worker has stopped");
                Ok(())
            }
            count => Err(WorkerError::Unreported { count }),
        }
    }
}
