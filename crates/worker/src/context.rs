//! Context of an attempt: facts for its handler, and ways to report progress.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::cancellation::Cancellation;
use crate::line::{LineBody, Stream};
use crate::stage::Stage;
use crate::told::{News, Told};
use crate::wire::{Lease, LeaseName, Task};

/// Bytes of log lines that a report takes along.
const ROOM_IN_REPORT: usize = 64 << 10;

/// An attempt, as its handler sees it. Cheap to clone.
///
/// Updates are sent together, from time to time; no method waits for the server.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

/// Reason for which a handler is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The task was cancelled: clean up and return; what is returned is recorded and changes nothing else.
    Cancelled,
    /// The attempt is this worker's no more: its time was over, it expired, or the task went on without it.
    /// Another worker may be at it already. What is returned goes nowhere.
    Lost,
    /// The worker stops, and its grace is over.
    Stopping,
}

struct Inner {
    lease: LeaseName,
    token: u64,
    task: Task,
    sub_task: String,
    queue: String,
    attempt: u32,
    idempotency_key: String,
    item_index: Option<u64>,
    traceparent: Option<String>,
    timeout: Option<Duration>,
    cancellation: Cancellation,
    why: OnceLock<StopReason>,
    told: Mutex<Told>,
    /// Says that there is something to tell.
    news: Arc<Notify>,
}

impl Context {
    pub(crate) fn new(lease: &mut Lease, name: LeaseName, news: Arc<Notify>) -> Self {
        Context {
            inner: Arc::new(Inner {
                lease: name,
                token: lease.token,
                task: std::mem::take(&mut lease.task),
                sub_task: std::mem::take(&mut lease.sub_task),
                queue: std::mem::take(&mut lease.queue),
                attempt: lease.attempt,
                idempotency_key: std::mem::take(&mut lease.idempotency_key),
                item_index: lease.item_index,
                traceparent: lease.traceparent.take(),
                timeout: lease.timeout_ms.map(Duration::from_millis),
                cancellation: Cancellation::new(),
                why: OnceLock::new(),
                told: Mutex::new(Told::default()),
                news,
            }),
        }
    }

    /// The task that the attempt belongs to.
    pub fn task(&self) -> &Task {
        &self.inner.task
    }

    /// The sub-task's name.
    pub fn sub_task(&self) -> &str {
        &self.inner.sub_task
    }

    /// The queue that it was taken from.
    pub fn queue(&self) -> &str {
        &self.inner.queue
    }

    /// The attempt's number, from 1.
    pub fn attempt(&self) -> u32 {
        self.inner.attempt
    }

    /// The fencing token: it rises strictly for each sub-task. Whoever is written to can refuse a lower one
    /// than it saw.
    pub fn token(&self) -> u64 {
        self.inner.token
    }

    /// Names the work: the same for an attempt and for those that replace it because nobody knows what became
    /// of it.
    pub fn idempotency_key(&self) -> &str {
        &self.inner.idempotency_key
    }

    /// The number of the item, from 0, under `forEach`.
    pub fn item_index(&self) -> Option<u64> {
        self.inner.item_index
    }

    /// The span of the attempt, as the `traceparent` header of W3C Trace Context has it: the parent of the
    /// spans that the handler makes. `None` where the server exports no traces.
    pub fn traceparent(&self) -> Option<&str> {
        self.inner.traceparent.as_deref()
    }

    /// Longest time that the attempt may take, counted from its lease; the server ends it by then.
    pub fn timeout(&self) -> Option<Duration> {
        self.inner.timeout
    }

    /// Cancelled when the handler is to stop: await it beside the work, or pass it on to what does the work.
    pub fn cancellation(&self) -> &Cancellation {
        &self.inner.cancellation
    }

    /// Returns true once the handler is to stop.
    pub fn is_cancelled(&self) -> bool {
        self.inner.cancellation.is_cancelled()
    }

    /// Returns the reason for which the handler is to stop, once it is.
    pub fn stop_reason(&self) -> Option<StopReason> {
        self.inner.why.get().copied()
    }

    /// Tells how much is done, in percent.
    pub fn progress(&self, percent: u8) {
        self.tell(|told| told.progress(percent));
    }

    /// Tells where a stage stands; one of a new name comes behind those before.
    ///
    /// ```
    /// # use longhaul_worker::{Context, Stage, StageStatus};
    /// # fn example(ctx: &Context) {
    /// let stage = Stage::running("Evacuate", "Evacuate the host");
    /// ctx.stage(stage.clone());
    /// // ...
    /// ctx.stage(stage.status(StageStatus::Successful));
    /// # }
    /// ```
    pub fn stage(&self, stage: Stage) {
        self.tell(|told| told.stage(stage));
    }

    /// Writes to the log of the attempt: a line, or several.
    pub fn log(&self, text: impl AsRef<str>) {
        self.tell(|told| told.log(Stream::Stdout, text.as_ref(), Timestamp::now()));
    }

    /// Writes a line to the log as standard error.
    pub fn log_err(&self, text: impl AsRef<str>) {
        self.tell(|told| told.log(Stream::Stderr, text.as_ref(), Timestamp::now()));
    }

    fn tell(&self, say: impl FnOnce(&mut Told) -> bool) {
        if say(&mut self.told()) {
            self.inner.news.notify_one();
        }
    }

    /// Returns the updates that wait to be sent. No code that can panic runs under the lock.
    fn told(&self) -> MutexGuard<'_, Told> {
        self.inner.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lease(&self) -> &LeaseName {
        &self.inner.lease
    }

    /// Asks the handler to stop. The first reason stays.
    pub(crate) fn stop(&self, why: StopReason) {
        // Known before anybody wakes up and asks.
        let _ = self.inner.why.set(why);
        self.inner.cancellation.cancel();
    }

    pub(crate) fn has_news(&self) -> bool {
        self.told().has_news()
    }

    /// Returns true if updates must be sent before the attempt's end: a report has no room for them.
    pub(crate) fn must_tell_first(&self) -> bool {
        let told = self.told();
        told.has_new_stages() || told.waiting() > ROOM_IN_REPORT
    }

    /// Takes updates, with log lines of so many bytes; returns them and the bytes of the lines.
    pub(crate) fn take_news(&self, room: usize) -> (News, usize) {
        let mut told = self.told();
        let before = told.waiting();
        let news = told.take(room);
        (news, before - told.waiting())
    }

    pub(crate) fn take_lines(&self) -> Vec<LineBody> {
        self.told().lines(usize::MAX)
    }

    /// The handler returned: what a copy of this says later is not heard.
    pub(crate) fn close(&self) {
        self.told().close();
    }

    /// Discards updates that were not sent: the lease is no longer ours.
    pub(crate) fn forget(&self) {
        self.told().forget();
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("task", &self.inner.task.id)
            .field("sub_task", &self.inner.sub_task)
            .field("attempt", &self.inner.attempt)
            .finish_non_exhaustive()
    }
}
