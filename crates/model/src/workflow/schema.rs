//! The one place that touches the JSON Schema library: compile once, name every violation by its JSON pointer.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

/// A workflow's input schema, compiled. No reference leaves the document, and patterns run in linear time.
pub struct InputSchema(jsonschema::Validator);

/// One way in which an input breaks its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer of the offending value; empty for the whole input.
    pub pointer: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InputSchema")
    }
}

impl InputSchema {
    /// Compiles a schema (2020-12 unless it says otherwise).
    pub fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .should_validate_formats(true)
            .build(schema)
            .map(InputSchema)
            .map_err(|e| e.to_string())
    }

    /// Every violation, in document order; empty when the input is valid.
    pub fn violations(&self, input: &Value) -> Vec<Violation> {
        if self.0.is_valid(input) {
            return Vec::new();
        }
        self.0
            .iter_errors(input)
            .map(|e| Violation { pointer: e.instance_path().to_string(), message: message(&e) })
            .collect()
    }
}

impl InputSchema {
    /// The JSON pointers of the values of an input that the validator annotates as `writeOnly`, also in branches that
    /// the input does not take.
    pub fn write_only(&self, input: &Value) -> Vec<String> {
        let evaluation = self.0.evaluate(input);
        let (mut open, mut found) = (vec![evaluation.root()], Vec::new());
        while let Some(unit) = open.pop() {
            let mut annotations = unit.annotations().into_iter().chain(unit.dropped_annotations());
            if annotations.any(|all| all.value()["writeOnly"] == Value::Bool(true)) {
                found.push(unit.instance_location().as_str().to_owned());
            }
            open.extend(unit.children());
        }
        found
    }
}

/// What is wrong, without the value, which may be secret.
fn message(e: &ValidationError<'_>) -> String {
    match e.kind() {
        ValidationErrorKind::FalseSchema => "nothing may be given here".to_owned(),
        _ => e.masked().to_string(),
    }
}

/// The schema of a workflow without `input`: an object without members.
pub(super) fn no_input() -> Value {
    json!({ "type": "object", "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_schema_forbids_is_said_in_words() {
        let schema = json!({ "type": "object", "properties": { "old": false } });
        let found = InputSchema::compile(&schema).unwrap().violations(&json!({ "old": "s3cret" }));
        let expected =
            Violation { pointer: "/old".to_owned(), message: "nothing may be given here".to_owned() };
        assert_eq!(found, [expected]);
    }
}
