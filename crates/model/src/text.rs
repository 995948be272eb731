//! Texts that others wrote, on their way to a person: cut to a length, without characters that control a
//! terminal or a log, and without the sent value where only its place and kind matter.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Returns true for a character that moves a cursor, reorders a line or breaks it where none is expected:
/// control characters of both sets except tab and line feed, marks of direction, separators of lines, and
/// tags that nobody sees.
pub fn is_harmful(c: char) -> bool {
    let is_direction = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let is_hidden = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() && !matches!(c, '\n' | '\t') || is_direction || is_hidden
}

/// Returns the text with U+FFFD in the place of each harmful character; of line feeds, too, unless `lines`.
pub fn harmless(text: &str, lines: bool) -> Cow<'_, str> {
    let goes = |c: char| is_harmful(c) || c == '\n' && !lines;
    if text.contains(goes) {
        text.chars().map(|c| if goes(c) { '\u{fffd}' } else { c }).collect::<String>().into()
    } else {
        text.into()
    }
}

/// Returns the beginning of a text: at most so many characters, and `…` where something is left out.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// Writer that escapes harmful characters and line feeds, such as `\u{1b}` and `\n`, up to a number of bytes.
pub struct Escaped<'a> {
    out: &'a mut dyn Write,
    left: usize,
}

impl<'a> Escaped<'a> {
    /// Creates a writer that passes on at most so many bytes.
    pub fn new(out: &'a mut dyn Write, most: usize) -> Self {
        Escaped { out, left: most }
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match self.left.checked_sub(c.len_utf8()) {
                _ if self.left == 0 => break,
                Some(left) => self.left = left,
                None => {
                    self.left = 0;
                    return self.out.write_char('…');
                }
            }
            if is_harmful(c) || c == '\n' {
                write!(self.out, "{}", c.escape_default())?;
            } else {
                self.out.write_char(c)?;
            }
            if self.left == 0 {
                return self.out.write_char('…');
            }
        }
        Ok(())
    }
}

/// Longest name of a member that a message repeats.
const LONGEST_NAME: usize = 60;

/// Returns the message of a parser without the value that it complains of: the value may be a secret in the
/// wrong place. Place, kind and expectation stay, in the words of JSON: the parser's own are names of types.
pub fn without_value(message: &str) -> String {
    let (text, place) = split_place(message);
    let expected = text.rfind(", expected ").map(|at| &text[at..]);
    let kind = |rest: &str| {
        let kinds = [
            ("boolean", "a truth value"),
            ("integer", "an integer"),
            ("floating point", "a number"),
            ("character", "a string"),
            ("string", "a string"),
            ("unit variant", "a string"),
            ("unit value", "null"),
            ("null", "null"),
            ("sequence", "a list"),
            ("tuple variant", "a list"),
            ("map", "an object"),
            ("struct variant", "an object"),
            ("newtype variant", "an object"),
        ];
        kinds.into_iter().find(|(kind, _)| rest.starts_with(kind)).map_or("another value", |(_, said)| said)
    };
    let expected =
        expected.map(|text| format!(", expected {}", in_json(text.trim_start_matches(", expected "))));
    let expected = || expected.clone().unwrap_or_default();
    let said = if let Some(rest) = text.strip_prefix("invalid type: ") {
        format!("invalid type: {}{}", kind(rest), expected())
    } else if let Some(rest) = text.strip_prefix("invalid value: ") {
        format!("invalid value: {}{}", kind(rest), expected())
    } else if text.starts_with("unknown variant `") {
        format!("unknown value{}", expected())
    } else if let Some(rest) = text.strip_prefix("unknown field `") {
        let name = rest
            .rfind(", expected ")
            .or_else(|| rest.rfind(", there are no fields"))
            .map_or(rest, |at| &rest[..at]);
        let name = name.strip_suffix('`').unwrap_or(name);
        let name = harmless(&shortened(name, LONGEST_NAME), false).into_owned();
        format!("unknown field `{name}`{}", expected())
    } else if text.starts_with("data did not match any variant of untagged enum") {
        "it has none of the forms that it may have".to_owned()
    } else if let Some((length, _)) =
        text.strip_prefix("invalid length ").and_then(|rest| rest.split_once(", expected "))
    {
        format!("invalid length {length}{}", expected())
    } else {
        text.to_owned()
    };
    said + place
}

/// Returns the expectation of a parser in the words of JSON.
fn in_json(expected: &str) -> String {
    let plain = match expected.strip_prefix("a nonzero ").or(expected.strip_prefix("nonzero ")) {
        Some(kind) => {
            return whole_number(kind, 1).unwrap_or_else(|| "a whole number that is not 0".to_owned());
        }
        None => expected,
    };
    if let Some(number) = whole_number(plain, 0) {
        return number;
    }
    if let Some(size) = plain.strip_prefix("a tuple of size ") {
        return format!("a list of {size}");
    }
    let starts = |words: &[&str]| words.iter().any(|word| plain.starts_with(word));
    let said = match plain {
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        "unit" | "option" | "null" => "null",
        "string or map" => "a string or an object",
        _ if starts(&["struct variant", "a map", "map"]) => "an object",
        _ if starts(&["tuple", "a tuple", "a sequence", "sequence"]) => "a list",
        _ if starts(&["unit struct"]) => "null",
        _ if starts(&["struct "]) => "an object",
        _ if starts(&["variant", "unit variant", "newtype variant", "enum ", "field identifier"]) => {
            "a string"
        }
        _ if starts(&["newtype struct", "identifier", "byte array", "bytes"]) => "another value",
        other => return other.to_owned(),
    };
    said.to_owned()
}

