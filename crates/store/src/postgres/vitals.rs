//! Health of the writer: kept in memory, so that it is reported without asking the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::turn::Standing;
use crate::error::StoreError;
use crate::health::{Health, SetAside, Trouble};

/// Time without an answer after which the database is reported as stuck.
const STUCK: Duration = Duration::from_secs(2);

/// Known state of the writing side.
#[derive(Default)]
pub(super) struct Vitals {
    state: Mutex<State>,
    failed_statements: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Start of the running transaction, whose outcome is unknown.
    busy: Option<Instant>,
    trouble: Option<Trouble>,
    /// Time since which the oldest change to be retried has waited.
    oldest: Option<Instant>,
    repeated: usize,
    set_aside: Vec<SetAside>,
}

impl Vitals {
    /// Notes that a transaction has begun.
    pub(super) fn busy(&self) {
        self.state.lock().busy.get_or_insert_with(Instant::now);
    }

    /// Notes that a transaction was written; returns true if writing had failed before. The next one may
    /// already be running.
    pub(super) fn written(&self) -> bool {
        let mut state = self.state.lock();
        state.busy = None;
        state.trouble.take().is_some()
    }

    /// Notes that no transaction is running.
    pub(super) fn idle(&self) {
        self.state.lock().busy = None;
    }

    /// Notes a failure: as far as is known, nothing can be written.
    pub(super) fn failed(&self, e: &StoreError) {
        let trouble = match e {
            // Conflicts with other transactions do not count as trouble.
            StoreError::Conflict(_) => return,
            StoreError::Full => Trouble::Full,
            other => Trouble::Failing(other.to_string()),
        };
        self.state.lock().trouble = Some(trouble);
    }

    /// Returns true if the last transaction failed.
    pub(super) fn is_troubled(&self) -> bool {
        self.state.lock().trouble.is_some()
    }

    /// Sets the number of changes to be retried, the time since which the oldest has waited, and the changes
    /// set aside.
    pub(super) fn repeats(&self, count: usize, oldest: Option<Instant>, set_aside: Vec<SetAside>) {
        let mut state = self.state.lock();
        (state.repeated, state.oldest, state.set_aside) = (count, oldest, set_aside);
    }

    /// Logs and counts a failed statement other than the writer's.
    pub(super) fn statement_failed(&self, what: &str, e: &StoreError) {
        self.failed_statements.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %e, "{what}");
    }

    /// Returns the health as reported.
    pub(super) fn health(&self, standing: Standing) -> Health {
        let state = self.state.lock();
        let busy = state.busy.map(|since| since.elapsed());
        let trouble = match standing {
            Standing::Active => match busy {
                Some(time) if time >= STUCK && !matches!(state.trouble, Some(Trouble::Full)) => {
                    Some(Trouble::Stuck(time))
                }
                _ => state.trouble.clone(),
            },
            Standing::CutOff => Some(Trouble::Failing("the database is not reached".to_owned())),
            Standing::Over => Some(Trouble::Broken("others took over from this node".to_owned())),
            Standing::Closed => Some(Trouble::Closed),
        };
        let oldest = state.oldest.map(|since| since.elapsed());
        Health {
            trouble,
            oldest_wait: busy.max(oldest).unwrap_or_default(),
            repeated: state.repeated,
            set_aside: state.set_aside.clone(),
            failed_statements: Some(self.failed_statements.load(Ordering::Relaxed)),
            reserve: None,
        }
    }
}
