//! The signal by which a handler learns that it is to stop.

use std::fmt;

use tokio_util::sync::CancellationToken;

/// Signal that a handler is to stop. Cheap to clone; clones stand for the same signal, and outlive the
/// attempt.
#[derive(Clone)]
pub struct Cancellation(CancellationToken);

impl Cancellation {
    pub(crate) fn new() -> Cancellation {
        Cancellation(CancellationToken::new())
    }

    /// Completes once the handler is to stop; at once if it is to stop already. Safe to drop and to await
    /// again, as in `select!`.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// Returns true once the handler is to stop: the question for code that does not await, such as a loop
    /// that blocks.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    pub(crate) fn cancel(&self) {
        self.0.cancel();
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancellation").field(&self.is_cancelled()).finish()
    }
}