/// Returns the whole numbers that a type of integer has, from `least` on; `None` if it is no integer.
fn whole_number(kind: &str, least: u8) -> Option<String> {
    let most = match kind {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" | "u128" | "usize" => return Some(format!("a whole number, {least} or more")),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => return Some("a whole number".to_owned()),
        _ => return None,
    };
    Some(format!("a whole number from {least} to {most}"))
}

/// Splits ` at line 1 column 2` off the end of a message.
fn split_place(message: &str) -> (&str, &str) {
    let is_place = |text: &str| {
        let numbers = text.strip_prefix(" at line ").and_then(|rest| rest.split_once(" column "));
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        numbers.is_some_and(|(line, column)| is_number(line) && is_number(column))
    };
    match message.rfind(" at line ") {
        Some(at) if is_place(&message[at..]) => message.split_at(at),
        _ => (message, ""),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct All {
        text: Option<String>,
        small: Option<u8>,
        flag: Option<bool>,
        list: Option<Vec<u8>>,
        pair: Option<(u8, u8)>,
        word: Option<Word>,
        forms: Option<Forms>,
        unit: Option<()>,
        letter: Option<char>,
        inner: Option<Inner>,
        inners: Option<Vec<Inner>>,
        named: Option<std::collections::BTreeMap<String, u32>>,
        large: Option<usize>,
        signed: Option<i64>,
        port: Option<std::num::NonZeroU16>,
        count: Option<std::num::NonZeroUsize>,
        part: Option<f64>,
        array: Option<[u8; 3]>,
        action: Option<Action>,
        wrapped: Option<Wrapped>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        needed: u64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only read")]
    enum Action {
        Http(Inner),
        Wait { seconds: u16 },
        Pair(u8, u8),
        Nothing,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Wrapped(u8, u8);

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only read")]
    enum Forms {
        Number(u8),
        List(Vec<bool>),
    }

    #[test]
    fn no_value_of_the_wrong_kind_is_said_back() {
        const CANARY: &str = "s3cret, expected `x` at line 1 column 2";
        let values = [
            json!(CANARY),
            json!(313_371),
            json!(-31337),
            json!(3133.7),
            json!([CANARY]),
            json!([1, 2, 3, 4]),
            json!([]),
            json!({ CANARY: 1 }),
            json!({}),
            json!({ "http": 31337 }),
            json!({ "wait": [CANARY] }),
            json!({ "wait": { "seconds": 313_371 } }),
            json!({ "pair": {} }),
            json!({ "nothing": CANARY }),
            json!({ "needed": -31337 }),
            json!(0),
            json!(true),
        ];
        let mut refused = 0;
        for name in [
            "text", "small", "flag", "list", "pair", "word", "forms", "unit", "letter", "inner", "inners",
            "named", "large", "signed", "port", "count", "part", "array", "action", "wrapped",
        ] {
            for value in &values {
                let text = json!({ name: value }).to_string();
                let Err(e) = serde_json::from_str::<All>(&text) else { continue };
                refused += 1;
                let said = without_value(&e.to_string());
                assert!(!said.contains("s3cret") && !said.contains("3133"), "{name} {value}: {said}");
                assert!(said.contains(" at line 1 column "), "{said}");
                for word in
                    ["struct", "size", "u8", "u16", "u32", "u64", "i64", "f64", "enum", "variant", "tuple"]
                {
                    assert!(!said.contains(word), "{name} {value}: {said}");
                }
                for word in
                    ["Inner", "Action", "Wrapped", "Word", "Forms", "map", "sequence", "unit", "nonzero"]
                {
                    assert!(!said.contains(word), "{name} {value}: {said}");
                }
            }
        }
        assert!(refused > 150, "{refused}");
        let said =
            |value: Value| without_value(&serde_json::from_value::<All>(value).unwrap_err().to_string());
        assert_eq!(
            said(json!({ "small": "x" })),
            "invalid type: a string, expected a whole number from 0 to 255"
        );
        assert_eq!(
            said(json!({ "small": 300 })),
            "invalid value: an integer, expected a whole number from 0 to 255"
        );
        assert_eq!(said(json!({ "word": "x" })), "unknown value, expected `one` or `two`");
        assert!(said(json!({ "wrod": 1 })).starts_with("unknown field `wrod`, expected one of `text`"));
        assert!(said(json!({ "w\u{1b}d".repeat(1000): 1 })).len() < 500);
    }

    #[test]
    fn harmful_characters_are_replaced() {
        for c in [
            '\0', '\u{7}', '\u{8}', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}', '\u{202e}', '\u{2066}',
            '\u{200f}',
        ] {
            assert_eq!(harmless(&format!("a{c}b"), true), "a\u{fffd}b");
            let mut out = String::new();
            writeln!(Escaped::new(&mut out, 100), "a{c}b").unwrap();
            assert!(
                out.is_ascii() && !out.contains(|c: char| c.is_control()) && out.ends_with("b\\n"),
                "{out}"
            );
        }
        assert_eq!(harmless("Grüße\t👩‍🔧\n", true), "Grüße\t👩‍🔧\n");
        assert_eq!(harmless("a\nb", false), "a\u{fffd}b");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(shortened("short", 5), "short");
        assert_eq!(shortened(&"ü".repeat(101), 100), format!("{}…", "ü".repeat(100)));
        let mut out = String::new();
        let mut cut = Escaped::new(&mut out, 5);
        cut.write_str("üüüü").unwrap();
        cut.write_str("more").unwrap();
        assert_eq!(out, "üü…");
    }
}
