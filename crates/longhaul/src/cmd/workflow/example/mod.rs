//! Generator of an input that passes a workflow's schema and is as short as possible: only required members,
//! with the schema's own examples and defaults where it has some.

mod pattern;

use longhaul_model::workflow::InputSchema;
use serde_json::{Map, Number, Value, json};

/// Depth below which no values are generated.
const DEPTH: usize = 12;
/// Number of values of each kind that are tried.
const TRIES: usize = 8;

/// Returns an input that passes the schema; `None` if none was found.
pub(crate) fn example(schema: &Value) -> Option<Value> {
    let maker = Maker { root: schema };
    let passes = InputSchema::compile(schema).ok()?;
    (0..TRIES).filter_map(|n| maker.value(schema, n, 0)).find(|value| passes.violations(value).is_empty())
}

struct Maker<'a> {
    root: &'a Value,
}

impl Maker<'_> {
    /// Returns the `n`th value that may pass a part of the schema.
    fn value(&self, schema: &Value, n: usize, depth: usize) -> Option<Value> {
        let Value::Object(schema) = schema else {
            return (*schema != Value::Bool(false)).then(|| json!("text"));
        };
        if depth > DEPTH {
            return None;
        }
        if let Some(only) = schema.get("const") {
            return Some(only.clone());
        }
        let given = schema.get("examples").and_then(Value::as_array).into_iter().flatten();
        let given = given.chain(schema.get("default"));
        let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        let mut own = given.chain(listed).filter(|value| self.fits(schema, value));
        if let Some(first) = own.next() {
            return Some(own.nth(n.wrapping_sub(1)).unwrap_or(first).clone());
        }
        match self.choices(schema) {
            Some(branches) => {
                let start = n % branches.len().max(1);
                let order = branches[start..].iter().chain(&branches[..start]);
                let mut made = order.filter_map(|branch| self.value(branch, n, depth + 1));
                made.find(|value| self.fits(schema, value))
            }
            None => self.of_type(schema, n, depth),
        }
    }

    /// Resolves references and combinations in a schema into one schema for each branch; `None` if it has
    /// neither.
    fn choices(&self, schema: &Map<String, Value>) -> Option<Vec<Value>> {
        let mut base = schema.clone();
        if let Some(Value::String(reference)) = base.shift_remove("$ref") {
            let target = self.root.pointer(reference.strip_prefix('#')?)?;
            return Some(vec![merged(&base, target)]);
        }
        if let Some(Value::Array(parts)) = base.shift_remove("allOf") {
            return Some(vec![parts.iter().fold(Value::Object(base), |all, part| match &all {
                Value::Object(all) => merged(all, &self.resolved(part)),
                _ => all,
            })]);
        }
        for word in ["oneOf", "anyOf"] {
            if let Some(Value::Array(branches)) = base.shift_remove(word) {
                return Some(branches.iter().map(|branch| merged(&base, &self.resolved(branch))).collect());
            }
        }
        if base.shift_remove("if").is_some() {
            let branches = ["else", "then"].map(|word| base.shift_remove(word).unwrap_or(json!({})));
            return Some(branches.iter().map(|branch| merged(&base, &self.resolved(branch))).collect());
        }
        None
    }

    fn resolved(&self, schema: &Value) -> Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        match (pointer.and_then(|pointer| self.root.pointer(pointer)), schema) {
            (Some(target), Value::Object(own)) => {
                let mut own = own.clone();
                own.shift_remove("$ref");
                merged(&own, target)
            }
            _ => schema.clone(),
        }
    }

    /// Returns true if a value passes a part of the schema.
    fn fits(&self, part: &Map<String, Value>, value: &Value) -> bool {
        let mut whole = Map::new();
        for word in ["$schema", "$defs", "definitions"] {
            whole.extend(self.root.get(word).map(|defined| (word.to_owned(), defined.clone())));
        }
        whole.insert("allOf".to_owned(), json!([part]));
        // A reference to something other than a definition is judged with the whole.
        InputSchema::compile(&Value::Object(whole)).map_or(true, |s| s.violations(value).is_empty())
    }

    fn of_type(&self, schema: &Map<String, Value>, n: usize, depth: usize) -> Option<Value> {
        let known = |words: &[&str]| words.iter().any(|word| schema.contains_key(*word));
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => kinds.get(n % kinds.len().max(1))?.as_str()?,
            _ if known(&["properties", "required", "additionalProperties", "minProperties"]) => "object",
            _ if known(&["items", "prefixItems", "minItems", "contains"]) => "array",
            _ if known(&["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"]) => {
                "number"
            }
            _ => "string",
        };
        Some(match kind {
            "object" => self.object(schema, n, depth)?,
            "array" => self.array(schema, n, depth)?,
            "integer" => number(schema, n, true)?,
            "number" => number(schema, n, false)?,
            "boolean" => Value::Bool(n.is_multiple_of(2)),
            "null" => Value::Null,
            _ => Value::String(text(schema, n)?),
        })
    }

    fn object(&self, schema: &Map<String, Value>, n: usize, depth: usize) -> Option<Value> {
        let empty = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let mut names: Vec<&str> = required.filter_map(Value::as_str).collect();
        let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0) as usize;
        // Later tries set more members than they must: another member may need one of them.
        let least = least.max(if n > 1 { names.len() + n - 1 } else { 0 });
        let others = known.keys().map(String::as_str);
        let more: Vec<&str> = others.filter(|name| !names.contains(name)).collect();
        names.extend(more.into_iter().take(least.saturating_sub(names.len())));
        let mut object = Map::new();
        for name in names {
            let of = known.get(name).or_else(|| schema.get("additionalProperties"));
            object.insert(name.to_owned(), self.value(of.unwrap_or(&Value::Bool(true)), n, depth + 1)?);
        }
        let fewest = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0) as usize;
        let other = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        for number in 1.. {
            if object.len() >= fewest || number > DEPTH {
                break;
            }
            object.insert(format!("name{number}"), self.value(other, n, depth + 1)?);
        }
        Some(Value::Object(object))
    }

    fn array(&self, schema: &Map<String, Value>, n: usize, depth: usize) -> Option<Value> {
        let size = |word: &str| schema.get(word).and_then(Value::as_u64).map(|n| n as usize);
        let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let items = schema.get("items").unwrap_or(&Value::Bool(true));
        let contained = schema.get("contains");
        let least =
            size("minItems").unwrap_or(0).max(first.len().max(1)).min(size("maxItems").unwrap_or(100));
        let mut list: Vec<Value> = Vec::new();
        for at in 0..least.min(100) {
            let of = first.get(at).or(contained.filter(|_| at == first.len())).unwrap_or(items);
            let distinct =
                |value: &Value| schema.get("uniqueItems") != Some(&json!(true)) || !list.contains(value);
            let made = (n..n + 3 * TRIES).filter_map(|n| self.value(of, n, depth + 1)).find(distinct);
            match made {
                Some(value) => list.push(value),
                // Such as `items: false`.
                None => break,
            }
        }
        Some(Value::Array(list))
    }
}

