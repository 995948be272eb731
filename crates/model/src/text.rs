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
/// wrong place. Place, kind and expectation stay.
pub fn without_value(message: &str) -> String {
    let (text, place) = split_place(message);
    let expected = text.rfind(", expected ").map(|at| &text[at..]);
    let kind = |rest: &str| {
        let kinds = [
            "boolean",
            "integer",
            "floating point",
            "character",
            "string",
            "byte array",
            "unit value",
            "null",
            "Option value",
            "newtype struct",
            "sequence",
            "map",
            "enum",
            "unit variant",
            "newtype variant",
            "tuple variant",
            "struct variant",
        ];
        kinds.into_iter().find(|kind| rest.starts_with(kind)).unwrap_or("another value")
    };
    let said = if let Some(rest) = text.strip_prefix("invalid type: ") {
        format!("invalid type: {}{}", kind(rest), expected.unwrap_or_default())
    } else if let Some(rest) = text.strip_prefix("invalid value: ") {
        format!("invalid value: {}{}", kind(rest), expected.unwrap_or_default())
    } else if text.starts_with("unknown variant `") {
        format!("unknown value{}", expected.unwrap_or_default())
    } else if let Some(rest) = text.strip_prefix("unknown field `") {
        let name = rest
            .rfind(", expected ")
            .or_else(|| rest.rfind(", there are no fields"))
            .map_or(rest, |at| &rest[..at]);
        let name = name.strip_suffix('`').unwrap_or(name);
        let name = harmless(&shortened(name, LONGEST_NAME), false).into_owned();
        format!("unknown field `{name}`{}", expected.unwrap_or_default())
    } else if text.starts_with("data did not match any variant of untagged enum") {
        "it has none of the forms that it may have".to_owned()
    } else {
        text.to_owned()
    };
    said + place
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
    }

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
            json!(31337),
            json!(-31337),
            json!(3133.7),
            json!([CANARY]),
            json!({ CANARY: 1 }),
            json!(true),
        ];
        let mut refused = 0;
        for name in ["text", "small", "flag", "list", "pair", "word", "forms", "unit", "letter"] {
            for value in &values {
                let text = json!({ name: value }).to_string();
                let Err(e) = serde_json::from_str::<All>(&text) else { continue };
                refused += 1;
                let said = without_value(&e.to_string());
                assert!(!said.contains("s3cret") && !said.contains("3133"), "{name} {value}: {said}");
                assert!(said.contains(" at line 1 column "), "{said}");
            }
        }
        assert!(refused > 40, "{refused}");
        let said =
            |value: Value| without_value(&serde_json::from_value::<All>(value).unwrap_err().to_string());
        assert_eq!(said(json!({ "small": "x" })), "invalid type: string, expected u8");
        assert_eq!(said(json!({ "small": 300 })), "invalid value: integer, expected u8");
        assert_eq!(said(json!({ "word": "x" })), "unknown value, expected `one` or `two`");
        assert!(said(json!({ "wrod": 1 })).starts_with("unknown field `wrod`, expected one of `text`"));
        assert!(said(json!({ "w\u{1b}d".repeat(1000): 1 })).len() < 300);
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
