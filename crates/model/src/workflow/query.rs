//! `query:` bindings: the parameters of a route's query that become members of the input, typed as their
//! properties say.

use serde_json::{Number, Value};

use super::binding::{is_closed_to, parameters, takes};
use super::check::Problems;
use super::definition::Definition;
use super::route::Route;

/// Parameters that mean something to Longhaul on every route, so that no workflow can have them.
const OWN: [&str; 1] = ["wait"];

/// Schemas that are looked at on the way from a property to its type: references may go in circles.
const MOST_SCHEMAS: u32 = 64;

/// A value of a query that a workflow has no place for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Name of the parameter.
    pub parameter: String,
    /// The mistake.
    pub kind: QueryMistake,
}

/// Mistakes with a parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryMistake {
    /// No parameter has this name; those that there are.
    Unknown(Vec<String>),
    /// The text is no value of the property's type; what it takes.
    Type(&'static str),
    /// The parameter is repeated and takes one value.
    Repeated,
    /// The input needs it.
    Missing,
    /// The body has a member of its name.
    InBody,
    /// The body is the whole input, and no object with members.
    NoObject,
}

/// Types that the text of a parameter can be read as, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Boolean,
    Integer,
    Number,
    String,
    Array,
    /// An object or `null`, which no text is.
    Other,
}

impl Kind {
    fn of_type(name: &str) -> Self {
        match name {
            "boolean" => Kind::Boolean,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "string" => Kind::String,
            "array" => Kind::Array,
            _ => Kind::Other,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Null | Value::Object(_) => Kind::Other,
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        let number = || text.parse::<Number>().ok();
        match self {
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
            Kind::Integer => number().filter(is_integer).map(Value::Number),
            Kind::Number => number().map(Value::Number),
            Kind::String => Some(Value::String(text.to_owned())),
            Kind::Boolean | Kind::Array | Kind::Other => None,
        }
    }
}

fn is_integer(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|float| float.fract() == 0.0)
}

/// The types that a schema allows, in order and without doubles; none if it says nothing of them.
fn kinds(root: &Value, schema: &Value) -> Vec<Kind> {
    let mut found = Vec::new();
    let mut left = MOST_SCHEMAS;
    gather(root, schema, &mut left, &mut found);
    found.sort_unstable();
    found.dedup();
    found
}

/// Gathers the types that a schema names, or those of the values and schemas that it is made of. Each schema
/// that is looked at takes one of those that are `left`.
fn gather(root: &Value, schema: &Value, left: &mut u32, found: &mut Vec<Kind>) {
    let Some(rest) = left.checked_sub(1) else { return };
    *left = rest;
    match (&schema["type"], &schema["$ref"]) {
        (Value::String(one), _) => return found.push(Kind::of_type(one)),
        (Value::Array(some), _) => {
            return found.extend(some.iter().filter_map(Value::as_str).map(Kind::of_type));
        }
        (_, Value::String(_)) => {
            if let Some(schema) = referred(root, schema) {
                gather(root, schema, left, found);
            }
            return;
        }
        _ => {}
    }
    if let Some(only) = schema.get("const") {
        found.push(Kind::of_value(only));
    } else if let Some(some) = schema["enum"].as_array() {
        found.extend(some.iter().map(Kind::of_value));
    } else {
        for key in ["anyOf", "oneOf", "allOf"] {
            schema[key].as_array().into_iter().flatten().for_each(|part| gather(root, part, left, found));
        }
    }
}

/// The schema that a reference within the same document is to.
fn referred<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    root.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

/// The types that a text is tried as; a schema that names none takes it as it is.
fn tried(root: &Value, schema: &Value) -> Vec<Kind> {
    let kinds = kinds(root, schema);
    if kinds.is_empty() { vec![Kind::String] } else { kinds }
}

/// The schema of an item at a place of a list.
fn item<'a>(root: &'a Value, schema: &'a Value, index: usize) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MOST_SCHEMAS {
        let Some(next) = referred(root, schema) else { break };
        schema = next;
    }
    let positional = match &schema["items"] {
        Value::Array(_) => &schema["items"],
        _ => &schema["prefixItems"],
    };
    match (positional.get(index), &schema["items"]) {
        (Some(own), _) => own,
        (None, Value::Array(_)) => &schema["additionalItems"],
        (None, items) => items,
    }
}

