//! Retries of a transaction: only if nothing of it has happened, and the next attempt may go better.

use std::time::Duration;

use super::Shared;
use super::sql::is_late;
use crate::error::StoreError;

/// Largest count of repetitions of a transaction that conflicted with others, before it fails.
pub(super) const TRIES: usize = 8;
/// Largest count of attempts on other connections for a transaction that could not be run, and the pause
/// between them.
const CUTS: usize = 3;
const NOTICED: Duration = Duration::from_millis(10);

/// Retry budget of one transaction.
#[derive(Default)]
pub(super) struct Patience {
    tries: usize,
    cuts: usize,
}

impl Patience {
    /// Returns true if the transaction is to be run again after a failure that certainly left nothing behind.
    pub(super) async fn allows(&mut self, shared: &Shared, failure: &StoreError) -> bool {
        match failure {
            e if is_late(e) => false,
            StoreError::Unavailable(why) if self.cuts < CUTS && shared.check().is_ok() => {
                self.cuts += 1;
                tracing::debug!(why, cuts = self.cuts, "a transaction is tried on another connection");
                // Idle connections may be cut, too, and noticed a moment later.
                tokio::time::sleep(NOTICED).await;
                true
            }
            StoreError::Conflict(why) if self.tries < TRIES => {
                self.tries += 1;
                tracing::debug!(why, tries = self.tries, "a transaction met others at work, and is repeated");
                true
            }
            _ => false,
        }
    }
}
