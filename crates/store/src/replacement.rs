//! Replacement for a change that no caller waits for and that fails for a fault of Longhaul's own: the
//! attempt that it was about fails, and counts. Another attempt asks under the same key, so the work is not
//! done twice where the other side remembers keys.

use longhaul_model::fault::code;
use longhaul_model::{Command, Failure, Fault};

use crate::error::StoreError;

/// Returns the command that replaces one that failed; `None` if no other could do better.
pub(crate) fn replacement(command: &Command, why: &StoreError) -> Option<Command> {
    if !why.is_fault_of_ours() {
        return None;
    }
    let (sub_task, token, by) = match command {
        Command::Complete { sub_task, token, by, .. } => (*sub_task, *token, by.clone()),
        Command::Fail { sub_task, token, by, failure } if !is_replacement(failure) => {
            (*sub_task, *token, by.clone())
        }
        _ => return None,
    };
    let fault =
        Fault::new(code::CHANGE_FAILED, "what follows from the end of this attempt cannot be worked out")
            .remedy("Please report this with the server's log of that moment; a newer version may do better");
    Some(Command::Fail { sub_task, token, failure: Failure::Local { fault, retryable: true }, by })
}

fn is_replacement(failure: &Failure) -> bool {
    matches!(failure, Failure::Local { fault, .. } if fault.error_code == code::CHANGE_FAILED)
}

#[cfg(test)]
mod tests {
    use longhaul_model::{Refused, Token};

    use super::*;

    #[test]
    fn only_a_fault_of_ours_fails_an_attempt_and_only_once() {
        let complete = Command::Complete { sub_task: 3, token: Token(7), output: None, by: None, next: None };
        let ours = StoreError::from(Refused::Panicked);
        for other in [StoreError::Corrupt("a row".to_owned()), StoreError::Full, Refused::Stale.into()] {
            assert!(replacement(&complete, &other).is_none(), "{other}");
        }
        let fail = replacement(&complete, &ours).expect("a failure");
        assert!(matches!(fail, Command::Fail { sub_task: 3, token: Token(7), .. }));
        assert!(replacement(&fail, &ours).is_none(), "what fails itself is set aside");
        assert!(replacement(&Command::Due, &ours).is_none());
    }
}
