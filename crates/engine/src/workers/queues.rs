//! Queues as operators see and set them.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use longhaul_store::Audit;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::limits::{QueueChange, QueueLimits};
use super::queue::Queue;
use super::seen::Seen;
use super::short::SLICE;
use super::{State, Workers};
use crate::engine::Engine;
use crate::error::EngineError;

/// The name under which the limits are kept.
const NAME: &str = "queues";

/// Queue as a list shows it.
#[derive(Clone, Debug)]
pub struct QueueSummary {
    /// Name of the queue.
    pub name: Arc<str>,
    /// Number of sub-tasks that wait in it.
    pub waiting: usize,
    /// Attempts that workers have.
    pub running: usize,
    /// Longest time that a sub-task has waited.
    pub oldest_wait: Option<Duration>,
    /// Number of workers that asked it for work lately.
    pub workers: usize,
    /// Limits that an operator set.
    pub limits: QueueLimits,
}

impl QueueSummary {
    /// Returns the summary of a queue of which this node knows only the number of workers that ask for its
    /// work.
    pub(crate) fn unused(name: &str, workers: usize) -> Self {
        let (limits, oldest_wait) = (QueueLimits::default(), None);
        QueueSummary { name: name.into(), waiting: 0, running: 0, oldest_wait, workers, limits }
    }
}

impl Workers {
    /// Sets the stored limits, at a start.
    pub(crate) fn limit(&self, limits: impl IntoIterator<Item = (Arc<str>, QueueLimits)>) {
        for (name, limits) in limits {
            self.state.lock().queue(&name).limit(limits, Instant::now());
        }
    }

    /// Sets the limits that another node stored: queues that are not named have none.
    pub(crate) fn reset_limits(&self, kept: BTreeMap<String, QueueLimits>) {
        let now = Instant::now();
        self.each_queue(|name, queue, _| {
            let limits = kept.get(&**name).copied().unwrap_or_default();
            if queue.limits() != limits {
                queue.limit(limits, now);
                return 1 + queue.len().min(SLICE);
            }
            1
        });
        for (name, limits) in kept {
            let (mut state, name) = (self.state.lock(), Arc::<str>::from(name));
            let queue = state.queue(&name);
            if queue.limits() != limits {
                queue.limit(limits, now);
            }
        }
    }

    /// Visits all queues, in order of their names; after each slice the lock is passed on. `visit` returns
    /// the number of items that it looked at.
    pub(super) fn each_queue(&self, mut visit: impl FnMut(&Arc<str>, &mut Queue, &Seen) -> usize) {
        let mut last: Option<Arc<str>> = None;
        loop {
            let mut state = self.state.lock();
            let State { queues, seen, .. } = &mut *state;
            let from = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let (mut visited, mut reached) = (0, None);
            for (name, queue) in queues.range_mut::<str, _>((from, Bound::Unbounded)) {
                visited += visit(name, queue, seen);
                if visited >= SLICE {
                    reached = Some(name.clone());
                    break;
                }
            }
            state.visit(visited);
            state.pass_on();
            match reached {
                Some(name) => last = Some(name),
                None => return,
            }
        }
    }

    /// Removes queues that nobody uses and nobody asks.
    pub(super) fn forget_queues(&self) {
        let mut gone = Vec::new();
        self.each_queue(|name, queue, seen| {
            if queue.is_idle() && !(queue.is_real && seen.serving(name) > 0) {
                gone.push(name.clone());
            }
            1
        });
        for slice in gone.chunks(SLICE) {
            let mut state = self.state.lock();
            state.visit(slice.len());
            for name in slice {
                // An item may have come meanwhile.
                if state.queues.get(name).is_some_and(Queue::is_idle) {
                    state.queues.remove(name);
                }
            }
        }
    }

    fn summary(name: &Arc<str>, queue: &Queue, seen: &Seen, now: Instant) -> (QueueSummary, usize) {
        let (oldest, visited) = queue.oldest();
        let summary = QueueSummary {
            name: name.clone(),
            waiting: queue.own_len() + queue.abroad.sum(|said| said.waiting),
            running: queue.running + queue.abroad.running(),
            oldest_wait: oldest.map(|since| now.saturating_duration_since(since)).max(queue.abroad.oldest()),
            workers: seen.serving(name) + queue.abroad.sum(|said| said.serving),
            limits: queue.limits(),
        };
        (summary, visited)
    }