/// Merges two schemas that must both hold into one, as far as one schema can express both.
fn merged(base: &Map<String, Value>, more: &Value) -> Value {
    let Value::Object(more) = more else {
        return if *more == Value::Bool(false) { more.clone() } else { Value::Object(base.clone()) };
    };
    let mut all = base.clone();
    for (key, value) in more {
        let both = match (all.get(key), value) {
            (Some(Value::Object(a)), Value::Object(_)) if key == "properties" => {
                let mut properties = a.clone();
                for (name, part) in value.as_object().into_iter().flatten() {
                    let together = match properties.get(name) {
                        Some(Value::Object(known)) => merged(known, part),
                        _ => part.clone(),
                    };
                    properties.insert(name.clone(), together);
                }
                Value::Object(properties)
            }
            (Some(Value::Array(a)), Value::Array(b)) if key == "required" || key == "allOf" => {
                Value::Array(a.iter().chain(b.iter().filter(|item| !a.contains(item))).cloned().collect())
            }
            (Some(Value::Array(a)), Value::Array(b)) if key == "enum" => {
                Value::Array(a.iter().filter(|item| b.contains(item)).cloned().collect())
            }
            (Some(Value::Number(a)), Value::Number(b)) => {
                let larger = a.as_f64() > b.as_f64();
                let low = key.starts_with("min") || key == "exclusiveMinimum";
                Value::Number(if larger == low { a.clone() } else { b.clone() })
            }
            _ => value.clone(),
        };
        all.insert(key.clone(), both);
    }
    Value::Object(all)
}

