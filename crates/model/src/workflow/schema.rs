//! JSON Schema library, touched nowhere else: a schema is compiled once, and every violation named by its
//! JSON pointer.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Value, json};

use super::metered::{Metered, OutOfFuel, Read, weight, within};
use crate::text::shortened;

/// Compiled input schema of a workflow. No reference leaves the document, patterns run in linear time, and no
/// check takes more than a bounded number of reads for each value of the input.
pub struct InputSchema(jsonschema::Validator<Metered>);

/// Reads that a check may take: so many in any case, and so many more for each value of the input.
struct Fuel(u64, u64);

/// To tell whether an input is valid, which the library does without repeating itself.
const VALIDITY: Fuel = Fuel(500_000, 32);
/// To list the violations, each of which takes memory.
const VIOLATIONS: Fuel = Fuel(100_000, 16);
/// To find the values that are annotated, each of which takes memory.
const ANNOTATIONS: Fuel = Fuel(200_000, 64);

impl Fuel {
    fn of(&self, input: &Value) -> u64 {
        let Fuel(least, each) = self;
        least + each * weight(input)
    }
}

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

/// Compiles a schema with the library.
pub(super) fn build(schema: &Value) -> Result<jsonschema::Validator<Metered>, ValidationError<'_>> {
    jsonschema::options_for::<Metered>()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .should_validate_formats(true)
        .build(schema)
}

impl InputSchema {
    /// Compiles a schema (2020-12 unless it names another draft).
    pub fn compile(schema: &Value) -> Result<Self, String> {
        build(schema).map(InputSchema).map_err(|e| e.to_string())
    }

    /// Returns the violations, in document order; empty if the input is valid. Of more than a hundred the
    /// last one says how many there are beside the others. An input whose check takes too long is not valid
    /// either: the one violation says so.
    pub fn violations(&self, input: &Value) -> Vec<Violation> {
        match within(VALIDITY.of(input), || self.0.is_valid(Read(input))) {
            Ok(true) => Vec::new(),
            Ok(false) => within(VIOLATIONS.of(input), || self.listed(input)).unwrap_or_else(|OutOfFuel| {
                vec![Violation::of_whole(
                    "it does not fit the schema, and to say where takes too long: the schema has alternatives that \
                     only differ far inside, so give each of them a member with a `const` of its own",
                )]
            }),
            Err(OutOfFuel) => vec![Violation::too_long()],
        }
    }

    /// Lists the violations of an input that is not valid.
    fn listed(&self, input: &Value) -> Vec<Violation> {
        let violation = |e: ValidationError<'_>| Violation {
            pointer: shortened(&e.instance_path().to_string(), LONGEST).into_owned(),
            message: shortened(&message(&e), LONGEST).into_owned(),
        };
        let mut errors = self.0.iter_errors(Read(input));
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
    /// The JSON pointers of the values of an input that the validator annotates as `writeOnly`, also in
    /// branches that the input does not take. The error says that it takes too long to find them.
    pub fn write_only(&self, input: &Value) -> Result<Vec<String>, Violation> {
        within(ANNOTATIONS.of(input), || self.annotated(input)).map_err(|OutOfFuel| Violation::too_long())
    }

    fn annotated(&self, input: &Value) -> Vec<String> {
        let evaluation = self.0.evaluate(Read(input));
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

impl Violation {
    fn of_whole(message: &str) -> Violation {
        Violation { pointer: String::new(), message: message.to_owned() }
    }

    fn too_long() -> Violation {
        Violation::of_whole(
            "it takes too long to check against the schema: make the input smaller, or the schema's alternatives easier \
             to tell apart, such as by a member with a `const` of its own",
        )
    }
}

/// Violations that are told one by one; one more stands for all others.
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

    /// A schema of conditions in conditions, as people write it: each level may be either of two that begin
    /// alike.
    fn nested_conditions() -> Value {
        let either = |name: &str| {
            json!({ "type": "object", "required": ["of"],
            "properties": { "of": { "$ref": "#/$defs/condition" }, "secret": { "writeOnly": true }, name: {} } })
        };
        json!({ "$ref": "#/$defs/condition", "$defs": { "and": either("and"), "or": either("or"), "condition": {
            "oneOf": [{ "$ref": "#/$defs/and" }, { "$ref": "#/$defs/or" }, { "type": "string" }] } } })
    }

    /// References to references, two for each, without any recursion: 2^40 ways for one value.
    fn doubled(with: &str) -> Value {
        let next = |n: usize| json!({ "$ref": format!("#/$defs/d{}", n + 1) });
        let each = |n: usize| (format!("d{n}"), json!({ with: [next(n), next(n)] }));
        let mut all: serde_json::Map<String, Value> = (0..40).map(each).collect();
        all.insert("d40".to_owned(), json!({ "type": "string", "writeOnly": true }));
        json!({ "$ref": "#/$defs/d0", "$defs": all })
    }

    fn nested(levels: usize, inner: Value) -> Value {
        (0..levels).fold(inner, |inner, _| json!({ "of": inner }))
    }

    /// None of these may take long, whatever it says: unbounded, each takes years and all of the memory.
    #[test]
    fn checks_that_double_with_each_level_are_given_up() {
        let recursive = InputSchema::compile(&nested_conditions()).unwrap();
        for inner in [json!("leaf"), json!(5), json!({})] {
            for levels in [1, 8, 20, 58] {
                let input = nested(levels, inner.clone());
                assert!(!recursive.violations(&input).is_empty(), "both alternatives fit, or none");
                let _ = recursive.write_only(&input);
            }
        }
        assert!(recursive.violations(&nested(2, json!(5)))[0].pointer.is_empty());
        assert!(recursive.write_only(&nested(58, json!("leaf"))).is_err());
        for with in ["anyOf", "allOf", "oneOf"] {
            let schema = InputSchema::compile(&doubled(with)).unwrap();
            for input in [json!(7), json!("text"), json!({ "a": [1, 2] })] {
                let _ = (schema.violations(&input), schema.write_only(&input));
            }
        }
        let given_up = InputSchema::compile(&doubled("oneOf")).unwrap().violations(&json!(7));
        assert!(given_up[0].message.contains("takes too long"), "{given_up:?}");
    }

    #[test]
    fn large_inputs_of_ordinary_schemas_are_checked_in_full() {
        let host = json!({ "type": "object", "required": ["name"], "additionalProperties": false, "properties": {
            "name": { "type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": 63 },
            "role": { "enum": ["compute", "edge", "management"] },
            "key": { "type": "string", "writeOnly": true },
            "nics": { "type": "array", "uniqueItems": true, "items": { "anyOf": [{ "type": "integer" }, { "type": "string" }] } } } });
        let schema =
            json!({ "type": "object", "properties": { "hosts": { "type": "array", "items": host } } });
        let schema = InputSchema::compile(&schema).unwrap();
        let host = |n: usize| json!({ "name": format!("esx-{n}"), "role": "edge", "key": "k", "nics": [n, "vmnic0", "vmnic1"] });
        let input = json!({ "hosts": (0..12_000).map(host).collect::<Vec<_>>() });
        assert!(input.to_string().len() > 800_000);
        assert_eq!(schema.violations(&input), []);
        assert_eq!(schema.write_only(&input).unwrap().len(), 12_000);
    }
}
