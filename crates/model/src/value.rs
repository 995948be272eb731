//! Limits of values that enter a task. Whatever a task keeps must be readable again, by us and by everybody
//! else, so each value is measured before it becomes part of one.

use serde_json::Value;
use thiserror::Error;

mod names;

/// Deepest nesting of a value that enters a task. Common JSON readers stop at 128 levels, ours by default
/// among them: this leaves space for the levels that answers, pages and stored documents wrap around a value.
pub const DEEPEST: usize = 100;

/// The largest output of a sub-task, in bytes of JSON.
pub const LARGEST_OUTPUT: usize = 1024 * 1024;

/// Largest list of outputs that is kept as a parent's, and of items for a `forEach`, in bytes of JSON.
pub const LARGEST_LIST: usize = 8 * 1024 * 1024;

/// Largest sum of the outputs of one task, in bytes of memory: all of them are in memory while it runs.
pub const LARGEST_OUTPUTS: usize = 128 * 1024 * 1024;

/// Longest name that an expression may give a task, a sub-task, a resource or a concurrency key, in bytes.
pub const LONGEST_NAME: usize = 4 * 1024;

/// Longest description that an expression may give a sub-task, in bytes.
pub const LONGEST_DESCRIPTION: usize = 64 * 1024;

/// Deepest nesting of a stored document that can be read: documents written before [`DEEPEST`] applied (up to
/// 128 levels), the levels that rows wrap around values, and as much again. Readers recurse, so it must fit a
/// thread's stack.
pub const READABLE: usize = 256;

/// Reason for which a value cannot enter a task.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unfit {
    /// The value is nested too deep.
    #[error("nested deeper than {DEEPEST} levels")]
    TooDeep,
    /// The value has this many bytes of JSON.
    #[error("{0} bytes of JSON; the limit is {LARGEST_OUTPUT} bytes (1 MiB)")]
    TooLarge(usize),
    /// The task has as many bytes of outputs as it may keep.
    #[error("one too many: the outputs of a task are {} MiB in memory at the most", LARGEST_OUTPUTS >> 20)]
    NoRoom,
}

/// Error about a name that one object of a JSON text has twice. The name is not repeated: it may be a secret.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a name is given twice in the same object, at line {line} column {column}")]
pub struct DoubledName {
    /// Line on which the second one ends, from 1.
    pub line: usize,
    /// Column at which the second one ends, from 1.
    pub column: usize,
}

/// Returns an error unless each object of a JSON text has each name once. Readers differ on which of two
/// counts, so a text is refused before anybody acts on one of them. A text that is not JSON passes.
pub fn check_names(text: &[u8]) -> Result<(), DoubledName> {
    match serde_json::from_slice::<names::Single>(text) {
        Err(e) if e.is_data() => Err(DoubledName { line: e.line(), column: e.column() }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns an error unless a value may become an output.
pub fn check_output(value: &Value) -> Result<(), Unfit> {
    check_depth(value)?;
    match size(value) {
        size if size > LARGEST_OUTPUT => Err(Unfit::TooLarge(size)),
        _ => Ok(()),
    }
}

/// Returns an error if a value is nested deeper than [`DEEPEST`].
pub fn check_depth(value: &Value) -> Result<(), Unfit> {
    if is_deeper(value, DEEPEST) { Err(Unfit::TooDeep) } else { Ok(()) }
}

/// Returns true if a value is nested deeper than `levels`. Looks no further than that, and does not recurse.
pub fn is_deeper(value: &Value, levels: usize) -> bool {
    let mut open: Vec<(&Value, usize)> = vec![(value, 1)];
    while let Some((value, level)) = open.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if level > levels => return true,
            Value::Array(items) => open.extend(nested(items.iter()).map(|item| (item, level + 1))),
            Value::Object(members) => open.extend(nested(members.values()).map(|item| (item, level + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    false
}

/// Returns the values that have values in them.
fn nested<'a>(values: impl Iterator<Item = &'a Value>) -> impl Iterator<Item = &'a Value> {
    values.filter(|value| value.is_array() || value.is_object())
}

/// Returns the length of a value as JSON, without writing it anywhere.
pub fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Neither the counter nor a value of JSON can fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Returns the nesting of a JSON text; of a text that is not JSON, the nesting of its brackets.
pub fn nesting(text: &[u8]) -> usize {
    let (mut now, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Builds a value of so many levels: lists and objects in turn.
    fn deep(levels: usize) -> Value {
        (0..levels)
            .fold(json!(1), |inner, n| if n % 2 == 0 { json!([0, inner]) } else { json!({ "a": inner }) })
    }

    #[test]
    fn depth_is_counted_as_in_the_text() {
        for levels in [0, 1, 2, DEEPEST - 1, DEEPEST, DEEPEST + 1, 200] {
            let value = deep(levels);
            assert_eq!(nesting(value.to_string().as_bytes()), levels);
            assert_eq!(check_depth(&value).is_ok(), levels <= DEEPEST, "{levels}");
            assert!(
                is_deeper(&value, levels.saturating_sub(1)) == (levels > 0) && !is_deeper(&value, levels)
            );
        }
    }

    #[test]
    fn outputs_are_bounded_in_bytes() {
        let largest = Value::String("x".repeat(LARGEST_OUTPUT - 2));
        assert_eq!(check_output(&largest), Ok(()));
        let larger = json!([largest]);
        assert_eq!(check_output(&larger), Err(Unfit::TooLarge(LARGEST_OUTPUT + 2)));
        assert_eq!(Unfit::TooLarge(1).fault().error_code, "OUTPUT_TOO_LARGE");
        assert_eq!(
            check_output(&deep(DEEPEST + 1)).map_err(|e| e.fault().error_code),
            Err("OUTPUT_TOO_DEEP".into())
        );
    }

    #[test]
    fn brackets_in_texts_are_not_nesting() {
        assert_eq!(nesting(br#"{"a[{\"[":[["]"]]}"#), 3);
        assert_eq!(nesting(b"17"), 0);
        assert_eq!(nesting(b"]]]["), 1);
    }
}
