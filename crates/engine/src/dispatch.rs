//! Execution of effects once they are durable: attempts start and stop, timers are set, waiters are notified.
//! The store's writer calls it, so it hands work on and never waits.

mod effects;
mod secrets;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use longhaul_model::{Command, Env, Failure, Fault, Launch, NodeId, Permit, TaskId, Token, WorkerId, weight};
use longhaul_store::peers::{News, To};
use longhaul_store::{Budget, Store};
use longhaul_traces::Tracer;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::action::Actions;
use crate::engine::SMALL;
use crate::feed::Feed;
use crate::logs::{Log, clean};
use crate::meters::Meters;
use crate::peers::Changes;
use crate::permits::{LineSummary, Permits, Waiting};
use crate::secrets::{Redactor, Redactors, Vault};
use crate::timers::Timers;
use crate::watch::{Watch, Watches};
use crate::workers::{Gifts, Key, Workers};

/// Longest time that an action has to clean up once it is told to stop.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Maximum memory in bytes of large outputs on their way to the store.
const UNDER_WAY: usize = 32 << 20;

/// Longest time for the export of the last spans at a stop.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Interval at which log lines of a running attempt are stored.
const LOG_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Dispatcher {
    this: Weak<Dispatcher>,
    runtime: Handle,
    store: Arc<dyn Store>,
    env: Env,
    actions: Actions,
    vault: Vault,
    redactors: Redactors,
    permits: Permits,
    /// Memory budget for large outputs on their way to the store.
    under_way: Budget,
    running: Mutex<HashMap<(TaskId, u32, Token), CancellationToken>>,
    timers: Arc<Timers>,
    watches: Arc<Watches>,
    feed: Feed,
    workers: Arc<Workers>,
    draining: AtomicBool,
    attempts: TaskTracker,
    meters: Meters,
    /// Traces, if they are exported.
    tracer: Option<Arc<Tracer>>,
    /// Changes at other nodes.
    pub(crate) changes: Changes,
}

