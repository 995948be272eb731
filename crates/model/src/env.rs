//! The only source of the outside world: clock and randomness. Tests give their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::id::TaskId;
use crate::time::Timestamp;

/// Where time and identities come from.
#[derive(Clone)]
pub struct Env {
    clock: Clock,
}

#[derive(Clone)]
enum Clock {
    Wall,
    Manual(Arc<AtomicI64>),
}

impl Env {
    /// The machine's clock and randomness.
    pub fn real() -> Self {
        Env { clock: Clock::Wall }
    }

    /// A clock that stands still until [`Env::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Env { clock: Clock::Manual(Arc::new(AtomicI64::new(start.0))) }
    }

    /// Now, in UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn now(&self) -> Timestamp {
        match &self.clock {
            Clock::Wall => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                Timestamp(since.map_or(0, |d| d.as_millis() as i64))
            }
            Clock::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock on; a real one does not move.
    pub fn advance(&self, by: crate::time::Span) {
        if let Clock::Manual(at) = &self.clock {
            at.fetch_add(by.0 as i64, Ordering::SeqCst);
        }
    }

    /// A new task's identity: version 7, so that newer ones sort behind older ones.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes identities")]
    pub fn new_task_id(&self) -> TaskId {
        TaskId(Uuid::now_v7())
    }

    /// Sixteen random bytes, as text: a node's epoch, a reference token's seed.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    pub fn random(&self) -> u128 {
        Uuid::new_v4().as_u128()
    }
}
