//! The fuzz targets of `fuzz/` without a fuzzer: each runs over its corpus, and over a number of seeded
//! mutations of it. `make fuzz` runs them for longer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

#[path = "../../../../fuzz/bodies/expressions.rs"]
mod expressions;
#[path = "../../../../fuzz/bodies/imports.rs"]
mod imports;
#[path = "../../../../fuzz/bodies/queries.rs"]
mod queries;
#[path = "../../../../fuzz/bodies/redaction.rs"]
#[expect(dead_code, reason = "the target uses a part of what it includes")]
mod redaction;
#[path = "../../../../fuzz/bodies/schemas.rs"]
mod schemas;
#[path = "../../../../fuzz/bodies/tasks.rs"]
mod tasks;
#[path = "../../../../fuzz/bodies/tokens.rs"]
mod tokens;
#[path = "../../../../fuzz/bodies/workflows.rs"]
mod workflows;

/// The longest input that a mutation makes, in bytes.
const LONGEST: usize = 8192;
/// Variable with the seed of a run, for another than the usual one.
const SEED: &str = "FUZZ_SEED";

/// Pieces that mean something to some reader.
const PIECES: [&str; 28] = [
    "{{",
    "}}",
    "{{ input.n }}",
    "\0",
    "\"",
    "\\u0000",
    "%00",
    "..",
    "%2e%2e",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "null",
    "-1",
    "1e999",
    "99999999999999999999",
    "$ref",
    "writeOnly",
    "\u{202e}",
    "é",
    "&",
    "=",
    "\n",
    "(",
    "-",
];

/// Generator of pseudo-random numbers that follow from a seed (SplitMix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below another, which is not 0.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    /// A range of up to 32 within a length.
    fn part(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..length.min(start + self.below(33))
    }
}

/// Changes an input in one to four places.
pub(crate) fn mutated(corpus: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut input = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(4) {
        let place = chance.below(input.len() + 1);
        let part = chance.part(input.len());
        match chance.below(7) {
            0 => drop(input.drain(part)),
            1 => {
                let copy = input[part].to_vec();
                let copies = copy.repeat(1 + chance.below(64));
                input.splice(place..place, copies);
            }
            2 => drop(input.splice(part, PIECES[chance.below(PIECES.len())].bytes())),
            3 => {
                let deep = PIECES[chance.below(PIECES.len())].repeat(chance.below(2000));
                input.splice(place..place, deep.bytes());
            }
            4 => {
                let other = &corpus[chance.below(corpus.len())];
                let copy = other[chance.part(other.len())].to_vec();
                input.splice(place..place, copy);
            }
            5 => {
                let other = &corpus[chance.below(corpus.len())];
                input.truncate(place);
                input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
            }
            _ => {
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 1 << chance.below(8);
                }
            }
        }
        input.truncate(LONGEST);
    }
    input
}

/// Values that take the place of others.
const VALUES: [&str; 16] = [
    "null",
    "true",
    "-1",
    "0",
    "1e300",
    "18446744073709551615",
    r#""""#,
    r#""{{ [0] * input.n }}""#,
    r#""{{ (""#,
    "[]",
    "{}",
    r#"{"writeOnly":true}"#,
    r##"{"$ref":"#"}"##,
    r#"{"$sealed":"x"}"#,
    r#""\u0000""#,
    r#"[[[[1]]]]"#,
];

/// The places of all values in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| places(item, &format!("{at}/{n}"), found));
        }
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
        }),
        _ => {}
    }
}

/// A value of a document, chosen by chance.
fn some<'a>(value: &'a mut Value, chance: &mut Chance) -> &'a mut Value {
    let mut found = Vec::new();
    places(value, "", &mut found);
    value.pointer_mut(&found[chance.below(found.len())]).unwrap()
}

