//! Memory cost of values, in bytes, roughly: limits on memory count with it.

use serde_json::Value;

/// Memory of a value itself: the largest of its forms.
const PLACE: usize = std::mem::size_of::<Value>();

/// Cost of a value: far more than its text if it has many small parts.
pub fn of(value: &Value) -> usize {
    PLACE
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(of).sum(),
            Value::Object(members) => {
                // A member is its name, its value, its hash, and its place in the table.
                members.iter().map(|(name, value)| name.len() + 48 + of(value)).sum::<usize>()
            }
        }
}

/// Largest possible cost of the value of a JSON text, without parsing it.
pub fn of_text(text: &[u8]) -> usize {
    let (mut parts, mut quoted, mut escaped) = (1_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => parts += 1,
            b':' if !quoted => parts += 1,
            _ => {}
        }
    }
    text.len() + parts * PLACE
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn many_small_parts_weigh_more_than_their_text() {
        let many = Value::Array(vec![Value::from(0); 1_000]);
        assert!(of(&many) >= 1_000 * PLACE);
        let long = json!("x".repeat(1_000));
        assert!((1_000..1_200).contains(&of(&long)));
    }

    #[test]
    fn the_text_tells_at_least_the_weight_of_its_value() {
        let nested = (0..60).fold(json!(1), |inner, _| json!([inner, {}]));
        for value in [
            json!(null),
            json!([[], [], [0, 0, 0], {}]),
            json!({ "a,[{": "b\",{[:", "c": [{ "d": {} }, { "e\\": "\\" }] }),
            json!("[,,,,,,{"),
            nested,
        ] {
            let text = serde_json::to_vec(&value).unwrap();
            assert!(of_text(&text) >= of(&value), "{value}: {} < {}", of_text(&text), of(&value));
        }
        assert!(of_text(br#""[,,,,,,{""#) < 2 * PLACE, "what is in a text is no part");
    }
}
