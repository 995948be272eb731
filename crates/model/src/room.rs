//! Permits for attempts that a node runs itself. Whether there is one is an input of a change, as its time
//! is.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Permit for one attempt. Its source has it back once the last copy is dropped: with the attempt's end, or
/// with a change that was not made.
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<dyn Any + Send + Sync>>);

impl Permit {
    /// Creates a permit that is given back by dropping it.
    pub fn new(held: impl Any + Send + Sync) -> Permit {
        Permit(Some(Arc::new(held)))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Permit" } else { "Permit(unlimited)" })
    }
}

/// Source of permits for attempts.
pub trait Room {
    /// Returns a permit for one more attempt, if there is one.
    fn permit(&self) -> Option<Permit>;
}

/// Source of permits without a limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Room for Unlimited {
    fn permit(&self) -> Option<Permit> {
        Some(Permit::default())
    }
}
