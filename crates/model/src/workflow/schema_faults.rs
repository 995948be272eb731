//! Faults of an input schema that the library refuses: all of them, though the library reports the first one
//! only. Each part at fault is taken out of a copy, which is then compiled again.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::schema::build;
use crate::text::shortened;

/// Maximum number of faults that are reported of one schema.
const MOST: usize = 100;
/// Longest reason in characters; it may repeat a part of the schema.
const LONGEST: usize = 500;

/// Faults of a schema, and what is left of the schema without them.
pub(super) struct Faults {
    /// JSON pointer of each part at fault, and the reason.
    pub(super) found: Vec<(String, String)>,
    /// True if references lead nowhere: definitions may then seem to be used by nothing.
    pub(super) has_lost_reference: bool,
    /// Schema without the parts at fault.
    pub(super) rest: Value,
}

/// Returns the faults of a schema; none if it can be compiled.
pub(super) fn faults(schema: &Value) -> Faults {
    let mut faults = Faults { found: Vec::new(), has_lost_reference: false, rest: schema.clone() };
    // Mending one fault takes up to three rounds: a better item, another one, none.
    for _ in 0..3 * MOST {
        let Err(e) = build(&faults.rest) else { break };
        let reason = shortened(&e.to_string(), LONGEST).into_owned();
        let places = match e.kind() {
            ValidationErrorKind::Referencing(_) => lost_references(&faults.rest),
            _ => place(&faults.rest, &e).map(|pointer| (pointer, reason.clone())).into_iter().collect(),
        };
        faults.has_lost_reference |= matches!(e.kind(), ValidationErrorKind::Referencing(_));
        if places.is_empty() || faults.found.len() >= MOST {
            if !faults.found.iter().any(|(_, known)| *known == reason) {
                faults.found.push((String::new(), reason));
            }
            faults.rest = Value::Bool(true);
            break;
        }
        for (pointer, reason) in places {
            mend(&mut faults.rest, &pointer);
            if !faults.found.iter().any(|(known, _)| *known == pointer) {
                faults.found.push((pointer, reason));
            }
        }
    }
    faults
}

/// Returns the pointer of the part that an error is about; `None` for the schema as a whole. What the
/// meta-schema finds is placed by its instance, which is the schema; what the compiler finds, by its keyword.
fn place(schema: &Value, e: &ValidationError<'_>) -> Option<String> {
    let is_part = |pointer: &String| !pointer.is_empty() && schema.pointer(pointer).is_some();
    let instance = e.instance_path().to_string();
    if !instance.is_empty() {
        return Some(instance).filter(is_part);
    }
    let keyword = Some(e.schema_path().to_string()).filter(is_part)?;
    // A pattern of `patternProperties` is the name of a member.
    let member = e.instance().as_str().map(|name| format!("{keyword}/{}", escaped(name)));
    Some(member.filter(is_part).unwrap_or(keyword))
}

/// Takes a part out. An item is replaced first, so that the others keep their places: by the schema that
/// accepts everything, then by a text; a list that accepts neither goes as a whole.
fn mend(schema: &mut Value, pointer: &str) {
    let Some((holder, name)) = pointer.rsplit_once('/') else { return };
    match schema.pointer_mut(holder) {
        Some(Value::Object(members)) => {
            members.shift_remove(&name.replace("~1", "/").replace("~0", "~"));
        }
        Some(Value::Array(items)) => {
            let placeholder = Value::String(format!("placeholder {name}"));
            let Some(item) = name.parse::<usize>().ok().and_then(|index| items.get_mut(index)) else {
                return;
            };
            match item {
                old if *old == placeholder => mend(schema, holder),
                old @ Value::Bool(true) => *old = placeholder,
                old => *old = Value::Bool(true),
            }
        }
        _ => {}
    }
}

/// Returns the references that lead nowhere, which the library does not place.
fn lost_references(schema: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    references(schema, String::new(), &mut all);
    // Each is judged without the others.
    let lost = all.iter().filter_map(|pointer| {
        let mut alone = schema.clone();
        all.iter().filter(|other| *other != pointer).for_each(|other| mend(&mut alone, other));
        let e = build(&alone).err()?;
        let is_lost = matches!(e.kind(), ValidationErrorKind::Referencing(_));
        is_lost.then(|| (pointer.clone(), shortened(&e.to_string(), LONGEST).into_owned()))
    });
    lost.take(MOST).collect()
}

fn references(schema: &Value, at: String, found: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                let pointer = format!("{at}/{}", escaped(name));
                match value {
                    Value::String(_) if matches!(name.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef") => {
                        found.push(pointer);
                    }
                    value => references(value, pointer, found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| references(item, format!("{at}/{n}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Faulty properties, with the pointer of the fault within each.
    fn kinds() -> Vec<(Value, &'static str)> {
        vec![
            (json!({ "type": "strin" }), "/type"),
            (json!({ "type": "string", "pattern": "(" }), "/pattern"),
            (json!({ "patternProperties": { "a/b(": {} } }), "/patternProperties/a~1b("),
            (json!({ "$ref": "#/$defs/nowhere" }), "/$ref"),
            (json!({ "$ref": "https://example.com/schema.json" }), "/$ref"),
            (json!({ "minLength": -1 }), "/minLength"),
            (json!({ "required": ["a", 7] }), "/required/1"),
            (json!({ "items": { "properties": { "b": 7 } } }), "/items/properties/b"),
            (json!({ "anyOf": [{ "type": "string" }, 7, { "type": "null" }] }), "/anyOf/1"),
            (json!({ "anyOf": [] }), "/anyOf"),
            (json!({ "additionalProperties": "no" }), "/additionalProperties"),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn each_planted_fault_is_found_at_its_place(which in prop::collection::vec(0..kinds().len(), 0..7)) {
            let mut schema = json!({ "type": "object", "properties": { "good": { "$ref": "#/$defs/d" } },
                "$defs": { "d": { "type": "string", "maxLength": 9 } } });
            let mut wanted = Vec::new();
            for (n, kind) in which.into_iter().enumerate() {
                let (faulty, pointer) = kinds().swap_remove(kind);
                schema["properties"][format!("p{n}")] = faulty;
                wanted.push(format!("/properties/p{n}{pointer}"));
            }
            let Faults { found, rest, .. } = faults(&schema);
            let mut places: Vec<String> = found.iter().map(|(pointer, _)| pointer.clone()).collect();
            places.sort();
            wanted.sort();
            prop_assert_eq!(places, wanted, "{:?}", found);
            prop_assert!(build(&rest).is_ok());
            prop_assert_eq!(&rest["properties"]["good"], &schema["properties"]["good"]);
        }
    }

    #[test]
    fn a_schema_that_is_none_has_one_fault() {
        for schema in [json!([]), json!(7), json!("text")] {
            let found = faults(&schema).found;
            assert!(found.len() == 1 && found[0].0.is_empty(), "{schema}: {found:?}");
        }
        assert!(faults(&json!({ "type": "object" })).found.is_empty());
    }
}