impl Dispatcher {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        (env, actions, vault, tracer): (Env, Actions, Vault, Option<Tracer>),
        max_running: usize,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Dispatcher {
            this: this.clone(),
            runtime: Handle::current(),
            store,
            env,
            actions,
            vault,
            redactors: Redactors::default(),
            under_way: Budget::new(UNDER_WAY),
            permits: Permits::new(max_running.max(1)),
            running: Mutex::new(HashMap::new()),
            timers: Arc::new(Timers::default()),
            watches: Arc::new(Watches::default()),
            feed: Feed::default(),
            workers: Arc::new(Workers::default()),
            draining: AtomicBool::new(false),
            attempts: TaskTracker::new(),
            meters: Meters::default(),
            tracer: tracer.map(Arc::new),
            changes: Changes::default(),
        })
    }

    pub(crate) fn timers(&self) -> Arc<Timers> {
        self.timers.clone()
    }

    /// Queues and leases.
    pub(crate) fn workers(&self) -> &Arc<Workers> {
        &self.workers
    }

    /// Counters of what was committed here.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Traces, if they are exported.
    pub(crate) fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_deref()
    }

    /// Exports the spans that are left.
    pub(crate) async fn close_traces(&self) {
        if let Some(tracer) = self.tracer.clone() {
            // The thread that exports is waited for, which would block the runtime.
            let _ = tokio::task::spawn_blocking(move || tracer.close(LAST_SPANS)).await;
        }
    }

    /// Feed of changes.
    pub(crate) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Watches for the end of a task.
    pub(crate) fn watch(&self, id: TaskId) -> Watch {
        self.watches.watch(id)
    }

    /// Releases the resources of attempts.
    pub(crate) async fn close_actions(&self) {
        self.actions.close().await;
    }

    /// Returns the count of attempts that run here, and of those that wait for a permit.
    pub(crate) fn line(&self) -> LineSummary {
        self.permits.summary(Instant::now())
    }

    /// Lets no attempt of a built-in action begin here.
    pub(crate) fn pause(&self) {
        self.permits.close();
    }

    /// Drains: nothing begins from here on. Ready sub-tasks stay in line until another node or the next start
    /// takes them over, an attempt beginning right now is handed back, and nobody waits for the end of a
    /// task.
    pub(crate) fn drain(&self) {
        self.permits.close();
        self.draining.store(true, Ordering::SeqCst);
        self.watches.release();
    }

    /// Waits until no attempt runs and none will, or the time is over. The result of an attempt may start
    /// another, which is handed back: all is quiet only when nothing is left after all results are written.
    pub(crate) async fn wait_idle(&self, limit: Duration) {
        self.attempts.close();
        let quiet = async {
            loop {
                self.attempts.wait().await;
                // A store that cannot write any more has no results to announce either.
                if self.store.flush().await.is_err() || self.attempts.is_empty() {
                    return;
                }
            }
        };
        if tokio::time::timeout(limit, quiet).await.is_err() {
            tracing::warn!(
                attempts = self.attempts.len(),
                "attempts still run; the next start finds out about them"
            );
        }
    }

    /// Stops an attempt that runs here, or whose lease is watched here.
    pub(crate) fn stop(&self, key: Key) {
        if let Some(stop) = self.running.lock().get(&key) {
            return stop.cancel();
        }
        self.wake_elsewhere(self.workers.cancel(&key));
    }

    /// A lease has ended.
    pub(crate) fn lease_ended(&self, key: Key) {
        self.redactors.lease_ended(&key);
        self.wake_elsewhere(self.workers.lease_ended(&key));
    }

    /// A task ended, here or at another node.
    pub(crate) fn task_ended(&self, id: TaskId) {
        self.watches.ended(id, None);
    }

    /// Returns the attempts that run here, and those whose leases are watched here.
    pub(crate) fn looked_after(&self) -> Vec<Key> {
        let mut all: Vec<Key> = self.running.lock().keys().copied().collect();
        all.extend(self.workers.leased_keys());
        all
    }

    /// Sends events to other nodes.
    pub(crate) fn tell_all(&self, gifts: Gifts) {
        for (to, news) in gifts {
            self.store.tell(to, news);
        }
    }

    /// Wakes the heartbeat of a worker that calls another node.
    fn wake_elsewhere(&self, at: Option<(NodeId, WorkerId)>) {
        if let Some((node, worker)) = at {
            self.store.tell(To::Node(node), News::Worker(worker));
        }
    }

    /// Asks the store to begin the attempt of the sub-task next in line, which has a permit now.
    fn begin(&self, next: Option<Waiting>) {
        let (Some((id, sub_task)), Some(this)) = (next, self.this.upgrade()) else { return };
        // The permit is held from the request on: a runtime that shuts down drops the futures it no longer
        // runs, and a permit inside one would go to the next in line, which is dropped in turn, and so on,
        // one inside the other.
        let ask = async move {
            let permit = this.held();
            this.store.post(id, Command::Start { sub_task, permit }).await;
        };
        self.attempts.spawn_on(ask, &self.runtime);
    }

    /// Wraps a permit that was taken, to be returned on drop.
    fn held(&self) -> Permit {
        Permit::new(Held(self.this.clone()))
    }

    fn start(&self, id: TaskId, launch: Launch) {
        let Some(this) = self.this.upgrade() else { return };
        let stop = CancellationToken::new();
        // Before the attempt runs: a stop that follows in the same batch must find it.
        self.running.lock().insert((id, launch.sub_task, launch.token), stop.clone());
        self.attempts.spawn_on(async move { this.attempt(id, launch, stop).await }, &self.runtime);
    }

    async fn attempt(&self, id: TaskId, mut launch: Launch, stop: CancellationToken) {
        let (sub_task, token) = (launch.sub_task, launch.token);
        let permit = std::mem::take(&mut launch.permit);
        self.trace(&mut launch);
        let command = if self.draining.load(Ordering::SeqCst) {
            Command::HandBack { sub_task, token, by: None }
        } else {
            match self.run(id, launch, stop).await {
                Ok(output) => Command::Complete { sub_task, token, output, by: None, next: None },
                Err(failure) => Command::Fail { sub_task, token, failure, by: None },
            }
        };
        let weight = match &command {
            Command::Complete { output: Some(output), .. } => weight::of(output),
            _ => 0,
        };
        let room = if weight > SMALL { Some(self.under_way.take(weight).await) } else { None };
        // The permit is dropped before the result is posted, so that the next sub-task of the same task gets
        // one.
        drop(permit);
        self.running.lock().remove(&(id, sub_task, token));
        self.store.post(id, command).await;
        if room.is_some() {
            // The output keeps its share of the budget until it is stored; if that fails, the store reports
            // it.
            let _ = self.store.flush().await;
        }
    }

    /// Gives an attempt its span to pass on, if traces are exported.
    pub(crate) fn trace(&self, launch: &mut Launch) {
        launch.trace = self.tracer().and_then(|tracer| Some(tracer.decided(launch.trace?)));
    }

    /// Runs an attempt with its secrets open, and removes them from its output.
    async fn run(&self, id: TaskId, mut launch: Launch, stop: CancellationToken) -> Outcome {
        let redactor = self.opened(id, &mut launch)?;
        let log = Log::of(self.env.clone(), redactor.clone());
        let running = async {
            let outcome = self.timed(&launch, stop, &log).await;
            log.close();
            outcome
        };
        // Runs beside the attempt, which is stopped in time even while its log is slow to be stored.
        let keeping = async {
            while log.wait(LOG_PAUSE).await {
                self.keep_log(id, &launch, &log, redactor.as_deref()).await;
            }
        };
        let (outcome, ()) = tokio::join!(running, keeping);
        let Some(redactor) = redactor else { return outcome };
        match outcome {
            Ok(output) => Ok(output.map(|output| redactor.value(output))),
            Err(failure) => Err(redactor.failure(failure)),
        }
    }

    /// Stores the lines that an attempt wrote since the last call.
    async fn keep_log(&self, id: TaskId, launch: &Launch, log: &Log, redactor: Option<&Redactor>) {
        let lines = clean(log.take(), redactor);
        if lines.is_empty() {
            return;
        }
        if let Err(e) = self.store.write_log(id, launch.sub_task, launch.number, lines).await {
            tracing::warn!(task.id = %id, error = %e, "lines of a log are lost");
        }
    }

    /// Runs an attempt within its timeout.
    async fn timed(&self, launch: &Launch, stop: CancellationToken, log: &Log) -> Outcome {
        let action = AssertUnwindSafe(self.actions.run(launch, stop.clone(), log)).catch_unwind();
        let Some(limit) = launch.timeout else { return caught(action.await) };
        tokio::pin!(action);
        match tokio::time::timeout(limit.into(), &mut action).await {
            Ok(outcome) => caught(outcome),
            Err(_) => {
                stop.cancel();
                // Further output does not count; the action only gets the time to clean up.
                let _ = tokio::time::timeout(CLEAN_UP, action).await;
                Err(Failure::Timeout)
            }
        }
    }
}

type Outcome = Result<Option<serde_json::Value>, Failure>;

fn caught(outcome: std::thread::Result<Outcome>) -> Outcome {
    outcome.unwrap_or_else(|_| {
        let fault = Fault::new("ACTION_PANICKED", "the action ended in a way that Longhaul did not foresee")
            .remedy("Please report this with the server's log of that moment");
        Err(Failure::Local { fault, retryable: false })
    })
}

/// Permit that is taken; on drop, it goes to the first in line.
struct Held(Weak<Dispatcher>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(dispatcher) = self.0.upgrade() {
            dispatcher.begin(dispatcher.permits.give_back());
        }
    }
}
