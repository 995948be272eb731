//! Requests of workers for leases: waiting sub-tasks are taken out of the queues, leased in one durable
//! change, and handed out with their input evaluated and their secrets open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use longhaul_model::workflow::CompiledAction;
use longhaul_model::{
    Command, Failure, Fault, Span, TaskId, Terms, Token, TraceContext, Unfit, WorkerId, value,
};
use longhaul_store::{Grant, Work, Worked};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::Workers;
use super::calls::Entered;
use super::leases::{Call, Key};
use super::name::LeaseName;
use super::queue::Taken;
use super::seen::{Asked, Origin};
use crate::action::bad_expression;
use crate::engine::Engine;
use crate::error::EngineError;

/// Pause after which a worker that may not wait should ask again.
const ASK_AGAIN: Span = Span(1_000);
/// Minimum wait of a call, even one that may not wait, if work waits at other nodes: long enough for them to
/// hear of the call and lend some.
const ROUND_TRIP: Duration = Duration::from_millis(750);

/// Interval at which a named call looks for leases that it got before.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A worker's request for work.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The worker that asks.
    pub worker: WorkerId,
    /// Queues to lease from, at least one.
    pub queues: Vec<Arc<str>>,
    /// Maximum number of attempts.
    pub max: usize,
    /// Longest time that the answer may wait for work.
    pub wait: Duration,
    /// Time for which a lease lasts without a heartbeat.
    pub lease: Span,
    /// Name that the worker gave this call: a repeated call gets the same leases as before.
    pub request: Option<Arc<str>>,
    /// Host and process of the worker, if they are known.
    pub origin: Option<Arc<Origin>>,
}

/// The answer to a worker's request for work.
#[derive(Clone, Debug, Default)]
pub struct Assigned {
    /// The attempts.
    pub leases: Vec<Assignment>,
    /// Time after which to ask again, if there were no attempts.
    pub retry_after: Span,
    /// True if the server is stopping and leases no further attempts.
    pub draining: bool,
}

/// Attempt that was leased.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Name of the lease, for later calls.
    pub lease: LeaseName,
    /// The fencing token.
    pub token: Token,
    /// Time for which the lease lasts without a heartbeat: what the worker asked for, or the attempt's
    /// timeout if that is shorter.
    pub expires_in: Span,
    /// Name of the task.
    pub task_name: String,
    /// Type of the task.
    pub task_type: String,
    /// Workflow of the task.
    pub workflow: String,
    /// Name of the sub-task.
    pub sub_task: String,
    /// The queue.
    pub queue: Arc<str>,
    /// The attempt's number over all generations.
    pub attempt: u32,
    /// Index of the item under `forEach`, from 0.
    pub item_index: Option<u32>,
    /// Key by which the effects of the attempt are known.
    pub idempotency_key: String,
    /// Timeout of the attempt.
    pub timeout: Option<Span>,
    /// Span of the attempt, if tasks are traced.
    pub trace: Option<TraceContext>,
    /// Input of the sub-task, in clear.
    pub input: Option<Value>,
}

impl Ask {
    /// Returns the time that the worker may be silent from now on, and its origin.
    pub(super) fn how(&self) -> Asked {
        let lease: Duration = self.lease.into();
        Asked { patience: self.wait.max(lease), origin: self.origin.clone() }
    }

    /// Returns the identity of the call, if it has a name.
    pub(super) fn call(&self) -> Option<Call> {
        Some((self.worker.clone(), self.request.clone()?))
    }

    /// Returns the terms of this call's leases; the priorities that may be leased ahead of waiting work are
    /// those of this moment.
    pub(super) fn terms(&self, workers: &Workers) -> Arc<Terms> {
        let (state, now) = (workers.state.lock(), Instant::now());
        let floor = |name: &Arc<str>| {
            let floor = state.queues.get(name).map_or(i8::MIN, |queue| queue.floor(now));
            (name.clone(), floor)
        };
        let queues = self.queues.iter().map(floor).collect();
        Arc::new(Terms {
            worker: self.worker.clone(),
            queues,
            span: self.lease,
            request: self.request.clone(),
        })
    }
}

impl Engine {
    /// Leases waiting sub-tasks; waits for some if there are none.
    pub async fn lease(&self, ask: Ask) -> Result<Assigned, EngineError> {
        let call = self.inner.dispatcher.workers().calls.enter(&ask).await;
        self.lease_for(ask, &call).await
    }

