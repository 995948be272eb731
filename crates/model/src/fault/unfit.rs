//! Failures of attempts whose output cannot be kept.

use super::{Fault, code};
use crate::value::Unfit;

impl Unfit {
    /// Returns the failure of an attempt with such an output.
    pub fn fault(self) -> Fault {
        let code = match self {
            Unfit::TooDeep => code::OUTPUT_TOO_DEEP,
            Unfit::TooLarge(_) | Unfit::NoRoom => code::OUTPUT_TOO_LARGE,
        };
        Fault::new(code, format!("the output is {self}"))
            .remedy("Write an `output:` expression that takes only what later sub-tasks need")
    }
}
