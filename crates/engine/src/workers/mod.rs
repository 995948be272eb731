//! The server's side of workers: waiting work by queue, leases with their deadlines, and workers that were
//! heard of. Durable state is in the store; the state here is made again from it at every start.

mod abroad;
mod calls;
mod elsewhere;
mod heartbeat;
mod lease;
mod leases;
mod limits;
mod name;
mod queue;
mod queues;
mod report;
mod seen;
mod short;
#[cfg(test)]
mod short_test;
mod texts;
mod watchdog;

use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::{Leased, NodeId, TaskId, Timestamp, WorkerId};
use tokio::time::Instant;

pub use heartbeat::{Beat, Beats};
pub use lease::{Ask, Assigned, Assignment};
pub use leases::LeaseState;
pub use limits::{QueueChange, QueueLimits, Rate};
pub use name::{LeaseName, is_queue_name};
pub use queues::QueueSummary;
pub(crate) use queues::kept_limits;
pub use report::{Ending, Recorded, WorkerReport};
pub use seen::{Origin, WorkerBounds, WorkerSummary};

pub(crate) use abroad::Gifts;
use calls::Calls;
use elsewhere::Told;
pub(crate) use leases::Key;
use leases::Leases;
use queue::{Queue, Taken};
use seen::Seen;
use short::{SLICE, Short};

/// Workers and their work.
#[derive(Default)]
pub(crate) struct Workers {
    state: Short<State>,
    calls: Arc<Calls>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<Arc<str>, Queue>,
    leases: Leases,
    seen: Seen,
    told: Told,
    /// The number of the next that waits.
    number: u64,
    /// True while running attempts are not all known yet.
    recovering: bool,
}

impl Workers {
    /// Sets whether tasks of an earlier process are still being recovered. Until they are, the number of
    /// running attempts of a queue is unknown: in a queue with a limit, nothing more begins.
    pub(crate) fn recovering(&self, is: bool) {
        self.state.lock().recovering = is;
        self.each_queue(|_, queue, _| {
            queue.recovering(is);
            // Workers that are woken count, too.
            1 + queue.len().min(SLICE)
        });
    }

    /// Sets the limits of one account.
    pub(crate) fn bound(&self, bounds: WorkerBounds) {
        self.state.lock().seen.bounds = bounds;
    }

    /// Queues a sub-task for a worker; it waits since that revision of its task.
    pub(crate) fn queued(&self, id: TaskId, sub_task: u32, queue: &Arc<str>, priority: i8, revision: u64) {
        let mut state = self.state.lock();
        state.number += 1;
        let number = state.number;
        state.queue(queue).offer((id, sub_task), priority, number, revision, Instant::now());
    }

    /// Removes a sub-task that no longer waits, both here and where it was lent, as of that revision of its
    /// task.
    pub(crate) fn unqueued(&self, id: TaskId, sub_task: u32, queue: &Arc<str>, revision: u64) {
        if let Some(queue) = self.state.lock().queues.get_mut(queue) {
            queue.withdraw((id, sub_task), revision);
        }
    }

    /// A worker has an attempt.
    pub(crate) fn leased(&self, id: TaskId, leased: &Leased, wall: Timestamp) {
        let mut state = self.state.lock();
        if !state.leases.has(&(id, leased.sub_task, leased.token)) {
            let queue = state.queue(&leased.queue);
            (queue.running, queue.is_real) = (queue.running + 1, true);
        }
        state.leases.insert(id, leased, wall, Instant::now());
        // Also after a restart, where the worker did not ask yet.
        state.seen.touch(&leased.lease.worker, wall);
    }

    /// Cancels an attempt, if a worker has it; returns the other node where the worker was heard of.
    pub(crate) fn cancel(&self, key: &Key) -> Option<(NodeId, WorkerId)> {
        let mut state = self.state.lock();
        let (worker, heard_at) = state.leases.cancel(key)?;
        state.seen.tell(&worker);
        Some((heard_at?, worker))
    }

    /// Ends the lease of an attempt; returns the other node where its worker was heard of.
    pub(crate) fn lease_ended(&self, key: &Key) -> Option<(NodeId, WorkerId)> {
        let mut state = self.state.lock();
        let held = state.leases.remove(key)?;
        state.queue(&held.queue).ended();
        state.seen.tell(&held.worker);
        Some((held.heard_at?, held.worker))
    }

    /// Returns true if a worker has this lease.
    pub(crate) fn holds(&self, lease: LeaseName, worker: &WorkerId) -> bool {
        self.state.lock().leases.of(&lease.key, worker).is_some()
    }

    /// Returns true if that worker may know secrets of the task; `None` if it has no such lease here.
    fn knows_secrets(&self, key: &Key, worker: &WorkerId) -> Option<bool> {
        self.state.lock().leases.of(key, worker).map(|held| held.secrets)
    }
}

impl State {
    /// Returns the state of a queue, kept from its first mention on; [`Queue::is_real`] tells whether the
    /// queue exists.
    fn queue(&mut self, name: &Arc<str>) -> &mut Queue {
        if !self.queues.contains_key(name) {
            let mut queue = Queue::default();
            queue.recovering(self.recovering);
            self.queues.insert(name.clone(), queue);
        }
        self.queues.entry(name.clone()).or_default()
    }

    /// Takes up to so many sub-tasks out of these queues: the highest priority of them all first, then the
    /// oldest.
    fn take(&mut self, names: &[Arc<str>], most: usize, now: Instant) -> Vec<Taken> {
        let mut taken = Vec::new();
        let head = |state: &mut State, name| state.queues.get_mut(name).and_then(|queue| queue.head(now));
        let mut heads: Vec<_> = names.iter().map(|name| head(self, name)).collect();
        while taken.len() < most {
            let places = heads.iter().enumerate().filter_map(|(n, place)| Some(((*place)?, n)));
            let Some((_, n)) = places.min() else { break };
            taken.extend(self.queues.get_mut(&names[n]).and_then(|queue| queue.take(&names[n])));
            heads[n] = head(self, &names[n]);
        }
        taken
    }
}
