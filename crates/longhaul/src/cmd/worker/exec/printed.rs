//! Standard output of a program: its result, and lines that are none. Only at the end is it known which is
//! which, but lines should be seen while the program runs; so those that may still be the result are held
//! back, and no others.

use longhaul_model::value::{DoubledName, check_names};
use serde::de::IgnoredAny;
use serde_json::Value;

/// Largest output that a sub-task may have, in bytes of JSON, without what surrounds a text.
const LARGEST_TEXT: usize = (1 << 20) - 100;
/// The most that is held back.
const MOST_HELD: usize = 4 << 20;

/// Reader of a program's standard output.
#[derive(Default)]
pub(super) struct Printed {
    text: String,
    /// Size of the text as a JSON string.
    size: usize,
    cut: bool,
    /// Text that may be the result, all of it or its beginning.
    held: String,
    /// True if the held text is a whole JSON value, as far as it was looked at.
    whole: bool,
    /// Length of the held text at which it is read again.
    look_at: usize,
    /// True if something was printed that is not the result.
    mixed: bool,
    /// A line of what is held was not UTF-8.
    garbled: bool,
}

/// Result of the output.
#[derive(Debug, PartialEq)]
pub(super) enum Result {
    Nothing,
    Json(Value),
    /// A text, and true if its end is missing.
    Text(String, bool),
    /// JSON that is no output.
    Unfit(Unfit),
}

/// Reasons why JSON that was printed is no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// An object has a name twice.
    Doubled(DoubledName),
    /// Nesting deeper than JSON is read.
    Deep,
    /// Bytes of it are no text.
    NotUtf8,
    /// `NaN` or `Infinity`, without which it would be JSON.
    NotANumber,
}

/// Outcome of reading a text as JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    Begun,
    NoJson,
}

/// A text with `null` for each `NaN` and `Infinity` outside of strings, as other writers of JSON spell what
/// it has no number for; `None` without any.
fn with_numbers(text: &str) -> Option<String> {
    let (mut mended, mut rest) = (String::with_capacity(text.len()), text);
    let (mut quoted, mut found) = (false, false);
    while let Some(first) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word));
        let taken = match (word, quoted, first) {
            (Some(word), false, _) => {
                found = true;
                mended.push_str("null");
                word.len()
            }
            (_, true, '\\') => {
                let escaped = rest.chars().nth(1).map_or(0, char::len_utf8);
                mended.push_str(&rest[..1 + escaped]);
                1 + escaped
            }
            _ => {
                quoted ^= first == '"';
                mended.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    found.then_some(mended)
}

fn reading(text: &str) -> Reading {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(IgnoredAny) => Reading::Whole,
        Err(e) if e.is_eof() && !text.trim().is_empty() => Reading::Begun,
        Err(_) => Reading::NoJson,
    }
}

impl Printed {
    /// Takes the next line; lines that cannot be the result go to the log.
    pub(super) fn line(&mut self, line: &str, log: &mut impl FnMut(&str)) {
        self.keep(line);
        let blank = line.trim().is_empty();
        if self.held.is_empty() || self.whole && !blank {
            // Behind a whole value there is no more of it.
            self.release(log);
            self.consider(line, log);
            return;
        }
        self.held.push('\n');
        self.held.push_str(line);
        let ends = line.starts_with(['}', ']']);
        if !ends && self.held.len() < self.look_at {
            return;
        }
        self.look_at = 2 * self.held.len();
        match reading(&self.held) {
            _ if self.held.len() > MOST_HELD => self.release(log),
            Reading::Whole => self.whole = true,
            Reading::Begun => {}
            Reading::NoJson => {
                let last = line.to_owned();
                self.held.truncate(self.held.len() - line.len() - 1);
                self.release(log);
                self.consider(&last, log);
            }
        }
    }

    /// Holds a line back if it may begin the result.
    fn consider(&mut self, line: &str, log: &mut impl FnMut(&str)) {
        let reading = reading(line);
        if reading == Reading::NoJson || line.len() > MOST_HELD {
            self.mixed |= !line.trim().is_empty();
            log(line);
            return;
        }
        self.held = line.to_owned();
        self.look_at = 2 * line.len();
        self.whole = reading == Reading::Whole;
    }

    /// The line that came last was not UTF-8: JSON with it would not be what the program meant.
    pub(super) fn garble(&mut self) {
        self.garbled = !self.held.is_empty();
    }

    fn release(&mut self, log: &mut impl FnMut(&str)) {
        self.garbled = false;
        if !self.held.is_empty() {
            self.mixed = true;
            std::mem::take(&mut self.held).split('\n').for_each(log);
        }
        self.whole = false;
    }

