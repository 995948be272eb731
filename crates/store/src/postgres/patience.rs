//! When a transaction is worth running again: nothing of it has happened, and the next time may go better.

use std::time::Duration;

use super::Shared;
use super::sql::is_late;
use crate::error::StoreError;

/// How often a transaction that met others at work is repeated before it fails.
pub(super) const TRIES: usize = 8;
/// How often one that could not be run is tried on another connection before it fails, and what passes in between.
const CUTS: usize = 3;
const NOTICED: Duration = Duration::from_millis(10);

/// What is left of the patience with one transaction.
#[derive(Default)]
pub(super) struct Patience {
    tries: usize,
    cuts: usize,
}

impl Patience {
    /// Whether it is to be run again after such a failure, of which nobody may doubt that it left nothing behind.
    pub(super) async fn allows(&mut self, shared: &Shared, failure: &StoreError) -> bool {
        match failure {
            e if is_late(e) => false,
            StoreError::Unavailable(why) if self.cuts < CUTS && shared.check().is_ok() => {
                self.cuts += 1;
                tracing::debug!(why, cuts = self.cuts, "a transaction is tried on another connection");
                // Those at rest may be cut, too, and noticed a moment later.
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
