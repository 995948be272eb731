//! YAML or JSON document as a plain value, together with the place of each part, so that a mistake found by a
//! later check can be shown at its place.

use std::collections::HashMap;
use std::fmt;

use longhaul_model::text::{harmless, shortened, without_value};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::finding::Place;

/// Document: its value, and the place of each part by JSON pointer (names unescaped, as the model writes
/// them).
#[derive(Debug)]
pub(crate) struct Tree {
    /// Value of the document.
    pub(crate) value: Value,
    /// Names that are written twice in one object; the first counts.
    pub(crate) doubled: Vec<Doubled>,
    source: String,
    places: HashMap<String, Places>,
}

/// A name that is written twice in one object.
#[derive(Debug)]
pub(crate) struct Doubled {
    /// The name.
    pub(crate) name: String,
    /// Place where it is written first.
    pub(crate) first: Place,
    /// Place where it is written again.
    pub(crate) again: Place,
}

impl Doubled {
    /// Returns what is wrong in words.
    pub(crate) fn message(&self) -> String {
        let name = harmless(&shortened(&self.name, 100), false).into_owned();
        match (self.first.line, self.again.line) {
            (first, again) if first == again => format!("key `{name}` is written twice (line {first})"),
            (first, again) => format!("key `{name}` is written twice (lines {first} and {again})"),
        }
    }
}

/// Places of a member's name and of its value.
#[derive(Clone, Copy, Debug)]
struct Places {
    key: Option<Place>,
    value: Place,
    container: bool,
}

/// Reason why a text is no document.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// Place where reading ended.
    pub(crate) place: Place,
    /// Error at that place.
    pub(crate) message: String,
    /// Advice, where it is a slip that has words of its own.
    pub(crate) hint: Option<&'static str>,
}

impl Tree {
    /// Reads a YAML document; JSON is YAML too.
    pub(crate) fn parse(text: &str) -> Result<Tree, Unreadable> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            with_snippet: false,
            // Told in our words, with both places, and the rest of the document is read.
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
        };
        let node: Node = serde_saphyr::from_str_with_options(text, options).map_err(|e| unreadable(&e))?;
        let mut found = Found { places: HashMap::new(), doubled: Vec::new() };
        let value = node.place(String::new(), None, &mut found);
        Ok(Tree { value, doubled: found.doubled, source: text.to_owned(), places: found.places })
    }

    /// Returns the place of a value, or of the nearest part of the document that holds it. The place of a
    /// list or an object is its name, as readers seldom look at its own beginning.
    pub(crate) fn at(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            let plain = pointer.replace("~1", "/").replace("~0", "~");
            if let Some(found) = self.places.get(pointer).or_else(|| self.places.get(&plain)) {
                return match found {
                    Places { key: Some(key), container: true, .. } => *key,
                    Places { value, .. } => *value,
                };
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return Place::START,
            }
        }
    }

    /// Returns a text, number or truth value as the document spells it: `1.10`, `0x1F` and `"a"` with their
    /// signs.
    pub(crate) fn written(&self, pointer: &str) -> Option<String> {
        let Places { value, container: false, .. } = self.places.get(pointer)? else { return None };
        let line = self.source.lines().nth(value.line - 1)?;
        let text: String = line.chars().skip(value.column - 1).take(value.length).collect();
        let text = text.trim_end();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Returns the place of a member's name.
    pub(crate) fn key(&self, pointer: &str) -> Place {
        self.places.get(pointer).and_then(|found| found.key).unwrap_or_else(|| self.at(pointer))
    }
}

fn unreadable(error: &serde_saphyr::Error) -> Unreadable {
    let place = error.location().map_or(Place::START, place);
    let error = error.without_snippet();
    if let serde_saphyr::Error::MultipleDocuments { .. } = error {
        let message = "another document begins here, and a file has one".to_owned();
        return Unreadable {
            place,
            message,
            hint: Some("one workflow for a file: move it to a file of its own"),
        };
    }
    // The library repeats the place at the end of its sentence.
    let message = error.to_string();
    let message = match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    };
    Unreadable { place, message: without_value(&message), hint: None }
}

fn place(location: Location) -> Place {
    Place {
        line: location.line().max(1) as usize,
        column: location.column().max(1) as usize,
        length: location.span().len() as usize,
    }
}

type Node = Spanned<Shape>;

#[derive(Debug)]
enum Shape {
    Plain(Value),
    List(Vec<Node>),
    Members(Vec<(Spanned<String>, Node)>),
}

/// Event on the way through a document.
struct Found {
    places: HashMap<String, Places>,
    doubled: Vec<Doubled>,
}

