//! Removal of secrets from all that an attempt outputs: results, errors, stages, the lines of a program.
//! Names count as much as texts.

use longhaul_model::fault::Cause;
use longhaul_model::{Failure, Fault, Stage, value};
use longhaul_store::{LONGEST_LINE, LogLine, LogStream};
use serde_json::{Map, Value};

use super::CLOSED;
use super::needles::{Learner, Needles};
use super::search::secret_parts;
use crate::long_work::beside_runtime;

/// Knows the secrets of a task.
pub(crate) struct Redactor(Needles);

impl From<Learner> for Redactor {
    fn from(learner: Learner) -> Self {
        beside_runtime(learner.size(), || Redactor(learner.needles()))
    }
}

impl Redactor {
    /// Returns the text without secrets. A text that was cut may end or begin in the middle of a secret: that
    /// part is removed, too.
    pub(crate) fn text(&self, text: String) -> String {
        if self.0.are(&text) {
            return CLOSED.to_owned();
        }
        let parts = secret_parts(&self.0, &text);
        if parts.is_empty() {
            return text;
        }
        let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
        for part in parts {
            clean.push_str(&text[at..part.start]);
            clean.push_str(CLOSED);
            at = part.end;
        }
        clean.push_str(&text[at..]);
        clean
    }

    /// Returns lines without secrets, also without those that are spread over several lines of a stream.
    pub(crate) fn lines(&self, lines: Vec<LogLine>) -> Vec<LogLine> {
        beside_runtime(lines.iter().map(|line| line.text.len()).sum(), || self.clean_lines(lines))
    }

    fn clean_lines(&self, mut lines: Vec<LogLine>) -> Vec<LogLine> {
        for line in &mut lines {
            // The line may have been cut by its writer; and a short secret is one if the line is nothing
            // else.
            if line.text.len() + CUT > LONGEST_LINE || self.0.are(&line.text) {
                line.text = self.text(std::mem::take(&mut line.text));
            }
        }
        for stream in [LogStream::Out, LogStream::Err] {
            self.stream(lines.iter_mut().filter(|line| line.stream == stream).collect());
        }
        lines
    }

    fn stream(&self, mut lines: Vec<&mut LogLine>) {
        let whole = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
        let mut parts = secret_parts(&self.0, &whole).into_iter().peekable();
        let mut begin = 0;
        for line in &mut lines {
            let end = begin + line.text.len();
            let (mut clean, mut at) = (String::new(), begin);
            while let Some(part) = parts.peek().filter(|part| part.start < end).cloned() {
                clean.push_str(&whole[at..part.start.max(at)]);
                clean.push_str(CLOSED);
                at = part.end.min(end);
                if part.end > end {
                    break;
                }
                parts.next();
            }
            if !clean.is_empty() {
                clean.push_str(&whole[at..end]);
                line.text = clean;
            }
            begin = end + 1;
            while parts.next_if(|part| part.end <= begin).is_some() {}
        }
    }

    /// The value without secrets, also in the names of members.
    pub(crate) fn value(&self, value: Value) -> Value {
        beside_runtime(value::size(&value), || self.clean_value(value))
    }

    fn clean_value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) => {
                if self.0.are(&number.to_string()) {
                    CLOSED.into()
                } else {
                    Value::Number(number)
                }
            }
            Value::Array(items) => items.into_iter().map(|item| self.clean_value(item)).collect(),
            Value::Object(members) => Value::Object(self.members(members)),
            other @ (Value::Null | Value::Bool(_)) => other,
        }
    }

    fn members(&self, members: Map<String, Value>) -> Map<String, Value> {
        let mut clean = Map::with_capacity(members.len());
        for (name, member) in members {
            let mut name = self.text(name);
            // Two names may have become the same.
            while clean.contains_key(&name) {
                name.push('\'');
            }
            clean.insert(name, self.clean_value(member));
        }
        clean
    }

    /// The failure without secrets.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        let bytes = match &failure {
            Failure::Error { fault, .. }
            | Failure::Local { fault, .. }
            | Failure::Unknown { fault }
            | Failure::Abandoned { fault } => size_of(fault),
            Failure::Timeout | Failure::Lost | Failure::Stopped => 0,
        };
        beside_runtime(bytes, || self.clean_failure(failure))
    }

    fn clean_failure(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Error { fault, retryable } => Failure::Error { fault: self.fault(fault), retryable },
            Failure::Local { fault, retryable } => Failure::Local { fault: self.fault(fault), retryable },
            Failure::Unknown { fault } => Failure::Unknown { fault: self.fault(fault) },
            Failure::Abandoned { fault } => Failure::Abandoned { fault: self.fault(fault) },
            other @ (Failure::Timeout | Failure::Lost | Failure::Stopped) => other,
        }
    }

    /// The stage without secrets.
    pub(crate) fn stage(&self, stage: Stage) -> Stage {
        let texts = stage.name.len() + stage.kind.len() + stage.description.len();
        beside_runtime(texts + stage.errors.iter().map(size_of).sum::<usize>(), || self.clean_stage(stage))
    }

    fn clean_stage(&self, stage: Stage) -> Stage {
        let Stage { name, kind, description, status, created_at, completed_at, errors } = stage;
        Stage {
            name: self.text(name),
            kind: self.text(kind),
            description: self.text(description),
            status,
            created_at,
            completed_at,
            errors: errors.into_iter().map(|fault| self.fault(fault)).collect(),
        }
    }

    /// The error without secrets.
    pub(crate) fn fault(&self, fault: Fault) -> Fault {
        let Fault {
            error_code,
            error_type,
            arguments,
            context,
            message,
            remediation_message,
            causes,
            nested_errors,
            reference_token,
        } = fault;
        let clean = |text: String| self.text(text);
        let cause = |cause: Cause| Cause { kind: self.text(cause.kind), message: self.text(cause.message) };
        Fault {
            error_code: self.text(error_code),
            error_type: self.text(error_type),
            arguments: arguments.into_iter().map(clean).collect(),
            context: self.members(context),
            message: self.text(message),
            remediation_message: remediation_message.map(clean),
            causes: causes.into_iter().map(cause).collect(),
            nested_errors: nested_errors.into_iter().map(|inner| self.fault(inner)).collect(),
            reference_token: reference_token.map(clean),
        }
    }
}

/// Returns the size of an error, in bytes of JSON.
fn size_of(fault: &Fault) -> usize {
    serde_json::to_vec(fault).map_or(0, |json| json.len())
}

/// Maximum number of bytes by which a line is shorter than the longest when it was cut at a whole character.
const CUT: usize = 8;

#[cfg(test)]
#[path = "redact_test.rs"]
mod tests;