/// Changes a document in one to four places so that it is still a document.
pub(crate) fn reshaped(mut value: Value, mut donor: Value, chance: &mut Chance) -> Value {
    for _ in 0..=chance.below(4) {
        let given = match chance.below(2) {
            0 => serde_json::from_str(VALUES[chance.below(VALUES.len())]).unwrap(),
            _ => some(&mut donor, chance).clone(),
        };
        let (kind, deep, number) = (chance.below(5), chance.below(60), chance.below(1000));
        match (kind, some(&mut value, chance)) {
            (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(number % items.len())),
            (0, Value::Object(members)) if !members.is_empty() => {
                let name = members.keys().nth(number % members.len()).unwrap().clone();
                members.remove(&name);
            }
            (1, Value::Array(items)) => items.push(given),
            (1, Value::Object(members)) => {
                let name =
                    members.keys().nth(number % (members.len() + 1)).map_or("x", String::as_str).to_owned();
                members.insert(name, given);
            }
            (2, place) => *place = (0..deep).fold(place.take(), |inner, _| Value::Array(vec![inner])),
            (_, place) => *place = given,
        }
    }
    value
}

/// Changes an input that is JSON, or has lines that are; leaves any other as it is.
fn reshaped_json(corpus: &[Vec<u8>], chance: &mut Chance) -> Option<Vec<u8>> {
    let read = |input: &[u8]| -> Option<Vec<Value>> {
        let whole = serde_json::from_slice(input).map(|value| vec![value]);
        let lines = || input.split(|byte| *byte == b'\n').map(serde_json::from_slice).collect();
        whole.or_else(|_| lines()).ok()
    };
    let input = read(&corpus[chance.below(corpus.len())])?;
    let donors = read(&corpus[chance.below(corpus.len())])?;
    let changed = input.into_iter().map(|value| {
        let donor = donors[chance.below(donors.len())].clone();
        reshaped(value, donor, chance).to_string()
    });
    Some(changed.collect::<Vec<_>>().join("\n").into_bytes())
}

/// Runs a target over its corpus and so many mutations; names the first input for which a property does not
/// hold.
fn replay(target: &str, mutations: usize, run: fn(&[u8])) {
    let folder = format!("{}/../../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(!corpus.is_empty(), "{folder} has no inputs");
    let seed = std::env::var(SEED).map_or(18, |seed| seed.parse().unwrap());
    let mut chance = Chance(seed);
    let tried = |input: &[u8]| {
        let held = catch_unwind(AssertUnwindSafe(|| run(input))).is_ok();
        assert!(held, "{target}, {SEED}={seed}: \"{}\"", input.escape_ascii());
    };
    corpus.iter().for_each(|input| tried(input));
    for _ in 0..mutations {
        let reshaped = if chance.below(2) == 0 { reshaped_json(&corpus, &mut chance) } else { None };
        tried(&reshaped.unwrap_or_else(|| mutated(&corpus, &mut chance)));
    }
}

/// Passes the texts that the bytes stand for to a target that reads texts.
macro_rules! text {
    ($run:path) => {
        |input| $run(&String::from_utf8_lossy(input))
    };
}

#[test]
fn expressions_stay_within_their_bounds() {
    replay("expressions", 1_000, text!(expressions::run));
}

#[test]
fn imports_are_read_or_refused() {
    replay("imports", 10_000, imports::run);
}

#[test]
fn queries_are_read_or_refused() {
    replay("queries", 3_000, text!(queries::run));
}

#[test]
fn redaction_finds_every_coding() {
    replay("redaction", 300, redaction::run);
}

#[test]
fn schemas_have_the_secrets_that_the_validator_annotates() {
    replay("schemas", 4_000, schemas::run);
}

#[test]
fn stored_documents_are_read_as_written() {
    replay("tasks", 10_000, tasks::run);
}

#[test]
fn tokens_are_taken_apart_or_refused() {
    replay("tokens", 10_000, text!(tokens::run));
}

#[test]
fn workflows_are_refused_or_run() {
    replay("workflows", 4_000, workflows::run);
}
