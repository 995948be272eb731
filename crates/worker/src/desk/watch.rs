//! Watching leases: a heartbeat for all of them together that waits at the server, so that what is cancelled
//! or lost is known at once. It extends them when it comes and when it is answered, after a third of the
//! shortest lease.
//!
//! Updates of attempts take another way (`post.rs`), so this call can be abandoned when leases arrive that it
//! does not watch. Attempts too short to be worth watching cost no call.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Desk;
use super::flight::Flight;
use crate::error::WorkerError;
use crate::http::{LONGEST_PAUSE, Unanswered, Verb};
use crate::wire::{BeatBody, Beats, HeartbeatBody, LeaseName, MOST_SLOTS, span};

/// The longest that an answer waits, whatever the leases last.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Shortest pause between heartbeats, however short a lease is.
const SHORTEST_BEAT: Duration = Duration::from_millis(100);
/// The longest time that a new lease is not watched, and that lies between two of these calls.
const LONGEST_PACE: Duration = Duration::from_millis(500);
/// Shortest time allowed for an answer beyond its wait.
const SHORTEST_ANSWER: Duration = Duration::from_secs(2);

/// The call that is under way.
pub(super) struct Watching {
    pub(super) flight: Flight<Result<Beats, Unanswered>>,
    /// The leases that it is about.
    watched: HashSet<LeaseName>,
    begun: Option<Instant>,
}

impl Watching {
    pub(super) fn new() -> Self {
        Watching { flight: Flight::none(), watched: HashSet::new(), begun: None }
    }
}

impl Desk {
    /// The leases to keep: whose handlers run, and whose reports wait.
    fn kept(&self) -> impl Iterator<Item = (&LeaseName, Instant)> {
        let running = self.running.iter().filter(|(_, running)| running.is_ours());
        let running = running.map(|(name, running)| (name, running.since));
        running.chain(self.ended.iter().map(|report| (&report.lease, report.since))).take(MOST_SLOTS)
    }

    /// A third of the shortest lease.
    fn beat(&self) -> Duration {
        let shortest = self.running.values().map(|running| running.span).min().unwrap_or(self.orders.lease);
        (shortest / 3).max(SHORTEST_BEAT)
    }

    /// Returns the time of the next call; one in flight is then abandoned for it.
    pub(super) fn watch_due(&self) -> Option<Instant> {
        let pace = self.beat().min(LONGEST_PACE);
        let idle = self.watching.flight.is_idle();
        let unwatched = self.kept().filter(|(name, _)| idle || !self.watching.watched.contains(*name));
        let oldest = unwatched.map(|(_, since)| since).min()?;
        Some(self.watching.begun.map_or(oldest, |begun| begun.max(oldest)) + pace)
    }

    pub(super) fn begin_watch(&mut self, now: Instant) {
        if self.kept().next().is_none() {
            // What it is about has ended.
            self.watching.flight.abandon();
            return;
        }
        if self.watch_due().is_none_or(|at| at > now) {
            return;
        }
        let beat = self.beat();
        let wait = beat.min(LONGEST_WAIT);
        let watched: Vec<LeaseName> = self.kept().map(|(name, _)| name.clone()).collect();
        let leases = watched.iter().cloned().map(BeatBody::plain).collect();
        let body = HeartbeatBody { worker: &self.orders.worker, leases, wait: Some(span(wait)) };
        let Ok(body) = serde_json::to_vec(&body) else { return };
        let (transport, given_up) = (self.orders.transport.clone(), self.given_up.clone());
        self.watching.watched = watched.into_iter().collect();
        self.watching.begun = Some(now);
        self.watching.flight.begin(async move {
            // Another try must come before the lease has ended.
            let limit = wait + beat.max(SHORTEST_ANSWER);
            let longest = (beat / 2).min(LONGEST_PAUSE);
            transport.call(Verb::Heartbeat, body.into(), limit, longest, &given_up).await
        });
    }

    pub(super) fn watched(&mut self, answer: Result<Beats, Unanswered>) -> Result<(), WorkerError> {
        match answer {
            Ok(beats) => self.heard(beats),
            Err(Unanswered::GivenUp) => {}
            Err(Unanswered::Ended(e)) => return Err(e),
            Err(Unanswered::Refused { status, refusal }) => {
                tracing::warn!(status, reason = refusal.message, "the server refuses a heartbeat");
            }
        }
        Ok(())
    }
}
