//! Checks of `route:`: which parts of a request become input, and which the input schema has no place for.

use serde_json::Value;

use super::check::Problems;
use super::definition::Definition;
use super::route::{Route, Segment};

/// Reports parts of a request that the input has no place for.
pub(super) fn check(definition: &Definition, route: Option<&Route>, schema: &Value, problems: &mut Problems) {
    body(definition, route, schema, problems);
    let Some(route) = route else { return };
    for name in parameters(route) {
        if !takes(schema, "object") {
            let message = format!("`{name}` of the path has no place in an input that is no object");
            let hint = "write an `input` of `type: object`, and `body:` for a body that is none".to_owned();
            problems.warning("/route".into(), message, Some(hint));
        } else if is_closed_to(schema, name) {
            let message =
                format!("`{name}` of the path is no property of `input`, so every request is refused");
            problems.warning("/route".into(), message, Some(format!("add `{name}: {{ type: string }}`")));
        } else if !takes(&schema["properties"][name], "string") {
            let message = format!("`{name}` of the path is a text, which its property does not take");
            let hint = "write `type: string`, with a `pattern` if need be".to_owned();
            problems.warning(format!("/input/properties/{name}"), message, Some(hint));
        }
    }
}

fn body(definition: &Definition, route: Option<&Route>, schema: &Value, problems: &mut Problems) {
    let Some(name) = &definition.body else { return };
    let mut error =
        |message: String, hint: &str| problems.error("/body".into(), message, Some(hint.to_owned()));
    if definition.route.is_none() {
        return error("`body` is for a workflow with a `route`".to_owned(), "write `route`, or leave it out");
    }
    if name.trim().is_empty() || name.contains('\0') {
        return error("a member's name must not be empty".to_owned(), "such as `hosts`");
    }
    if route.is_some_and(|route| parameters(route).any(|parameter| parameter == name)) {
        return error(
            format!("`{name}` is a part of the path already"),
            "give the body's member another name",
        );
    }
    if !takes(schema, "object") {
        return error(
            "`body` names a member, and the input is no object".to_owned(),
            "leave it out: the body is the whole input",
        );
    }
    if is_closed_to(schema, name) {
        let message =
            format!("`{name}` is no property of `input`, so every body that is no object is refused");
        problems.warning("/body".into(), message, Some(format!("add `{name}` to `properties`")));
    }
}

/// Names of the parts of a path that become members of the input.
pub(super) fn parameters(route: &Route) -> impl Iterator<Item = &str> {
    route.segments.iter().filter_map(|segment| match segment {
        Segment::Parameter(name) => Some(name.as_str()),
        Segment::Literal(_) => None,
    })
}

/// Returns true unless a schema excludes a type of JSON by its `type`.
pub(super) fn takes(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::String(only) => only == kind,
        Value::Array(some) => some.iter().any(|one| one == kind),
        _ => true,
    }
}

/// Returns true if a schema accepts the properties that it names and no others, and this is none of them.
pub(super) fn is_closed_to(schema: &Value, name: &str) -> bool {
    schema["additionalProperties"] == Value::Bool(false)
        && schema["properties"].get(name).is_none()
        && schema.get("patternProperties").is_none()
}

impl Definition {
    /// Returns the input for a body of JSON, without the parameters of the path; the name of its type if it
    /// is not accepted. An object's members are the input's own, `null` is as good as no body, anything else
    /// becomes the member that `body` names, or the whole input if that is not an object.
    pub fn input_of(&self, body: Value) -> Result<Value, &'static str> {
        let kind = match &body {
            Value::Object(_) => return Ok(body),
            Value::Null => return Ok(Value::Object(Default::default())),
            Value::Array(_) => "list",
            Value::String(_) => "text",
            Value::Number(_) => "number",
            Value::Bool(_) => "truth value",
        };
        if let Some(name) = &self.body {
            return Ok(Value::Object([(name.clone(), body)].into_iter().collect()));
        }
        let kinds: &[&str] = match &body {
            Value::Array(_) => &["array"],
            Value::String(_) => &["string"],
            Value::Number(_) => &["number", "integer"],
            _ => &["boolean"],
        };
        let schema = self.input.as_ref().filter(|schema| schema.get("type").is_some());
        let fits = schema.is_some_and(|schema| kinds.iter().any(|kind| takes(schema, kind)));
        if fits { Ok(body) } else { Err(kind) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Severity, Workflow};
    use super::*;

    fn found(more: Value) -> Vec<(Severity, String)> {
        let mut definition = json!({ "name": "w", "type": "T", "title": "t",
            "subTasks": [{ "name": "A", "description": "a", "action": { "simulate": {} } }] });
        definition.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let definition = serde_json::from_value(definition).expect("a definition");
        let problems = match Workflow::compile(definition, 1) {
            Ok(workflow) => workflow.warnings,
            Err(problems) => problems,
        };
        problems.into_iter().map(|problem| (problem.severity, problem.pointer)).collect()
    }

    #[test]
    fn what_cannot_be_bound_is_told() {
        let closed = json!({ "type": "object", "properties": { "a": {} }, "additionalProperties": false });
        let number = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
        let (warning, error) = (Severity::Warning, Severity::Error);
        for (more, wanted) in [
            (json!({ "route": "POST /v1/a/{id}", "input": { "type": "array" } }), Some((warning, "/route"))),
            (json!({ "route": "POST /v1/a/{id}", "input": closed }), Some((warning, "/route"))),
            (json!({ "route": "POST /v1/a/{id}", "input": number }), Some((warning, "/input/properties/id"))),
            (json!({ "route": "POST /v1/a", "body": "b", "input": closed }), Some((warning, "/body"))),
            (json!({ "body": "b", "input": { "type": "object" } }), Some((error, "/body"))),
            (
                json!({ "route": "POST /v1/a", "body": " ", "input": { "type": "object" } }),
                Some((error, "/body")),
            ),
            (json!({ "route": "POST /v1/a/{b}", "body": "b", "input": {} }), Some((error, "/body"))),
            (
                json!({ "route": "POST /v1/a", "body": "b", "input": { "type": "array" } }),
                Some((error, "/body")),
            ),
            (json!({ "route": "POST /v1/a/{id}", "body": "b", "input": { "type": "object" } }), None),
            (json!({ "route": "POST /v1/a", "input": { "type": ["string", "object"] } }), None),
        ] {
            let wanted: Vec<_> =
                wanted.into_iter().map(|(severity, pointer)| (severity, pointer.to_owned())).collect();
            assert_eq!(found(more.clone()), wanted, "{more}");
        }
    }
}
