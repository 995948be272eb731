//! Check of the shape of a workflow file: reports unknown and missing members, wrong types and values, all of
//! them at once. It follows the published schema of workflow files, so that editors mark the same mistakes.
//! Wrong shapes are mended in a copy, so that the rest of the file can be compiled in the same run.

use longhaul_model::Span;
use longhaul_model::workflow::{StatusRange, definition_schema};
use serde_json::{Map, Value};

use super::finding::Finding;
use super::mend::Mended;
use super::tree::Tree;

/// Returns every way in which a document violates the schema of workflows, and the document with all of that
/// mended.
pub(crate) fn check(tree: &Tree) -> (Vec<Finding>, Mended) {
    let schema = definition_schema();
    let mended = Mended::new(&schema, tree.value.clone());
    let mut walk = Walk { root: &schema, tree, findings: Vec::new(), mended };
    walk.value(&schema, &tree.value, "");
    (walk.findings, walk.mended)
}

struct Walk<'a> {
    root: &'a Value,
    tree: &'a Tree,
    findings: Vec<Finding>,
    mended: Mended,
}

impl Walk<'_> {
    fn wrong(&mut self, schema: &Value, pointer: &str, message: String, hint: Option<String>) {
        self.findings.push(Finding::error(self.tree.at(pointer), message, hint));
        self.mended.replace(schema, pointer);
    }

    fn value(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let Some(schema) = self.resolved(schema) else { return };
        let schema = schema.clone();
        if !has_type(&schema, value) {
            let (message, mut hint) = wrong_type(&schema, value, self.tree.written(pointer));
            if self.is_duration(&schema, pointer) {
                hint = with_unit(value).or_else(|| about(&schema));
            }
            return self.wrong(&schema, pointer, message, hint);
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let names: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
            let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let hint = value.as_str().and_then(|text| nearest(text, names.iter().copied()));
            return self.wrong(&schema, pointer, format!("{} is not one of {list}", shown(value)), hint);
        }
        match value {
            Value::Object(members) => self.members(&schema, members, pointer),
            Value::Array(items) => self.items(&schema, items, pointer),
            Value::String(text) => self.text(&schema, text, pointer),
            Value::Number(number) => self.number(&schema, number, pointer),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> Option<&'s Value> {
        match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.root.pointer(reference.trim_start_matches('#')),
            None => Some(schema),
        }
    }

    fn members(&mut self, schema: &Value, members: &Map<String, Value>, pointer: &str) {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
        let mut unknown = false;
        for (name, value) in members {
            let inner = format!("{pointer}/{name}");
            match (known.get(name), schema.get("additionalProperties")) {
                (Some(schema), _) => self.value(schema, value, &inner),
                (None, Some(Value::Bool(false))) => {
                    unknown = true;
                    let hint = nearest(name, known.keys().map(String::as_str)).or_else(|| {
                        Some(format!(
                            "write one of {}",
                            names(known.keys().filter(|name| !members.contains_key(*name)))
                        ))
                    });
                    let place = self.tree.key(&inner);
                    self.findings.push(Finding::error(place, format!("`{name}` is not known here"), hint));
                    self.mended.remove(pointer, name);
                }
                (None, Some(schema @ Value::Object(_))) => self.value(schema, value, &inner),
                (None, _) => {}
            }
        }
        for name in
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !members.contains_key(name) {
                let hint = known.get(name).and_then(about);
                self.findings.push(Finding::error(
                    self.tree.at(pointer),
                    format!("`{name}` is missing"),
                    hint,
                ));
                self.mended.insert(known.get(name).unwrap_or(&Value::Null), pointer, name);
            }
        }
        let one_of = schema.get("maxProperties").and_then(Value::as_u64) == Some(1) && closed;
        if one_of {
            self.one_of(schema, members, pointer, unknown);
        }
    }

    /// Checks that exactly one of the known members is there.
    fn one_of(&mut self, schema: &Value, members: &Map<String, Value>, pointer: &str, unknown: bool) {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let written: Vec<&String> = members.keys().filter(|name| known.contains_key(*name)).collect();
        let hint = || Some(format!("write exactly one of {}", names(known.keys())));
        match written.as_slice() {
            [_] => {}
            // The unknown member has been reported.
            [] if unknown => self.mended.replace(schema, pointer),
            [] => self.wrong(schema, pointer, "one is wanted here, and there is none".to_owned(), hint()),
            several => {
                let written = names(several.iter().copied());
                let message = format!("one is wanted here, and there is {written}");
                self.findings.push(Finding::error(self.tree.at(pointer), message, hint()));
                self.mended.choose(pointer);
            }
        }
    }

    fn items(&mut self, schema: &Value, items: &[Value], pointer: &str) {
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
            && (items.len() as u64) < least
        {
            self.wrong(schema, pointer, format!("at least {least} is wanted here"), about(schema));
        }
        if let Some(most) = schema.get("maxItems").and_then(Value::as_u64)
            && items.len() as u64 > most
        {
            let message = format!("no more than {most} are allowed here");
            self.findings.push(Finding::error(self.tree.at(pointer), message, None));
        }
        if let Some(schema) = schema.get("items") {
            for (n, item) in items.iter().enumerate() {
                self.value(schema, item, &format!("{pointer}/{n}"));
            }
        }
    }

    /// Returns true if a text is a duration, or a template of one.
    fn is_duration(&self, schema: &Value, pointer: &str) -> bool {
        Some(schema) == self.root.pointer("/$defs/duration")
            || ["/action/wait/for", "/action/simulate/duration"].iter().any(|end| pointer.ends_with(end))
    }

    /// Checks texts that are durations: names and routes are checked elsewhere, with better messages.
    fn text(&mut self, schema: &Value, text: &str, pointer: &str) {
        if is_status_range(pointer) {
            self.status_range(&Value::from(text), pointer);
        }
        if Some(schema) == self.root.pointer("/$defs/duration")
            && let Err(e) = text.parse::<Span>()
        {
            self.wrong(schema, pointer, e.to_string(), None);
        }
    }

    fn status_range(&mut self, value: &Value, pointer: &str) {
        if serde_json::from_value::<StatusRange>(value.clone()).is_err() {
            let hint = Some("write a code such as 204, or a range such as 200-299".to_owned());
            let message = format!("{} is no status code from 100 to 599, nor a range", shown(value));
            self.findings.push(Finding::error(self.tree.at(pointer), message, hint));
            self.mended.put(pointer, Value::from(200));
        }
    }

    fn number(&mut self, schema: &Value, number: &serde_json::Number, pointer: &str) {
        if is_status_range(pointer) {
            return self.status_range(&Value::Number(number.clone()), pointer);
        }
        let written = self.tree.written(pointer).unwrap_or_else(|| number.to_string());
        let number = number.as_f64().unwrap_or(f64::INFINITY);
        let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
        let (least, most) = (limit("minimum"), limit("maximum"));
        if least.is_some_and(|least| number < least) || most.is_some_and(|most| number > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) => format!("from {least} to {most}"),
                (Some(least), None) => format!("{least} or more"),
                (None, most) => format!("up to {}", most.unwrap_or_default()),
            };
            self.wrong(schema, pointer, format!("{written} is not {range}"), None);
        }
    }
}

