//! Queues as operators see and set them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_store::Audit;
use serde_json::json;
use tokio::time::Instant;

use super::Workers;
use super::limits::QueueLimits;
use crate::engine::Engine;
use crate::error::EngineError;

/// The name under which the limits are kept.
const NAME: &str = "queues";

/// A queue as a list shows it.
#[derive(Clone, Debug)]
pub struct QueueSummary {
    /// Its name.
    pub name: Arc<str>,
    /// Sub-tasks that wait in it.
    pub waiting: usize,
    /// Attempts that workers have.
    pub running: usize,
    /// How long the oldest waits.
    pub oldest_wait: Option<Duration>,
    /// Workers that asked it for work lately.
    pub workers: usize,
    /// What an operator allows it.
    pub limits: QueueLimits,
}

impl Workers {
    /// Sets what was kept, at a start.
    pub(crate) fn limit(&self, limits: impl IntoIterator<Item = (Arc<str>, QueueLimits)>) {
        let (mut state, now) = (self.state.lock(), Instant::now());
        for (name, limits) in limits {
            state.queue(&name).limit(limits, now);
        }
    }

    /// Sets what another node kept: what is not named is not limited.
    pub(crate) fn reset_limits(&self, kept: BTreeMap<String, QueueLimits>) {
        let (mut state, now) = (self.state.lock(), Instant::now());
        for (name, queue) in &mut state.queues {
            let limits = kept.get(&**name).copied().unwrap_or_default();
            if queue.limits() != limits {
                queue.limit(limits, now);
            }
        }
        for (name, limits) in kept {
            let name: Arc<str> = name.into();
            if state.queue(&name).limits() != limits {
                state.queue(&name).limit(limits, now);
            }
        }
    }

    fn summaries(&self) -> Vec<QueueSummary> {
        let (state, now) = (self.state.lock(), Instant::now());
        let summary = |(name, queue): (&Arc<str>, &super::Queue)| QueueSummary {
            name: name.clone(),
            waiting: queue.own_len() + queue.abroad.sum(|said| said.waiting),
            running: queue.running + queue.abroad.running(),
            oldest_wait: queue
                .oldest()
                .map(|since| now.saturating_duration_since(since))
                .max(queue.abroad.oldest()),
            workers: state.seen.serving(name) + queue.abroad.sum(|said| said.serving),
            limits: queue.limits(),
        };
        let mut all: Vec<QueueSummary> = state.queues.iter().map(summary).collect();
        drop(state);
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

impl Engine {
    /// Every queue that waits, runs, is asked or is limited, by name.
    pub fn queues(&self) -> Vec<QueueSummary> {
        self.inner.dispatcher.workers().summaries()
    }

    /// Sets what a queue may do; what is not set is not limited. After Ok it holds, also after a restart.
    pub async fn limit_queue(
        &self,
        name: &str,
        limits: QueueLimits,
        audit: Audit,
    ) -> Result<QueueSummary, EngineError> {
        // One at a time: what is kept is one value.
        let _turn = self.inner.settings.lock().await;
        let mut kept = kept_limits(&*self.inner.store)?;
        if limits == QueueLimits::default() {
            kept.remove(name);
        } else {
            kept.insert(name.to_owned(), limits);
        }
        let audit = audit.target(name).detail(json!(limits).to_string());
        self.inner.store.put_setting(NAME, json!(kept), Some(audit)).await.map_err(EngineError::Store)?;
        let name: Arc<str> = name.into();
        self.inner.dispatcher.workers().limit([(name.clone(), limits)]);
        let found = self.queues().into_iter().find(|queue| queue.name == name);
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

/// The limits as a store keeps them.
pub(crate) fn kept_limits(
    store: &dyn longhaul_store::Store,
) -> Result<BTreeMap<String, QueueLimits>, EngineError> {
    let kept = store.setting(NAME).map_err(EngineError::Store)?;
    Ok(kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
}
