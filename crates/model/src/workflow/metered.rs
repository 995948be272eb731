//! JSON whose reading costs fuel: what bounds the work of the JSON Schema library, which has no limit of its
//! own.
//!
//! A recursive schema with alternatives doubles the work with each level of the input (50 levels never end),
//! in every mode but the one that tells only whether an input is valid; references shared by alternatives do
//! the same without any recursion. The library reads the input through a trait, and no keyword does any work
//! without reading: so the reads are counted.

use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp, unique};
use jsonschema::types::JsonType;
use serde_json::{Map, Number, Value};

thread_local! {
    static FUEL: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Bytes of a text whose reading costs as much as that of one value.
const BYTES_PER_READ: usize = 32;

/// The check was given up, as it took more reads than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfFuel;

/// Runs a check that reads at most so many values.
///
/// The library can only be left by unwinding; no hook hears of it, and what panics in earnest goes on to do
/// so.
pub(super) fn within<T>(fuel: u64, check: impl FnOnce() -> T) -> Result<T, OutOfFuel> {
    let before = FUEL.replace(fuel);
    let done = catch_unwind(AssertUnwindSafe(check));
    FUEL.set(before);
    done.map_err(|unwound: Box<dyn Any + Send>| match unwound.downcast::<OutOfFuel>() {
        Ok(out) => *out,
        Err(panic) => resume_unwind(panic),
    })
}

fn spend(reads: usize) {
    match FUEL.get().checked_sub(reads as u64) {
        Some(left) => FUEL.set(left),
        None => resume_unwind(Box::new(OutOfFuel)),
    }
}

/// Returns the number of values in a value, itself included, with long texts counted by their lengths.
pub(super) fn weight(value: &Value) -> u64 {
    match value {
        Value::Array(items) => 1 + items.iter().map(weight).sum::<u64>(),
        Value::Object(members) => {
            1 + members.iter().map(|(name, value)| of_text(name) as u64 + weight(value)).sum::<u64>()
        }
        Value::String(text) => of_text(text) as u64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn of_text(text: &str) -> usize {
    1 + text.len() / BYTES_PER_READ
}

/// The representation: `serde_json`'s own values, read through [`Read`].
pub(super) struct Metered;

/// A value that costs fuel to read.
#[derive(Clone, Copy)]
pub(super) struct Read<'a>(pub(super) &'a Value);

/// An object that costs fuel to read.
pub(super) struct Members<'a>(&'a Map<String, Value>);

/// An array that costs fuel to read.
pub(super) struct Items<'a>(&'a [Value]);

impl Json for Metered {
    type Node<'a> = Read<'a>;
    type PreparedKey = String;
    type StringBuffer = Value;

    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut Value, string: &str, f: impl FnOnce(Read<'_>) -> T) -> T {
        spend(of_text(string));
        *buffer = Value::String(string.to_owned());
        f(Read(buffer))
    }
}

impl<'a> Node<'a, Metered> for Read<'a> {
    type Object = Members<'a>;
    type Array = Items<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        spend(1);
        self.0.as_object().map(Members)
    }

    fn as_array(&self) -> Option<Items<'a>> {
        spend(1);
        self.0.as_array().map(|items| Items(items))
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = self.0.as_str();
        // Whoever asks for a text reads it, as patterns and formats do.
        spend(text.map_or(1, of_text));
        text.map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        spend(1);
        self.0.as_number()
    }

    fn as_boolean(&self) -> Option<bool> {
        spend(1);
        self.0.as_bool()
    }

    fn is_null(&self) -> bool {
        spend(1);
        self.0.is_null()
    }

    fn json_type(&self) -> JsonType {
        spend(1);
        match self.0 {
            Value::Null => JsonType::Null,
            Value::Bool(_) => JsonType::Boolean,
            Value::Number(_) => JsonType::Number,
            Value::String(_) => JsonType::String,
            Value::Array(_) => JsonType::Array,
            Value::Object(_) => JsonType::Object,
        }
    }

    fn equals_value(&self, expected: &Value) -> bool {
        spend(1);
        match (self.0, expected) {
            (Value::Array(own), Value::Array(other)) => {
                own.len() == other.len()
                    && own.iter().zip(other).all(|(own, other)| Read(own).equals_value(other))
            }
            (Value::Object(own), Value::Object(other)) => {
                let same =
                    |(name, value)| other.get(name).is_some_and(|other| Read(value).equals_value(other));
                own.len() == other.len() && own.iter().all(same)
            }
            (Value::String(own), Value::String(other)) => {
                own.len() == other.len() && {
                    spend(of_text(own));
                    own == other
                }
            }
            (own, other) => cmp::equal(own, other),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        spend(1);
        Cow::Borrowed(self.0)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Some(NodeIdentity::new(std::ptr::from_ref(self.0) as usize))
    }
}

impl<'a> Object<'a, Metered> for Members<'a> {
    type Node = Read<'a>;
    type MemberName = &'a str;
    type MembersIter = MembersOf<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Read<'a>> {
        spend(1);
        self.0.get(key).map(Read)
    }

    fn members(&self) -> MembersOf<'a> {
        MembersOf(self.0.iter())
    }
}

/// The members of an object, one after the other.
pub(super) struct MembersOf<'a>(serde_json::map::Iter<'a>);

impl<'a> Iterator for MembersOf<'a> {
    type Item = (&'a str, Read<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next()?;
        // Names are matched against patterns.
        spend(of_text(name));
        Some((name, Read(value)))
    }
}

impl<'a> Array<'a, Metered> for Items<'a> {
    type Node = Read<'a>;
    type ElementsIter = ItemsOf<'a>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> ItemsOf<'a> {
        ItemsOf(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        // Few items are compared pair by pair, many are hashed.
        const PAIRWISE: usize = 15;
        let each: u64 = self.0.iter().map(weight).sum();
        spend(each as usize * self.0.len().min(PAIRWISE));
        unique::is_unique(self.0)
    }
}

/// The items of an array, one after the other.
pub(super) struct ItemsOf<'a>(std::slice::Iter<'a, Value>);

impl<'a> Iterator for ItemsOf<'a> {
    type Item = Read<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.0.next()?;
        spend(1);
        Some(Read(value))
    }
}
