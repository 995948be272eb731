//! Requests of an operation, by chance: valid ones, nearly valid ones, and some that are nothing of the kind.

use serde_json::{Value, json};

use super::values::Known;
use crate::it::fuzz::{Chance, mutated, reshaped};

/// An operation of the document, or of the official one.
#[derive(Clone)]
pub(super) struct Operation {
    /// Method in capitals.
    pub(super) method: String,
    /// Path with `{name}` segments.
    pub(super) path: String,
    /// Parameters as the document has them.
    pub(super) parameters: Vec<Value>,
    /// Schema of the body; null without one.
    pub(super) body: Value,
    /// Answers as the document has them, by code.
    pub(super) responses: Value,
    /// True for one that a workflow's route answers.
    pub(super) is_bound: bool,
}

/// A request to be sent.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path with its query, percent-encoded.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
    /// Index of who asks: 0 for an administrator.
    pub(super) caller: usize,
}

/// Texts that nobody asked for.
const ODD: [&str; 14] = [
    "",
    " ",
    "-1",
    "0",
    "1.5",
    "99999999999999999999",
    "null",
    "true",
    "nonsense",
    "a b",
    "%",
    "\u{202e}",
    "{{ input }}",
    "00000000-0000-4000-8000-000000000000",
];

impl Operation {
    /// A request, which follows from the chance and from what is known.
    pub(super) fn request(&self, known: &Known<'_>, chance: &mut Chance) -> Request {
        let (mut path, mut query, mut headers) = (self.path.clone(), Vec::new(), Vec::new());
        for parameter in &self.parameters {
            let name = parameter["name"].as_str().unwrap();
            let text = parameter_text(&parameter["schema"], known, chance);
            match parameter["in"].as_str().unwrap() {
                // An empty segment would be another path.
                "path" => {
                    let text = if text.trim_matches('.').is_empty() { "w" } else { &text };
                    path = path.replace(&format!("{{{name}}}"), &encoded(text));
                }
                // Longer waits are asked for elsewhere.
                "query" if name == "wait" && chance.below(8) == 0 => {
                    query.push(format!("wait={}", ["1s", "0s", "soon"][chance.below(3)]));
                }
                "query" if name == "wait" => {}
                "query" if chance.below(3) == 0 => query.push(format!("{name}={}", encoded(&text))),
                "header" if chance.below(3) == 0 && text.is_ascii() && !text.trim().is_empty() => {
                    headers.push((name.to_owned(), text.trim().to_owned()));
                }
                _ => {}
            }
        }
        if chance.below(16) == 0 {
            query.push("unknown=1".to_owned());
        }
        let body = self.body(known, chance);
        if body.is_some() {
            let kinds = ["application/json", "application/json; charset=utf-8", "text/plain"];
            let kind = kinds[[0, 0, 0, 0, 0, 0, 1, 1, 1, 2][chance.below(10)]];
            headers.push(("content-type".to_owned(), kind.to_owned()));
        }
        let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let caller = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2][chance.below(16)];
        Request { method: self.method.clone(), target, headers, body, caller }
    }

    fn body(&self, known: &Known<'_>, chance: &mut Chance) -> Option<Vec<u8>> {
        if self.body.is_null() {
            return (chance.below(8) == 0).then(|| b"{}".to_vec());
        }
        let mut value = known.value(&self.body, chance, 0);
        // Whatever is leased waits for nobody here.
        without_waits(&mut value);
        match chance.below(10) {
            0..=4 => Some(value.to_string().into_bytes()),
            5..=7 => {
                let donor = known.value(&self.body, chance, 0);
                let mut changed = reshaped(value, donor, chance);
                without_waits(&mut changed);
                Some(changed.to_string().into_bytes())
            }
            8 => Some(mutated(&[value.to_string().into_bytes()], chance)),
            _ => None,
        }
    }
}

/// A parameter's text: one that its schema allows, or something else.
fn parameter_text(schema: &Value, known: &Known<'_>, chance: &mut Chance) -> String {
    if chance.below(4) == 0 {
        return ODD[chance.below(ODD.len())].to_owned();
    }
    match known.value(schema, chance, 0) {
        Value::String(text) => text,
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Takes away what would let an answer wait.
fn without_waits(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("wait");
            members.values_mut().for_each(without_waits);
        }
        Value::Array(items) => items.iter_mut().for_each(without_waits),
        _ => {}
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    let each = text.bytes().map(|byte| match plain(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    each.collect()
}

/// All operations of the document.
pub(super) fn of_document(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                parameters: operation["parameters"].as_array().cloned().unwrap_or_default(),
                body: operation["requestBody"]["content"]["application/json"]["schema"].clone(),
                responses: operation["responses"].clone(),
                is_bound: false,
            });
        }
    }
    all
}

/// The operations of the official document that a workflow answers, by its table.
pub(super) fn of_table(table: &str) -> Vec<Operation> {
    let rows = table.lines().filter(|row| row.contains("| /v1/"));
    let rows = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let bound = rows.filter(|cells| {
        !["/v1/tasks", "/v1/credentials", "/v1/tokens"].iter().any(|own| cells[2].starts_with(own))
    });
    bound
        .map(|cells| {
            let in_path = cells[2].split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let text = json!({ "type": "string", "maxLength": 40 });
            let in_path = in_path.map(|name| json!({ "name": name, "in": "path", "schema": text }));
            let in_query = cells[5].split(',').map(str::trim).filter(|name| !name.is_empty());
            let flag = json!({ "type": "boolean" });
            let in_query = in_query.map(|name| json!({ "name": name, "in": "query", "schema": flag }));
            let task = json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Task" } } } });
            let error = json!({ "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } });
            let mut responses = json!({ "401": error, "403": error, "429": error });
            cells[3].split('/').for_each(|code| responses[code] = task.clone());
            cells[6].split(' ').for_each(|code| responses[code] = error.clone());
            Operation {
                method: cells[1].to_owned(),
                path: cells[2].to_owned(),
                parameters: in_path.chain(in_query).collect(),
                body: body(cells[4]),
                responses,
                is_bound: true,
            }
        })
        .collect()
}

/// `object: a, b`, `list of objects: a`, `string` or `none` as a schema.
fn body(described: &str) -> Value {
    let (kind, members) = described.split_once(':').unwrap_or((described, ""));
    let names: Vec<&str> = members.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let properties: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": ["string", "object", "array"], "items": {} })))
        .collect();
    let object = json!({ "type": "object", "required": names, "properties": properties });
    match kind {
        "none" => Value::Null,
        "string" => json!({ "type": "string" }),
        "list of objects" => json!({ "type": "array", "minItems": 1, "items": object }),
        _ => object,
    }
}
