//! Events between nodes that share a store. All of them only make things sooner: an event that is missed is
//! found out by comparing with the store.

use std::collections::HashSet;
use std::time::Duration;

use longhaul_model::{NodeId, TaskId, Token};
use longhaul_store::peers::{News, Rare};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::dispatch::Dispatcher;
use crate::engine::Engine;
use crate::workers::kept_limits;

/// Interval at which the attempts that run here are compared with the store.
const COMPARE: Duration = Duration::from_secs(5);
/// Interval at which the state of the queues is sent to the other nodes.
const TICK: Duration = Duration::from_secs(1);

/// Changes at other nodes that are to be read again.
#[derive(Default)]
pub(crate) struct Changes {
    workflows: Notify,
    settings: Notify,
}

impl Dispatcher {
    /// Handles an event of another node.
    pub(crate) fn hear(&self, from: NodeId, news: News) {
        let workers = self.workers();
        match news {
            News::Stop(id, sub_task, token) => self.stop((id, sub_task, token)),
            News::Unqueued(id, sub_task, queue, revision) => {
                workers.unqueued(id, sub_task, &queue.into(), revision);
            }
            News::LeaseEnded(id, sub_task, token) => self.lease_ended((id, sub_task, token)),
            News::Ended(id) => self.task_ended(id),
            News::Queue(news) => self.tell_all(workers.heard_of_queue(from, news)),
            News::Given(queue, items) => workers.given(&queue, items),
            News::Beat(worker, leases) => workers.heard_elsewhere(from, &worker, &leases),
            News::Worker(worker) => workers.wake(&worker),
            News::Changed(Rare::Workflows) => self.changes.workflows.notify_one(),
            News::Changed(Rare::Settings) => self.changes.settings.notify_one(),
            News::Changed(Rare::Accounts) | News::Over => {}
            News::Tasks => self.feed().changed(),
            News::Gap => workers.pardon(),
        }
    }
}

/// Runs until stopped.
pub(crate) async fn watch(engine: Engine, stop: CancellationToken) {
    let rare = async {
        loop {
            let changes = &engine.inner.dispatcher.changes;
            tokio::select! {
                () = changes.workflows.notified() => engine.read_routes().await,
                () = changes.settings.notified() => engine.read_limits().await,
            }
        }
    };
    let queues = async {
        let mut before = 1;
        loop {
            tokio::time::sleep(TICK).await;
            let (dispatcher, nodes) = (&engine.inner.dispatcher, engine.inner.store.peers() as u32 + 1);
            // One more tick follows after the others are gone, so that lent items are put back.
            if nodes > 1 || before > 1 {
                dispatcher.tell_all(dispatcher.workers().tick(nodes));
            }
            before = nodes;
        }
    };
    let compared = async {
        let mut before = HashSet::new();
        loop {
            tokio::time::sleep(COMPARE).await;
            if engine.inner.store.peers() > 0 {
                before = engine.compare(before).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rare => {}
        () = queues => {}
        () = compared => {}
    }
}

impl Engine {
    /// Stops attempts that have run here since the last look and are no longer live; returns those that run
    /// now.
    async fn compare(&self, before: HashSet<(TaskId, u32, Token)>) -> HashSet<(TaskId, u32, Token)> {
        let dispatcher = &self.inner.dispatcher;
        let now: HashSet<_> = dispatcher.looked_after().into_iter().collect();
        let old: Vec<_> = now.intersection(&before).copied().collect();
        if old.is_empty() {
            return now;
        }
        match self.inner.store.stale(old).await {
            Ok(stale) => {
                for stale in stale {
                    tracing::debug!(task.id = %stale.attempt.0, "an attempt was stopped elsewhere");
                    dispatcher.stop(stale.attempt);
                    if stale.over {
                        dispatcher.lease_ended(stale.attempt);
                    }
                }
            }
            Err(e) => tracing::warn!(error = %e, "what runs here was not compared; it will be repeated"),
        }
        now
    }

    /// Another node changed workflows.
    async fn read_routes(&self) {
        match self.beside(|store| store.workflows()).await {
            Ok(all) => self.inner.routes.reset(all),
            Err(e) => tracing::warn!(error = %e, "the workflows were not read anew"),
        }
    }

    /// Another node changed settings.
    async fn read_limits(&self) {
        // A change of this node's own is over, or begins afterwards: an older state never takes its place.
        let _turn = self.inner.settings.lock().await;
        match self.beside(|store| Ok(kept_limits(store))).await {
            Ok(Ok(kept)) => self.inner.dispatcher.workers().reset_limits(kept),
            Ok(Err(e)) => tracing::warn!(error = %e, "the limits of queues were not read anew"),
            Err(e) => tracing::warn!(error = %e, "the limits of queues were not read anew"),
        }
    }
}
