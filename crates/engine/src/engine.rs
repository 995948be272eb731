//! Engine as its callers see it: one function for each use case.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longhaul_crypto::Sealer;
use longhaul_metrics::Family;
use longhaul_model::{Env, Refused, TaskId};
use longhaul_store::{Budget, Health, Store, StoreError, Stored};
use longhaul_traces::Tracer;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::action::Actions;
use crate::clock::{self, Clock, Moved};
use crate::dispatch::Dispatcher;
use crate::history;
use crate::peers;
use crate::routes::Routes;
use crate::secrets::Vault;
use crate::sweeps;
use crate::timers;
use crate::workers::{WorkerBounds, kept_limits};
use crate::{EngineConfig, EngineError, LineSummary};

/// Maximum number of lists that run at once: each may take milliseconds of a core.
const LISTS: usize = 8;

/// Maximum memory in bytes of large values on their way to the store.
const UNDER_WAY: usize = 32 << 20;
/// Bytes below which a value goes to the store without a share of the budget: such values are never so many
/// at once that they matter.
pub(crate) const SMALL: usize = 64 * 1024;

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) env: Env,
    pub(crate) vault: Vault,
    pub(crate) config: EngineConfig,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) routes: Routes,
    pub(crate) lists: Semaphore,
    /// Memory budget for large inputs on their way to the store.
    pub(crate) under_way: Budget,
    /// Lock for changes of settings of which several are one value.
    pub(crate) settings: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    pub(crate) clock: Clock,
    /// Cancelled on drain: from then on nobody waits for anything.
    timers: CancellationToken,
    /// Cancelled when the store closes: until then, due tasks and leases are still watched.
    closing: CancellationToken,
    /// True while some tasks left by an earlier process have not recovered yet.
    recovering: AtomicBool,
    pulse: Arc<sweeps::Pulse>,
}

impl Inner {
    /// Makes sure that the given tasks of an earlier process have recovered, so that all their sub-tasks are
    /// known here.
    pub(crate) async fn recover_first(&self, tasks: impl Iterator<Item = TaskId>) -> Result<(), EngineError> {
        if self.recovering.load(Ordering::Relaxed) || self.store.takes_over() {
            let tasks: BTreeSet<TaskId> = tasks.collect();
            let tasks: Vec<TaskId> = tasks.into_iter().collect();
            if !tasks.is_empty() {
                self.store.recover_first(&tasks).await.map_err(EngineError::Store)?;
            }
        }
        Ok(())
    }

    /// Returns true if the engine is about to stop, and nobody waits for anything any more.
    pub(crate) fn timers_stopped(&self) -> bool {
        self.timers.is_cancelled()
    }

    /// Waits until the engine drains.
    pub(crate) async fn stopped(&self) {
        self.timers.cancelled().await;
    }
}

impl Engine {
    /// Starts the engine: tasks of the store proceed, and calls are served. Tasks left by an earlier process
    /// recover in the background, if the store allows it: a task that is needed sooner recovers first.
    pub async fn start(
        store: Arc<dyn Store>,
        env: Env,
        sealer: Sealer,
        config: EngineConfig,
    ) -> Result<Engine, EngineError> {
        let vault = Vault::new(sealer);
        let actions = Actions::new(&config).map_err(|e| EngineError::Config(e.to_string()))?;
        let tracer = config.traces.as_ref().map(Tracer::start).transpose();
        let tracer = tracer.map_err(|e| EngineError::Config(e.to_string()))?;
        let own = (env.clone(), actions, vault.clone(), tracer);
        let dispatcher = Dispatcher::new(store.clone(), own, config.max_running);
        if config.paused {
            dispatcher.pause();
        }
        store.attach(dispatcher.clone());
        let routes = Routes::new(store.workflows().map_err(EngineError::Store)?);
        let limits = kept_limits(&*store)?.into_iter().map(|(name, limits)| (name.into(), limits));
        dispatcher.workers().bound(config.workers);
        dispatcher.workers().limit(limits);
        let judged = Clock::begin(&*store, &env).map_err(EngineError::Store)?;
        let behind = store.recovers_behind();
        if behind {
            dispatcher.workers().recovering(true);
        } else {
            said(store.recover().await.map_err(EngineError::Store)?);
        }
        let (timers, closing) = (CancellationToken::new(), CancellationToken::new());
        let paused = config.paused;
        if !paused {
            tokio::spawn(timers::run(store.clone(), env.clone(), dispatcher.timers(), closing.clone()));
        }
        tokio::spawn(dispatcher.workers().clone().watch(store.clone(), closing.clone()));
        let pulse = sweeps::Pulse::new();
        tokio::spawn(sweeps::claims(store.clone(), pulse.clone(), closing.clone()));
        tokio::spawn(sweeps::outputs(store.clone(), closing.clone()));
        let inner = Inner {
            store,
            env,
            vault,
            config,
            dispatcher,
            routes,
            lists: Semaphore::new(LISTS),
            under_way: Budget::new(UNDER_WAY),
            settings: tokio::sync::Mutex::new(()),
            draining: AtomicBool::new(false),
            clock: judged,
            timers,
            closing,
            recovering: AtomicBool::new(behind),
            pulse,
        };
        let engine = Engine { inner: Arc::new(inner) };
        let stop = engine.inner.timers.clone();
        if behind {
            tokio::spawn(recover(engine.inner.clone()));
        }
        tokio::spawn(peers::watch(engine.clone(), engine.inner.closing.clone()));
        tokio::spawn(clock::keep(engine.clone(), stop.clone()));
        if !paused {
            tokio::spawn(history::keep(engine.clone(), stop));
        }
        Ok(engine)
    }

