//! Telling news of attempts: how far they are, and what they write. News of all of them go together, now and then.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::Desk;
use super::ask::ANSWER;
use super::flight::Flight;
use crate::context::Context;
use crate::error::WorkerError;
use crate::http::{LONGEST_PAUSE, Unanswered, Verb};
use crate::wire::{BeatBody, Beats, HeartbeatBody, LeaseName, MOST_SLOTS};

/// How long news wait for others.
const GATHER: Duration = Duration::from_millis(400);
/// Bytes of log lines that one call takes.
const ROOM: usize = 2 << 20;
/// Of them, those of one attempt.
const ROOM_OF_ONE: usize = 512 << 10;

/// The call that is under way.
pub(super) struct Posting {
    pub(super) flight: Flight<Result<Beats, Unanswered>>,
    /// Whose news it has.
    told: HashSet<LeaseName>,
    /// When somebody first had something to tell that is not under way.
    since: Option<Instant>,
}

impl Posting {
    pub(super) fn new() -> Self {
        Posting { flight: Flight::none(), told: HashSet::new(), since: None }
    }

    /// Somebody has something to tell.
    pub(super) fn noticed(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Whether news of this attempt are under way: its end must not overtake them.
    pub(super) fn tells(&self, lease: &LeaseName) -> bool {
        !self.flight.is_idle() && self.told.contains(lease)
    }
}

impl Desk {
    /// Whoever may have something to tell; first those whose report waits for it.
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
        let mut ended = self.ended.iter().filter_map(|report| report.context.as_ref());
        if ended.any(Context::must_tell_first) {
            return Some(Instant::now());
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