/// The value of a parameter that was given as these texts, at least one.
fn typed(root: &Value, schema: &Value, texts: &[&str]) -> Result<Value, QueryMistake> {
    let kinds = tried(root, schema);
    let read = |kinds: &[Kind], text: &str| kinds.iter().find_map(|kind| kind.read(text));
    if let [text] = texts
        && let Some(value) = read(&kinds, text)
    {
        return Ok(value);
    }
    if kinds.contains(&Kind::Array) {
        let items = texts.iter().enumerate().map(|(index, text)| {
            let kinds = tried(root, item(root, schema, index));
            read(&kinds, text).ok_or_else(|| QueryMistake::Type(wanted(&kinds)))
        });
        return items.collect::<Result<_, _>>().map(Value::Array);
    }
    if texts.len() > 1 { Err(QueryMistake::Repeated) } else { Err(QueryMistake::Type(wanted(&kinds))) }
}

/// Describes the accepted types, for a refusal.
fn wanted(kinds: &[Kind]) -> &'static str {
    let numeric = |kind: &Kind| matches!(kind, Kind::Integer | Kind::Number);
    match kinds {
        [Kind::Boolean] => "`true` or `false`",
        [Kind::Integer] => "an integer",
        kinds if kinds.iter().all(numeric) => "a number",
        kinds if kinds.iter().all(|kind| numeric(kind) || *kind == Kind::Boolean) => {
            "a number, `true` or `false`"
        }
        _ => "a value of the type that `longhaul workflow show` says",
    }
}

impl Definition {
    /// The input with what a query gives; `body` is the input that the request's body is. Parameters of
    /// Longhaul's own are passed over, and so is the whole query if the workflow does not say `query`.
    pub fn with_query(&self, body: Value, pairs: &[(String, String)]) -> Result<Value, QueryError> {
        let Some(names) = &self.query else { return Ok(body) };
        let refused =
            |parameter: &str, kind: QueryMistake| QueryError { parameter: parameter.to_owned(), kind };
        let unknown = pairs.iter().find(|(name, _)| !names.contains(name) && !OWN.contains(&name.as_str()));
        if let Some((name, _)) = unknown {
            return Err(refused(name, QueryMistake::Unknown(names.clone())));
        }
        let schema = self.input.as_ref().unwrap_or(&Value::Null);
        let needs = |name: &str| {
            schema["required"].as_array().is_some_and(|required| required.iter().any(|one| one == name))
        };
        let mut input = body;
        for name in names {
            let texts: Vec<&str> =
                pairs.iter().filter(|(known, _)| known == name).map(|(_, text)| text.as_str()).collect();
            match (&mut input, texts.is_empty()) {
                (Value::Object(members), true) if needs(name) && !members.contains_key(name) => {
                    return Err(refused(name, QueryMistake::Missing));
                }
                (_, true) => {}
                (Value::Object(members), false) if members.contains_key(name) => {
                    return Err(refused(name, QueryMistake::InBody));
                }
                (Value::Object(members), false) => {
                    let value = typed(schema, &schema["properties"][name], &texts);
                    members.insert(name.clone(), value.map_err(|kind| refused(name, kind))?);
                }
                (_, false) => return Err(refused(name, QueryMistake::NoObject)),
            }
        }
        Ok(input)
    }
}