/// Returns true for an item of `expect`, whose form no type tells.
fn is_status_range(pointer: &str) -> bool {
    let list = pointer.rsplit_once('/').map_or("", |(list, _)| list);
    list.starts_with("/subTasks/") && list.ends_with("/action/http/expect")
}

fn has_type(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    };
    match schema.get("type") {
        Some(Value::String(name)) => is(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

/// Returns the message about a value of a wrong type, and a hint: the same value in the right type, as it is
/// written in the file.
fn wrong_type(schema: &Value, value: &Value, written: Option<String>) -> (String, Option<String>) {
    let in_words = |name: &str| match name {
        "object" => "members (`name: value`)",
        "array" => "a list",
        "string" => "a text",
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        _ => "something else",
    };
    let wanted = match schema.get("type") {
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(in_words).collect::<Vec<_>>().join(" or ")
        }
        other => in_words(other.and_then(Value::as_str).unwrap_or_default()).to_owned(),
    };
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "members",
    };
    let written = written.unwrap_or_else(|| value.to_string());
    let hint = match (schema.get("type").and_then(Value::as_str), value) {
        (Some("string"), Value::Number(_) | Value::Bool(_)) => {
            Some(format!("put it in quotes: \"{written}\""))
        }
        (Some("array"), Value::String(text)) => {
            let item =
                if stands_in_list(&written) { written } else { Value::from(text.as_str()).to_string() };
            Some(format!("write it as a list: [{item}]"))
        }
        (Some("array"), Value::Number(_) | Value::Bool(_)) => {
            let of_texts = schema.pointer("/items/type").and_then(Value::as_str) == Some("string");
            let item = if of_texts { format!("\"{written}\"") } else { written };
            Some(format!("write it as a list: [{item}]"))
        }
        (Some("boolean"), Value::String(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".to_owned()),
            "no" | "off" | "n" => Some("write `false`".to_owned()),
            _ => None,
        },
        _ => about(schema),
    };
    (format!("{wanted} is wanted here, and this is {found}"), hint)
}

/// Returns the advice for a number in place of a duration: it counts seconds, as its author will have meant.
fn with_unit(value: &Value) -> Option<String> {
    let seconds = value.as_f64().filter(|seconds| (0.0..1e9).contains(seconds))?;
    let milliseconds = (seconds * 1000.0).round() as u64;
    let text = match value.as_u64() {
        Some(whole) => format!("{whole}s"),
        None if milliseconds.is_multiple_of(1000) => format!("{}s", milliseconds / 1000),
        None => format!("{milliseconds}ms"),
    };
    Some(format!("write it with its unit: \"{text}\""))
}

/// Returns true if a text has the same meaning in a flow sequence of YAML as in its place.
fn stands_in_list(written: &str) -> bool {
    let quoted = |quote: char| written.len() > 1 && written.starts_with(quote) && written.ends_with(quote);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ' ');
    !written.contains('\n') && (quoted('"') || quoted('\'') || written.chars().all(plain))
}

/// Returns the description in the schema.
fn about(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Returns the hint "did you mean", if a known name is similar.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    longhaul_model::workflow::nearest(wrong, known).map(|name| format!("did you mean `{name}`?"))
}
