//! Outages of the server, as the log has them: since when it does not answer, and why.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::error::WorkerError;

/// Time between two lines about one outage.
const REMIND: Duration = Duration::from_secs(60);
/// Least time between the lines of two outages in a row.
const FLAPPING: Duration = Duration::from_secs(10);

/// State of the way to one server.
pub(super) struct Reach {
    server: String,
    /// Longest outage that the worker outlives; `None` for any.
    patience: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// True once the server has answered.
    ever: bool,
    outage: Option<Outage>,
    /// Time of the last line.
    told: Option<Instant>,
}

struct Outage {
    began: Instant,
    since: Timestamp,
    announced: bool,
}

impl Reach {
    pub(super) fn new(server: String, patience: Option<Duration>) -> Reach {
        Reach { server, patience, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true once the server has answered.
    pub(super) fn was_ever(&self) -> bool {
        self.state().ever
    }

    /// Notes that a call failed and is repeated. The error says that patience has run out.
    pub(super) fn failed(&self, why: &str) -> Result<(), WorkerError> {
        let (now, mut state) = (Instant::now(), self.state());
        let told = state.told.map(|told| now - told);
        let outage =
            state.outage.get_or_insert(Outage { began: now, since: Timestamp::now(), announced: false });
        let lasted = now - outage.began;
        let since = outage.since.to_string();
        let pause = if outage.announced { REMIND } else { FLAPPING };
        if told.is_none_or(|told| told >= pause) {
            outage.announced = true;
            state.told = Some(now);
            let seconds = lasted.as_secs();
            tracing::warn!(server = self.server, since, seconds, reason = why, "waiting for the server");
        }
        match self.patience {
            Some(patience) if lasted >= patience => {
                let (server, reason) = (self.server.clone(), why.to_owned());
                Err(WorkerError::Unreachable { server, since, reason })
            }
            _ => Ok(()),
        }
    }

    /// Notes an answer of the server's own. Returns true if it ends an outage.
    pub(super) fn answered(&self) -> bool {
        let mut state = self.state();
        state.ever = true;
        let outage = state.outage.take();
        if let Some(outage) = outage.as_ref().filter(|outage| outage.announced) {
            let seconds = outage.began.elapsed().as_secs();
            tracing::warn!(server = self.server, seconds, "the server answers again");
        }
        outage.is_some()
    }
}