/// Looks for parameters that no request could give.
pub(super) fn check(definition: &Definition, route: Option<&Route>, schema: &Value, problems: &mut Problems) {
    let Some(names) = &definition.query else { return };
    if definition.route.is_none() {
        let hint = Some("write `route`, or leave it out".to_owned());
        return problems.error("/query".into(), "`query` is for a workflow with a `route`", hint);
    }
    for (i, name) in names.iter().enumerate() {
        let pointer = format!("/query/{i}");
        let is_in_path = route.is_some_and(|route| parameters(route).any(|parameter| parameter == name));
        let mistake = if name.trim().is_empty() || name.contains('\0') {
            Some(("a parameter's name must not be empty".to_owned(), "such as `force`"))
        } else if OWN.contains(&name.as_str()) {
            Some((format!("`{name}` is Longhaul's own on every route"), "give the parameter another name"))
        } else if names.iter().take(i).any(|before| before == name) {
            Some((format!("`{name}` stands here twice"), "leave one out"))
        } else if is_in_path {
            Some((format!("`{name}` is a part of the path already"), "give the parameter another name"))
        } else if definition.body.as_ref() == Some(name) {
            Some((format!("`{name}` takes the body already"), "give the parameter another name"))
        } else {
            None
        };
        match mistake {
            Some((message, hint)) => problems.error(pointer, message, Some(hint.to_owned())),
            None => place(name, pointer, schema, problems),
        }
    }
}

