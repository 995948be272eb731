//! Standard output of a program: its result, and lines that are none. Only at the end is it known which is
//! which, but lines should be seen while the program runs; so those that may still be the result are held
//! back, and no others.

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
}

/// Result of the output.
#[derive(Debug, PartialEq)]
pub(super) enum Result {
    Nothing,
    Json(Value),
    /// A text, and true if its end is missing.
    Text(String, bool),
}

/// Outcome of reading a text as JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    Begun,
    NoJson,
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

    fn release(&mut self, log: &mut impl FnMut(&str)) {
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
        self.cut |= self.size + size > LARGEST_TEXT;
        if !self.cut {
            self.size += size;
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// Returns the result; JSON only if it is wanted.
    pub(super) fn finish(mut self, log: &mut impl FnMut(&str), wanted: impl Fn(&Value) -> bool) -> Result {
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
}
