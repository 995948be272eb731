//! Who was heard of lately.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Timestamp, WorkerId};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Workers;
use crate::engine::Engine;

/// A worker not heard of for so long, and without a lease, is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(300);

/// A worker that asked a queue for work within this time is said to serve it.
const SERVES: Duration = Duration::from_secs(75);

/// Workers by name.
#[derive(Default)]
pub(super) struct Seen(HashMap<WorkerId, One>);

struct One {
    queues: Vec<Arc<str>>,
    last_seen: Timestamp,
    at: Instant,
    /// When it last asked for work.
    asked: Option<Instant>,
    /// Rises whenever one of its leases was cancelled or ended.
    news: watch::Sender<u64>,
}

/// A worker as a list shows it.
#[derive(Clone, Debug)]
pub struct WorkerSummary {
    /// Account and name.
    pub worker: WorkerId,
    /// The queues it asked for work last.
    pub queues: Vec<Arc<str>>,
    /// Attempts that it has.
    pub running: usize,
    /// When it last called.
    pub last_seen: Timestamp,
}

impl Seen {
    /// A worker called.
    pub(super) fn touch(&mut self, worker: &WorkerId, wall: Timestamp) {
        self.one(worker, wall);
    }

    /// A worker asked for work.
    pub(super) fn asked(&mut self, worker: &WorkerId, queues: &[Arc<str>], wall: Timestamp) {
        let one = self.one(worker, wall);
        one.asked = Some(Instant::now());
        if one.queues != queues {
            one.queues = queues.to_vec();
        }
    }

    fn one(&mut self, worker: &WorkerId, wall: Timestamp) -> &mut One {
        let now = Instant::now();
        let fresh =
            || One { queues: Vec::new(), last_seen: wall, at: now, asked: None, news: watch::Sender::new(0) };
        let one = self.0.entry(worker.clone()).or_insert_with(fresh);
        (one.last_seen, one.at) = (wall, now);
        one
    }

    /// Wakes a worker's waiting heartbeat.
    pub(super) fn tell(&self, worker: &WorkerId) {
        if let Some(one) = self.0.get(worker) {
            one.news.send_modify(|n| *n += 1);
        }
    }

    /// To be woken by [`Seen::tell`] from now on.
    pub(super) fn news(&mut self, worker: &WorkerId, wall: Timestamp) -> watch::Receiver<u64> {
        self.one(worker, wall).news.subscribe()
    }

    /// How many workers serve a queue.
    pub(super) fn serving(&self, queue: &str) -> usize {
        let serves = |one: &&One| {
            one.asked.is_some_and(|at| at.elapsed() < SERVES)
                && one.queues.iter().any(|name| **name == *queue)
        };
        self.0.values().filter(serves).count()
    }

    /// Names of all queues that a worker asks lately.
    pub(super) fn queues(&self) -> HashSet<Arc<str>> {
        self.0.values().flat_map(|one| one.queues.iter().cloned()).collect()
    }

    /// Those that are silent for long; whether each still has a lease is the caller's to know.
    pub(super) fn forget(&mut self, busy: impl Fn(&WorkerId) -> bool) {
        self.0.retain(|worker, one| one.at.elapsed() < FORGOTTEN || busy(worker));
    }
}

impl Workers {
    /// How many workers serve a queue.
    pub(crate) fn serving(&self, queue: &str) -> usize {
        self.state.lock().seen.serving(queue)
    }
}

impl Engine {
    /// Workers heard of within the last minutes, by name.
    pub fn workers(&self) -> Vec<WorkerSummary> {
        let state = self.inner.dispatcher.workers().state.lock();
        let summary = |(worker, one): (&WorkerId, &One)| WorkerSummary {
            worker: worker.clone(),
            queues: one.queues.clone(),
            running: state.leases.running(worker),
            last_seen: one.last_seen,
        };
        let mut all: Vec<WorkerSummary> = state.seen.0.iter().map(summary).collect();
        drop(state);
        all.sort_by(|a, b| a.worker.cmp(&b.worker));
        all
    }

    /// How many workers asked a queue for work lately.
    pub fn serving(&self, queue: &str) -> usize {
        self.inner.dispatcher.workers().serving(queue)
    }
}
