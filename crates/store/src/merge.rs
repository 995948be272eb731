//! JSON Merge Patch (RFC 7396), for settings of which a call names a part.

use serde_json::{Map, Value};

/// The value with what a patch names: a member of `null` goes, an object is merged, anything else takes the
/// place of what was there. Beyond the RFC, an object that a patch leaves empty goes as well.
pub(crate) fn merged(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut members = match target {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        let is_object = value.is_object();
        let old = members.remove(&name).unwrap_or_default();
        let new = merged(old, value);
        let is_gone = new.is_null() || (is_object && new.as_object().is_some_and(Map::is_empty));
        if !is_gone {
            members.insert(name, new);
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7396 that are about objects, and what is emptied.
    #[test]
    fn what_is_named_changes_and_all_else_stays() {
        for (target, patch, wanted) in [
            (json!({ "a": "b" }), json!({ "a": "c" }), json!({ "a": "c" })),
            (json!({ "a": "b" }), json!({ "b": "c" }), json!({ "a": "b", "b": "c" })),
            (json!({ "a": "b", "b": "c" }), json!({ "a": null }), json!({ "b": "c" })),
            (json!({ "a": ["b"] }), json!({ "a": "c" }), json!({ "a": "c" })),
            (
                json!({ "a": { "b": "c", "d": 1 } }),
                json!({ "a": { "b": "d", "c": null } }),
                json!({ "a": { "b": "d", "d": 1 } }),
            ),
            (json!({ "a": [{ "b": "c" }] }), json!({ "a": [1] }), json!({ "a": [1] })),
            (json!(["a"]), json!({ "a": "b", "c": null }), json!({ "a": "b" })),
            (json!({ "q": { "p": true }, "r": {} }), json!({ "q": { "p": null } }), json!({ "r": {} })),
            (json!(null), json!({ "q": { "p": null } }), json!({})),
        ] {
            assert_eq!(merged(target.clone(), patch.clone()), wanted, "{target} {patch}");
        }
    }
}
