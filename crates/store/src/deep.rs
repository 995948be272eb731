//! Reads JSON nested deeper than `serde_json` allows: its limit of 128 levels is right for untrusted texts,
//! but documents written before outputs were measured may have as many, plus a few that rows wrap around
//! them.

use longhaul_model::value::{READABLE, nesting};
use serde::de::IgnoredAny;
use serde_json::{Error, Map, Value};

/// A list or an object that is not closed yet.
enum Open {
    List(Vec<Value>),
    Members(Map<String, Value>, Option<String>),
}

/// Returns true if only [`read`] may be able to read a text.
pub(crate) fn is_deep(text: &str) -> bool {
    (128..=READABLE).contains(&nesting(text.as_bytes()))
}

/// Parses a JSON text without recursion.
pub(crate) fn read(text: &str) -> Result<Value, Error> {
    // Checks the grammar at any depth: from here on, brackets match and tokens are complete.
    serde_json::from_str::<IgnoredAny>(text)?;
    let bytes = text.as_bytes();
    let (mut open, mut at, mut whole) = (Vec::new(), 0, Value::Null);
    while at < bytes.len() {
        let begin = at;
        at += 1;
        let value = match bytes[begin] {
            b'[' => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            b'{' => {
                open.push(Open::Members(Map::new(), None));
                continue;
            }
            b']' | b'}' => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Members(members, _)) => Value::Object(members),
                None => Value::Null,
            },
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' => continue,
            first => {
                at = begin + token(&bytes[begin..], first == b'"');
                serde_json::from_str(&text[begin..at])?
            }
        };
        match open.last_mut() {
            None => whole = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Members(members, name)) => match name.take() {
                Some(name) => drop(members.insert(name, value)),
                None => *name = value.as_str().map(str::to_owned),
            },
        }
    }
    Ok(whole)
}

/// Returns the length of the string, number or word at the start of `bytes`.
fn token(bytes: &[u8], quoted: bool) -> usize {
    if !quoted {
        let ends = |byte: &u8| matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        return bytes.iter().position(ends).unwrap_or(bytes.len());
    }
    let mut escaped = false;
    for (n, byte) in bytes.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return n + 1,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_the_same_as_the_usual_reader_gives() {
        for text in [
            r#" {"b":[1,-2, 1.5,1e3,18446744073709551615,null,true,"\u00fc\n\"]}"],"a":{"b\\":{},"c":[]}, "d" : "" } "#,
            "17",
            "\"x\"",
            "[]",
        ] {
            assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in ["", "[", "[1,]", "{\"a\"}", "[1}", "nul", "\"x"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_does_not_matter() {
        let text = format!("{}{{\"a\":1}}{}", "[".repeat(249), "]".repeat(249));
        assert!(serde_json::from_str::<Value>(&text).is_err() && is_deep(&text));
        assert_eq!(read(&text).unwrap().to_string(), text);
        assert!(!is_deep(&"[".repeat(READABLE + 1)) && !is_deep("[[1]]"));
    }
}
