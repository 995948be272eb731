//! Examples against the validator: of the shipped workflows, of known hard cases, and of random schemas.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn passes(schema: &Value) -> Value {
    let made = example(schema).unwrap_or_else(|| panic!("no example of {schema:#}"));
    assert_eq!(InputSchema::compile(schema).unwrap().violations(&made), [], "{made:#} of {schema:#}");
    made
}

#[test]
fn every_shipped_workflow_has_one() {
    for (name, definition) in crate::demo::workflows().unwrap() {
        // A change of credentials has a form of its own.
        match definition.input {
            Some(schema) => drop(passes(&schema)),
            None => assert!(definition.credentials.is_some(), "{name} takes no input"),
        }
    }
}

#[test]
fn what_is_given_is_taken() {
    let schema = json!({ "type": "object", "required": ["a", "b", "c"], "properties": {
        "a": { "type": "string", "examples": ["esxi-1.example.com"] },
        "b": { "type": "integer", "default": 3 },
        "c": { "enum": ["X", "Y"] },
        "d": { "type": "string" } } });
    assert_eq!(passes(&schema), json!({ "a": "esxi-1.example.com", "b": 3, "c": "X" }));
}

#[test]
fn hard_cases_have_one() {
    for schema in [
        json!({ "type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$" }),
        json!({ "type": "string", "pattern": "^[a-z]+$", "minLength": 12 }),
        json!({ "type": "string", "pattern": "[._-]", "minLength": 3 }),
        json!({ "allOf": [{ "type": "string", "pattern": "[._-]", "minLength": 7 }, {}] }),
        json!({ "type": "string", "pattern": "^(esx|nsx)[0-9]+\\.lab$", "minLength": 20 }),
        json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 0.5 }),
        json!({ "type": "integer", "minimum": 7, "multipleOf": 5 }),
        json!({ "type": "integer", "maximum": -3 }),
        json!({ "type": ["null", "string"] }),
        json!({ "type": "array", "items": { "type": "integer" }, "minItems": 3, "uniqueItems": true }),
        json!({ "type": "array", "prefixItems": [{ "const": 1 }, { "type": "string" }], "items": false }),
        json!({ "type": "array", "contains": { "const": "x" }, "minItems": 2 }),
        json!({ "type": "object", "minProperties": 2 }),
        json!({ "type": "object", "minProperties": 1, "additionalProperties": false,
                "properties": { "a": { "type": "boolean" } } }),
        json!({ "type": "object", "properties": { "a": { "type": "integer" }, "b": { "type": "string" } },
                "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] }),
        json!({ "type": "object", "required": ["mode"], "properties": { "mode": { "enum": ["fast", "safe"] } },
                "if": { "properties": { "mode": { "const": "fast" } } }, "then": { "required": ["why"] },
                "else": {} }),
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#/$defs/host" } },
                "$defs": { "host": { "type": "object", "required": ["fqdn"],
                                     "properties": { "fqdn": { "type": "string", "format": "hostname" } } } } }),
        json!({ "allOf": [{ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } },
                          { "properties": { "a": { "minLength": 9 } } }] }),
        json!({ "not": { "const": "text" }, "type": "string" }),
        json!(true),
    ] {
        passes(&schema);
    }
    assert_eq!(example(&json!(false)), None);
    assert_eq!(example(&json!({ "type": "string", "minLength": 3, "maxLength": 2 })), None);
}

fn scalar() -> impl Strategy<Value = Value> {
    let sizes = (0..12_usize, 0..12_usize);
    let patterns = ["^[a-z]{2,40}$", "^[0-9A-F]+$", "[._-]", "^(a|b)*c$", "^\\w+@\\w+\\.(com|org)$"];
    prop_oneof![
        sizes.prop_map(|(a, more)| json!({ "type": "string", "minLength": a, "maxLength": a + more })),
        (prop::sample::select(patterns.to_vec()), 0..8_usize)
            .prop_map(|(pattern, least)| json!({ "type": "string", "pattern": pattern, "minLength": least })),
        prop::sample::select(vec!["date-time", "uuid", "ipv4", "ipv6", "email", "uri", "date", "hostname"])
            .prop_map(|format| json!({ "type": "string", "format": format })),
        (-50..50_i64, 1..9_i64).prop_map(|(from, step)| json!({
            "type": "integer", "minimum": from, "maximum": from + step, "multipleOf": step })),
        (-50..50_i64).prop_map(|from| json!({ "type": "number", "exclusiveMinimum": from })),
        (-50..50_i64).prop_map(|to| json!({ "type": "integer", "exclusiveMaximum": to })),
        prop::collection::vec(any::<i8>(), 1..4).prop_map(|all| json!({ "enum": all })),
        any::<u8>().prop_map(|only| json!({ "const": only })),
        Just(json!({ "type": "boolean" })),
        Just(json!({ "type": ["null", "boolean"] })),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0..4_usize)
                .prop_map(|(items, least)| json!({ "type": "array", "items": items, "minItems": least })),
            (0..6_usize).prop_map(|least| json!({
                "type": "array", "items": { "type": "string" }, "minItems": least, "uniqueItems": true })),
            (prop::collection::vec((inner.clone(), any::<bool>()), 1..4), any::<bool>()).prop_map(
                |(parts, open)| {
                    let names = parts.iter().enumerate().filter(|(_, part)| part.1);
                    let required: Vec<String> = names.map(|(n, _)| format!("m{n}")).collect();
                    let members = parts.iter().enumerate().map(|(n, part)| (format!("m{n}"), part.0.clone()));
                    let members: Map<String, Value> = members.collect();
                    json!({ "type": "object", "properties": members, "required": required,
                            "additionalProperties": open })
                }
            ),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "anyOf": [a, b] })),
            inner.clone().prop_map(|part| json!({ "allOf": [part, {}] })),
            (inner.clone(), inner).prop_map(|(a, b)| json!({ "oneOf": [
                { "type": "object", "required": ["kind", "a"], "properties": { "kind": { "const": "a" }, "a": a } },
                { "type": "object", "required": ["kind", "b"], "properties": { "kind": { "const": "b" }, "b": b } },
            ] })),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// Random schemas have an example, also behind a reference.
    #[test]
    fn random_schemas_have_one(part in schema(), referred in any::<bool>()) {
        match referred {
            false => passes(&part),
            true => passes(&json!({ "$defs": { "part": part }, "type": "object", "required": ["x"],
                                    "properties": { "x": { "$ref": "#/$defs/part" } } })),
        };
    }
}