    /// Clock and identities.
    pub fn env(&self) -> &Env {
        &self.inner.env
    }

    /// Returns a digest of a request that is kept with its idempotency key. The digest is keyed, as requests
    /// hold secrets that could be guessed from a plain one.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.inner.vault.fingerprint(parts)
    }

    /// Returns false once draining, when paused, or when the store cannot write.
    pub fn is_ready(&self) -> bool {
        !self.is_draining() && !self.is_paused() && self.inner.store.is_writable()
    }

    /// Returns true at a server where nothing starts until it is started again without the setting.
    pub fn is_paused(&self) -> bool {
        self.inner.config.paused
    }

    /// Returns the time since the store last answered a sweep of the engine, which asks twice a second unless
    /// the sweeps are costly: a long time means that the engine stands still.
    pub fn since_last_sweep(&self) -> Duration {
        self.inner.pulse.age()
    }

    /// Sets the maximum number of queues and workers of one account. Existing ones stay.
    pub fn bound_workers(&self, bounds: WorkerBounds) {
        self.inner.dispatcher.workers().bound(bounds);
    }

    /// Returns the health of the store's writing side.
    pub fn store_health(&self) -> Health {
        self.inner.store.health()
    }

    /// Returns the counters of the engine and of its store since the start, as metrics.
    pub fn families(&self) -> Vec<Family> {
        let mut all = self.inner.dispatcher.meters().families();
        all.extend(self.inner.store.families());
        all.extend(self.inner.dispatcher.tracer().map(Tracer::families).unwrap_or_default());
        all
    }

    /// Returns the number of readers of the feed of changes.
    pub fn feed_readers(&self) -> usize {
        self.inner.dispatcher.feed().readers()
    }

    /// True once the engine drains, see [`Engine::drain`].
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// Drains: [`Engine::is_ready`] is false from now on, no attempt starts any more, and callers who wait
    /// for the end of a task are answered with its current state.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
        self.inner.timers.cancel();
        self.inner.dispatcher.drain();
    }

    /// Drains, and gives running attempts up to `limit` to end; those that did not are found at the next
    /// start. Reads and reports of workers are still answered, leases are watched, and due tasks are
    /// processed until the store is closed.
    pub async fn settle(&self, limit: Duration) {
        self.drain();
        self.inner.dispatcher.wait_idle(limit).await;
    }

    /// Settles like [`Engine::settle`], then closes the store.
    pub async fn shutdown(&self, limit: Duration) {
        self.settle(limit).await;
        self.inner.dispatcher.close_actions().await;
        self.mark_clock(Moved::Last).await;
        self.inner.closing.cancel();
        self.inner.store.close().await;
        self.inner.dispatcher.close_traces().await;
    }

    /// Returns the count of attempts of built-in actions that run here, and of those that wait for a permit.
    pub fn line(&self) -> LineSummary {
        self.inner.dispatcher.line()
    }

    /// Converts an error of the store into one of the engine.
    pub(crate) fn wrong(id: TaskId, e: StoreError) -> EngineError {
        match e {
            StoreError::NotFound => EngineError::NoTask(id),
            StoreError::Refused(Refused::Unfit { what, unfit }) => EngineError::Unfit { what, unfit },
            StoreError::Refused(refused) => EngineError::Refused { id, refused },
            StoreError::KeyReused => EngineError::KeyReused,
            StoreError::Corrupt(why) => EngineError::Unreadable { id, why },
            other => EngineError::Store(other),
        }
    }

    /// Returns one task. A point read: microseconds, wherever the task is stored.
    pub fn get(&self, id: TaskId) -> Result<Stored, EngineError> {
        self.inner.store.get(id).map_err(|e| Engine::wrong(id, e))
    }
}

/// Pause before a failed recovery is resumed.
const RECOVERY_PAUSE: Duration = Duration::from_secs(1);

/// Logs the number of recovered tasks.
fn said(tasks: u64) {
    if tasks > 0 {
        tracing::info!(tasks, "went on with the tasks that had not ended");
    }
}

/// Recovers the tasks left by an earlier process, retrying until it succeeds or the engine drains; the next
/// start then resumes the recovery.
async fn recover(inner: Arc<Inner>) {
    loop {
        let recovered = tokio::select! {
            recovered = inner.store.recover() => recovered,
            () = inner.stopped() => return,
        };
        match recovered {
            Ok(tasks) => {
                said(tasks);
                inner.recovering.store(false, Ordering::Relaxed);
                return inner.dispatcher.workers().recovering(false);
            }
            Err(e) => {
                tracing::error!(error = %e, "tasks that had not ended wait to go on; it is tried again")
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RECOVERY_PAUSE) => {}
            () = inner.stopped() => return,
        }
    }
}

/// Returns true if a task does not change any more by itself.
pub(crate) fn has_ended(task: &Stored) -> bool {
    match task {
        Stored::Own(record) => record.state.status.is_ended(),
        Stored::Imported { .. } => true,
        Stored::Damaged(damaged) => damaged.has_ended(),
    }
}
