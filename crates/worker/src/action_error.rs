//! Error of an attempt, for people and scripts: a code, a message, remediation, causes.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde::Serialize;

/// The code of an error that was made from another one by `?`.
pub const ACTION_FAILED: &str = "ACTION_FAILED";

/// Error with which an attempt failed.
///
/// `?` makes one of any [`std::error::Error`]: its message, the chain of its sources as causes, and
/// retryable. For more say it yourself:
///
/// ```
/// use longhaul_worker::ActionError;
///
/// fn check(host: &str) -> Result<(), ActionError> {
///     if !host.ends_with(".example") {
///         return Err(ActionError::new("HOST_UNKNOWN", format!("{host} is not in the inventory"))
///             .remediation("Commission the host first")
///             .permanent());
///     }
///     Ok(())
/// }
/// assert!(!check("esx1").unwrap_err().retryable);
/// ```
///
/// Deliberately not a [`std::error::Error`]: `?` could not tell it from the errors that it converts.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActionError {
    /// Stable and machine readable, such as `HOST_UNREACHABLE`.
    pub code: String,
    /// Message for people.
    pub message: String,
    /// Remediation.
    pub remediation: Option<String>,
    /// Causes, nearest first.
    pub causes: Vec<Cause>,
    /// Facts by name, as texts: the API has no other kind.
    pub context: BTreeMap<String, String>,
    /// True if another attempt may succeed, as the sub-task's `retry` allows.
    pub retryable: bool,
    /// True if it is unknown whether the work was done. With `repeatable: false` an operator then decides.
    pub outcome_unknown: bool,
}

/// Link of a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Cause {
    /// Kind of thing that failed.
    #[serde(rename = "type")]
    pub kind: String,
    /// Message of the cause.
    pub message: String,
}

impl ActionError {
    /// A failure that another attempt may mend.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        ActionError {
            code: code.into(),
            message: message.into(),
            remediation: None,
            causes: Vec::new(),
            context: BTreeMap::new(),
            retryable: true,
            outcome_unknown: false,
        }
    }

    /// Converts an error that is not owned, such as the one inside an `anyhow::Error`
    /// (`ActionError::of(&*error)`); `?` does the same for all others.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut failure = ActionError::new(ACTION_FAILED, error.to_string());
        let mut next = error.source();
        while let Some(source) = next {
            failure = failure.cause("CAUSE", source.to_string());
            next = source.source();
        }
        failure
    }

    /// Replaces the code.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Sets the remediation.
    pub fn remediation(mut self, advice: impl Into<String>) -> Self {
        self.remediation = Some(advice.into());
        self
    }

    /// Adds a cause, behind those that are there.
    pub fn cause(mut self, kind: impl Into<String>, message: impl Into<String>) -> Self {
        self.causes.push(Cause { kind: kind.into(), message: message.into() });
        self
    }

    /// Adds a fact to the context: a text, a number, or what else can be shown.
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.context.insert(name.into(), value.to_string());
        self
    }

    /// Marks the failure as permanent: no further attempt is made automatically.
    pub fn permanent(mut self) -> Self {
        self.retryable = false;
        self
    }

    /// Marks the outcome as unknown: the work may have been done.
    pub fn outcome_unknown(mut self) -> Self {
        self.outcome_unknown = true;
        self
    }
}

impl<E: Error + 'static> From<E> for ActionError {
    fn from(error: E) -> Self {
        ActionError::of(&error)
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the host does not answer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn question_mark_keeps_the_chain_of_sources() {
        fn fails() -> Result<(), ActionError> {
            Err(Outer(std::io::Error::other("connection refused")))?;
            Ok(())
        }
        let error = fails().unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            (ACTION_FAILED, "the host does not answer")
        );
        assert_eq!(error.causes, [Cause { kind: "CAUSE".into(), message: "connection refused".into() }]);
        assert!(error.retryable && !error.outcome_unknown);
    }
}
