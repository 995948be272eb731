//! Budget of the expressions of one change: their computation and their results, all together. A task may
//! have a thousand expressions and a `forEach` ten thousand children; each for itself may be modest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, ObjectRepr};

/// Maximum memory of the results of one change's expressions, in bytes.
pub const LARGEST_GAIN: usize = 32 * 1024 * 1024;

/// Maximum number of steps of one change's expressions.
pub const MOST_STEPS: usize = 8 * STEPS;

/// Maximum number of steps of one expression.
pub(super) const STEPS: usize = 1_000_000;

/// Memory that a value takes besides its text, in bytes.
pub(super) const NODE: usize = 64;

/// Steps charged for an expression that failed, besides those counted.
const FAILED: usize = 100;

/// Remaining budget of the expressions of one change. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Left>);

#[derive(Debug)]
struct Left {
    gain: AtomicUsize,
    steps: AtomicUsize,
    /// Steps that the current expression has taken, as last seen.
    at_work: AtomicUsize,
}

impl Default for Budget {
    fn default() -> Self {
        let (gain, steps) = (AtomicUsize::new(LARGEST_GAIN), AtomicUsize::new(MOST_STEPS));
        Budget(Arc::new(Left { gain, steps, at_work: AtomicUsize::new(0) }))
    }
}

impl Budget {
    /// Takes memory from the budget. Returns false when there is not as much left; nothing is taken then.
    pub(super) fn take(&self, bytes: usize) -> bool {
        let taken = |left: usize| left.checked_sub(bytes);
        self.0.gain.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
    }

    /// Returns true if another expression may begin.
    pub(super) fn has_steps(&self) -> bool {
        self.0.at_work.store(0, Ordering::Relaxed);
        self.0.steps.load(Ordering::Relaxed) > 0
    }

    /// Notes the steps of the current expression.
    pub(super) fn see(&self, steps: u64) {
        self.0.at_work.store(usize::try_from(steps).unwrap_or(STEPS), Ordering::Relaxed);
    }

    /// Notes the end of the current expression.
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

/// End of one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The expression gave a value.
    Well,
    /// The expression gave an error.
    Failed,
    /// The expression took all the steps that one may take.
    OutOfSteps,
}

/// Lets filters that count steps find the budget among the names of a scope, as a value without any content.
impl Object for Budget {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}
