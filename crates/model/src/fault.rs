//! Error of the Tasks API (wire contract, section 1.5): what failed, and what to do about it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Span;
use crate::{text, value};

/// The longest message of an answer, in characters.
const LONG: usize = 1_000;
/// Maximum length of a code, argument or fact of an answer, in characters.
const SHORT: usize = 200;
/// Maximum number of arguments, causes and nested errors of an answer.
const MANY: usize = 100;

pub mod context;
mod unfit;

/// Deepest level of errors within errors that is kept.
const NESTED: usize = 8;

/// Error as tasks, sub-tasks and answers carry it. Empty members are left out.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Stable and machine readable, such as `TA_TASK_NOT_FOUND`.
    pub error_code: String,
    /// `ERROR` or `WARNING`.
    #[serde(default = "error_type")]
    pub error_type: String,
    /// Values that the message was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<String>,
    /// Further facts by name, each a text.
    #[serde(default, skip_serializing_if = "context::is_empty", with = "context")]
    pub context: Map<String, Value>,
    /// Message for people; always there.
    pub message: String,
    /// Advice on what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation_message: Option<String>,
    /// Chain of causes, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Nested errors, of which this one is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nested_errors: Vec<Fault>,
    /// Six characters that are in the server's log line too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_token: Option<String>,
}

fn error_type() -> String {
    "ERROR".to_owned()
}

/// Link of a chain of causes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Kind of thing that failed.
    #[serde(rename = "type")]
    pub kind: String,
    /// Message of the cause.
    pub message: String,
}

impl Fault {
    /// An error of type `ERROR`.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Fault {
            error_code: code.into(),
            error_type: error_type(),
            message: message.into(),
            ..Fault::default()
        }
    }

    /// Adds advice on what to do.
    pub fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remediation_message = Some(text.into());
        self
    }

    /// Adds a cause behind the existing ones.
    pub fn cause(mut self, kind: impl Into<String>, message: impl Into<String>) -> Self {
        self.causes.push(Cause { kind: kind.into(), message: message.into() });
        self
    }

    /// Adds an argument behind the existing ones.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Limits the error to what may be stored: facts are text, those nested too deep are left out, and so are
    /// errors within errors beyond any use.
    pub(crate) fn bounded(self) -> Self {
        self.bounded_within(NESTED)
    }

    fn bounded_within(mut self, levels: usize) -> Self {
        self.context.retain(|_, fact| value::check_depth(fact).is_ok());
        self.context = context::texts(self.context);
        self.nested_errors = match levels {
            0 => Vec::new(),
            _ => self.nested_errors.into_iter().map(|inner| inner.bounded_within(levels - 1)).collect(),
        };
        self
    }

    /// Limits the error to what may be answered and logged: every text cut, harmful characters replaced, and
    /// the beginning of each list.
    pub fn presentable(mut self) -> Self {
        fn fit(text: &mut String, most: usize) {
            let cut = text::shortened(text, most);
            let fit = text::harmless(&cut, true);
            if *fit != **text {
                *text = fit.into_owned();
            }
        }
        fit(&mut self.error_code, SHORT);
        fit(&mut self.message, LONG);
        self.remediation_message.iter_mut().for_each(|text| fit(text, LONG));
        self.arguments.truncate(MANY);
        self.arguments.iter_mut().for_each(|text| fit(text, SHORT));
        for fact in self.context.values_mut() {
            if let Value::String(text) = fact {
                fit(text, SHORT);
            }
        }
        self.causes.truncate(MANY);
        for cause in &mut self.causes {
            fit(&mut cause.kind, SHORT);
            fit(&mut cause.message, LONG);
        }
        self.nested_errors.truncate(MANY);
        self.nested_errors = self.nested_errors.into_iter().map(Fault::presentable).collect();
        self
    }

    /// Returns the pause before the work is asked for again, if the fact [`Fault::RETRY_AFTER`] gives one.
    pub fn retry_after(&self) -> Option<Span> {
        self.context.get(Fault::RETRY_AFTER)?.as_str()?.parse().ok().map(Span)
    }

    /// Name of the fact that asks for a pause before the next attempt, in milliseconds.
    pub const RETRY_AFTER: &str = "retryAfterMs";

    /// Adds a fact by name, kept as text.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.extend(context::text(value.into()).map(|text| (name.to_owned(), text)));
        self
    }
}

/// Codes of failures that Longhaul itself reports.
pub mod code {
    /// The outcome of an attempt cannot be known, and the sub-task must not be run again unasked.
    pub const OUTCOME_UNKNOWN: &str = "OUTCOME_UNKNOWN";
    /// An operator found that an attempt of unknown outcome failed.
    pub const FAILURE_CONFIRMED: &str = "FAILURE_CONFIRMED";
    /// The attempt ran longer than its timeout.
    pub const TIMEOUT: &str = "SUB_TASK_TIMEOUT";
    /// The task ran longer than its timeout.
    pub const TASK_TIMEOUT: &str = "TASK_TIMEOUT";
    /// The task is a copy, and the original goes on elsewhere.
    pub const TASK_COPIED: &str = "TASK_COPIED";
    /// The server or worker that ran the attempt died.
    pub const LEASE_EXPIRED: &str = "LEASE_EXPIRED";
    /// The attempt was stopped because the task is cancelled.
    pub const CANCELLED: &str = "SUB_TASK_CANCELLED";
    /// The output of an attempt is nested too deep to be kept.
    pub const OUTPUT_TOO_DEEP: &str = "OUTPUT_TOO_DEEP";
    /// The change that ends an attempt fails for a fault of Longhaul's own.
    pub const CHANGE_FAILED: &str = "CHANGE_FAILED";
    /// The output of an attempt is JSON in which one object has the same name twice.
    pub const OUTPUT_AMBIGUOUS: &str = "OUTPUT_AMBIGUOUS";
    /// The output of an attempt is too large to be kept.
    pub const OUTPUT_TOO_LARGE: &str = "OUTPUT_TOO_LARGE";
    /// Code of the error for a task whose stored data cannot be read.
    pub const TASK_UNREADABLE: &str = "TASK_UNREADABLE";
    /// An expression of the workflow could not be evaluated.
    pub const EXPRESSION: &str = "EXPRESSION_ERROR";
    /// Some children of a `forEach` failed.
    pub const FOR_EACH: &str = "FOR_EACH_FAILED";
    /// Code of a simulated failure that names none of its own.
    pub const SIMULATED: &str = "SIMULATED_FAILURE";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fact() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn is_text(error: &Value) -> bool {
        let nested = error["nestedErrors"].as_array().map_or(&[][..], Vec::as_slice);
        error.get("context").is_none_or(|context| context.as_object().unwrap().values().all(Value::is_string))
            && nested.iter().all(is_text)
    }

    proptest! {
        #[test]
        fn a_context_is_text_to_text_whatever_it_was_made_from_or_stored_as(
            facts in prop::collection::btree_map(".{0,6}", fact(), 0..6),
        ) {
            let context: Map<String, Value> = facts.into_iter().collect();
            let mut fault = Fault { context: context.clone(), ..Fault::new("C", "m") };
            fault.nested_errors.push(fault.clone());
            let written = serde_json::to_value(&fault).unwrap();
            prop_assert!(is_text(&written), "{written}");
            // Stored by a version that kept the types.
            let stored = json!({ "errorCode": "C", "message": "m", "context": context });
            let read: Fault = serde_json::from_value(stored).unwrap();
            prop_assert!(read.context.values().all(Value::is_string));
            prop_assert_eq!(&serde_json::to_value(&read).unwrap()["context"], &written["context"]);
        }
    }
}