    pub(super) fn summaries(&self) -> Vec<QueueSummary> {
        let (mut all, now) = (Vec::new(), Instant::now());
        self.each_queue(|name, queue, seen| {
            if !queue.is_shown() {
                return 1;
            }
            let (summary, visited) = Workers::summary(name, queue, seen, now);
            all.push(summary);
            1 + visited
        });
        all
    }

    /// True if a queue is among those that operators see.
    fn is_shown(&self, name: &str) -> bool {
        self.state.lock().queues.get(name).is_some_and(Queue::is_shown)
    }

    fn summary_of(&self, name: &Arc<str>) -> Option<QueueSummary> {
        let state = self.state.lock();
        let queue = state.queues.get(name)?;
        Some(Workers::summary(name, queue, &state.seen, Instant::now()).0)
    }

    /// Returns the longest time that the lock of all workers' calls was held.
    pub(crate) fn longest_hold(&self) -> Duration {
        self.state.longest()
    }
}

impl Engine {
    /// Returns every queue that work waited or ran in lately or that is limited, by name. A name that workers
    /// only ask for is not a queue.
    pub fn queues(&self) -> Vec<QueueSummary> {
        self.inner.dispatcher.workers().summaries()
    }

    /// Returns the longest time since the start that the lock of all workers' calls was held.
    pub fn longest_hold_of_workers(&self) -> Duration {
        self.inner.dispatcher.workers().longest_hold()
    }

    /// Sets the limits of a queue; those that are not given do not apply. After Ok they hold, also after a
    /// restart.
    pub async fn limit_queue(
        &self,
        name: &str,
        limits: QueueLimits,
        audit: Audit,
    ) -> Result<QueueSummary, EngineError> {
        let audit = audit.detail(json!(limits).to_string());
        self.write_limits(name, limits.into(), audit).await
    }

    /// Changes the limits of a queue that are named. Returns `None`, and changes nothing, if the queue does
    /// not exist and is not to be created. After Ok they hold, also after a restart.
    pub async fn change_queue(
        &self,
        name: &str,
        change: QueueChange,
        makes: bool,
        audit: Audit,
    ) -> Result<Option<QueueSummary>, EngineError> {
        let is_there = || {
            let known = self.inner.dispatcher.workers().is_shown(name);
            let kept = || kept_limits(&*self.inner.store).map(|kept| kept.contains_key(name));
            Ok::<_, EngineError>(known || kept()? || self.names_queue(name)?)
        };
        if !makes && !is_there()? {
            return Ok(None);
        }
        let audit = audit.detail(json!(change).to_string());
        self.write_limits(name, change, audit).await.map(Some)
    }

    async fn write_limits(
        &self,
        name: &str,
        change: QueueChange,
        audit: Audit,
    ) -> Result<QueueSummary, EngineError> {
        // What is kept and what holds here change in one order.
        let _turn = self.inner.settings.lock().await;
        // A queue that is not paused does not say so.
        let paused = change.paused.map(|paused| paused.filter(|is_so| *is_so));
        let change = QueueChange { paused, ..change };
        let patch = json!({ name: change });
        let kept = self.inner.store.merge_setting(NAME, patch, Some(audit.target(name))).await;
        let limits = limits_of(&kept.map_err(EngineError::Store)?, name);
        let name: Arc<str> = name.into();
        self.inner.dispatcher.workers().limit([(name.clone(), limits)]);
        let found = self.inner.dispatcher.workers().summary_of(&name);
        let unknown = || QueueSummary {
            name: name.clone(),
            waiting: 0,
            running: 0,
            oldest_wait: None,
            workers: 0,
            limits,
        };
        Ok(found.unwrap_or_else(unknown))
    }
}

/// The limits of one queue among those that a store keeps.
fn limits_of(kept: &Value, name: &str) -> QueueLimits {
    let own = kept.get(name).cloned();
    own.and_then(|own| serde_json::from_value(own).ok()).unwrap_or_default()
}

/// The limits as a store keeps them.
pub(crate) fn kept_limits(
    store: &dyn longhaul_store::Store,
) -> Result<BTreeMap<String, QueueLimits>, EngineError> {
    let kept = store.setting(NAME).map_err(EngineError::Store)?;
    Ok(kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
}
