//! JSON Schema library, touched nowhere else: a schema is compiled once, and every violation named by its
//! JSON pointer.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use crate::text::shortened;

/// Compiled input schema of a workflow. No reference leaves the document, and patterns run in linear time.
pub struct InputSchema(jsonschema::Validator);

/// Violation of the schema by an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer of the offending value; empty for the whole input.
    pub pointer: String,
    /// Description of the violation.
    pub message: String,
}

impl std::fmt::Debug for InputSchema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InputSchema")
    }
}

impl InputSchema {
    /// Compiles a schema (2020-12 unless it names another draft).
    pub fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .should_validate_formats(true)
            .build(schema)
            .map(InputSchema)
            .map_err(|e| e.to_string())
    }

    /// Returns the violations, in document order; empty if the input is valid. Of more than a hundred the
    /// last one says how many there are beside the others.
    pub fn violations(&self, input: &Value) -> Vec<Violation> {
        if self.0.is_valid(input) {
            return Vec::new();
        }
        let violation = |e: ValidationError<'_>| Violation {
            pointer: shortened(&e.instance_path().to_string(), LONGEST).into_owned(),
            message: shortened(&message(&e), LONGEST).into_owned(),
        };
        let mut errors = self.0.iter_errors(input);
        let mut all: Vec<Violation> = errors.by_ref().take(MOST).map(violation).collect();
        let next = errors.next().map(violation);
        // A large input has one for each of its members: the rest is only counted.
        match errors.count() {
            0 => all.extend(next),
            more => {
                let message = format!("and {} further violations", more + 1);
                all.push(Violation { pointer: String::new(), message });
            }
        }
        all
    }
}

impl InputSchema {
    /// Returns the JSON pointers of the values of an input that the validator annotates as `writeOnly`, also
    /// in branches that the input does not take.
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
/// Maximum number of violations that are named one by one; one more stands for all others.
const MOST: usize = 99;
/// Longest pointer and message of a violation, in characters.
const LONGEST: usize = 500;

/// Describes a violation without the value, which may be secret.
fn message(e: &ValidationError<'_>) -> String {
    match e.kind() {
        ValidationErrorKind::FalseSchema => "nothing may be given here".to_owned(),
        _ => e.masked().to_string(),
    }
}

/// Returns the schema of a workflow without `input`: an object without members.
pub(super) fn no_input() -> Value {
    json!({ "type": "object", "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_counted_beyond_a_hundred() {
        let schema = json!({ "items": { "type": "string", "maxLength": 3 } });
        let schema = InputSchema::compile(&schema).unwrap();
        for (given, listed, last) in
            [(99, 99, "string"), (100, 100, "string"), (250_000, 100, "and 249901 further")]
        {
            let found = schema.violations(&json!(vec![7; given]));
            assert_eq!(found.len(), listed);
            assert!(found[listed - 1].message.contains(last), "{:?}", found[listed - 1]);
        }
        let names = json!({ "additionalProperties": false });
        let long: String = "n".repeat(1 << 20);
        let found = InputSchema::compile(&names).unwrap().violations(&json!({ long: 1 }));
        assert!(found[0].message.len() <= LONGEST + 3);
    }

    #[test]
    fn what_a_schema_forbids_is_said_in_words() {
        let schema = json!({ "type": "object", "properties": { "old": false } });
        let found = InputSchema::compile(&schema).unwrap().violations(&json!({ "old": "s3cret" }));
        let expected =
            Violation { pointer: "/old".to_owned(), message: "nothing may be given here".to_owned() };
        assert_eq!(found, [expected]);
    }
}