    /// Adds to the text, as long as an output may be.
    fn keep(&mut self, line: &str) {
        let longer = |byte: u8| match byte {
            b'"' | b'\\' => 1,
            0..0x20 => 5,
            _ => 0,
        };
        let size = line.len() + line.bytes().map(longer).sum::<usize>() + 2;
        if self.cut {
            return;
        }
        if self.size + size <= LARGEST_TEXT {
            self.size += size;
            self.text.push_str(line);
        } else {
            // The beginning of a line that is too long is worth more than nothing of it.
            self.cut = true;
            for character in line.chars() {
                let mut bytes = [0; 4];
                let bytes = character.encode_utf8(&mut bytes).bytes();
                self.size += bytes.map(|byte| 1 + longer(byte)).sum::<usize>();
                if self.size > LARGEST_TEXT {
                    break;
                }
                self.text.push(character);
            }
        }
        self.text.push('\n');
    }

    /// Returns the result; JSON only if it is wanted.
    pub(super) fn finish(mut self, log: &mut impl FnMut(&str), wanted: impl Fn(&Value) -> bool) -> Result {
        if let Some(unfit) = self.unfit() {
            self.release(log);
            return Result::Unfit(unfit);
        }
        if let Some((value, before)) = self.json().filter(|(value, _)| wanted(value)) {
            before.lines().for_each(log);
            return Result::Json(value);
        }
        self.release(log);
        if self.text.trim().is_empty() && !self.cut {
            return Result::Nothing;
        }
        self.text.pop();
        Result::Text(self.text, self.cut)
    }

    /// Returns the reason why JSON at the end is no output, if there is some.
    fn unfit(&self) -> Option<Unfit> {
        let held = match (reading(&self.held), self.held.trim_end().rsplit_once('\n')) {
            (Reading::Whole, _) => self.held.trim(),
            (_, Some((_, last))) if reading(last) == Reading::Whole => last,
            _ => return self.has_no_number().then_some(Unfit::NotANumber),
        };
        if self.mixed && !held.starts_with(['{', '[']) {
            return None;
        }
        if let Err(doubled) = check_names(held.as_bytes()) {
            return Some(Unfit::Doubled(doubled));
        }
        let is_deep = serde_json::from_str::<Value>(held).is_err();
        is_deep.then_some(Unfit::Deep).or(self.garbled.then_some(Unfit::NotUtf8))
    }

    /// True if what was printed ends with an object or list that is JSON but for numbers that are none.
    fn has_no_number(&self) -> bool {
        let text = self.text.trim();
        let begins = |line: &str| line.starts_with(['{', '[']);
        let last = text.rfind("\n{").max(text.rfind("\n[")).map(|at| &text[at + 1..]);
        let candidates = [Some(text), last, text.lines().last()];
        candidates.into_iter().flatten().any(|candidate| {
            begins(candidate)
                && with_numbers(candidate).is_some_and(|mended| reading(&mended) == Reading::Whole)
        })
    }

