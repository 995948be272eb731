//! The budget of one change: how much its expressions may compute, and how much they may give, all together.
//! A task may have a thousand expressions and a `forEach` ten thousand children; each for itself may be modest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, ObjectRepr};

/// The most that the expressions of one change may give together, in bytes of memory.
pub const LARGEST_GAIN: usize = 32 * 1024 * 1024;

/// The most steps that the expressions of one change may take together.
pub const MOST_STEPS: usize = 8 * STEPS;

/// The most steps that one expression may take.
pub(super) const STEPS: usize = 1_000_000;

/// Memory that a value takes besides its text, in bytes.
pub(super) const NODE: usize = 64;

/// Steps charged for an expression that failed, besides those counted.
const FAILED: usize = 100;

/// What is left to the expressions of one change. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Left>);

#[derive(Debug)]
struct Left {
    gain: AtomicUsize,
    steps: AtomicUsize,
    /// Steps that the expression at work has taken, as last seen.
    at_work: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        let (gain, steps) = (AtomicUsize::new(LARGEST_GAIN), AtomicUsize::new(MOST_STEPS));
        Budget(Arc::new(Left { gain, steps, at_work: AtomicUsize::new(0) }))
    }
}

impl Budget {
    /// Takes memory out of the budget. False when there is not as much left; nothing is taken then.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        self.0.gain.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    /// Whether another expression may begin.
    pub(super) fn has_steps(&self) -> bool {
        self.0.at_work.store(0, Ordering::Relaxed);
        self.0.steps.load(Ordering::Relaxed) > 0
    }

    /// Notes how far the expression at work has come.
    pub(super) fn see(&self, steps: u64) {
        self.0.at_work.store(usize::try_from(steps).unwrap_or(STEPS), Ordering::Relaxed);
    }

    /// The expression at work has ended.
    pub(super) fn end(&self, end: End) {
        let steps = match end {
            End::Well => self.0.at_work.load(Ordering::Relaxed),
            End::Failed => self.0.at_work.load(Ordering::Relaxed) + FAILED,
            End::OutOfSteps => STEPS,
        };
        let spend = |left: usize| Some(left.saturating_sub(steps));
        // The update always has a value, so it cannot fail.
        let _ = self.0.steps.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
    }
}

/// The end of one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It gave a value.
    Well,
    /// It gave an error.
    Failed,
    /// It took all the steps that one may take.
    OutOfSteps,
}

/// The filters that count steps find the budget among the names of a scope, as a value without any content.
impl Object for Budget {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}
