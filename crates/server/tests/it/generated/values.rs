//! Values of a JSON Schema, by chance: those that the schema allows, as far as it says so with the keywords
//! of the document.

use serde_json::{Map, Value, json};

use crate::it::fuzz::Chance;

/// Depth from which on a value leaves out the members that it may.
const DEEP: usize = 4;
/// Texts for every pattern of the document, and for members without one.
const WORDS: [&str; 30] = [
    "ok",
    "HOST",
    "esx1.example",
    "w",
    "fails",
    "q",
    "anna",
    "Step0",
    "1s",
    "20ms",
    "5m",
    "10/1m",
    "worker-0123456789abcdef",
    "0123456789abcdef0123456789abcdef",
    "POST /v1/things",
    "{{ input.host }}",
    "{{ input.nothing }}",
    "Zürich 東京",
    "a longer text with spaces, \"quotes\" and a \\",
    "twelve characters",
    "https://example.invalid/",
    "/bin/true",
    "2031-01-31T12:00:00.000Z",
    "019ac1de-7d3e-7bb0-a3a6-9b1c7e1f0a11.0.1",
    "19ac",
    "In Progress",
    "x",
    "*",
    "name=value",
    "30s",
];

/// Names and ids that exist at the server, as far as the generator knows them.
pub(super) struct Known<'a> {
    /// The document, in which references lead somewhere.
    pub(super) document: &'a Value,
    /// Ids of tasks.
    pub(super) ids: &'a [String],
    /// Names of leases.
    pub(super) leases: &'a [String],
}

impl Known<'_> {
    /// A value that the schema allows, most likely.
    pub(super) fn value(&self, schema: &Value, chance: &mut Chance, depth: usize) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let place = self.document.pointer(reference.trim_start_matches('#')).unwrap();
            return self.value(place, chance, depth);
        }
        if let Some(only) = schema.get("const") {
            return only.clone();
        }
        for key in ["enum", "anyOf", "oneOf"] {
            let Some(some) = schema[key].as_array() else { continue };
            let one = &some[chance.below(some.len())];
            return if key == "enum" { one.clone() } else { self.value(one, chance, depth) };
        }
        let kind = match &schema["type"] {
            Value::String(one) => one.as_str(),
            Value::Array(some) => some[chance.below(some.len())].as_str().unwrap(),
            _ => ["object", "string", "integer", "boolean"][chance.below(4)],
        };
        match kind {
            "object" => self.object(schema, chance, depth),
            "array" => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let most = schema["maxItems"].as_u64().unwrap_or(8).min(least + 2);
                let count = least + chance.below((most - least) as usize + 1) as u64;
                (0..count).map(|_| self.value(&schema["items"], chance, depth + 1)).collect()
            }
            "string" => Value::String(self.text(schema, chance)),
            "integer" => integer(schema, chance),
            "number" => json!(chance.below(1000) as f64 / 8.0),
            "boolean" => json!(chance.below(2) == 0),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, chance: &mut Chance, depth: usize) -> Value {
        let mut members = Map::new();
        let required = |name: &str| {
            schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
        };
        for (name, part) in schema["properties"].as_object().into_iter().flatten() {
            if required(name) || depth < DEEP && chance.below(3) == 0 {
                members.insert(name.clone(), self.value(part, chance, depth + 1));
            }
        }
        if let Some(more) = schema.get("additionalProperties").filter(|more| more.is_object())
            && depth < DEEP
        {
            for _ in 0..chance.below(3) {
                let name = WORDS[chance.below(WORDS.len())].to_owned();
                members.insert(name, self.value(more, chance, depth + 1));
            }
        }
        Value::Object(members)
    }

    /// A text that the schema allows, if there is one among those at hand.
    pub(super) fn text(&self, schema: &Value, chance: &mut Chance) -> String {
        let one = |texts: &[String], chance: &mut Chance| texts[chance.below(texts.len())].clone();
        match schema["format"].as_str() {
            Some("uuid") => return one(self.ids, chance),
            Some("date-time") => return "2031-01-31T12:00:00.000Z".to_owned(),
            _ => {}
        }
        // A part that the document says nothing of may be anything.
        let anything = Value::Bool(true);
        let validator = jsonschema::validator_for(if schema.is_null() { &anything } else { schema }).unwrap();
        let mut fitting: Vec<&str> =
            WORDS.into_iter().filter(|word| validator.is_valid(&json!(word))).collect();
        let leases = self.leases.iter().map(String::as_str);
        if schema.get("pattern").is_some() {
            // What leads on is preferred to what looks like it.
            let known: Vec<&str> = leases.filter(|lease| validator.is_valid(&json!(lease))).collect();
            if !known.is_empty() && chance.below(4) > 0 {
                fitting = known;
            }
        }
        match fitting.as_slice() {
            [] => "x".repeat(schema["minLength"].as_u64().unwrap_or(1) as usize),
            some => some[chance.below(some.len())].to_owned(),
        }
    }
}

fn integer(schema: &Value, chance: &mut Chance) -> Value {
    let least = schema["minimum"].as_i64().unwrap_or(-3);
    let most = schema["maximum"].as_i64().unwrap_or(i64::from(i32::MAX)).max(least);
    match chance.below(4) {
        0 => json!(least),
        1 => json!(most),
        _ => json!(least.saturating_add(chance.below(10) as i64).min(most)),
    }
}