    /// Returns the JSON at the end, and the held text before it. Behind other text only a list or an object
    /// is meant as a result.
    fn json(&self) -> Option<(Value, &str)> {
        let composed = |value: &Value| value.is_object() || value.is_array();
        let all = serde_json::from_str::<Value>(&self.held).ok();
        if let Some(value) = all.filter(|value| !self.mixed || composed(value)) {
            return Some((value, ""));
        }
        let (before, last) = self.held.trim_end().rsplit_once('\n')?;
        let value = serde_json::from_str::<Value>(last).ok().filter(composed)?;
        Some((value, before))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns the result of a text, and the lines that went to the log.
    fn printed(text: &str) -> (Result, Vec<String>) {
        let (mut printed, mut logged) = (Printed::default(), Vec::new());
        let mut log = |line: &str| logged.push(line.to_owned());
        text.lines().for_each(|line| printed.line(line, &mut log));
        let result = printed.finish(&mut log, |_| true);
        (result, logged)
    }

    #[test]
    fn json_is_the_result_whatever_its_lines() {
        let pretty = serde_json::to_string_pretty(&json!({ "a": [1, { "b": {} }], "c": "x\ny" })).unwrap();
        for text in ["42", "null", "\"text\"", "{\"a\":\n1}\n\n", "[1,\n\n2]", pretty.as_str()] {
            assert_eq!(printed(text), (Result::Json(serde_json::from_str(text).unwrap()), vec![]), "{text}");
        }
    }

    #[test]
    fn json_at_the_end_is_the_result_and_the_rest_is_logged() {
        for (text, result, logged) in [
            ("begin\n{\"a\":1}", json!({ "a": 1 }), vec!["begin"]),
            ("begin\n{\n \"a\": 1\n}\n", json!({ "a": 1 }), vec!["begin"]),
            ("{\"line\":1}\n{\"line\":2}", json!({ "line": 2 }), vec!["{\"line\":1}"]),
            ("[INFO] begin\n[INFO] end\n[3]", json!([3]), vec!["[INFO] begin", "[INFO] end"]),
            ("{ to do\n{\"a\":1}", json!({ "a": 1 }), vec!["{ to do"]),
            ("[\n{\"a\":1}", json!({ "a": 1 }), vec!["["]),
        ] {
            let logged: Vec<String> = logged.into_iter().map(str::to_owned).collect();
            assert_eq!(printed(text), (Result::Json(result), logged), "{text}");
        }
    }

    #[test]
    fn other_text_is_text() {
        for text in ["done", "12 files", "count:\n5", "{ not JSON }", "{\"a\":1}\nbehind", "[\n1,\nstill"] {
            let (result, logged) = printed(text);
            assert_eq!(result, Result::Text(text.to_owned(), false), "{text}");
            assert_eq!(logged.join("\n"), text);
        }
        assert_eq!(printed("").0, Result::Nothing);
        assert_eq!(printed("\n \n").0, Result::Nothing);
    }

    #[test]
    fn lines_that_cannot_be_the_result_are_logged_at_once() {
        let (mut printed, mut logged) = (Printed::default(), Vec::new());
        for (line, so_far) in [("waiting", 1), ("[INFO] x", 2), ("{\"level\":1}", 2), ("{\"level\":2}", 3)] {
            printed.line(line, &mut |line: &str| logged.push(line.to_owned()));
            assert_eq!(logged.len(), so_far, "{line}");
        }
    }

    #[test]
    fn text_is_cut_where_an_output_ends() {
        let (mut printed, line) = (Printed::default(), "\u{1b}\"".repeat(1000));
        (0..2000).for_each(|_| printed.line(&line, &mut |_: &str| ()));
        let Result::Text(text, true) = printed.finish(&mut |_: &str| (), |_| true) else { panic!("a text") };
        let size = json!({ "stdout": text, "stdoutTruncated": true }).to_string().len();
        assert!(size <= 1 << 20 && size > 1_000_000, "{size}");
    }

    #[test]
    fn json_that_is_not_wanted_is_text() {
        let mut printed = Printed::default();
        let mut logged = Vec::new();
        printed.line("{\"a\":1}", &mut |_: &str| ());
        let result = printed.finish(&mut |line: &str| logged.push(line.to_owned()), |_| false);
        assert_eq!((result, logged.len()), (Result::Text("{\"a\":1}".to_owned(), false), 1));
    }

    #[test]
    fn json_that_is_no_output_is_told_from_text() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let of = |text: &str| match printed(text).0 {
            Result::Unfit(unfit) => Some(unfit),
            _ => None,
        };
        for text in ["{\"a\":1,\"a\":2}", "[{\"a\":1,\n\"b\":{\"c\":1,\"c\":1}}]", "note\n{\"a\":1,\"a\":1}"]
        {
            assert!(matches!(of(text), Some(Unfit::Doubled(_))), "{text}");
        }
        assert_eq!(of(&deep), Some(Unfit::Deep));
        for text in [
            "{\"a\": NaN}",
            "[1, -Infinity]",
            "{\n  \"a\": Infinity\n}",
            "note\n{\"a\": [NaN, \"x\"]}",
            "note\n{\n \"a\": NaN\n}",
        ] {
            assert_eq!(of(text), Some(Unfit::NotANumber), "{text}");
        }
        for text in ["NaN", "{\"a\":\"NaN\"}", "{ NaN", "[INFO] NaN", "{\"a\":\"\\\"\", NaN }", "\"NaN\""] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_json() {
        let finished = |lines: &[(&str, bool)]| {
            let mut printed = Printed::default();
            for (line, is_utf8) in lines {
                printed.line(line, &mut |_: &str| ());
                if !is_utf8 {
                    printed.garble();
                }
            }
            printed.finish(&mut |_: &str| (), |_| true)
        };
        assert_eq!(finished(&[("{\"a\":\"\u{fffd}\"}", false)]), Result::Unfit(Unfit::NotUtf8));
        assert_eq!(finished(&[("note \u{fffd}", false), ("[1]", true)]), Result::Json(json!([1])));
        assert_eq!(finished(&[("\u{fffd}", false)]), Result::Text("\u{fffd}".to_owned(), false));
        assert_eq!(finished(&[("{\"a\":\"\u{fffd}\"}", true)]), Result::Json(json!({ "a": "\u{fffd}" })));
    }

    /// Of a line that is longer than an output may be, the output has the beginning.
    #[test]
    fn a_long_line_is_cut_and_not_left_out() {
        for line in
            ["x".repeat(2 << 20), "ä\u{1}".repeat(1 << 20), format!("{}\"", "y".repeat(LARGEST_TEXT - 2))]
        {
            let (result, logged) = printed(&line);
            let Result::Text(text, true) = result else { panic!("a text") };
            assert!(line.starts_with(&text) && logged == [line.as_str()]);
            let size = json!({ "stdout": text, "stdoutTruncated": true }).to_string().len();
            assert!(size <= 1 << 20 && size > 1_000_000, "{size}");
        }
    }
}
