//! Telling news of attempts: how far they are, and what they write. News of all of them go together, now and
//! then.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Desk;
use super::ask::ANSWER;
use super::attempt::Report;
use super::flight::Flight;
use crate::context::Context;
use crate::error::WorkerError;
use crate::http::{LONGEST_PAUSE, Unanswered, Verb};
use crate::wire::{BeatBody, Beats, HeartbeatBody, LeaseName, MOST_SLOTS};

/// Time for which an update waits for others.
const GATHER: Duration = Duration::from_millis(400);
/// Bytes of log lines that one call takes.
const ROOM: usize = 2 << 20;
/// Share of those bytes that one attempt may take.
const ROOM_OF_ONE: usize = 512 << 10;

/// The call that is under way.
pub(super) struct Posting {
    pub(super) flight: Flight<Result<Beats, Unanswered>>,
    /// Attempts whose updates are in the call.
    told: HashSet<LeaseName>,
    /// Time of the oldest update that is not in a call.
    since: Option<Instant>,
}

impl Posting {
    pub(super) fn new() -> Self {
        Posting { flight: Flight::none(), told: HashSet::new(), since: None }
    }

    /// Notes that an attempt has an update.
    pub(super) fn noticed(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Returns true while updates of the attempt are in flight: its end must not overtake them.
    pub(super) fn tells(&self, lease: &LeaseName) -> bool {
        !self.flight.is_idle() && self.told.contains(lease)
    }
}

impl Desk {
    /// Returns the attempts that may have updates, those whose reports wait for them first.
    fn talkers(&self) -> impl Iterator<Item = &Context> {
        let ended = self.ended.iter().filter_map(|report| report.context.as_ref());
        let running =
            self.running.values().filter(|running| running.is_ours()).map(|running| &running.context);
        ended.filter(|context| context.must_tell_first()).chain(running)
    }

    pub(super) fn post_due(&self) -> Option<Instant> {
        if !self.posting.flight.is_idle() {
            return None;
        }
        let waits = |report: &&Report| report.context.as_ref().is_some_and(Context::must_tell_first);
        if let Some(report) = self.ended.iter().find(waits) {
            return Some(report.since);
        }
        self.posting.since.map(|since| since + GATHER)
    }

    pub(super) fn begin_post(&mut self, now: Instant) {
        if self.post_due().is_none_or(|at| at > now) {
            return;
        }
        let (mut leases, mut room) = (Vec::new(), ROOM);
        for context in self.talkers().filter(|context| context.has_news()) {
            let (news, taken) = context.take_news(room.min(ROOM_OF_ONE));
            leases.push(BeatBody::with(context.lease().clone(), news));
            room = room.saturating_sub(taken);
            if room == 0 || leases.len() == MOST_SLOTS {
                break;
            }
        }
        let more = self.talkers().any(Context::has_news);
        self.posting.since = more.then_some(now);
        if leases.is_empty() {
            return;
        }
        self.posting.told = leases.iter().map(|beat| beat.lease.clone()).collect();
        let body = HeartbeatBody { worker: &self.orders.worker, leases, wait: None };
        let Ok(body) = serde_json::to_vec(&body) else { return };
        let (transport, given_up) = (self.orders.transport.clone(), self.given_up.clone());
        self.posting.flight.begin(async move {
            transport.call(Verb::Heartbeat, body.into(), ANSWER, LONGEST_PAUSE, &given_up).await
        });
    }

    pub(super) fn posted(&mut self, answer: Result<Beats, Unanswered>) -> Result<(), WorkerError> {
        self.posting.told.clear();
        self.watched(answer)
    }
}
