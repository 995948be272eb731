//! Logs of sub-tasks: lines of attempts, kept with their task, to be read while they run.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Env, TaskId, WorkerId};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::secrets::Redactor;
use crate::workers::LeaseName;

use longhaul_store::{LARGEST_LOG, LONGEST_LINE};

pub use longhaul_store::{LogChunk, LogLine, LogQuery, LogStream};

/// Interval at which a reader that waits for new lines looks.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes of memory of lines waiting to be stored, above which writers wait.
const HELD: usize = 64 * 1024;
/// Bytes of memory that a line takes beside its text.
const LINE: usize = 64;
/// Longest wait of a program that writes faster than its log is stored; after that, lines are left out.
const PATIENCE: Duration = Duration::from_secs(5);

/// Log of an attempt, to which its action writes. Memory is bounded: only a few lines wait to be stored, and
/// nothing is kept beyond the limit of an attempt ([`longhaul_store::LARGEST_LOG`]).
pub struct Log {
    env: Env,
    redactor: Option<Arc<Redactor>>,
    /// Longest wait of a writer for space.
    pub(crate) patience: Duration,
    waiting: Mutex<Waiting>,
    /// Notified when lines are to be stored soon: there are many, or none will follow.
    filled: Notify,
    /// Notified when lines were taken.
    emptied: Notify,
}

/// Lines waiting to be stored.
#[derive(Default)]
struct Waiting {
    lines: Vec<LogLine>,
    /// Memory of the lines, in bytes.
    bytes: usize,
    /// Bytes of text written since the beginning.
    written: u64,
    /// Number of lines dropped for lack of space.
    left_out: u64,
    /// True once a writer waited for space in vain: nobody waits again until lines are taken.
    stuck: bool,
    closed: bool,
}

impl Log {
    /// Creates an empty log, of a task without secrets.
    pub fn new(env: Env) -> Self {
        Log::of(env, None)
    }

    /// Creates an empty log. Secrets are removed from quotations of it.
    pub(crate) fn of(env: Env, redactor: Option<Arc<Redactor>>) -> Self {
        Log {
            env,
            redactor,
            patience: PATIENCE,
            waiting: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
        }
    }

    /// Removes the task's secrets from a text, before the text is cut: nobody recognizes half a secret.
    pub(crate) fn clean(&self, text: String) -> String {
        match &self.redactor {
            Some(redactor) => redactor.text(text),
            None => text,
        }
    }

    /// Writes a line, or drops it if there is no space. Callers that write many lines wait for space first.
    pub fn write(&self, stream: LogStream, text: impl Into<String>) {
        let mut waiting = self.waiting.lock();
        if waiting.written >= LARGEST_LOG {
            return;
        }
        if waiting.is_full() {
            waiting.left_out += 1;
            return;
        }
        // Cut once secrets are out of it.
        let line = LogLine { at: self.env.now(), stream, text: text.into() };
        waiting.written += line.text.len().min(LONGEST_LINE) as u64 + 1;
        let end = (waiting.written >= LARGEST_LOG).then(|| LogLine::end(line.at));
        waiting.push(line);
        waiting.lines.extend(end);
        if waiting.is_full() {
            self.filled.notify_one();
        }
    }

    /// Returns true if the attempt has written as much as it may: further output is ignored.
    pub(crate) fn is_over(&self) -> bool {
        self.waiting.lock().written >= LARGEST_LOG
    }

    /// Waits until there is space for a line: the writer is only as fast as the store. The wait is bounded:
    /// if nothing is stored for a while, lines are left out instead.
    pub(crate) async fn room(&self) {
        let free = async {
            loop {
                let emptied = self.emptied.notified();
                tokio::pin!(emptied);
                // Armed before the check, so that no notification in between is missed.
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

    /// Takes the lines that were written since the last call.
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

    /// Closes the log: nothing more is written.
    pub(crate) fn close(&self) {
        self.waiting.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits until lines are to be stored: after a pause, or as soon as there are many. Returns false once
    /// the log is closed and all lines were taken.
    pub(crate) async fn wait(&self, pause: Duration) -> bool {
        let (full, closed) = {
            let waiting = self.waiting.lock();
            (waiting.is_full(), waiting.closed)
        };
        if !full && !closed {
            // The lines are checked either way.
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

/// Lines without secrets, and only then cut to their longest.
pub(crate) fn clean(lines: Vec<LogLine>, redactor: Option<&Redactor>) -> Vec<LogLine> {
    let lines = match redactor {
        Some(redactor) => redactor.lines(lines),
        None => lines,
    };
    lines.into_iter().map(LogLine::cut).collect()
}

impl Engine {
    /// Stores lines of a worker's attempt, unless the lease is lost. They are durable no later than other
    /// parts of the same call.
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

    /// Returns lines of a task's log. With `wait`, once there are any, the task ended, or the time is over.
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
