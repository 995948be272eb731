//! Secret parts of an input: those that its schema calls `writeOnly`. Every place of the schema counts, also
//! in a branch that an input does not take: better one value hidden too many.

mod graph;
mod survey;

use serde_json::{Map, Value};

use graph::{Graph, Node};
pub use survey::Unclear;
use survey::push;

/// Member of the object in the place of a sealed secret. An object of an input that has such a member is
/// treated as a secret, so that nobody can pass one off as sealed.
pub const SEALED: &str = "$sealed";

/// Maximum number of schemas looked at for one input. Some schemas and inputs would take for ever: then the
/// rest of the input is a secret.
const BUDGET: usize = 10_000_000;

/// Places of secrets in inputs of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(Graph);

/// A place of an input that holds a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretPlace<'a> {
    /// JSON pointer of the secret.
    pub pointer: &'a str,
    /// True if the names of the members are secrets as well as their values.
    pub names: bool,
}

impl Secrets {
    /// Returns the secrets of a schema. The whole input is one if the schema is unclear about them.
    pub fn of(schema: &Value) -> Secrets {
        Secrets::survey(schema).unwrap_or_else(|_| Secrets::everything())
    }

    /// Returns the secrets of a schema, or every place where it is unclear about them.
    pub fn survey(schema: &Value) -> Result<Secrets, Vec<Unclear>> {
        survey::graph(schema).map(Secrets)
    }

    pub(super) fn everything() -> Secrets {
        let node = Node { secret: true, ..Node::default() };
        Secrets(Graph { nodes: vec![node], start: vec![0] })
    }

    /// Joins two sets of secrets.
    pub fn and(self, other: Secrets) -> Secrets {
        Secrets(self.0.joined(other.0))
    }

    /// Returns true if inputs have none.
    pub fn is_empty(&self) -> bool {
        self.0.start.is_empty()
    }

    /// Returns true if a path such as `input.password` reads a secret, or something inside of one.
    pub fn are_read_by(&self, path: &[String]) -> bool {
        let Some(("input", members @ [_, ..])) = path.split_first().map(|(root, rest)| (root.as_str(), rest))
        else {
            return false;
        };
        let mut nodes = self.0.expanded(&self.0.start);
        for part in members {
            if self.says_secret(&nodes).is_some() {
                return true;
            }
            let mut next = self.0.member(&nodes, part);
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                next.extend(self.0.item(&nodes));
            }
            nodes = self.0.expanded(&next);
        }
        self.says_secret(&nodes).is_some()
    }

    /// Returns true if one of the nodes is a secret, and whether its members' names are secrets.
    fn says_secret(&self, nodes: &[u32]) -> Option<bool> {
        let mut found = nodes.iter().map(|node| &self.0.nodes[*node as usize]).filter(|node| node.secret);
        let first = found.next()?;
        Some(first.secret_names || found.any(|node| node.secret_names))
    }

    /// Calls `each` for every secret of an input. None of them is inside of another.
    pub fn visit(&self, input: &mut Value, each: &mut impl FnMut(SecretPlace<'_>, &mut Value)) {
        if !self.is_empty() {
            let mut walk = Walk { secrets: self, pointer: String::new(), budget: BUDGET, each };
            walk.descend(input, &self.0.start);
        }
    }

    /// The JSON pointers of the secrets that an input has.
    pub fn places(&self, input: &Value) -> Vec<String> {
        let mut all = Vec::new();
        self.visit(&mut input.clone(), &mut |place, _| all.push(place.pointer.to_owned()));
        all
    }
}

/// Returns true for the object in the place of a sealed secret.
pub fn is_sealed(value: &Value) -> bool {
    matches!(value, Value::Object(members) if members.contains_key(SEALED))
}

/// Walk through an input beside the nodes that describe each value.
struct Walk<'a, F> {
    secrets: &'a Secrets,
    pointer: String,
    budget: usize,
    each: &'a mut F,
}

impl<F: FnMut(SecretPlace<'_>, &mut Value)> Walk<'_, F> {
    fn descend(&mut self, value: &mut Value, nodes: &[u32]) {
        let nodes = self.secrets.0.expanded(nodes);
        self.budget = self.budget.saturating_sub(nodes.len());
        let says = self.secrets.says_secret(&nodes).or((self.budget == 0).then_some(false));
        if let Some(names) = says.or(is_sealed(value).then_some(false)) {
            return (self.each)(SecretPlace { pointer: &self.pointer, names }, value);
        }
        match value {
            Value::Object(members) => self.members(members, &nodes),
            Value::Array(items) => {
                let next = self.secrets.0.item(&nodes);
                for (n, item) in items.iter_mut().enumerate() {
                    let length = push(&mut self.pointer, &n.to_string());
                    self.descend(item, &next);
                    self.pointer.truncate(length);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn members(&mut self, members: &mut Map<String, Value>, nodes: &[u32]) {
        for (name, member) in members.iter_mut() {
            let next = self.secrets.0.member(nodes, name);
            let length = push(&mut self.pointer, name);
            self.descend(member, &next);
            self.pointer.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(schema: Value, input: Value) -> Vec<String> {
        Secrets::of(&schema).places(&input)
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
            (json!({ "properties": { "a": { "propertyNames": secret() } } }), vec!["/a"]),
            (
                json!({ "properties": { "e": { "contentSchema": { "properties": { "x": secret() } } } } }),
                vec!["/e"],
            ),
            (json!({ "properties": { "other": { "properties": { "const": secret() } } } }), vec![]),
            (json!(true), vec![]),
        ] {
            assert_eq!(found(schema.clone(), input.clone()), wanted, "{schema}");
        }
    }

    #[test]
    fn recursive_schema_has_its_secrets_at_any_depth() {
        let schema = json!({ "properties": { "next": { "$ref": "#" }, "key": { "writeOnly": true } } });
        let mut input = json!({ "key": "x" });
        for _ in 0..90 {
            input = json!({ "next": input });
        }
        assert_eq!(found(schema, input), ["/next".repeat(90) + "/key"]);
    }

    #[test]
    fn names_that_read_a_secret_are_known() {
        let secrets = Secrets::of(&json!({ "properties": { "host": {}, "login": { "properties": {
            "password": { "writeOnly": true } } }, "all": { "items": { "writeOnly": true } } } }));
        for (name, reads) in [
            ("input.login.password", true),
            ("input.login.password.x", true),
            ("input.login", false),
            ("input.host", false),
            ("input.all.0", true),
            ("subTasks.login.password", false),
        ] {
            let path: Vec<String> = name.split('.').map(str::to_owned).collect();
            assert_eq!(secrets.are_read_by(&path), reads, "{name}");
        }
    }

    #[test]
    fn object_that_looks_sealed_is_a_secret() {
        let schema = json!({ "properties": { "e": { "writeOnly": true } } });
        assert_eq!(found(schema, json!({ "x": [{ SEALED: "abc", "y": 1 }] })), ["/x/0"]);
    }
}