/// Returns a number within the bounds.
fn number(schema: &Map<String, Value>, n: usize, whole: bool) -> Option<Value> {
    let bound = |word: &str| schema.get(word).and_then(Value::as_f64);
    let step = bound("multipleOf").unwrap_or(1.0);
    let above = |at: f64| (at / step).floor() * step + step;
    let least = match (bound("minimum"), bound("exclusiveMinimum")) {
        (Some(at), None) => (at / step).ceil() * step,
        (None, Some(at)) => above(at),
        (Some(a), Some(b)) => ((a / step).ceil() * step).max(above(b)),
        (None, None) => {
            let most = bound("maximum").or(bound("exclusiveMaximum").map(|at| at - step));
            most.map_or(step, |most| ((most / step).floor() * step).min(step))
        }
    };
    let value = least + n as f64 * step;
    let most = bound("maximum").or(bound("exclusiveMaximum"));
    // Half way between bounds that have no whole number between them.
    let value = match most {
        Some(most) if value > most && !whole && !schema.contains_key("multipleOf") => {
            let from = bound("minimum").or(bound("exclusiveMinimum")).unwrap_or(most - 1.0);
            f64::midpoint(from, most)
        }
        Some(most) if value > most => least,
        _ => value,
    };
    if value.fract() == 0.0 && value.abs() < 9e15 {
        return Some(Value::Number((value as i64).into()));
    }
    Number::from_f64(value).filter(|_| !whole).map(Value::Number)
}

/// Returns a text of the pattern, format and length that the schema asks for.
fn text(schema: &Map<String, Value>, n: usize) -> Option<String> {
    let size = |word: &str| schema.get(word).and_then(Value::as_u64).map(|n| n as usize);
    let (least, most) = (size("minLength").unwrap_or(0), size("maxLength").unwrap_or(usize::MAX));
    if let Some(Value::String(pattern)) = schema.get("pattern") {
        let longer = (0..=u32::try_from(least.min(512)).unwrap_or(0)).skip(n.min(1) * n);
        let fits = |text: &String| (least..=most).contains(&text.chars().count());
        // A pattern without anchors matches a part of the text: a text that is too short is padded.
        let filled = || {
            let text = pattern::text(pattern, 0)?;
            let missing = least.min(4096).saturating_sub(text.chars().count());
            Some(text + &"x".repeat(missing)).filter(fits)
        };
        return longer.filter_map(|more| pattern::text(pattern, more)).find(fits).or_else(filled);
    }
    if let Some(text) = schema.get("format").and_then(Value::as_str).and_then(formatted) {
        return Some(text.to_owned());
    }
    let mut text = if n == 0 { "text".to_owned() } else { format!("text{n}") };
    while text.chars().count() < least.min(4096) {
        text.push('x');
    }
    Some(text.chars().rev().take(most).collect::<Vec<_>>().into_iter().rev().collect())
}

fn formatted(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "somebody@example.com",
        "hostname" | "idn-hostname" => "host.example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" | "uri-reference" | "iri-reference" => "https://example.com/",
        "uri-template" => "https://example.com/{id}",
        "uuid" => "bc32f3be-a777-434b-a156-3fa54e8d2ded",
        "json-pointer" => "/name",
        "relative-json-pointer" => "0",
        "regex" => ".*",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
