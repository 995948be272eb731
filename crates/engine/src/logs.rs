//! Logs of sub-tasks: what attempts write, kept with their task, to be read while they run.

use std::time::Duration;

use longhaul_model::{Env, TaskId, WorkerId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::secrets::Redactor;
use crate::workers::LeaseName;

use longhaul_store::LARGEST_LOG;

pub use longhaul_store::{LogChunk, LogLine, LogQuery, LogStream};

/// How often a reader that waits for new lines looks.
const LOOK: Duration = Duration::from_millis(200);

/// The lines that wait to be stored, in bytes of memory, from which on whoever writes more waits.
const HELD: usize = 64 * 1024;
/// What a line costs beside its text.
const LINE: usize = 64;
/// How long a program that writes faster than its log is stored waits, before lines are left out.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where an action writes what it has to say. Bounded: what waits to be stored is a few lines, and beyond
/// what an attempt may write ([`longhaul_store::LARGEST_LOG`]) nothing is kept.
pub struct Log {
    env: Env,
    /// How long whoever writes waits for room.
    pub(crate) patience: Duration,
    waiting: Mutex<Waiting>,
    /// Lines are to be stored soon: there are many, or nothing follows.
    filled: Notify,
    /// Lines were taken.
    emptied: Notify,
}

/// What waits to be stored.
#[derive(Default)]
struct Waiting {
    lines: Vec<LogLine>,
    /// What they cost.
    bytes: usize,
    /// Bytes of text since the beginning.
    written: u64,
    /// Lines that there was no room for.
    left_out: u64,
    /// Somebody waited for room in vain: nobody does until lines are taken.
    stuck: bool,
    closed: bool,
}

impl Log {
    /// An empty one.
    pub fn new(env: Env) -> Self {
        Log {
            env,
            patience: PATIENCE,
            waiting: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Writes a line, unless there is no room for it. Whoever writes many waits for room first.
    pub fn write(&self, stream: LogStream, text: impl Into<String>) {
        let mut waiting = self.waiting.lock();
        if waiting.written >= LARGEST_LOG {
            return;
        }
        if waiting.is_full() {
            waiting.left_out += 1;
            return;
        }
        let line = LogLine::new(self.env.now(), stream, text.into());
        waiting.written += line.text.len() as u64 + 1;
        let end = (waiting.written >= LARGEST_LOG).then(|| LogLine::end(line.at));
        waiting.push(line);
        waiting.lines.extend(end);
        if waiting.is_full() {
            self.filled.notify_one();
        }
    }

    /// Whether the attempt wrote all that it may: what follows is not looked at.
    pub(crate) fn is_over(&self) -> bool {
        self.waiting.lock().written >= LARGEST_LOG
    }

    /// Waits until there is room for a line: what writes is only as fast as what stores. Not for ever: if
    /// nothing is stored for a while, lines are left out instead.
    pub(crate) async fn room(&self) {
        let free = async {
            loop {
                let emptied = self.emptied.notified();
                tokio::pin!(emptied);
                // Armed before the look, so that what happens in between is not missed.
                emptied.as_mut().enable();
                if self.waiting.lock().lets_write() {
                    return;
                }
                emptied.await;
            }
        };
        if !self.waiting.lock().lets_write() && tokio::time::timeout(self.patience, free).await.is_err() {
            self.waiting.lock().stuck = true;
        }
    }

    /// What was written since the last time.
    pub fn take(&self) -> Vec<LogLine> {
        let mut waiting = self.waiting.lock();
        let mut lines = std::mem::take(&mut waiting.lines);
        let left_out = std::mem::take(&mut waiting.left_out);
        (waiting.bytes, waiting.stuck) = (0, false);
        if left_out > 0 {
            let text =
                format!("[{left_out} lines were left out: they came faster than they could be stored]");
            lines.push(LogLine::new(self.env.now(), LogStream::Err, text));
        }
        drop(waiting);
        self.emptied.notify_waiters();
        lines
    }

    /// Nothing more is written.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits until lines are to be stored: after a pause, or as soon as there are many. False once it is
    /// closed and all were taken.
    pub(crate) async fn wait(&self, pause: Duration) -> bool {
        let (full, closed) = {
            let waiting = self.waiting.lock();
            (waiting.is_full(), waiting.closed)
        };
        if !full && !closed {
            // Either way it is looked at.
            let _ = tokio::time::timeout(pause, self.filled.notified()).await;
        }
        let waiting = self.waiting.lock();
        !waiting.closed || !waiting.lines.is_empty() || waiting.left_out > 0
    }
}

impl Waiting {
    fn is_full(&self) -> bool {
        self.bytes >= HELD
    }

    fn lets_write(&self) -> bool {
        !self.is_full() || self.stuck || self.written >= LARGEST_LOG
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += LINE + line.text.len();
        self.lines.push(line);
    }
}

/// Lines without secrets.
pub(crate) fn clean(lines: Vec<LogLine>, redactor: Option<&Redactor>) -> Vec<LogLine> {
    let Some(redactor) = redactor else { return lines };
    let clean = |line: LogLine| LogLine { text: redactor.text(line.text), ..line };
    lines.into_iter().map(clean).collect()
}

impl Engine {
    /// Keeps what a worker's attempt writes, unless the lease is lost. Durable no later than what follows in the same
    /// call.
    pub(crate) async fn log(
        &self,
        lease: LeaseName,
        worker: &WorkerId,
        lines: Vec<LogLine>,
        redactor: Option<&Redactor>,
    ) {
        if lines.is_empty() || !self.holds(lease, worker) {
            return;
        }
        let (store, lines) = (self.inner.store.clone(), clean(lines, redactor));
        let (id, sub_task, attempt) = lease.attempt();
        if let Err(e) = store.write_log(id, sub_task, attempt, lines).await {
            tracing::warn!(task.id = %id, error = %e, "lines of a log are lost");
        }
    }

    /// Lines of a task's log. With `wait`, once there are any, the task ended, or the time is over.
    pub async fn logs(
        &self,
        id: TaskId,
        query: LogQuery,
        wait: Duration,
    ) -> Result<Vec<LogChunk>, EngineError> {
        let until = Instant::now() + wait;
        loop {
            // Before the look at the log: what an attempt wrote before its end is not missed.
            let ended = wait.is_zero() || crate::engine::has_ended(&self.get(id)?);
            let read = move |store: &dyn longhaul_store::Store| store.log(id, &query);
            let chunks = self.beside(read).await.map_err(|e| Engine::wrong(id, e))?;
            if !chunks.is_empty() || ended || Instant::now() >= until || self.inner.timers_stopped() {
                return Ok(chunks);
            }
            tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
        }
    }
}