/// Warns if the input has no place for what a parameter gives.
fn place(name: &str, pointer: String, schema: &Value, problems: &mut Problems) {
    let mut warn = |pointer: String, message: String, hint: &str| {
        problems.warning(pointer, message, Some(hint.to_owned()));
    };
    if !takes(schema, "object") {
        let message = format!("`{name}` of the query has no place in an input that is no object");
        return warn(
            pointer,
            message,
            "write an `input` of `type: object`, and `body:` for a body that is none",
        );
    }
    if is_closed_to(schema, name) {
        let message =
            format!("`{name}` of the query is no property of `input`, so every request with it is refused");
        return warn(pointer, message, "add it to `properties`, such as `{ type: boolean }`");
    }
    let property = &schema["properties"][name];
    let of_property = format!("/input/properties/{}", name.replace('~', "~0").replace('/', "~1"));
    let own = kinds(schema, property);
    let items = kinds(schema, item(schema, property, 0));
    let is_no_text = |kinds: &[Kind]| kinds.iter().all(|kind| matches!(kind, Kind::Other | Kind::Array));
    if property.is_null() {
        let message = format!("`{name}` of the query is no property of `input`: it is taken as a text");
        warn(pointer, message, "add it to `properties`, such as `{ type: boolean }`");
    } else if own.is_empty() {
        let message = format!("`{name}` of the query is taken as a text, as its property says no type");
        warn(of_property, message, "write its `type`: string, boolean, integer, number or array");
    } else if own.iter().all(|kind| *kind == Kind::Other)
        || (is_no_text(&own) && !items.is_empty() && is_no_text(&items))
    {
        let message = format!("`{name}` of the query is a text, of which its property's type cannot be made");
        warn(of_property, message, "write `type: string`, boolean, integer, number, or array of these");
    } else if property["writeOnly"] == Value::Bool(true) {
        let message = format!("`{name}` is a secret, and what passes a request on may log its query");
        warn(of_property, message, "take it from the body");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Severity, Workflow};
    use super::*;

    fn definition(more: Value) -> Definition {
        let mut definition = json!({ "name": "w", "type": "T", "title": "t", "route": "POST /v1/a/{id}",
            "subTasks": [{ "name": "A", "description": "a", "action": { "simulate": {} } }] });
        definition.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(definition).expect("a definition")
    }

    /// A text for a value of each type, what it becomes, and texts that are no value of it.
    #[test]
    fn texts_become_what_the_property_says_and_nothing_else() {
        let defs = json!({ "flag": { "type": "boolean" }, "again": { "$ref": "#/$defs/flag" } });
        let cases: Vec<(Value, &[&str], Option<Value>)> = vec![
            (json!({ "type": "boolean" }), &["true"], Some(json!(true))),
            (json!({ "type": "boolean" }), &["False"], Some(json!(false))),
            (json!({ "type": "boolean" }), &["1"], None),
            (json!({ "type": "boolean" }), &[""], None),
            (json!({ "type": "boolean" }), &["true", "true"], None),
            (json!({ "type": "integer" }), &["-7"], Some(json!(-7))),
            (json!({ "type": "integer" }), &["18446744073709551615"], Some(json!(u64::MAX))),
            (json!({ "type": "integer" }), &["7.5"], None),
            (json!({ "type": "integer" }), &["+7"], None),
            (json!({ "type": "integer" }), &[" 7"], None),
            (json!({ "type": "integer" }), &["0x10"], None),
            (json!({ "type": "integer" }), &["1e999"], None),
            (json!({ "type": "number" }), &["2.5e1"], Some(json!(25.0))),
            (json!({ "type": "number" }), &["NaN"], None),
            (json!({ "type": "number" }), &["1,5"], None),
            (json!({ "type": "string" }), &["true"], Some(json!("true"))),
            (json!({ "type": "string" }), &[""], Some(json!(""))),
            (json!({ "type": "string" }), &["a", "b"], None),
            (json!({ "type": ["integer", "string"] }), &["7"], Some(json!(7))),
            (json!({ "type": ["string", "integer"] }), &["7a"], Some(json!("7a"))),
            (json!({ "type": ["boolean", "null"] }), &["true"], Some(json!(true))),
            (json!({ "type": ["boolean", "null"] }), &["null"], None),
            (json!({ "type": "array", "items": { "type": "integer" } }), &["1"], Some(json!([1]))),
            (json!({ "type": "array", "items": { "type": "integer" } }), &["2", "1"], Some(json!([2, 1]))),
            (json!({ "type": "array", "items": { "type": "integer" } }), &["2", "x"], None),
            (json!({ "type": "array" }), &["a,b", "c"], Some(json!(["a,b", "c"]))),
            (
                json!({ "type": "array", "prefixItems": [{ "type": "boolean" }], "items": { "type": "number" } }),
                &["true", "2"],
                Some(json!([true, 2])),
            ),
            (
                json!({ "type": "array", "items": [{ "type": "boolean" }] }),
                &["true", "2"],
                Some(json!([true, "2"])),
            ),
            (json!({ "type": ["array", "string"] }), &["a"], Some(json!("a"))),
            (json!({ "type": ["array", "string"] }), &["a", "b"], Some(json!(["a", "b"]))),
            (json!({ "type": "object" }), &["{}"], None),
            (json!({ "enum": ["ON", "OFF"] }), &["ON"], Some(json!("ON"))),
            (json!({ "enum": [1, 2] }), &["2"], Some(json!(2))),
            (json!({ "const": true }), &["true"], Some(json!(true))),
            (json!({ "$ref": "#/$defs/again" }), &["true"], Some(json!(true))),
            (json!({ "$ref": "#/$defs/again" }), &["x"], None),
            (
                json!({ "anyOf": [{ "type": "integer" }, { "type": "boolean" }] }),
                &["true"],
                Some(json!(true)),
            ),
            (json!({ "$ref": "#/properties/p" }), &["x"], Some(json!("x"))),
            (
                json!({ "anyOf": [{ "$ref": "#/properties/p" }, { "$ref": "#/properties/p" }] }),
                &["x"],
                Some(json!("x")),
            ),
            (json!({}), &["7"], Some(json!("7"))),
        ];
        for (property, texts, wanted) in cases {
            let input = json!({ "type": "object", "properties": { "p": property }, "$defs": defs });
            let definition = definition(json!({ "query": ["p"], "input": input }));
            let pairs: Vec<(String, String)> =
                texts.iter().map(|text| ("p".to_owned(), (*text).to_owned())).collect();
            let found = definition.with_query(json!({}), &pairs);
            assert_eq!(found.ok(), wanted.map(|value| json!({ "p": value })), "{property} {texts:?}");
        }
    }

    #[test]
    fn what_is_no_parameter_of_the_workflow_is_refused_by_name() {
        let input = json!({ "type": ["object", "string"], "required": ["id", "need"],
            "properties": { "id": { "type": "string" }, "need": { "type": "integer" }, "p": { "type": "boolean" } } });
        let strict = definition(json!({ "query": ["need", "p"], "input": input }));
        let open = definition(json!({ "input": input }));
        let pairs = |query: &[(&str, &str)]| -> Vec<(String, String)> {
            query.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
        };
        let both = vec!["need".to_owned(), "p".to_owned()];
        for (query, body, parameter, kind) in [
            (&[("q", "1"), ("need", "1")][..], json!({}), "q", QueryMistake::Unknown(both)),
            (&[("p", "true")], json!({}), "need", QueryMistake::Missing),
            (&[("need", "1")], json!({ "need": 1 }), "need", QueryMistake::InBody),
            (&[("need", "1")], json!("text"), "need", QueryMistake::NoObject),
            (&[("need", "1"), ("p", "yes")], json!({}), "p", QueryMistake::Type("`true` or `false`")),
            (&[("need", "1"), ("need", "1")], json!({}), "need", QueryMistake::Repeated),
        ] {
            let refused = strict.with_query(body.clone(), &pairs(query)).expect_err("refused");
            assert_eq!((refused.parameter.as_str(), refused.kind), (parameter, kind), "{query:?} {body}");
            assert_eq!(open.with_query(body.clone(), &pairs(query)), Ok(body), "{query:?}");
        }
        let given = strict.with_query(json!({ "need": 1 }), &pairs(&[("p", "true"), ("wait", "1s")]));
        assert_eq!(given, Ok(json!({ "need": 1, "p": true })));
    }

    #[test]
    fn parameters_that_cannot_be_bound_are_told() {
        let with = |property: Value| json!({ "type": "object", "properties": { "p": property, "id": {} } });
        let closed = json!({ "type": "object", "properties": { "id": {} }, "additionalProperties": false });
        let (warning, error) = (Severity::Warning, Severity::Error);
        let of_p = "/input/properties/p";
        for (more, wanted) in [
            (json!({ "query": ["p"], "input": with(json!({ "type": "boolean" })) }), None),
            (json!({ "query": [], "input": with(json!({ "type": "boolean" })) }), None),
            (
                json!({ "query": ["p"], "input": with(json!({ "type": "array", "items": { "type": "string" } })) }),
                None,
            ),
            (json!({ "query": ["p"], "input": with(json!({ "type": "array" })) }), None),
            (
                json!({ "query": ["p"], "input": with(json!({ "type": "array", "items": { "type": "object" } })) }),
                Some((warning, of_p)),
            ),
            (json!({ "query": ["p"], "input": with(json!({ "type": "object" })) }), Some((warning, of_p))),
            (json!({ "query": ["p"], "input": with(json!({ "type": "null" })) }), Some((warning, of_p))),
            (json!({ "query": ["p"], "input": with(json!({})) }), Some((warning, of_p))),
            (
                json!({ "query": ["p"], "input": with(json!({ "type": "string", "writeOnly": true })) }),
                Some((warning, of_p)),
            ),
            (json!({ "query": ["q"], "input": with(json!({})) }), Some((warning, "/query/0"))),
            (json!({ "query": ["p"], "input": closed }), Some((warning, "/query/0"))),
            (
                json!({ "query": ["p"], "route": "POST /v1/a", "input": { "type": "array" } }),
                Some((warning, "/query/0")),
            ),
            (json!({ "query": ["id"], "input": with(json!({})) }), Some((error, "/query/0"))),
            (json!({ "query": ["wait"], "input": with(json!({})) }), Some((error, "/query/0"))),
            (json!({ "query": [" "], "input": with(json!({})) }), Some((error, "/query/0"))),
            (
                json!({ "query": ["p"], "body": "p", "input": with(json!({ "type": "boolean" })) }),
                Some((error, "/query/0")),
            ),
            (
                json!({ "query": ["p", "p"], "input": with(json!({ "type": "boolean" })) }),
                Some((error, "/query/1")),
            ),
            (
                json!({ "query": ["p"], "route": null, "input": with(json!({ "type": "boolean" })) }),
                Some((error, "/query")),
            ),
        ] {
            let problems = match Workflow::compile(definition(more.clone()), 1) {
                Ok(workflow) => workflow.warnings,
                Err(problems) => problems,
            };
            let found: Vec<_> =
                problems.into_iter().map(|problem| (problem.severity, problem.pointer)).collect();
            let wanted: Vec<_> =
                wanted.into_iter().map(|(severity, pointer)| (severity, pointer.to_owned())).collect();
            assert_eq!(found, wanted, "{more}");
        }
    }
}
