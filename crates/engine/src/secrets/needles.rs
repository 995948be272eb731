//! Texts to search for: the secrets of a task, each of their lines, and values in them that are secrets of
//! their own.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use longhaul_crypto::Zeroizing;
use serde_json::Value;

use super::decode::{ESCAPES, View};

/// Shortest secret that is searched for within texts; a shorter one is in too many words by chance, so only a
/// text that is all of it counts.
pub(super) const SHORTEST: usize = 4;
/// Shortest line of a secret, or value in a secret document, that is searched for.
const SHORTEST_PART: usize = 8;
/// Largest count of escapes that are taken off a secret, to find it where they are taken off the text around
/// it.
const LEVELS: usize = 3;

type Bytes = Zeroizing<Vec<u8>>;

/// Gathers the secrets of a task.
#[derive(Default)]
pub(crate) struct Learner {
    long: Vec<Bytes>,
    short: Vec<Bytes>,
}

impl Learner {
    /// Learns a secret; of an object or a list every value in it, and with `names` also the names of members.
    pub(super) fn learn(&mut self, secret: &Value, names: bool) {
        match secret {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.learn_text(&number.to_string()),
            Value::String(text) => self.learn_text(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item, names)),
            Value::Object(members) => {
                for (name, member) in members {
                    if names {
                        self.learn_text(name);
                    }
                    self.learn(member, names);
                }
            }
        }
    }

    fn learn_text(&mut self, text: &str) {
        self.add(text, 1);
        self.add(text.trim(), SHORTEST);
        self.add(&text.replace(' ', "+"), SHORTEST);
        if text.contains(['\n', '\r']) {
            self.add(&text.split(['\n', '\r']).map(str::trim).collect::<String>(), SHORTEST);
            text.split(['\n', '\r']).for_each(|line| self.add(line.trim(), SHORTEST_PART));
        }
        if text.trim_start().starts_with(['{', '['])
            && let Ok(document) = serde_json::from_str::<Value>(text)
        {
            self.learn_parts(&document);
        }
        if let Some(password) = password_in_url(text) {
            self.add(password, SHORTEST);
        }
    }

    /// Learns the texts in a document that is a secret as a whole.
    fn learn_parts(&mut self, document: &Value) {
        match document {
            Value::String(text) => {
                self.add(text, SHORTEST_PART);
                text.lines().for_each(|line| self.add(line.trim(), SHORTEST_PART));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_parts(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn_parts(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn add(&mut self, text: &str, from: usize) {
        let length = text.len();
        if length < from || length == 0 {
            return;
        }
        if length < SHORTEST {
            self.short.push(text.as_bytes().to_vec().into());
            return;
        }
        let mut view = View::of(text);
        for _ in 0..LEVELS {
            self.long.push(view.bytes.clone().into());
            match view.unescaped(ESCAPES) {
                Some(inner) if inner.bytes.len() >= SHORTEST => view = inner,
                Some(_) | None => break,
            }
        }
    }

    /// Returns the number of bytes that were learned.
    pub(super) fn size(&self) -> usize {
        self.long.iter().map(|needle| needle.len()).sum()
    }

    pub(super) fn needles(mut self) -> Needles {
        self.long.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
        self.long.dedup();
        Needles::new(self.long, self.short)
    }
}

/// Returns the password of an address such as `postgres://user:password@host/`.
fn password_in_url(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

/// The secrets of a task, ready to be looked for.
pub(super) struct Needles {
    long: Vec<Bytes>,
    short: Vec<Bytes>,
    /// Automaton of the texts; `None` without any, or with so many that no automaton can be made of them.
    automaton: Option<AhoCorasick>,
    /// Secrets by their first bytes; `endings` has them by their last bytes.
    beginnings: HashMap<[u8; SHORTEST], Vec<usize>>,
    endings: HashMap<[u8; SHORTEST], Vec<usize>>,
    longest: usize,
}

impl Needles {
    fn new(long: Vec<Bytes>, short: Vec<Bytes>) -> Needles {
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&long).ok();
        let (mut beginnings, mut endings) =
            (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        for (n, needle) in long.iter().enumerate() {
            if let (Some(first), Some(last)) = (needle.first_chunk(), needle.last_chunk()) {
                beginnings.entry(*first).or_default().push(n);
                endings.entry(*last).or_default().push(n);
            }
        }
        let longest = long.iter().map(|needle| needle.len()).max().unwrap_or(0);
        Needles { long, short, automaton, beginnings, endings, longest }
    }

    /// Returns true if there is nothing to search for.
    pub(super) fn is_empty(&self) -> bool {
        self.long.is_empty() && self.short.is_empty()
    }

    /// Returns true if a text is a secret from beginning to end.
    pub(super) fn are(&self, text: &str) -> bool {
        let same = |known: &Bytes| known.as_slice() == text.as_bytes();
        self.short.iter().any(same) || self.long.iter().any(same)
    }

    /// Calls `each` with every place of a secret. Returns false if they cannot be searched for.
    pub(super) fn find(&self, bytes: &[u8], each: &mut impl FnMut(Range<usize>)) -> bool {
        if self.long.is_empty() {
            return true;
        }
        let Some(automaton) = &self.automaton else { return false };
        automaton.find_overlapping_iter(bytes).for_each(|found| each(found.range()));
        true
    }

    /// Length of the beginning of a text that is the end of a secret.
    pub(super) fn ended_by(&self, bytes: &[u8]) -> Option<usize> {
        let most = bytes.len().min(self.longest.saturating_sub(1));
        (SHORTEST..=most).rev().find(|length| {
            let begin = &bytes[..*length];
            let known = begin.last_chunk().and_then(|last| self.endings.get(last));
            known.is_some_and(|all| all.iter().any(|n| self.long[*n].ends_with(begin)))
        })
    }

    /// Position of the end of a text that is the beginning of a secret.
    pub(super) fn begun_by(&self, bytes: &[u8]) -> Option<usize> {
        let most = bytes.len().min(self.longest.saturating_sub(1));
        let from = bytes.len() - most;
        (from..(bytes.len() + 1).saturating_sub(SHORTEST)).find(|at| {
            let end = &bytes[*at..];
            let known = end.first_chunk().and_then(|first| self.beginnings.get(first));
            known.is_some_and(|all| all.iter().any(|n| self.long[*n].starts_with(end)))
        })
    }
}
