//! Taking secrets out of what an attempt says: outputs, errors, what a program printed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use longhaul_crypto::Zeroizing;
use longhaul_model::{Failure, Fault, Stage};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::CLOSED;

/// A secret shorter than this is in too many words by chance: only a text that is all of it counts.
const SHORTEST: usize = 4;

/// Knows the secrets of one attempt.
#[derive(Default)]
pub(crate) struct Redactor {
    /// In every spelling, longest first, so that none is left in part.
    parts: Vec<Zeroizing<String>>,
    /// Those too short to be looked for inside of texts.
    short: Vec<Zeroizing<String>>,
}

impl Redactor {
    /// Learns a secret; of an object or a list every value in it.
    pub(crate) fn learn(&mut self, secret: &Value) {
        match secret {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.learn_text(&number.to_string()),
            Value::String(text) => self.learn_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn(member)),
        }
        self.parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        self.parts.dedup();
    }

    fn learn_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if text.len() < SHORTEST {
            self.short.push(Zeroizing::new(text.to_owned()));
            return;
        }
        let json = Value::String(text.to_owned()).to_string();
        for spelling in [
            text.to_owned(),
            json[1..json.len() - 1].to_owned(),
            utf8_percent_encode(text, UNRESERVED).to_string(),
            text.replace(' ', "+"),
            // Without its padding, which a reader may have taken off.
            STANDARD_NO_PAD.encode(text),
        ] {
            self.parts.push(Zeroizing::new(spelling));
        }
    }

    /// The text without secrets. One that was cut may end or begin in the middle of a secret: so much of it goes, too.
    pub(crate) fn text(&self, text: String) -> String {
        if self.short.iter().any(|short| **short == text) {
            return CLOSED.to_owned();
        }
        let mut text = text;
        for part in &self.parts {
            if text.contains(part.as_str()) {
                text = text.replace(part.as_str(), CLOSED);
            }
        }
        self.without_halves(text)
    }

    fn without_halves(&self, mut text: String) -> String {
        for part in &self.parts {
            let halves = || (SHORTEST..part.len()).rev().filter(|&at| part.is_char_boundary(at));
            if let Some(at) = halves().find(|&at| text.ends_with(&part[..at])) {
                text.truncate(text.len() - at);
                text.push_str(CLOSED);
            }
            let tails = || (1..=part.len().saturating_sub(SHORTEST)).filter(|&at| part.is_char_boundary(at));
            if let Some(at) = tails().find(|&at| text.starts_with(&part[at..])) {
                text.replace_range(..part.len() - at, CLOSED);
            }
        }
        text
    }

    /// The value without secrets, also in the names of members.
    pub(crate) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Number(number) => {
                let text = number.to_string();
                if self.is_secret(&text) { CLOSED.into() } else { Value::Number(number) }
            }
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, member)| (self.text(name), self.value(member))).collect()
            }
            other @ (Value::Null | Value::Bool(_)) => other,
        }
    }

    fn is_secret(&self, text: &str) -> bool {
        self.parts.iter().chain(&self.short).any(|known| **known == text)
    }

    /// The failure without secrets.
    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Error { fault, retryable } => Failure::Error { fault: self.fault(fault), retryable },
            Failure::Local { fault, retryable } => Failure::Local { fault: self.fault(fault), retryable },
            Failure::Unknown { fault } => Failure::Unknown { fault: self.fault(fault) },
            Failure::Abandoned { fault } => Failure::Abandoned { fault: self.fault(fault) },
            other @ (Failure::Timeout | Failure::Lost | Failure::Stopped) => other,
        }
    }

    /// The stage without secrets.
    pub(crate) fn stage(&self, mut stage: Stage) -> Stage {
        let clean = |text: &mut String| *text = self.text(std::mem::take(text));
        clean(&mut stage.name);
        clean(&mut stage.description);
        stage.errors = stage.errors.into_iter().map(|fault| self.fault(fault)).collect();
        stage
    }

    /// The error without secrets.
    pub(crate) fn fault(&self, mut fault: Fault) -> Fault {
        let clean = |text: &mut String| *text = self.text(std::mem::take(text));
        clean(&mut fault.message);
        fault.remediation_message.iter_mut().for_each(clean);
        fault.arguments.iter_mut().for_each(clean);
        fault.causes.iter_mut().for_each(|cause| clean(&mut cause.message));
        let context = std::mem::take(&mut fault.context);
        fault.context = context.into_iter().map(|(name, value)| (name, self.value(value))).collect();
        let nested = std::mem::take(&mut fault.nested_errors);
        fault.nested_errors = nested.into_iter().map(|inner| self.fault(inner)).collect();
        fault
    }
}

/// Everything but what never needs encoding, as most clients write it.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        redactor.learn(&json!({ "password": "p\"ss wörd/1", "pin": 1234, "short": "ab", "nothing": null }));
        redactor
    }

    #[test]
    fn secrets_go_in_every_spelling() {
        for (said, wanted) in [
            ("login with p\"ss wörd/1 failed", "login with <redacted> failed"),
            (r#"{"password":"p\"ss wörd/1"}"#, r#"{"password":"<redacted>"}"#),
            ("https://h/?p=p%22ss%20w%C3%B6rd%2F1&q", "https://h/?p=<redacted>&q"),
            ("token cCJzcyB3w7ZyZC8x", "token <redacted>"),
            ("the pin is 1234.", "the pin is <redacted>."),
            ("abacus", "abacus"),
            ("ab", "<redacted>"),
            ("cut short: p\"ss wö", "cut short: <redacted>"),
            ("wörd/1 is the end", "<redacted> is the end"),
            ("nothing to hide", "nothing to hide"),
        ] {
            assert_eq!(redactor().text(said.to_owned()), wanted);
        }
    }

    #[test]
    fn values_and_failures_are_cleaned_all_through() {
        let value = json!({ "a": ["p\"ss wörd/1", 1234, 12345], "p\"ss wörd/1": true, "b": { "c": "ab" } });
        let wanted = json!({ "a": [CLOSED, CLOSED, 12345], CLOSED: true, "b": { "c": CLOSED } });
        assert_eq!(redactor().value(value), wanted);
        let mut fault =
            Fault::new("X", "said 1234").remedy("not 1234").cause("T", "as 1234").argument("1234");
        fault = fault.with("stderr", "1234");
        fault.nested_errors.push(fault.clone());
        let Failure::Error { fault, .. } = redactor().failure(Failure::Error { fault, retryable: true })
        else {
            panic!("another failure")
        };
        assert!(!serde_json::to_string(&fault).unwrap().contains("1234"), "{fault:?}");
    }
}
