//! How the writing side does: kept in memory, to be told without asking the database.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::turn::Standing;
use crate::error::StoreError;
use crate::health::{Health, SetAside, Trouble};

/// After so long without an answer the database is said not to answer.
const STUCK: Duration = Duration::from_secs(2);

/// What is known of it.
#[derive(Default)]
pub(super) struct Vitals {
    state: Mutex<State>,
    failed_statements: AtomicU64,
}

#[derive(Default)]
struct State {
    /// Since when a transaction is at work whose outcome is not known.
    busy: Option<Instant>,
    trouble: Option<Trouble>,
    /// Since when the oldest waits of those that are repeated.
    oldest: Option<Instant>,
    repeated: usize,
    set_aside: Vec<SetAside>,
}

impl Vitals {
    /// A transaction begins.
    pub(super) fn busy(&self) {
        self.state.lock().busy.get_or_insert_with(Instant::now);
    }

    /// One was written; true if that was not possible before. The next one may be at work.
    pub(super) fn written(&self) -> bool {
        let mut state = self.state.lock();
        state.busy = None;
        state.trouble.take().is_some()
    }

    /// None is at work.
    pub(super) fn idle(&self) {
        self.state.lock().busy = None;
    }

    /// Nothing can be written, as far as is known.
    pub(super) fn failed(&self, e: &StoreError) {
        let trouble = match e {
            // Others at work on the same are no trouble.
            StoreError::Conflict(_) => return,
            StoreError::Full => Trouble::Full,
            other => Trouble::Failing(other.to_string()),
        };
        self.state.lock().trouble = Some(trouble);
    }

    /// Whether the last one was not written.
    pub(super) fn is_troubled(&self) -> bool {
        self.state.lock().trouble.is_some()
    }

    /// What is repeated, since when the oldest of it waits, and what of it is set aside.
    pub(super) fn repeats(&self, count: usize, oldest: Option<Instant>, set_aside: Vec<SetAside>) {
        let mut state = self.state.lock();
        (state.repeated, state.oldest, state.set_aside) = (count, oldest, set_aside);
    }

    /// A statement beside the writer's failed: somebody should know, and how often.
    pub(super) fn statement_failed(&self, what: &str, e: &StoreError) {
        self.failed_statements.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(error = %e, "{what}");
    }

    /// As it is told.
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
