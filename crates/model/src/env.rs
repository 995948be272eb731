//! The only source of the outside world: clock and randomness. Tests give their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use uuid::Uuid;

use crate::clock::{Steady, wall};
use crate::id::TaskId;
use crate::time::Timestamp;

/// Where time and identities come from.
#[derive(Clone)]
pub struct Env {
    clock: Clock,
}

#[derive(Clone)]
enum Clock {
    Steady(Arc<Steady>),
    Manual(Arc<AtomicI64>),
}

impl Env {
    /// The machine's clock and randomness.
    pub fn real() -> Self {
        Env { clock: Clock::Steady(Arc::new(Steady::new())) }
    }

    /// A clock that stands still until [`Env::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Env { clock: Clock::Manual(Arc::new(AtomicI64::new(start.0))) }
    }

    /// Now, in UTC. It does not leap when the machine's clock is set, and never goes back.
    pub fn now(&self) -> Timestamp {
        match &self.clock {
            Clock::Steady(clock) => clock.now(),
            Clock::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// What the clock that is followed says, leaps and all: for what others date, tokens and certificates. It is the machine's, or
    /// the one of [`Env::refer`].
    pub fn wall(&self) -> Timestamp {
        match &self.clock {
            Clock::Steady(clock) => Timestamp(clock.shown()),
            Clock::Manual(_) => self.now(),
        }
    }

    /// Another clock shows this just now: it is followed from now on, at once the first time, slowly afterwards. For servers that work on
    /// the same tasks, and whose machines' clocks need not agree.
    pub fn refer(&self, shown: Timestamp) {
        if let Clock::Steady(clock) = &self.clock {
            clock.refer(shown.0);
        }
    }

    /// How far the machine's clock is ahead of the one that is followed, in milliseconds.
    pub fn machine_ahead(&self) -> i64 {
        match &self.clock {
            Clock::Steady(clock) => wall() - clock.shown(),
            Clock::Manual(_) => 0,
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
