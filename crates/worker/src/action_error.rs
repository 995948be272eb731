//! Why an attempt failed, in the words that people and scripts read: a code, a message, what to do, what caused it.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The code of an error that was made from another one by `?`.
pub const ACTION_FAILED: &str = "ACTION_FAILED";

/// Why an attempt failed.
///
/// `?` makes one of any [`std::error::Error`]: its message, the chain of its sources as causes, and retryable. For more
/// say it yourself:
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
/// It is no [`std::error::Error`] itself, which `?` could not tell from its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ActionError {
    /// Stable and machine readable, such as `HOST_UNREACHABLE`.
    pub code: String,
    /// For people.
    pub message: String,
    /// What to do about it.
    pub remediation: Option<String>,
    /// Why, nearest first.
    pub causes: Vec<Cause>,
    /// Facts by name.
    pub context: Map<String, Value>,
    /// Whether another attempt may succeed; what the sub-task's `retry` is for.
    pub retryable: bool,
    /// Nobody knows whether the work was done. With `repeatable: false` an operator then decides.
    pub outcome_unknown: bool,
}

/// One link of a chain of causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What kind of thing failed.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it said.
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
            context: Map::new(),
            retryable: true,
            outcome_unknown: false,
        }
    }

    /// Of an error that is not owned, such as the one inside of an `anyhow::Error` (`ActionError::of(&*error)`); what
    /// `?` does with all others.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut failure = ActionError::new(ACTION_FAILED, error.to_string());
        let mut next = error.source();
        while let Some(source) = next {
            failure = failure.cause("CAUSE", source.to_string());
            next = source.source();
        }
        failure
    }

    /// With another code.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// With advice on what to do.
    pub fn remediation(mut self, advice: impl Into<String>) -> Self {
        self.remediation = Some(advice.into());
        self
    }

    /// With one more cause, behind those it has.
    pub fn cause(mut self, kind: impl Into<String>, message: impl Into<String>) -> Self {
        self.causes.push(Cause { kind: kind.into(), message: message.into() });
        self
    }

    /// With a fact.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }

    /// No other attempt would fare better.
    pub fn permanent(mut self) -> Self {
        self.retryable = false;
        self
    }

    /// Nobody knows whether the work was done.
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
