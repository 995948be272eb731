//! Survey of the places that a schema calls `writeOnly`. References are resolved by the validator's own
//! resolver, every keyword of every draft that can hold a schema is followed, and a `writeOnly` that cannot
//! be reached from an input is reported.

use std::collections::{HashMap, HashSet, VecDeque};

use referencing::{Draft, Registry, Resolver, uri};
use serde_json::{Map, Value};

use super::Secrets;
use super::graph::{Graph, Node};

/// Base of references in a schema without an `$id`; the validator uses the same.
const BASE: &str = "json-schema:///";

/// Keywords whose value is data and never a schema.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];
/// Keywords whose value holds schemas under names of the author's choice.
const MAPS: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords whose schemas describe the same value.
const SAME: [&str; 7] = ["allOf", "anyOf", "oneOf", "if", "then", "else", "not"];
/// Keywords whose schemas describe items.
const ITEMS: [&str; 5] = ["items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"];

/// Place of a schema that is not clear about its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// JSON pointer into the schema.
    pub pointer: String,
    /// Description of the mistake.
    pub message: String,
    /// Proposal of a correction.
    pub hint: String,
}

/// Builds the graph of the places that a schema describes, or returns every place where that is unclear.
pub(super) fn graph(schema: &Value) -> Result<Graph, Vec<Unclear>> {
    if !schema.is_object() {
        return Ok(Graph::default());
    }
    let draft = Draft::default().detect(schema);
    let resource = draft.create_resource_ref(schema);
    let base = resource.id().unwrap_or(BASE).to_owned();
    let unresolved = |e: String| {
        let hint = "write references to places in this schema, such as `#/$defs/password`";
        vec![Unclear { pointer: String::new(), message: e, hint: hint.into() }]
    };
    let registry = Registry::new().draft(draft).add(base.as_str(), resource).and_then(|all| all.prepare());
    let registry = registry.map_err(|e| unresolved(e.to_string()))?;
    let base = uri::from_str(&base).map_err(|e| unresolved(e.to_string()))?;
    let root = Place { schema, resolver: registry.resolver(base), draft };
    let mut survey = Survey::default();
    survey.declared(root.clone(), &mut String::new());
    survey.reach(root);
    survey.finish()
}

/// Schema with the base of its references.
#[derive(Clone)]
struct Place<'a> {
    schema: &'a Value,
    resolver: Resolver<'a>,
    draft: Draft,
}

impl<'a> Place<'a> {
    /// Returns a schema written inside of this one.
    fn inner(&self, schema: &'a Value) -> Place<'a> {
        let draft = self.draft.detect(schema);
        let resolver = self.resolver.in_subresource(draft.create_resource_ref(schema));
        Place { schema, resolver: resolver.unwrap_or_else(|_| self.resolver.clone()), draft }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self.schema).addr()
    }
}

