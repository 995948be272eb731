//! Arguments of tools: one table for each tool, of which its JSON Schema and the check are made.

use serde_json::{Map, Value, json};

use crate::api::Refusal;

/// Kind of an argument's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A text of 1 to so many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number in a range, both ends included.
    Number(u64, u64),
    /// True or false.
    Flag,
    /// A JSON object.
    Object,
    /// Any JSON value.
    Any,
}

/// Argument of a tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) needed: bool,
    /// Meaning, for whoever calls the tool.
    pub(crate) about: &'static str,
}

impl Field {
    pub(crate) const fn needed(name: &'static str, kind: Kind, about: &'static str) -> Field {
        Field { name, kind, needed: true, about }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind, about: &'static str) -> Field {
        Field { name, kind, needed: false, about }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            Kind::Text(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Kind::Word(words) => json!({ "type": "string", "enum": words }),
            Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Kind::Flag => json!({ "type": "boolean" }),
            Kind::Object => json!({ "type": "object" }),
            Kind::Any => json!({}),
        };
        schema["description"] = json!(self.about);
        schema
    }

    /// Returns what the value should be; `None` if it is.
    fn complaint(&self, value: &Value) -> Option<String> {
        let (fits, wanted) = match self.kind {
            Kind::Text(most) => {
                let fits = |text: &str| !text.trim().is_empty() && text.chars().count() <= most;
                (value.as_str().is_some_and(fits), format!("a text of 1 to {most} characters"))
            }
            Kind::Word(words) => (
                value.as_str().is_some_and(|text| words.contains(&text)),
                format!("one of {}", words.join(", ")),
            ),
            Kind::Number(least, most) => (
                value.as_u64().is_some_and(|number| (least..=most).contains(&number)),
                format!("a whole number from {least} to {most}"),
            ),
            Kind::Flag => (value.is_boolean(), "true or false".to_owned()),
            Kind::Object => (value.is_object(), "a JSON object".to_owned()),
            Kind::Any => (true, String::new()),
        };
        (!fits).then(|| format!("{}: it takes {wanted}", self.name))
    }
}

/// Returns the JSON Schema of a tool's arguments.
pub(crate) fn schema(fields: &[Field]) -> Map<String, Value> {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), field.schema())).collect();
    let needed: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !needed.is_empty() {
        schema.insert("required".to_owned(), json!(needed));
    }
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema
}

/// Arguments that fit their table.
#[derive(Clone, Debug)]
pub(crate) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Checks arguments; the refusal names every one that does not fit. `null` counts as not given.
    pub(crate) fn read(given: Map<String, Value>, fields: &[Field]) -> Result<Arguments, Refusal> {
        let given: Map<String, Value> = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let mut wrong: Vec<String> = Vec::new();
        for field in fields {
            match given.get(field.name) {
                Some(value) => wrong.extend(field.complaint(value)),
                None if field.needed => wrong.push(format!("{}: it is missing; {}", field.name, field.about)),
                None => {}
            }
        }
        let known = |name: &String| fields.iter().any(|field| field.name == name);
        wrong.extend(given.keys().filter(|name| !known(name)).map(|name| {
            let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
            format!("{name}: there is no such argument; there are {}", names.join(", "))
        }));
        if wrong.is_empty() {
            return Ok(Arguments(given));
        }
        Err(Refusal::of("INVALID_ARGUMENTS", wrong.join("; ")))
    }

    /// Returns a text, if it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Returns a text that the table needs.
    pub(crate) fn needed(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// Returns a number, if it was given.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    /// Returns a flag, false unless given.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Returns any value, if it was given.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Returns all but some, in the order of their names: what a token is given for.
    pub(crate) fn without(&self, names: &[&str]) -> Value {
        let mut kept: Vec<(&String, &Value)> =
            self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
        kept.sort_by_key(|(name, _)| *name);
        Value::Object(kept.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 5] = [
        Field::needed("id", Kind::Text(5), "the task"),
        Field::optional("size", Kind::Number(1, 20), "how many"),
        Field::optional("word", Kind::Word(&["a", "b"]), "one of two"),
        Field::optional("input", Kind::Object, "the input"),
        Field::optional("all", Kind::Flag, "all of them"),
    ];

    fn read(given: Value) -> Result<Arguments, Refusal> {
        Arguments::read(given.as_object().unwrap().clone(), &FIELDS)
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let refused = read(json!({ "size": 21, "word": "c", "input": [], "all": 1, "more": 1 })).unwrap_err();
        for part in
            ["id: it is missing", "size: it takes", "word: it takes one of a, b", "input", "all", "more"]
        {
            assert!(refused.message.contains(part), "{part}: {}", refused.message);
        }
        for blank in ["", "  ", "123456"] {
            assert!(read(json!({ "id": blank })).is_err(), "{blank:?}");
        }
        let fine = read(json!({ "id": "1", "size": null, "all": true })).unwrap();
        assert_eq!((fine.needed("id"), fine.number("size"), fine.flag("all")), ("1", None, true));
    }

    #[test]
    fn schema_says_what_the_check_asks() {
        let schema = Value::Object(schema(&FIELDS));
        assert_eq!(schema["required"], json!(["id"]));
        assert_eq!(schema["properties"]["size"]["maximum"], json!(20));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
