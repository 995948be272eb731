//! Logs of sub-tasks: what attempts write, kept with their task, to be read while they run.

use std::time::Duration;

use longhaul_model::{Env, TaskId, WorkerId};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::secrets::Redactor;
use crate::workers::LeaseName;

pub use longhaul_store::{LogChunk, LogLine, LogQuery, LogStream};

/// How often a reader that waits for new lines looks.
const LOOK: Duration = Duration::from_millis(200);

/// Where an action writes what it has to say.
pub struct Log {
    env: Env,
    lines: Mutex<Vec<LogLine>>,
}

impl Log {
    /// An empty one.
    pub fn new(env: Env) -> Self {
        Log { env, lines: Mutex::new(Vec::new()) }
    }

    /// Writes a line.
    pub fn write(&self, stream: LogStream, text: impl Into<String>) {
        let line = LogLine::new(self.env.now(), stream, text.into());
        self.lines.lock().push(line);
    }

    /// What was written since the last time.
    pub fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut *self.lines.lock())
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
