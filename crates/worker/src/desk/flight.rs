//! A call that is under way, or none.

use std::future::{pending, poll_fn};

use futures_util::future::BoxFuture;

/// The place for one call at a time.
pub(super) struct Flight<T>(Option<BoxFuture<'static, T>>);

impl<T> Flight<T> {
    pub(super) fn none() -> Self {
        Flight(None)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.is_none()
    }

    /// Begins a call; one that is under way is abandoned.
    pub(super) fn begin(&mut self, call: impl Future<Output = T> + Send + 'static) {
        self.0 = Some(Box::pin(call));
    }

    pub(super) fn abandon(&mut self) {
        self.0 = None;
    }

    /// Returns the answer, once; waits for ever if no call is in flight. Safe to drop and to call again.
    pub(super) async fn landed(&mut self) -> T {
        let Some(call) = &mut self.0 else { return pending().await };
        let answer = poll_fn(|context| call.as_mut().poll(context)).await;
        self.0 = None;
        answer
    }
}