    /// Leases like [`Engine::lease`], for a call that has begun.
    pub(super) async fn lease_for(&self, ask: Ask, call: &Arc<Entered>) -> Result<Assigned, EngineError> {
        let began = Instant::now();
        let workers = self.inner.dispatcher.workers().clone();
        let (_looking, news) = workers.look(&ask, self.inner.env.now())?;
        loop {
            let again = workers.given_before(&ask);
            if !again.is_empty() {
                let work = Work { again, ..Work::default() };
                let leases = self.lease_taken(&ask, call, work, Vec::new()).await?.1;
                if !leases.is_empty() {
                    return Ok(Assigned { leases, ..Assigned::default() });
                }
            }
            if call.is_over() {
                return Ok(Assigned::default());
            }
            if !self.is_ready() {
                return Ok(Assigned { draining: true, ..Assigned::default() });
            }
            // Armed before the look, so that work that comes in between is not missed.
            let mut told: Vec<_> = news.iter().map(|news| Box::pin(news.notified())).collect();
            told.iter_mut().for_each(|told| {
                told.as_mut().enable();
            });
            let taken = workers.state.lock().take(&ask.queues, ask.max, Instant::now());
            if !taken.is_empty() {
                let assigned = self.lease_taken(&ask, call, Work::default(), taken).await?.1;
                if !assigned.is_empty() {
                    return Ok(Assigned { leases: assigned, ..Assigned::default() });
                }
                // All of it was cancelled meanwhile.
                continue;
            }
            let now = Instant::now();
            // Work that waits elsewhere comes here only while a worker is known to ask for it.
            let elsewhere = self.inner.store.peers() > 0 && workers.wait_abroad(&ask.queues);
            let until = began + if elsewhere { ask.wait.max(ROUND_TRIP) } else { ask.wait };
            if now >= until || self.inner.timers_stopped() {
                let waited = !ask.wait.is_zero();
                let retry_after = if waited { Span(0) } else { ASK_AGAIN };
                return Ok(Assigned { retry_after, ..Assigned::default() });
            }
            let (_asking, news) = workers.asking(&ask.queues, ask.max);
            if self.inner.store.peers() > 0 {
                self.inner.dispatcher.tell_all(news);
            }
            let wake = workers.pause(&ask.queues, now).map_or(until, |pause| until.min(now + pause));
            // Leases that the same call was given before a restart are known here once their tasks have
            // recovered.
            let wake = if ask.request.is_some() { wake.min(now + LOOK_AGAIN) } else { wake };
            tokio::select! {
                _ = select_all(told) => {}
                () = tokio::time::sleep_until(wake) => {}
                () = self.inner.stopped() => {}
                () = call.over() => {}
            }
        }
    }

    /// Gives the store a worker's work, with what was taken out of queues for it; items that are not needed
    /// go back.
    pub(super) async fn lease_taken(
        &self,
        ask: &Ask,
        call: &Arc<Entered>,
        mut work: Work,
        taken: Vec<Taken>,
    ) -> Result<(Worked, Vec<Assignment>), EngineError> {
        let workers = self.inner.dispatcher.workers().clone();
        work.leases = taken.iter().map(|taken| taken.item).collect();
        work.terms = Some(ask.terms(&workers));
        work.room = ask.max;
        // The caller may go away meanwhile: work taken from queues must go back all the same, and so must
        // leases, as nobody has seen them.
        let (engine, call) = (self.clone(), call.clone());
        let (answer, worked) = oneshot::channel();
        tokio::spawn(async move {
            let worked = engine.inner.store.work(work).await;
            workers.settle(taken, worked.as_ref().map(|worked| &worked.unused[..]).ok());
            let _ = answer.send(worked.map(|worked| Unseen { engine, worked: Some(worked) }));
            drop(call);
        });
        let stopping = |_| EngineError::Config("the server is stopping".to_owned());
        let mut unseen = worked.await.map_err(stopping)?.map_err(EngineError::Store)?;
        let mut worked = unseen.worked.take().unwrap_or_default();
        let mut assigned = Vec::with_capacity(worked.grants.len());
        for grant in std::mem::take(&mut worked.grants) {
            assigned.extend(self.assign(ask, grant).await);
        }
        Ok((worked, assigned))
    }

    /// Hands back attempts leased to a caller that left without seeing them: they never began.
    async fn take_back(&self, unseen: Worked) {
        for Grant { id, launch, .. } in unseen.grants {
            let (sub_task, token) = (launch.sub_task, launch.token);
            self.inner.store.post(id, Command::HandBack { sub_task, token, by: None }).await;
        }
    }

