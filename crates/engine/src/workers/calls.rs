//! Named calls for work. A call that is repeated, as its answer may have been lost, supersedes the earlier
//! one: it waits until the earlier call has ended, and then gets the same leases.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::lease::Ask;
use super::leases::Call;

/// The calls being answered.
#[derive(Default)]
pub(super) struct Calls(Mutex<HashMap<Call, One>>);

#[derive(Default)]
struct One {
    /// Token of the latest call of this name; cancelled when the call is repeated.
    over: CancellationToken,
    busy: Arc<tokio::sync::Mutex<()>>,
    /// Number of calls of this name being answered.
    count: usize,
}

/// A call being answered.
pub(super) struct Entered {
    over: CancellationToken,
    /// Held while the call may lease.
    _alone: Option<OwnedMutexGuard<()>>,
    _leaving: Option<Leaving>,
}

struct Leaving(Arc<Calls>, Call);

impl Drop for Leaving {
    fn drop(&mut self) {
        let mut calls = self.0.0.lock();
        if let Some(one) = calls.get_mut(&self.1) {
            one.count -= 1;
            if one.count == 0 {
                calls.remove(&self.1);
            }
        }
    }
}

impl Entered {
    /// Returns true if the call was repeated.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Waits until the call is repeated.
    pub(super) async fn over(&self) {
        self.over.cancelled().await;
    }
}

impl Calls {
    /// Begins a call; a named one supersedes the call before it and waits for its end.
    pub(super) async fn enter(self: &Arc<Self>, ask: &Ask) -> Arc<Entered> {
        let over = CancellationToken::new();
        let Some(call) = ask.call() else {
            return Arc::new(Entered { over, _alone: None, _leaving: None });
        };
        let busy = {
            let mut calls = self.0.lock();
            let one = calls.entry(call.clone()).or_default();
            one.count += 1;
            std::mem::replace(&mut one.over, over.clone()).cancel();
            one.busy.clone()
        };
        let leaving = Leaving(self.clone(), call);
        let alone = busy.lock_owned().await;
        Arc::new(Entered { over, _alone: Some(alone), _leaving: Some(leaving) })
    }
}
