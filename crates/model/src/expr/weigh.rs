//! Weighs values of the template library before they are used. Such a value may be lazy (`[0] * 1000000` is a
//! few bytes until somebody walks it) and may hold the same part a thousand times: its weight is that of all
//! that a walk over it meets.

use minijinja::Value;
use minijinja::value::ValueKind;
use serde_json::Value as Json;
use thiserror::Error;

use super::budget::{Budget, LARGEST_GAIN, NODE};
use crate::value::DEEPEST;

/// Maximum weight of a value for an operator, filter or test, in bytes of memory.
pub(super) const HEAVIEST: usize = 32 * 1024 * 1024;

/// Maximum length of a text that an expression may make on its way to a result, in bytes.
pub(super) const LONGEST_TEXT: usize = 4 * 1024 * 1024;

/// Reason why a value is not used.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    /// The value is too heavy for one expression.
    #[error(
        "it works on a value of more than {} MiB in memory, or on a text of more than {} MiB",
        HEAVIEST >> 20,
        LONGEST_TEXT >> 20
    )]
    Heavy,
    /// The value is too heavy for what the change has left.
    #[error(
        "the expressions that are evaluated together give more than {} MiB in memory",
        LARGEST_GAIN >> 20
    )]
    Spent,
    /// The value is nested too deep.
    #[error("it gives a value that is nested deeper than {DEEPEST} levels")]
    Deep,
    /// A part of the value could not be made.
    #[error("{0}")]
    Broken(minijinja::Error),
    /// The value has no form in JSON.
    #[error("{0}")]
    NoJson(String),
}

/// Weight, number and depth of the parts of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Bytes of memory.
    pub(super) bytes: usize,
    /// Number of values in it, with itself and keys.
    pub(super) nodes: usize,
    /// Depth of its nesting; 1 has nothing within it.
    pub(super) levels: usize,
}

impl Weight {
    fn add(&mut self, value: &Value) -> Result<(), Unusable> {
        let text = text_of(value);
        self.nodes += 1;
        self.bytes += NODE + text;
        if self.bytes > HEAVIEST || text > LONGEST_TEXT { Err(Unusable::Heavy) } else { Ok(()) }
    }
}

/// Returns the bytes of a text; those of binary data as they are in JSON, as a list of numbers.
fn text_of(value: &Value) -> usize {
    let bytes = |value: &Value| value.as_bytes().map(|bytes| bytes.len() * NODE);
    value.as_str().map(str::len).or_else(|| bytes(value)).unwrap_or_default()
}

/// Part of a container, with its key if that is a map.
type Part = Result<(Option<Value>, Value), minijinja::Error>;
type Parts = Box<dyn Iterator<Item = Part>>;

/// The parts of a container; none of anything else.
fn parts(value: &Value) -> Option<Parts> {
    match value.kind() {
        ValueKind::Map => {
            let object = value.as_object()?.clone();
            let keys = value.try_iter().ok()?.checked();
            Some(Box::new(keys.map(move |key| {
                let key = key?;
                let item = object.get_value(&key).unwrap_or_default();
                Ok((Some(key), item))
            })))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            Some(Box::new(value.try_iter().ok()?.checked().map(|item| Ok((None, item?)))))
        }
        _ => None,
    }
}

/// Weighs a value, and stops where it is too heavy or too deep to be used.
pub(super) fn weigh(value: &Value) -> Result<Weight, Unusable> {
    let mut weight = Weight { levels: 1, ..Weight::default() };
    weight.add(value)?;
    let mut open: Vec<Parts> = parts(value).into_iter().collect();
    while let Some(walk) = open.last_mut() {
        let Some(part) = walk.next() else {
            open.pop();
            continue;
        };
        let (key, item) = part.map_err(Unusable::Broken)?;
        if let Some(key) = &key {
            weight.add(key)?;
        }
        weight.add(&item)?;
        if let Some(inner) = parts(&item) {
            if open.len() >= DEEPEST {
                return Err(Unusable::Deep);
            }
            open.push(inner);
            weight.levels = weight.levels.max(open.len());
        }
    }
    Ok(weight)
}

/// Converts a value into JSON. Each part is charged to the budget before it is made.
pub(super) fn to_json(value: &Value, budget: &Budget) -> Result<Json, Unusable> {
    made(value, budget, 0)
}

fn made(value: &Value, budget: &Budget, levels: usize) -> Result<Json, Unusable> {
    if !budget.take(NODE + text_of(value)) {
        return Err(Unusable::Spent);
    }
    let Some(parts) = parts(value) else {
        return serde_json::to_value(value).map_err(|e| Unusable::NoJson(e.to_string()));
    };
    if levels >= DEEPEST {
        return Err(Unusable::Deep);
    }
    if value.kind() != ValueKind::Map {
        let items = parts.map(|part| made(&part.map_err(Unusable::Broken)?.1, budget, levels + 1));
        return items.collect::<Result<Vec<_>, _>>().map(Json::Array);
    }
    let members = parts.map(|part| {
        let (key, item) = part.map_err(Unusable::Broken)?;
        let key = name_of(&key.unwrap_or_default(), budget)?;
        Ok((key, made(&item, budget, levels + 1)?))
    });
    members.collect::<Result<_, _>>().map(Json::Object)
}

/// Converts a key of a map into JSON: a text.
fn name_of(key: &Value, budget: &Budget) -> Result<String, Unusable> {
    let text = text_of(key);
    if !budget.take(NODE + text) {
        return Err(Unusable::Spent);
    }
    match key.kind() {
        ValueKind::String | ValueKind::Bool | ValueKind::Number => Ok(key.to_string()),
        kind => Err(Unusable::NoJson(format!("a key of a map is a text, and not of the type {kind}"))),
    }
}
