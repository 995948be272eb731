//! Context of an Error on the wire and in stored documents: a map of text to text. Typed clients read nothing
//! else, and one number there makes a task, and every page with it, unreadable for them (wire contract,
//! section 1.5). So each value is written as text, and stored values of other types are read as text.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Map, Value};

/// Writes each fact as text: a text unchanged, a number, truth value, list or object as its JSON. A fact that
/// is null is left out.
pub fn serialize<S: Serializer>(context: &Map<String, Value>, serializer: S) -> Result<S::Ok, S::Error> {
    let known = || context.iter().filter(|(_, fact)| !fact.is_null());
    let mut map = serializer.serialize_map(Some(known().count()))?;
    for (name, fact) in known() {
        match fact {
            Value::String(text) => map.serialize_entry(name, text)?,
            fact => map.serialize_entry(name, &fact.to_string())?,
        }
    }
    map.end()
}

/// Reads facts of any type as text.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Map<String, Value>, D::Error> {
    Map::deserialize(deserializer).map(texts)
}

/// Converts each fact into text.
pub(super) fn texts(context: Map<String, Value>) -> Map<String, Value> {
    context.into_iter().filter_map(|(name, fact)| Some((name, text(fact)?))).collect()
}

/// The text of a fact; none of null.
pub(super) fn text(fact: Value) -> Option<Value> {
    match fact {
        Value::Null => None,
        Value::String(text) => Some(Value::String(text)),
        fact => Some(Value::String(fact.to_string())),
    }
}

/// Returns true if nothing of a context would be written.
pub fn is_empty(context: &Map<String, Value>) -> bool {
    context.values().all(Value::is_null)
}
