//! Which parts of an input are secrets: those that its schema calls `writeOnly`. Wherever a schema can say so it
//! counts, also in a branch that an input does not take: better one value hidden too many.

use serde_json::Value;

/// The deepest path that is followed into a schema; also what ends recursive ones.
const DEEPEST: usize = 16;

/// Schemas looked at. Recursive ones can have more branches than anybody has time for: then all is a secret.
const BUDGET: usize = 100_000;

/// The places of secrets in inputs of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    paths: Vec<Vec<Step>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// This member.
    Member(String),
    /// Every item.
    Item,
    /// Every member.
    AnyMember,
}

impl Secrets {
    /// Those of a schema.
    pub fn of(schema: &Value) -> Secrets {
        let mut found = Secrets::default();
        let mut budget = BUDGET;
        found.collect(schema, schema, &mut Vec::new(), (0, &mut budget));
        if budget == 0 {
            found.paths = vec![Vec::new()];
        }
        found.settle();
        found
    }

    /// These and others.
    pub fn and(mut self, other: Secrets) -> Secrets {
        self.paths.extend(other.paths);
        self.settle();
        self
    }

    /// Whether inputs have none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether a dotted name such as `input.password` reads a secret, or something inside of one.
    pub fn are_read_by(&self, name: &str) -> bool {
        let Some(name) = name.strip_prefix("input.") else { return false };
        let parts: Vec<&str> = name.split('.').collect();
        self.paths.iter().any(|path| {
            path.len() <= parts.len()
                && path.iter().zip(&parts).all(|(step, part)| match step {
                    Step::Member(member) => member == part,
                    Step::Item => false,
                    Step::AnyMember => true,
                })
        })
    }

    /// Calls `each` for every secret that an input has, with its JSON pointer.
    pub fn visit(&self, input: &mut Value, each: &mut impl FnMut(&str, &mut Value)) {
        for path in &self.paths {
            descend(input, path, &mut String::new(), each);
        }
    }

    fn collect(
        &mut self,
        root: &Value,
        schema: &Value,
        path: &mut Vec<Step>,
        (depth, budget): (usize, &mut usize),
    ) {
        if !schema.is_object() || depth > 4 * DEEPEST || path.len() > DEEPEST || *budget == 0 {
            return;
        }
        *budget -= 1;
        if schema["writeOnly"] == Value::Bool(true) {
            self.paths.push(path.clone());
            return;
        }
        let mut under = |step: Step, inner: &Value, found: &mut Secrets| {
            path.push(step);
            found.collect(root, inner, path, (depth + 1, &mut *budget));
            path.pop();
        };
        for (name, inner) in members(schema, "properties") {
            under(Step::Member(name.clone()), inner, self);
        }
        for (_, inner) in members(schema, "patternProperties") {
            under(Step::AnyMember, inner, self);
        }
        for key in ["additionalProperties", "unevaluatedProperties"] {
            under(Step::AnyMember, &schema[key], self);
        }
        for key in ["items", "contains", "unevaluatedItems", "additionalItems"] {
            under(Step::Item, &schema[key], self);
        }
        for inner in schema["prefixItems"].as_array().into_iter().flatten() {
            under(Step::Item, inner, self);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for inner in schema[key].as_array().into_iter().flatten() {
                self.collect(root, inner, path, (depth + 1, &mut *budget));
            }
        }
        for key in ["if", "then", "else", "not"] {
            self.collect(root, &schema[key], path, (depth + 1, &mut *budget));
        }
        for (_, inner) in members(schema, "dependentSchemas") {
            self.collect(root, inner, path, (depth + 1, &mut *budget));
        }
        if let Some(inner) = schema["$ref"].as_str().and_then(|text| root.pointer(text.strip_prefix('#')?)) {
            self.collect(root, inner, path, (depth + 1, &mut *budget));
        }
    }

    /// Each place once, and none inside of another.
    fn settle(&mut self) {
        self.paths.sort();
        self.paths.dedup();
        let all = std::mem::take(&mut self.paths);
        for path in all {
            if !self.paths.iter().any(|outer| path.starts_with(outer)) {
                self.paths.push(path);
            }
        }
    }
}

fn members<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    schema[key].as_object().into_iter().flatten()
}

fn descend(value: &mut Value, path: &[Step], pointer: &mut String, each: &mut impl FnMut(&str, &mut Value)) {
    let Some((step, rest)) = path.split_first() else { return each(pointer, value) };
    let mut down = |name: &str, inner: &mut Value| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        descend(inner, rest, pointer, each);
        pointer.truncate(length);
    };
    match (step, value) {
        (Step::Member(name), Value::Object(all)) => {
            if let Some(inner) = all.get_mut(name) {
                down(name, inner);
            }
        }
        (Step::AnyMember, Value::Object(all)) => all.iter_mut().for_each(|(name, inner)| down(name, inner)),
        (Step::Item, Value::Array(all)) => {
            all.iter_mut().enumerate().for_each(|(n, inner)| down(&n.to_string(), inner));
        }
        // An input of another shape has no such secret.
        (Step::Member(_) | Step::AnyMember | Step::Item, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value, mut input: Value) -> Vec<String> {
        let mut all = Vec::new();
        Secrets::of(&schema).visit(&mut input, &mut |pointer, _| all.push(pointer.to_owned()));
        all
    }

    #[test]
    fn secrets_are_found_wherever_a_schema_can_name_them() {
        let secret = || json!({ "type": "string", "writeOnly": true });
        let input = json!({ "a": { "b/c": "x", "d": ["y", "z"] }, "e": 1 });
        for (schema, wanted) in [
            (json!({ "properties": { "e": secret() } }), vec!["/e"]),
            (json!({ "properties": { "a": { "additionalProperties": secret() } } }), vec!["/a/b~1c", "/a/d"]),
            (
                json!({ "properties": { "a": { "properties": { "d": { "items": secret() } } } } }),
                vec!["/a/d/0", "/a/d/1"],
            ),
            (json!({ "oneOf": [{ "properties": { "e": secret() } }, {}] }), vec!["/e"]),
            (json!({ "if": {}, "else": { "properties": { "e": secret() } } }), vec!["/e"]),
            (
                json!({ "properties": { "e": { "$ref": "#/$defs/p" } }, "$defs": { "p": secret() } }),
                vec!["/e"],
            ),
            (
                json!({ "properties": { "a": { "writeOnly": true, "properties": { "d": secret() } } } }),
                vec!["/a"],
            ),
            (json!({ "properties": { "a": { "$ref": "#" }, "nothing": secret() } }), vec![]),
            (json!({ "properties": { "e": { "items": secret() } } }), vec![]),
            (json!(true), vec![]),
        ] {
            assert_eq!(found(schema.clone(), input.clone()), wanted, "{schema}");
        }
    }

    #[test]
    fn schema_without_end_has_nothing_but_secrets() {
        let again = || json!({ "$ref": "#" });
        let schema = json!({ "allOf": [again(), again()], "properties": { "a": again(), "b": again() } });
        assert_eq!(found(schema, json!({ "a": 1 })), [""]);
    }

    #[test]
    fn names_that_read_a_secret_are_known() {
        let secrets = Secrets::of(&json!({ "properties": { "host": {}, "login": { "properties": {
            "password": { "writeOnly": true } } } } }));
        for (name, reads) in [
            ("input.login.password", true),
            ("input.login.password.x", true),
            ("input.login", false),
            ("input.host", false),
            ("subTasks.login.password", false),
        ] {
            assert_eq!(secrets.are_read_by(name), reads, "{name}");
        }
    }
}
