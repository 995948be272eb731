//! Schemas with a secret behind every keyword that can hold a schema, each with an input that has a canary
//! there.

use serde_json::{Value, json};

/// Schema with an input that has a text at the place which the schema describes.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) schema: Value,
    pub(crate) input: Value,
}

/// Wrapper that puts a case behind one more keyword; the number is unlike any other of the same schema.
pub(crate) type Wrap = (&'static str, fn(Case, usize) -> (Value, Value));

/// Keywords of both drafts.
const COMMON: &[Wrap] = &[
    ("properties", |c, _| (json!({ "properties": { "a": c.schema } }), json!({ "a": c.input }))),
    ("patternProperties", |c, _| {
        (json!({ "patternProperties": { "^x": c.schema } }), json!({ "x1": c.input }))
    }),
    ("additionalProperties", |c, _| {
        let schema = json!({ "properties": { "known": true }, "additionalProperties": c.schema });
        (schema, json!({ "known": 1, "b": c.input }))
    }),
    ("propertyNames", |c, _| {
        let name = c.input.as_str().map_or_else(|| c.input.to_string(), str::to_owned);
        (json!({ "propertyNames": c.schema }), json!({ name: 1 }))
    }),
    ("dependencies", |c, _| (json!({ "dependencies": { "a": c.schema, "b": ["a"] } }), c.input)),
    ("items", |c, _| (json!({ "items": c.schema }), json!([c.input.clone(), c.input]))),
    ("contains", |c, _| (json!({ "contains": c.schema }), json!([1, c.input]))),
    ("allOf", |c, _| (json!({ "allOf": [true, c.schema] }), c.input)),
    ("anyOf, taken", |c, _| (json!({ "anyOf": [c.schema, true] }), c.input)),
    ("anyOf, not taken", |c, _| (json!({ "anyOf": [{ "allOf": [c.schema, false] }, true] }), c.input)),
    ("oneOf", |c, _| (json!({ "oneOf": [false, c.schema] }), c.input)),
    ("not", |c, _| (json!({ "not": { "allOf": [c.schema, false] } }), c.input)),
    ("if", |c, _| (json!({ "if": c.schema, "then": true }), c.input)),
    ("then", |c, _| (json!({ "if": true, "then": c.schema }), c.input)),
    ("else", |c, _| (json!({ "if": false, "else": c.schema }), c.input)),
    ("branch not taken", |c, _| (json!({ "if": false, "then": c.schema }), c.input)),
    ("$ref beside it", |c, n| {
        let schema = json!({ "definitions": { format!("d{n}"): {} }, "$ref": "https://beside.test", "allOf": [c.schema] });
        (with_target(schema, "https://beside.test", json!({}), n), c.input)
    }),
    ("contentSchema", |c, _| {
        let schema = json!({ "contentMediaType": "application/json", "contentSchema": c.schema });
        (schema, json!(c.input.to_string()))
    }),
    ("unknown", |c, _| (json!({ "x-own": c.schema }), c.input)),
    ("unknown in a list", |c, _| (json!({ "x-own": [[c.schema]] }), c.input)),
];

const DRAFT_07: &[Wrap] = &[
    ("items as a tuple", |c, _| (json!({ "items": [true, c.schema] }), json!([1, c.input]))),
    ("additionalItems", |c, _| {
        (json!({ "items": [true], "additionalItems": c.schema }), json!([1, c.input]))
    }),
    ("definitions by name", |c, n| {
        let place = format!("#here{n}");
        let target = json!({ "$id": place, "allOf": [c.schema] });
        (json!({ "definitions": { "d": target }, "$ref": place }), c.input)
    }),
    ("definitions by $id", |c, n| {
        let place = format!("https://schemas.test/{n}");
        let target = json!({ "$id": place, "allOf": [c.schema] });
        (json!({ "definitions": { "d": target }, "$ref": place }), c.input)
    }),
];

const DRAFT_2020_12: &[Wrap] = &[
    ("prefixItems", |c, _| (json!({ "prefixItems": [true, c.schema] }), json!([1, c.input]))),
    ("items behind prefixItems", |c, _| {
        (json!({ "prefixItems": [true], "items": c.schema }), json!([1, c.input]))
    }),
    ("unevaluatedItems", |c, _| {
        (json!({ "prefixItems": [true], "unevaluatedItems": c.schema }), json!([1, c.input]))
    }),
    ("unevaluatedProperties", |c, _| {
        let schema = json!({ "properties": { "known": true }, "unevaluatedProperties": c.schema });
        (schema, json!({ "known": 1, "b": c.input }))
    }),
    ("dependentSchemas", |c, _| (json!({ "dependentSchemas": { "a": c.schema } }), c.input)),
    ("$anchor", |c, n| {
        let target = json!({ "$anchor": format!("here{n}"), "allOf": [c.schema] });
        (json!({ "$defs": { "d": target }, "$ref": format!("#here{n}") }), c.input)
    }),
    ("$dynamicRef", |c, n| {
        let target = json!({ "$dynamicAnchor": format!("here{n}"), "allOf": [c.schema] });
        (json!({ "$defs": { "d": target }, "$dynamicRef": format!("#here{n}") }), c.input)
    }),
    ("$id", |c, n| {
        let place = format!("https://schemas.test/{n}");
        let target = json!({ "$id": place, "allOf": [c.schema] });
        (json!({ "$defs": { "d": target }, "$ref": place }), c.input)
    }),
    ("$id, relative", |c, n| {
        let target = json!({ "$id": format!("part{n}"), "allOf": [c.schema] });
        let whole = json!({ "$id": format!("https://schemas.test/dir{n}/all"), "$defs": { "d": target },
            "$ref": format!("part{n}") });
        (whole, c.input)
    }),
    ("$defs that nothing refers to", |c, _| (json!({ "$defs": { "d": c.schema } }), c.input)),
];

fn with_target(mut schema: Value, place: &str, mut target: Value, n: usize) -> Value {
    let place = format!("{place}/{n}");
    target["$id"] = json!(place);
    schema["definitions"][format!("d{n}")] = target;
    schema["$ref"] = json!(place);
    schema
}

/// Returns the drafts of JSON Schema that are tried, with their keywords.
pub(crate) fn drafts() -> [(&'static str, Vec<Wrap>); 2] {
    [
        ("http://json-schema.org/draft-07/schema#", [COMMON, DRAFT_07].concat()),
        ("https://json-schema.org/draft/2020-12/schema", [COMMON, DRAFT_2020_12].concat()),
    ]
}

/// Calls `each` with every nesting of as many keywords as are asked for, with `canary` at the place of the
/// secret.
pub(crate) fn nestings(depth: usize, canary: &str, each: &mut impl FnMut(Case)) {
    for (draft, wraps) in drafts() {
        let leaf = Case {
            name: String::new(),
            schema: json!({ "type": "string", "writeOnly": true }),
            input: json!(canary),
        };
        nest(&leaf, depth, &wraps, &mut |case| {
            let mut schema = json!({ "$schema": draft, "properties": { "in": case.schema } });
            schema["type"] = json!("object");
            let name = format!("{draft}:{}", case.name);
            each(Case { name, schema, input: json!({ "in": case.input }) });
        });
    }
}

fn nest(case: &Case, depth: usize, wraps: &[Wrap], each: &mut impl FnMut(Case)) {
    if depth == 0 {
        return each(case.clone());
    }
    for (keyword, wrap) in wraps {
        let name = format!(" {keyword} >{}", case.name);
        let (schema, input) = wrap(case.clone(), depth);
        nest(&Case { name, schema, input }, depth - 1, wraps, each);
    }
}
