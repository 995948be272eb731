//! Asking for work where there is nothing to report. The answer waits until there is some.

use std::time::Duration;

use tokio::time::Instant;

use super::Desk;
use super::flight::Flight;
use crate::error::WorkerError;
use crate::http::{LONGEST_PAUSE, Unanswered, Verb};
use crate::identity::{jittered, name};
use crate::wire::{LeaseBody, Leases, MOST_LEASES, NextBody, span};

/// Longest time that an answer waits for work.
const WAIT: Duration = Duration::from_secs(30);
/// Longest time that an answer takes beyond its wait.
pub(super) const ANSWER: Duration = Duration::from_secs(30);
/// Pause before a server that is stopping is asked again.
const DRAINING: Duration = Duration::from_secs(2);

/// The question that is under way.
pub(super) struct Asking {
    pub(super) flight: Flight<Result<Leases, Unanswered>>,
    /// Number of attempts that the call asks for.
    asked: usize,
    /// Earliest time of the next call, as the server asks.
    not_before: Option<Instant>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Asking { flight: Flight::none(), asked: 0, not_before: None }
    }

    /// Returns the number of attempts that the call in flight asks for.
    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    /// Abandons the call. A lease that the server gives at this very moment expires by itself.
    pub(super) fn abandon(&mut self) {
        self.flight.abandon();
        self.asked = 0;
    }
}

impl Desk {
    /// Returns the number of attempts to lease next and the body of the call, if there is room; the answer
    /// may wait for `wait`.
    pub(super) fn next(&self, now: Instant, wait: Duration) -> Option<(usize, NextBody)> {
        let max = self.free().min(MOST_LEASES);
        if max == 0 || self.asking.not_before.is_some_and(|at| at > now) || !self.is_working() {
            return None;
        }
        let lease = span(self.orders.lease);
        Some((
            max,
            NextBody { queues: self.queues.clone(), max, wait: span(wait), lease, request: name("r").ok() },
        ))
    }

    pub(super) fn begin_ask(&mut self, now: Instant) {
        self.asking.not_before = self.asking.not_before.filter(|at| *at > now);
        // A report asks, too, and is answered at once.
        if !self.asking.flight.is_idle() || self.is_reporting() {
            return;
        }
        let Some((max, next)) = self.next(now, WAIT) else { return };
        let body = LeaseBody {
            worker: &self.orders.worker,
            host: self.orders.host.as_deref(),
            process: std::process::id(),
            next,
        };
        let Ok(body) = serde_json::to_vec(&body) else { return };
        let (transport, given_up) = (self.orders.transport.clone(), self.given_up.clone());
        self.asking.asked = max;
        self.asking.flight.begin(async move {
            transport.call(Verb::Lease, body.into(), WAIT + ANSWER, LONGEST_PAUSE, &given_up).await
        });
    }

    /// Returns the time of the next call, if a pause is all that holds it up.
    pub(super) fn ask_due(&self) -> Option<Instant> {
        self.asking.not_before.filter(|_| self.asking.flight.is_idle() && self.is_working())
    }

    pub(super) fn answered(&mut self, answer: Result<Leases, Unanswered>) -> Result<(), WorkerError> {
        self.asking.asked = 0;
        match answer {
            Ok(leases) => self.take(leases, true),
            Err(Unanswered::GivenUp) => {}
            Err(Unanswered::Ended(e)) => return Err(e),
            Err(Unanswered::Refused { status, refusal }) => {
                return Err(WorkerError::Refused {
                    server: self.orders.transport.server().to_owned(),
                    status,
                    code: refusal.error_code,
                    message: refusal.message,
                    remediation: refusal.remediation_message,
                });
            }
        }
        Ok(())
    }

    /// Takes leases, and heeds when to ask again, if that was asked.
    pub(super) fn take(&mut self, answer: Leases, asked: bool) {
        let pause = match answer.draining {
            true => Some(jittered(DRAINING)),
            false => (answer.retry_after_ms > 0).then(|| Duration::from_millis(answer.retry_after_ms)),
        };
        if asked || answer.draining {
            self.asking.not_before = pause.map(|pause| Instant::now() + pause);
        }
        for lease in answer.leases {
            self.begin(lease);
        }
    }
}