#[derive(Default)]
struct Survey<'a> {
    graph: Graph,
    known: HashMap<usize, u32>,
    queue: VecDeque<(u32, Place<'a>)>,
    /// Schemas with `writeOnly: true`, by address, with their JSON pointers.
    says: Vec<(usize, String)>,
    /// Schemas by the names that dynamic references find them by.
    dynamic: HashMap<&'a str, Vec<Place<'a>>>,
    /// Schemas that `$recursiveRef` may mean.
    recursive: Vec<Place<'a>>,
    pointers: HashMap<usize, String>,
    /// Values that schemas give as defaults and examples, with the node and the pointer of the keyword.
    samples: Vec<(u32, &'a Value, String)>,
    unclear: Vec<Unclear>,
}

impl<'a> Survey<'a> {
    /// Notes all that is written anywhere in the schema, whether an input can reach it or not.
    fn declared(&mut self, place: Place<'a>, pointer: &mut String) {
        match place.schema {
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    self.declared_under(&place, &n.to_string(), item, pointer);
                }
            }
            Value::Object(members) => {
                self.note(&place, members, pointer);
                for (name, inner) in members.iter().filter(|(name, _)| !DATA.contains(&name.as_str())) {
                    match inner {
                        Value::Object(named) if MAPS.contains(&name.as_str()) => {
                            let length = push(pointer, name);
                            for (name, inner) in named {
                                self.declared_under(&place, name, inner, pointer);
                            }
                            pointer.truncate(length);
                        }
                        _ => self.declared_under(&place, name, inner, pointer),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn declared_under(&mut self, place: &Place<'a>, name: &str, inner: &'a Value, pointer: &mut String) {
        if inner.is_object() || inner.is_array() {
            let length = push(pointer, name);
            self.declared(place.inner(inner), pointer);
            pointer.truncate(length);
        }
    }

    fn note(&mut self, place: &Place<'a>, members: &'a Map<String, Value>, pointer: &str) {
        self.pointers.insert(place.address(), pointer.to_owned());
        match members.get("writeOnly") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) => self.says.push((place.address(), pointer.to_owned())),
            Some(_) => self.unclear.push(Unclear {
                pointer: format!("{pointer}/writeOnly"),
                message: "`writeOnly` is neither true nor false".to_owned(),
                hint: "write `writeOnly: true`".to_owned(),
            }),
        }
        if let Some(name) = members.get("$dynamicAnchor").and_then(Value::as_str) {
            self.dynamic.entry(name).or_default().push(place.clone());
        }
        if members.get("$recursiveAnchor") == Some(&Value::Bool(true)) {
            self.recursive.push(place.clone());
        }
    }

    /// Builds the graph of the schemas that describe an input, from the root on.
    fn reach(&mut self, root: Place<'a>) {
        self.graph.start = vec![self.node(root)];
        while let Some((id, place)) = self.queue.pop_front() {
            if let Value::Object(members) = place.schema {
                let secret = members.get("writeOnly").is_some_and(|says| *says != Value::Bool(false));
                let mut node = Node { secret, ..Node::default() };
                self.references(&place, members, &mut node);
                self.children(&place, members, &mut node);
                self.graph.nodes[id as usize] = node;
                self.samples_of(id, &place, members);
            }
        }
    }

    fn samples_of(&mut self, id: u32, place: &Place<'a>, members: &'a Map<String, Value>) {
        let pointer = self.pointers.get(&place.address()).cloned().unwrap_or_default();
        if let Some(value) = members.get("default") {
            self.samples.push((id, value, format!("{pointer}/default")));
        }
        for (n, value) in members.get("examples").and_then(Value::as_array).into_iter().flatten().enumerate()
        {
            self.samples.push((id, value, format!("{pointer}/examples/{n}")));
        }
    }

    /// Returns the node of a schema; a new one is looked at later.
    fn node(&mut self, place: Place<'a>) -> u32 {
        *self.known.entry(place.address()).or_insert_with(|| {
            let id = u32::try_from(self.graph.nodes.len()).unwrap_or(u32::MAX);
            self.graph.nodes.push(Node::default());
            self.queue.push_back((id, place));
            id
        })
    }

    fn children(&mut self, place: &Place<'a>, members: &'a Map<String, Value>, node: &mut Node) {
        for (keyword, value) in members {
            let mut each = |schemas: Vec<&'a Value>| -> Vec<u32> {
                schemas.into_iter().map(|schema| self.node(place.inner(schema))).collect()
            };
            match keyword.as_str() {
                name if SAME.contains(&name) => node.same.extend(each(one_or_more(value))),
                name if ITEMS.contains(&name) => node.items.extend(each(one_or_more(value))),
                "dependentSchemas" | "dependencies" => node.same.extend(each(named(value))),
                "patternProperties" => node.any_member.extend(each(named(value))),
                "additionalProperties" | "unevaluatedProperties" => {
                    node.any_member.extend(each(vec![value]));
                }
                "propertyNames" => node.names.extend(each(vec![value])),
                "contentSchema" => node.content.extend(each(vec![value])),
                "properties" => {
                    for (name, schema) in value.as_object().into_iter().flatten() {
                        node.members.push((name.clone(), self.node(place.inner(schema))));
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds the schemas that a schema refers to. A dynamic reference may mean any schema of its name.
    fn references(&mut self, place: &Place<'a>, members: &'a Map<String, Value>, node: &mut Node) {
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let Some(Value::String(reference)) = members.get(keyword) else { continue };
            let name = reference.rsplit_once('#').map_or("", |(_, fragment)| fragment);
            let mut targets = match (keyword, self.dynamic.get(name)) {
                ("$recursiveRef", _) => self.recursive.clone(),
                (_, named) => named.cloned().unwrap_or_default(),
            };
            match place.resolver.lookup(reference) {
                Ok(found) => {
                    let (schema, resolver, draft) = found.into_inner();
                    targets.push(Place { schema, resolver, draft });
                }
                Err(e) if targets.is_empty() => {
                    let pointer = self.pointers.get(&place.address()).cloned().unwrap_or_default();
                    self.unclear.push(Unclear {
                        pointer: format!("{pointer}/{keyword}"),
                        message: format!("the reference cannot be followed: {e}"),
                        hint: "refer to a place in this schema, such as `#/$defs/password`".to_owned(),
                    });
                }
                Err(_) => {}
            }
            for target in targets {
                let target = self.node(target);
                node.same.push(target);
            }
        }
    }

    fn finish(mut self) -> Result<Graph, Vec<Unclear>> {
        let reached: HashSet<usize> = self.known.keys().copied().collect();
        for (address, pointer) in &self.says {
            if !reached.contains(address) {
                self.unclear.push(Unclear {
                    pointer: format!("{pointer}/writeOnly"),
                    message: "no value of an input is described by this part of the schema, so its \
                              `writeOnly` keeps nothing secret"
                        .to_owned(),
                    hint:
                        "write `writeOnly: true` where the value is described, such as in `properties`, or \
                           refer to this part with `$ref`; remove it if it is not used"
                            .to_owned(),
                });
            }
        }
        let below = self.graph.below_secrets();
        let (graph, number) = self.graph.pruned();
        for (id, value, pointer) in self.samples {
            let id = id as usize;
            let at = number[id].map(|node| Graph { nodes: graph.nodes.clone(), start: vec![node] });
            if (below[id] && holds_text(value)) || at.is_some_and(|graph| gives_secret(graph, value)) {
                self.unclear.push(Unclear {
                    pointer,
                    message: "it gives a value for a secret, and everybody who reads the workflow reads it"
                        .into(),
                    hint: "leave it out: whoever starts the task gives the value".to_owned(),
                });
            }
        }
        if self.unclear.is_empty() { Ok(graph) } else { Err(self.unclear) }
    }
}

/// Returns true if a value has something at the place of a secret.
fn gives_secret(graph: Graph, value: &Value) -> bool {
    let mut gives = false;
    Secrets(graph).visit(&mut value.clone(), &mut |_, value| gives |= value.is_number() || holds_text(value));
    gives
}

fn holds_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(holds_text),
        Value::Object(members) => members.values().any(holds_text),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the schema that a keyword has, or those in its list.
fn one_or_more(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |all| all.iter().collect())
}

/// The schemas that a keyword has under names.
fn named(value: &Value) -> Vec<&Value> {
    value.as_object().into_iter().flat_map(Map::values).collect()
}

/// Appends a segment; returns the length before.
pub(super) fn push(pointer: &mut String, name: &str) -> usize {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    length
}
