//! Filter for all output to a terminal: names, messages and logs that others wrote cannot move the cursor,
//! hide or reorder text, or change the terminal in any other way.

use std::borrow::Cow;
use std::fmt::Write as _;

use longhaul_client::{CauseBody, ErrorBody};
use longhaul_model::text::{harmless, is_harmful};
use serde_json::Value;

/// Returns a text in printable form: with colours, if these are on, and no other control sequences.
pub(super) fn printable(text: &str, colours: bool) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_harmful) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let kept = if colours { colour(rest) } else { 0 };
        if kept > 0 {
            out.push_str(&rest[..kept]);
            rest = &rest[kept..];
        } else {
            out.push('\u{fffd}');
            rest = &rest[rest.chars().next().map_or(rest.len(), char::len_utf8)..];
        }
    }
    out.push_str(rest);
    out.into()
}

/// Returns the length of a sequence that sets colours at the beginning of a text; 0 without one.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else { return 0 };
    let length = parameters.bytes().take_while(|b| b.is_ascii_digit() || *b == b';').count();
    if parameters[length..].starts_with('m') { length + 3 } else { 0 }
}

/// Returns a value as JSON, the same to every reader, with harmful characters as escapes.
pub(super) fn json(text: String) -> String {
    if !text.contains(is_harmful) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 64);
    for c in text.chars() {
        if is_harmful(c) {
            // They stand within strings only.
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Cleans a server's value for a terminal. Messages keep their line breaks.
pub(crate) fn value(value: &mut Value, lines: bool) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(clean) = harmless(text, lines) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| self::value(item, lines)),
        Value::Object(members) => {
            let names: Vec<String> = members
                .keys()
                .filter(|name| matches!(harmless(name, false), Cow::Owned(_)))
                .cloned()
                .collect();
            for name in names {
                if let Some(member) = members.remove(&name) {
                    members.insert(harmless(&name, false).into_owned(), member);
                }
            }
            members.iter_mut().for_each(|(name, member)| self::value(member, name.ends_with("essage")));
        }
        _ => {}
    }
}

/// Cleans an error that a server answered with.
pub(crate) fn error(error: &ErrorBody) -> ErrorBody {
    let fit = |text: &String| harmless(text, true).into_owned();
    let mut context = Value::Object(error.context.clone());
    value(&mut context, true);
    ErrorBody {
        error_code: fit(&error.error_code),
        arguments: error.arguments.iter().map(fit).collect(),
        context: if let Value::Object(members) = context { members } else { Default::default() },
        message: fit(&error.message),
        remediation_message: error.remediation_message.as_ref().map(fit),
        causes: error
            .causes
            .iter()
            .map(|cause| CauseBody { kind: fit(&cause.kind), message: fit(&cause.message) })
            .collect(),
        nested_errors: error.nested_errors.iter().map(self::error).collect(),
        reference_token: error.reference_token.as_ref().map(fit),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HARMFUL: [char; 9] =
        ['\u{1b}', '\u{9b}', '\u{7f}', '\u{0}', '\r', '\u{202e}', '\u{2069}', '\u{61c}', '\u{e0041}'];

    #[test]
    fn only_colours_pass() {
        assert_eq!(printable("\x1b[1;31mred\x1b[0m\n", true), "\x1b[1;31mred\x1b[0m\n");
        assert_eq!(printable("\x1b[31mred", false), "\u{fffd}[31mred");
        for bad in
            ["\x1b[2J", "\x1b]0;title\x07", "\x1b[31", "\x1bc", "\u{9b}31m", "\x1b[?25l", "\x1b[31;\x1b[2Km"]
        {
            assert!(!printable(bad, true).contains(['\x1b', '\u{9b}', '\x07']), "{bad:?}");
        }
        for c in HARMFUL {
            assert_eq!(printable(&format!("a{c}b"), true), "a\u{fffd}b");
        }
    }

    #[test]
    fn json_says_the_same_without_harmful_characters() {
        let value = json!(HARMFUL.iter().collect::<String>());
        let text = json(value.to_string());
        assert!(text.is_ascii() && !text.contains(|c: char| c.is_control()), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn every_text_and_name_of_an_answer_is_cleaned() {
        let bad: String = HARMFUL.iter().collect();
        let mut given =
            json!({ "name": bad, "list": [bad, { "message": format!("a\n{bad}") }], bad.clone(): 1 });
        value(&mut given, false);
        let text = given.to_string();
        assert!(!text.contains(is_harmful) && !text.contains("\\u00"), "{text}");
        assert!(text.contains("a\\n"), "{text}");
        let nested = ErrorBody { message: bad.clone(), ..ErrorBody::default() };
        let cause = CauseBody { kind: bad.clone(), message: bad.clone() };
        let whole = ErrorBody {
            error_code: bad.clone(),
            arguments: vec![bad.clone()],
            context: [("pointer".to_owned(), json!(bad))].into_iter().collect(),
            message: bad.clone(),
            remediation_message: Some(bad.clone()),
            causes: vec![cause],
            nested_errors: vec![nested],
            reference_token: Some(bad.clone()),
        };
        let shown = crate::out::error::carried(&error(&whole), "", crate::out::style::Palette::plain());
        assert!(!shown.contains(is_harmful), "{shown:?}");
    }
}
