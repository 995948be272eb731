//! Mending of documents: wrong shapes are replaced by right ones, so that everything else can be checked in
//! the same run. The mended document knows which problems of the result are only consequences of that.

use longhaul_model::workflow::Problem;
use serde_json::{Map, Value, json};

/// Text in place of a required text that is missing or of another type.
const TEXT: &str = "placeholder";

/// Document that is mended until it can be compiled.
pub(crate) struct Mended {
    root: Value,
    value: Value,
    /// JSON pointers of all parts that are not as their author wrote them.
    places: Vec<String>,
    /// JSON pointers of removed members: unknown ones, which may be misspelt known ones.
    removed: Vec<String>,
    /// Objects of which one member is kept where there are several: their pointers, and the other members.
    others: Vec<(String, Map<String, Value>)>,
}

impl Mended {
    /// Copies a document that is to match a schema.
    pub(crate) fn new(schema: &Value, value: Value) -> Self {
        Mended { root: schema.clone(), value, places: Vec::new(), removed: Vec::new(), others: Vec::new() }
    }

    /// Returns the document in the form that can be compiled.
    pub(crate) fn value(&self) -> &Value {
        &self.value
    }

    /// Returns a document for each member that was passed over in an object of which one is kept, with that
    /// member in the place of the kept one.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = Value> + '_ {
        let each = self.others.iter().flat_map(|(pointer, others)| {
            others.iter().map(move |(name, value)| (pointer, name.clone(), value.clone()))
        });
        each.map(|(pointer, name, value)| {
            let mut document = self.value.clone();
            if let Some(kept) = at(&mut document, pointer) {
                *kept = Value::Object([(name, value)].into_iter().collect());
            }
            document
        })
    }

    /// Keeps the first of several members of an object.
    pub(crate) fn choose(&mut self, pointer: &str) {
        if let Some(Value::Object(members)) = at(&mut self.value, pointer) {
            let mut all = std::mem::take(members).into_iter();
            members.extend(all.next());
            self.others.push((pointer.to_owned(), all.collect()));
        }
    }

    /// Replaces a value by a given one.
    pub(crate) fn put(&mut self, pointer: &str, value: Value) {
        if let Some(old) = at(&mut self.value, pointer) {
            *old = value;
        }
        self.places.push(pointer.to_owned());
    }

    /// Removes the part at a pointer; with an item goes its whole list. Returns false if there is none.
    pub(crate) fn take(&mut self, pointer: &str) -> bool {
        let Some((holder, name)) = pointer.rsplit_once('/') else { return false };
        match at(&mut self.value, holder) {
            Some(Value::Object(members)) if members.contains_key(name) => {
                members.shift_remove(name);
                self.places.push(pointer.to_owned());
                true
            }
            Some(_) | None => self.take(holder),
        }
    }

    /// Replaces a value by one of the right shape.
    pub(crate) fn replace(&mut self, schema: &Value, pointer: &str) {
        let new = self.fitting(schema, at(&mut self.value.clone(), pointer).map(|old| &*old));
        if let Some(old) = at(&mut self.value, pointer) {
            *old = new;
        }
        self.places.push(pointer.to_owned());
    }

    /// Inserts a value of the right shape for a missing member.
    pub(crate) fn insert(&mut self, schema: &Value, pointer: &str, name: &str) {
        let new = self.fitting(schema, None);
        if let Some(Value::Object(members)) = at(&mut self.value, pointer) {
            members.insert(name.to_owned(), new);
        }
        self.places.push(format!("{pointer}/{name}"));
    }

    /// Removes an unknown member.
    pub(crate) fn remove(&mut self, pointer: &str, name: &str) {
        if let Some(Value::Object(members)) = at(&mut self.value, pointer) {
            members.shift_remove(name);
        }
        self.places.push(format!("{pointer}/{name}"));
        self.removed.push(format!("{pointer}/{name}"));
    }

    /// Returns true if a problem may be a consequence of a mended mistake.
    pub(crate) fn explains(&self, problem: &Problem) -> bool {
        let touched = |wanted: &dyn Fn(&str) -> bool| self.places.iter().any(|place| wanted(place));
        let within = |place: &str| {
            problem.pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let of_sub_task = |place: &str, name: &str| {
            let mut parts = place.split('/').skip(1);
            parts.next() == Some("subTasks") && parts.next().is_none_or(|_| parts.next() == Some(name))
        };
        let unknown = |depth: usize| self.removed.iter().any(|place| place.split('/').count() == depth);
        let says = |text: &str| problem.message.contains(text);
        touched(&within)
            || says("has not ended") && (touched(&|place| of_sub_task(place, "needs")) || unknown(4))
            || says("there is no sub-task") && touched(&|place| of_sub_task(place, "name"))
            || says("names their item") && touched(&|place| place.starts_with("/subTasks/"))
            || says("the input has no property")
                && (touched(&|place| place.starts_with("/input")) || unknown(2))
    }

    /// Returns the least value that a schema accepts; for a text in place of a list of texts, the list of it.
    fn fitting(&self, schema: &Value, old: Option<&Value>) -> Value {
        let schema = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
            None => schema,
        };
        if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|allowed| allowed.first())
        {
            return first.clone();
        }
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
            other => other.and_then(Value::as_str),
        };
        match kind {
            Some("string") if Some(schema) == self.root.pointer("/$defs/duration") => "1s".into(),
            Some("string") => TEXT.into(),
            Some("boolean") => false.into(),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            Some("array") => self.list(schema, old),
            Some("object") => self.members(schema),
            _ => Value::Null,
        }
    }

    fn list(&self, schema: &Value, old: Option<&Value>) -> Value {
        let item = schema.get("items").unwrap_or(&Value::Null);
        let takes_text = item.get("type").and_then(Value::as_str) == Some("string");
        match old {
            Some(Value::String(text)) if takes_text => json!([text]),
            _ if schema.get("minItems").is_some() => json!([self.fitting(item, None)]),
            _ => json!([]),
        }
    }

    fn members(&self, schema: &Value) -> Value {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        // An action has one kind: the one without required members.
        if schema.get("maxProperties").and_then(Value::as_u64) == Some(1) && known.contains_key("simulate") {
            return json!({ "simulate": {} });
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        let members = required.filter_map(Value::as_str).map(|name| {
            let schema = known.get(name).unwrap_or(&Value::Null);
            (name.to_owned(), self.fitting(schema, None))
        });
        Value::Object(members.collect())
    }
}

/// Returns the part of a value that a pointer names; names are not escaped in it, and may contain a slash.
fn at<'v>(value: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    let Some(path) = pointer.strip_prefix('/') else { return Some(value) };
    match value {
        Value::Array(items) => {
            let (index, rest) =
                path.split_once('/').map_or((path, ""), |(index, _)| (index, &path[index.len()..]));
            at(items.get_mut(index.parse::<usize>().ok()?)?, rest)
        }
        Value::Object(members) => {
            let fits = |name: &&String| {
                path.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let name = members.keys().filter(fits).max_by_key(|name| name.len())?.clone();
            let rest = path[name.len()..].to_owned();
            at(members.get_mut(&name)?, &rest)
        }
        _ => None,
    }
}
