//! Texts to search for: the secrets of a task, each of their lines, and values in them that are secrets of
//! their own.

use std::collections::HashSet;
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

pub(super) type Bytes = Zeroizing<Vec<u8>>;

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
        let wide: Vec<Bytes> = self.long.iter().flat_map(|needle| wide(needle)).collect();
        self.long.extend(wide);
        self.long.sort_unstable_by(|a, b| a.as_slice().cmp(b.as_slice()));
        self.long.dedup();
        Needles::new(self.long, self.short)
    }
}

/// Returns the forms that a text has in UTF-16. One without the zero at the end is found in both orders of
/// the bytes, if the last character is of ASCII.
fn wide(needle: &[u8]) -> Vec<Bytes> {
    let Ok(text) = std::str::from_utf8(needle) else { return Vec::new() };
    let units = || text.encode_utf16();
    let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
    if text.is_ascii() {
        return vec![little[..little.len() - 1].to_vec().into()];
    }
    vec![little.into(), units().flat_map(u16::to_be_bytes).collect::<Vec<u8>>().into()]
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
    /// In order, each once.
    long: Vec<Bytes>,
    short: Vec<Bytes>,
    finder: Finder,
    /// First and last bytes of secrets.
    beginnings: HashSet<[u8; SHORTEST]>,
    endings: HashSet<[u8; SHORTEST]>,
    /// Secrets in the order of their bytes from the last to the first.
    by_end: Vec<usize>,
    longest: usize,
}

/// Way to find secrets in a text.
enum Finder {
    /// Automaton of all secrets, which finds them in linear time; `None` if none can be made of them.
    Automaton(Option<AhoCorasick>),
    /// A search in their order at each place, for secrets of which an automaton would take seconds to make.
    /// Each has the longest other one that it begins with.
    Ordered(Vec<Option<usize>>),
}

/// Number of bytes of secrets up to which an automaton is made of them.
const LARGEST_AUTOMATON: usize = 256 * 1024;
/// Bytes that an ordered search may compare for each byte of a text, and in any case.
const COMPARED: (usize, usize) = (256, 1 << 20);

impl Needles {
    fn new(long: Vec<Bytes>, short: Vec<Bytes>) -> Needles {
        let size: usize = long.iter().map(|needle| needle.len()).sum();
        Needles::with(long, short, size <= LARGEST_AUTOMATON)
    }

    pub(super) fn with(long: Vec<Bytes>, short: Vec<Bytes>, has_automaton: bool) -> Needles {
        let finder = if has_automaton {
            Finder::Automaton(AhoCorasick::builder().match_kind(MatchKind::Standard).build(&long).ok())
        } else {
            Finder::Ordered(begun_with(&long))
        };
        let beginnings = long.iter().filter_map(|needle| needle.first_chunk().copied()).collect();
        let endings = long.iter().filter_map(|needle| needle.last_chunk().copied()).collect();
        let mut by_end: Vec<usize> = (0..long.len()).collect();
        by_end.sort_unstable_by(|a, b| long[*a].iter().rev().cmp(long[*b].iter().rev()));
        let longest = long.iter().map(|needle| needle.len()).max().unwrap_or(0);
        Needles { long, short, finder, beginnings, endings, by_end, longest }
    }

    /// Returns true if there is nothing to search for.
    pub(super) fn is_empty(&self) -> bool {
        self.long.is_empty() && self.short.is_empty()
    }

    /// Returns true if a text is a secret from beginning to end.
    pub(super) fn are(&self, text: &str) -> bool {
        let text = text.as_bytes();
        self.short.iter().any(|known| known.as_slice() == text)
            || self.long.binary_search_by(|known| known.as_slice().cmp(text)).is_ok()
    }

    /// Calls `each` with every place of a secret. Returns false if they cannot be searched for.
    pub(super) fn find(&self, bytes: &[u8], each: &mut impl FnMut(Range<usize>)) -> bool {
        if self.long.is_empty() {
            return true;
        }
        match &self.finder {
            Finder::Automaton(None) => false,
            Finder::Automaton(Some(automaton)) => {
                automaton.find_overlapping_iter(bytes).for_each(|found| each(found.range()));
                true
            }
            Finder::Ordered(begun_with) => self.find_in_order(begun_with, bytes, each),
        }
    }

    /// Calls `each` with the longest secret at each place. Returns false if the text was made to take long.
    fn find_in_order(
        &self,
        begun_with: &[Option<usize>],
        bytes: &[u8],
        each: &mut impl FnMut(Range<usize>),
    ) -> bool {
        let mut left = COMPARED.1 + COMPARED.0.saturating_mul(bytes.len());
        for (at, begin) in bytes.windows(SHORTEST).enumerate() {
            if !self.beginnings.contains(begin) {
                continue;
            }
            let rest = &bytes[at..];
            // Whatever begins the rest of the text begins the last one in order that is not behind it, too.
            let last = self.long.partition_point(|needle| needle.as_slice() <= rest).checked_sub(1);
            let Some(last) = last else { continue };
            let same = rest.iter().zip(self.long[last].iter()).take_while(|(a, b)| a == b).count();
            match left.checked_sub(same) {
                Some(rest) => left = rest,
                None => return false,
            }
            let mut candidate = Some(last);
            while let Some(n) = candidate.filter(|n| self.long[*n].len() > same) {
                candidate = begun_with[n];
            }
            if let Some(n) = candidate {
                each(at..at + self.long[n].len());
            }
        }
        true
    }

    /// Length of the beginning of a text that is the end of a secret.
    pub(super) fn ended_by(&self, bytes: &[u8]) -> Option<usize> {
        let most = bytes.len().min(self.longest.saturating_sub(1));
        (SHORTEST..=most).rev().find(|length| {
            let begin = &bytes[..*length];
            let is_known = begin.last_chunk().is_some_and(|last| self.endings.contains(last));
            let reversed = || begin.iter().rev();
            let first = || self.by_end.partition_point(|n| self.long[*n].iter().rev().le(reversed()));
            is_known && self.by_end.get(first()).is_some_and(|n| self.long[*n].ends_with(begin))
        })
    }

    /// Position of the end of a text that is the beginning of a secret.
    pub(super) fn begun_by(&self, bytes: &[u8]) -> Option<usize> {
        let most = bytes.len().min(self.longest.saturating_sub(1));
        let from = bytes.len() - most;
        (from..(bytes.len() + 1).saturating_sub(SHORTEST)).find(|at| {
            let end = &bytes[*at..];
            let is_known = end.first_chunk().is_some_and(|first| self.beginnings.contains(first));
            let first = || self.long.partition_point(|needle| needle.as_slice() <= end);
            is_known && self.long.get(first()).is_some_and(|needle| needle.starts_with(end))
        })
    }
}

/// Returns for each of some texts in order the longest other one that it begins with.
fn begun_with(all: &[Bytes]) -> Vec<Option<usize>> {
    let mut open: Vec<usize> = Vec::new();
    let each = all.iter().enumerate().map(|(n, text)| {
        while open.pop_if(|last| !text.starts_with(&all[*last])).is_some() {}
        let before = open.last().copied();
        open.push(n);
        before
    });
    each.collect()
}
