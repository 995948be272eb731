//! Parts that a schema calls `writeOnly` are found, or the schema is refused.

use longhaul_model::workflow::{Definition, InputSchema, Secrets, Workflow};
use serde_json::{Value, json};

use crate::schemas::{Case, nestings};
use crate::workflow::with;

const CANARY: &str = "CANARY-7f3a";

/// Returns true if the canary is hidden by what is known of the schema; `None` if the schema is refused.
fn hides(case: &Case) -> Option<bool> {
    let secrets = Secrets::survey(&case.schema).ok()?;
    let mut input = case.input.clone();
    secrets.visit(&mut input, &mut |_, value| *value = Value::Null);
    Some(!input.to_string().contains(CANARY))
}

#[test]
fn write_only_is_honoured_behind_every_keyword_to_depth_three() {
    for depth in 0..=3 {
        let (mut hidden, mut refused) = (0, 0);
        nestings(depth, CANARY, &mut |case| match hides(&case) {
            Some(hides) => {
                assert!(hides, "{}: {} {}", case.name, case.schema, case.input);
                assert!(!case.name.contains("unknown") && !case.name.contains("nothing"), "{}", case.name);
                hidden += 1;
            }
            None => {
                // Names inside of a keyword that the draft does not have are names of nothing.
                let foreign = if case.name.contains("draft-07") { "contentSchema" } else { "dependencies" };
                let reasons = ["unknown", "nothing", foreign];
                assert!(reasons.iter().any(|word| case.name.contains(word)), "{}", case.name);
                refused += 1;
            }
        });
        assert!(hidden > refused && (depth == 0) == (refused == 0), "{depth}: {hidden} {refused}");
    }
}

#[test]
fn what_the_validator_annotates_is_known_before() {
    let mut annotated = 0;
    nestings(2, CANARY, &mut |case| {
        let (Ok(secrets), Ok(schema)) = (Secrets::survey(&case.schema), InputSchema::compile(&case.schema))
        else {
            return;
        };
        let places = secrets.places(&case.input);
        for pointer in schema.write_only(&case.input).expect("it takes no time") {
            annotated += 1;
            let known = |place: &String| pointer == *place || pointer.starts_with(&format!("{place}/"));
            assert!(places.iter().any(known), "{}: {pointer} of {places:?}", case.name);
        }
    });
    assert!(annotated > 500, "{annotated}");
}

#[test]
fn schema_that_is_unclear_about_its_secrets_is_refused_with_the_place() {
    let secret = || json!({ "type": "string", "writeOnly": true });
    for (mut schema, pointer, says) in [
        (json!({ "$defs": { "p": secret() } }), "/input/$defs/p/writeOnly", "no value of an input"),
        (json!({ "x-own": { "a": [secret()] } }), "/input/x-own/a/0/writeOnly", "no value of an input"),
        (
            json!({ "$schema": "http://json-schema.org/draft-06/schema#", "properties": { "p": { "writeOnly": "yes" } } }),
            "/input/properties/p/writeOnly",
            "neither true nor false",
        ),
        (
            json!({ "properties": { "p": { "writeOnly": true, "default": "s3cret" } } }),
            "/input/properties/p/default",
            "gives a value for a secret",
        ),
        (
            json!({ "properties": { "p": secret() }, "examples": [{ "p": "" }, { "p": "s3cret" }] }),
            "/input/examples/1",
            "gives a value for a secret",
        ),
        (
            json!({ "properties": { "p": { "writeOnly": true, "properties": { "q": { "default": "x" } } } } }),
            "/input/properties/p/properties/q/default",
            "gives a value for a secret",
        ),
    ] {
        schema["properties"]["fqdn"] = json!({});
        let definition: Definition = serde_json::from_value(with("/input", schema.clone())).unwrap();
        let problems = Workflow::compile(definition.clone(), 1).unwrap_err();
        let found = problems.iter().find(|problem| problem.pointer == pointer);
        let found = found.unwrap_or_else(|| panic!("{schema}: {problems:?}"));
        assert!(found.message.contains(says) && found.hint.is_some(), "{found:?}");
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
        // Accepted by an earlier version, it is run with the whole input as a secret.
        let before = Workflow::stored(definition, 1).unwrap();
        assert_eq!(before.secrets.places(&json!({ "p": 1 })), [""]);
    }
}

#[test]
fn unused_words_are_no_secrets() {
    for schema in [
        json!({ "properties": { "writeOnly": true, "default": { "type": "string", "default": "x" } } }),
        json!({ "properties": { "p": { "const": { "writeOnly": true } }, "q": { "writeOnly": false } } }),
        json!({ "$ref": "https://json-schema.org/draft/2020-12/schema" }),
    ] {
        assert!(Secrets::survey(&schema).unwrap().is_empty(), "{schema}");
    }
}