trait Placing {
    fn place(self, pointer: String, key: Option<Place>, found: &mut Found) -> Value;
}

impl Placing for Node {
    fn place(self, pointer: String, key: Option<Place>, found: &mut Found) -> Value {
        let container = !matches!(self.value, Shape::Plain(_));
        found.places.insert(pointer.clone(), Places { key, value: place(self.referenced), container });
        match self.value {
            Shape::Plain(value) => value,
            Shape::List(items) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(n, item)| item.place(format!("{pointer}/{n}"), None, found))
                    .collect(),
            ),
            Shape::Members(members) => {
                let mut object = Map::new();
                let mut keys: HashMap<String, Place> = HashMap::new();
                for (name, value) in members {
                    let key = place(name.referenced);
                    if let Some(first) = keys.get(&name.value) {
                        found.doubled.push(Doubled { name: name.value, first: *first, again: key });
                        continue;
                    }
                    keys.insert(name.value.clone(), key);
                    let inner = format!("{pointer}/{}", name.value);
                    let value = value.place(inner, Some(key), found);
                    object.insert(name.value, value);
                }
                Value::Object(object)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Plain(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Plain(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Shape, E> {
        Ok(Shape::Plain(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Shape, E> {
        Ok(Shape::Plain(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Shape, E> {
        Ok(Shape::Plain(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Shape, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Shape::Plain(Value::Number(number))),
            None => Err(E::custom("a number must be finite")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Plain(Value::String(value.to_owned())))
    }

    fn visit_string<E>(self, value: String) -> Result<Shape, E> {
        Ok(Shape::Plain(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Shape::Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_has_its_place() {
        let tree = Tree::parse(
            "name: a\nlist:\n  - x: 1\n    yes: on\n  - [2, 'q']\nanchor: &a {k: v}\nalias: *a\n",
        )
        .unwrap();
        assert_eq!(
            tree.value,
            json!({"name": "a", "list": [{"x": 1, "yes": "on"}, [2, "q"]], "anchor": {"k": "v"}, "alias": {"k": "v"}})
        );
        let at = |pointer: &str| (tree.at(pointer).line, tree.at(pointer).column);
        assert_eq!(at("/name"), (1, 7));
        assert_eq!(at("/list"), (2, 1), "a list is shown by its name");
        assert_eq!(at("/list/0"), (3, 5));
        assert_eq!(at("/list/0/yes"), (4, 10));
        assert_eq!((tree.key("/list/0/yes").line, tree.key("/list/0/yes").column), (4, 5));
        assert_eq!(at("/list/1/1"), (5, 9));
        assert_eq!(at("/list/1/1/deeper/still"), (5, 9), "the nearest part that exists");
    }

    #[test]
    fn json_is_read_too() {
        let text = "{\n\t\"name\": \"a\\u00e9\",\n\t\"n\": [1.5, -2, true, null]\n}\n";
        let tree = Tree::parse(text).unwrap();
        assert_eq!(tree.value, json!({"name": "aé", "n": [1.5, -2, true, null]}));
        assert_eq!((tree.at("/name").line, tree.at("/name").column), (2, 10));
    }

    #[test]
    fn doubled_names_are_found_at_every_depth_with_both_places() {
        let text = "a: 1\nb:\n  - {c: 1, d: 2, c: 3}\na: 2\ne: {a: 1}\na: 3\n";
        let tree = Tree::parse(text).unwrap();
        let said: Vec<String> = tree.doubled.iter().map(Doubled::message).collect();
        assert_eq!(
            said,
            [
                "key `c` is written twice (line 3)",
                "key `a` is written twice (lines 1 and 4)",
                "key `a` is written twice (lines 1 and 6)",
            ]
        );
        assert_eq!(tree.value, json!({"a": 1, "b": [{"c": 1, "d": 2}], "e": {"a": 1}}), "the first counts");
        let json = Tree::parse("{\"a\": 1,\n\"a\": 2}").unwrap();
        assert_eq!(json.doubled[0].message(), "key `a` is written twice (lines 1 and 2)");
        let second = Tree::parse("a: 1\n---\na: 2\n").unwrap_err();
        assert!(second.message.contains("a file has one") && second.hint.is_some(), "{second:?}");
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for (text, line) in
            [("a: 1\nb: [1, 2\n", 3), ("a: b: c\n", 1), ("a: .inf", 1), ("a: 1\n---\na: 2\n", 2)]
        {
            let error = Tree::parse(text).unwrap_err();
            assert!(error.place.line.abs_diff(line) <= 1, "{text:?}: {error:?}");
            assert!(!error.message.is_empty());
        }
    }
}
