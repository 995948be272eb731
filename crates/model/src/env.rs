//! Environment: the only source of time and randomness. Tests provide their own.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use uuid::{ContextV7, Uuid};

use crate::clock::{Steady, wall};
use crate::id::TaskId;
use crate::time::Timestamp;

/// Source of time and identities.
#[derive(Clone)]
pub struct Env {
    clock: Clock,
    /// Span in milliseconds by which the clock may be ahead.
    doubt: Arc<AtomicI64>,
    /// Generator that keeps identities of the same millisecond in order.
    identities: Arc<Mutex<ContextV7>>,
}

#[derive(Clone)]
enum Clock {
    Steady(Arc<Steady>),
    Manual(Arc<AtomicI64>),
}

impl Env {
    /// The machine's clock and randomness.
    pub fn real() -> Self {
        Env::of(Clock::Steady(Arc::new(Steady::new())))
    }

    /// Creates a clock that stands still until [`Env::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Env::of(Clock::Manual(Arc::new(AtomicI64::new(start.0))))
    }

    fn of(clock: Clock) -> Self {
        Env { clock, doubt: Arc::default(), identities: Arc::new(Mutex::new(ContextV7::new())) }
    }

    /// Returns the current time, in UTC. It does not leap when the machine's clock is set, and never goes
    /// back.
    pub fn now(&self) -> Timestamp {
        match &self.clock {
            Clock::Steady(clock) => clock.now(),
            Clock::Manual(at) => Timestamp(at.load(Ordering::SeqCst)),
        }
    }

    /// Time of the clock that is followed, leaps and all: for data that others date, tokens and certificates.
    /// The clock is the machine's, or the one of [`Env::refer`].
    pub fn wall(&self) -> Timestamp {
        match &self.clock {
            Clock::Steady(clock) => Timestamp(clock.shown()),
            Clock::Manual(_) => self.now(),
        }
    }

    /// Returns the time by which old data is deleted: [`Env::now`], less the span by which the clock may be
    /// ahead ([`crate::lived`]).
    pub fn lived(&self) -> Timestamp {
        Timestamp(self.now().0.saturating_sub(self.doubt.load(Ordering::SeqCst)))
    }

    /// Sets the span by which the clock may be ahead; 0 believes it.
    pub fn set_doubt(&self, doubt: crate::time::Span) {
        self.doubt.store(i64::try_from(doubt.0).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Returns the span by which the clock may be ahead; 0 while it is believed.
    pub fn doubt(&self) -> crate::time::Span {
        crate::time::Span(self.doubt.load(Ordering::SeqCst).unsigned_abs())
    }

    /// Sets the reference: another clock that shows this at the moment is followed from now on, at once the
    /// first time, slowly afterwards. For servers that work on the same tasks, and whose machines' clocks
    /// need not agree.
    pub fn refer(&self, shown: Timestamp) {
        if let Clock::Steady(clock) = &self.clock {
            clock.refer(shown.0);
        }
    }

    /// Returns the span by which the machine's clock is ahead of the one that is followed, in milliseconds.
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

    /// Creates a new task's ID: version 7, of the time that [`Env::now`] returns, so that newer ones sort
    /// behind older ones wherever they were made.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that makes identities")]
    pub fn new_task_id(&self) -> TaskId {
        let now = self.now().0.max(0) as u64;
        let order = self.identities.lock().unwrap_or_else(PoisonError::into_inner);
        let at = uuid::Timestamp::from_unix(&*order, now / 1_000, (now % 1_000) as u32 * 1_000_000);
        TaskId(Uuid::new_v7(at))
    }

    /// Returns sixteen random bytes: a node's epoch, a reference token's seed.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws randomness")]
    pub fn random(&self) -> u128 {
        Uuid::new_v4().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn identities_are_of_the_time_that_counts_and_in_order() {
        let env = Env::manual(Timestamp(1_700_000_000_123));
        let mut ids: Vec<TaskId> = (0..1_000).map(|_| env.new_task_id()).collect();
        env.advance(Span(1));
        ids.push(env.new_task_id());
        assert!(ids.is_sorted());
        let millis = |id: &TaskId| {
            id.0.get_timestamp().map(|at| at.to_unix()).map(|(s, n)| s * 1_000 + u64::from(n) / 1_000_000)
        };
        assert_eq!(millis(&ids[0]), Some(1_700_000_000_123));
        assert_eq!(millis(&ids[1_000]), Some(1_700_000_000_124));
    }
}
