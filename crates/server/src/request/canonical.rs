//! Canonical form of a JSON value, so that a request counts as the same request though another library wrote
//! it: members in order, no spaces, escapes and numbers in one spelling.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// Largest integer up to which a 64-bit float tells integers apart.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Returns the canonical form of a body; a body that is not JSON stays as it is.
pub(crate) fn canonical(body: &[u8]) -> Cow<'_, [u8]> {
    match serde_json::from_slice(body) {
        Ok(value) => Cow::Owned(ordered(value).to_string().into_bytes()),
        Err(_) => Cow::Borrowed(body),
    }
}

/// Sorts the members. The depth of a body is limited where it is read.
fn ordered(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(ordered).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, value)| (name, ordered(value))).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(Map::from_iter(members))
        }
        Value::Number(number) => Value::Number(number_of(number)),
        value => value,
    }
}

/// `1.0` and `1e0` are 1.
fn number_of(number: Number) -> Number {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < EXACT => {
            #[expect(clippy::cast_possible_truncation, reason = "an integer within the range of i64")]
            let integer = float as i64;
            integer.into()
        }
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_form() {
        let same: [&[&str]; 4] = [
            &[
                r#"{"a":1,"b":{"c":[1,2],"d":"é"}}"#,
                "{ \"b\": {\"d\": \"\\u00e9\", \"c\": [1.0, 2e0]},\n\"a\": 1 }",
            ],
            &["0", "-0.0", "0.0", "0e5"],
            &["100", "1e2", "1E+2", "100.00"],
            &[r#""a/b""#, r#""a\/b""#, r#""\u0061/b""#],
        ];
        for texts in same {
            let forms: Vec<_> = texts.iter().map(|text| canonical(text.as_bytes()).into_owned()).collect();
            assert!(forms.iter().all(|form| *form == forms[0]), "{texts:?}");
        }
    }

    #[test]
    fn other_values_have_other_forms() {
        let texts = [
            "[1,2]",
            "[2,1]",
            "1",
            "1.5",
            "\"1\"",
            "true",
            "null",
            "{}",
            "[]",
            r#"{"a":null}"#,
            "not JSON",
            "9007199254740993",
            "9007199254740992.0",
            "-1",
        ];
        for (n, a) in texts.iter().enumerate() {
            for b in &texts[n + 1..] {
                assert_ne!(canonical(a.as_bytes()), canonical(b.as_bytes()), "{a} and {b}");
            }
        }
    }
}