    /// Returns the answer for the worker; `None` if the input cannot be made, which fails the attempt.
    async fn assign(&self, ask: &Ask, grant: Grant) -> Option<Assignment> {
        let Grant { id, name, workflow, sub_task, mut launch } = grant;
        let CompiledAction::Worker(template) = launch.action.clone() else { return None };
        self.inner.dispatcher.trace(&mut launch);
        let opened = self.inner.dispatcher.opened_for_worker(id, &mut launch);
        let evaluated = opened.and_then(|()| {
            let input = template.input.as_ref().map(|input| input.value(&launch.scope)).transpose();
            let input = input.map_err(|e| bad_expression("worker.input", &e))?;
            input.as_ref().map_or(Ok(()), value::check_depth).map_err(too_deep)?;
            Ok(input)
        });
        let input = match evaluated {
            Ok(input) => input,
            Err(failure) => {
                self.spoiled(id, launch.sub_task, launch.token, failure).await;
                return None;
            }
        };
        Some(Assignment {
            lease: LeaseName::new(id, launch.sub_task, launch.token),
            token: launch.token,
            expires_in: launch.lease.unwrap_or(ask.lease),
            task_name: name,
            task_type: workflow.definition.kind.clone(),
            workflow: workflow.definition.name.clone(),
            sub_task,
            queue: template.queue.clone(),
            attempt: launch.number,
            item_index: launch.item,
            idempotency_key: launch.idempotency_key,
            timeout: launch.timeout,
            trace: launch.trace,
            input,
        })
    }

    async fn spoiled(&self, id: TaskId, sub_task: u32, token: Token, failure: Failure) {
        self.inner.store.post(id, Command::Fail { sub_task, token, failure, by: None }).await;
    }
}

/// Returns the failure for an input that wraps outputs too deeply for most JSON parsers: the worker would
/// lose the answer, along with everything else it leases.
fn too_deep(unfit: Unfit) -> Failure {
    let fault = Fault::new("INPUT_TOO_DEEP", format!("the `input` of the `worker` action is {unfit}"))
        .remedy("Give the worker only what it needs of earlier outputs");
    Failure::Error { fault, retryable: false }
}

/// Leases on their way to the caller: handed back if the caller left before it received them.
struct Unseen {
    engine: Engine,
    worked: Option<Worked>,
}

impl Drop for Unseen {
    fn drop(&mut self) {
        let Some(worked) = self.worked.take().filter(|worked| !worked.grants.is_empty()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            let engine = self.engine.clone();
            runtime.spawn(async move { engine.take_back(worked).await });
        }
    }
}

impl Workers {
    /// Returns the leases that the same call got before.
    pub(super) fn given_before(&self, ask: &Ask) -> Vec<Key> {
        ask.call().map_or_else(Vec::new, |call| self.state.lock().leases.given(&call))
    }

    /// Notes that a worker asks, and returns the signal of new work.
    fn look(
        self: &Arc<Self>,
        ask: &Ask,
        wall: longhaul_model::Timestamp,
    ) -> Result<(Looking, Vec<Arc<Notify>>), EngineError> {
        let mut state = self.state.lock();
        state.seen.asked(&ask.worker, &ask.queues, ask.how(), wall)?;
        let news = ask.queues.iter().map(|name| {
            let queue = state.queue(name);
            queue.calls += 1;
            queue.news.clone()
        });
        let news = news.collect();
        Ok((Looking { workers: self.clone(), names: ask.queues.clone() }, news))
    }

    /// Returns the time until a rate allows more; `None` if no rate is waited for.
    fn pause(&self, queues: &[Arc<str>], now: Instant) -> Option<Duration> {
        let mut state = self.state.lock();
        queues.iter().filter_map(|name| state.queues.get_mut(name)?.pause(now)).min()
    }

    /// Settles items that were taken: they are leased, or wait on; all of them wait on when nothing was done.
    pub(super) fn settle(&self, taken: Vec<Taken>, unused: Option<&[(TaskId, u32)]>) {
        let mut state = self.state.lock();
        let unused: Option<BTreeSet<_>> = unused.map(|unused| unused.iter().collect());
        for taken in taken {
            let queue = state.queue(&taken.queue.clone());
            if unused.as_ref().is_none_or(|unused| unused.contains(&taken.item)) {
                queue.put_back(taken);
            } else {
                queue.settle();
            }
        }
    }
}

/// A call that looks for work in queues.
struct Looking {
    workers: Arc<Workers>,
    names: Vec<Arc<str>>,
}

impl Drop for Looking {
    fn drop(&mut self) {
        let mut state = self.workers.state.lock();
        for name in &self.names {
            let Some(queue) = state.queues.get_mut(name) else { continue };
            queue.calls -= 1;
            if !queue.is_real && queue.is_idle() {
                state.queues.remove(name);
            }
        }
    }
}
