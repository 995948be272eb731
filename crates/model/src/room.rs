//! Room for attempts that a node runs itself. Whether there is any is an input of a change, as its time is.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Room for one attempt. Whoever gave it has it back once the last copy is dropped: with the attempt's end,
/// or with a change that was not made.
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<dyn Any + Send + Sync>>);

impl Permit {
    /// One that is given back by dropping this.
    pub fn new(held: impl Any + Send + Sync) -> Permit {
        Permit(Some(Arc::new(held)))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Permit" } else { "Permit(unlimited)" })
    }
}

/// Where attempts find room.
pub trait Room {
    /// Room for one more attempt, if there is any.
    fn permit(&self) -> Option<Permit>;
}

/// Room for all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unlimited;

impl Room for Unlimited {
    fn permit(&self) -> Option<Permit> {
        Some(Permit::default())
    }
}
