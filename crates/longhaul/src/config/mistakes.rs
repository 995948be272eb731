//! Mistakes in a configuration file: all of them, each with its place and the name of its setting. The lines
//! themselves are not shown: they may hold a password, and this goes to the log.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use anyhow::anyhow;
use longhaul_model::text::without_value;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::file::{Finding, Place};
use crate::out::style::Palette;

/// Mistakes beyond these are not looked for.
const MOST: usize = 20;

/// Text of a configuration file without the lines that are no TOML, each of which is blank in it.
pub(super) struct Sound {
    text: String,
    /// Mistakes in the others, with their places.
    errors: Vec<(String, Range<usize>)>,
    /// Dotted names of the tables that lost a line.
    torn: BTreeSet<String>,
}

impl Sound {
    pub(super) fn of(text: &str) -> Sound {
        let mut sound = Sound { text: text.to_owned(), errors: Vec::new(), torn: BTreeSet::new() };
        let mut is_first = true;
        for _ in 0..MOST {
            let (_, found) = DeTable::parse_recoverable(&sound.text);
            let found: Vec<_> =
                found.iter().map(|e| (e.message().to_owned(), e.span().unwrap_or_default())).collect();
            if found.is_empty() {
                return sound;
            }
            // All behind a list without an end is read as part of it.
            if let Some(list) = found.iter().find_map(|(said, span)| unclosed(&sound.text, said, span)) {
                sound.blank(&list);
                sound.errors.push(("this list has no end: write `]` behind its last item".to_owned(), list));
                continue;
            }
            found.iter().for_each(|(_, span)| sound.blank(span));
            // Errors of later rounds are only consequences.
            if std::mem::take(&mut is_first) {
                sound.errors.extend(found.into_iter().take(MOST));
            }
        }
        // What is left of such a file says little about it.
        sound.text = " ".repeat(text.len());
        sound
    }

    /// Blanks the lines of a range; behind a broken name of a table, all that was to be in the table.
    fn blank(&mut self, span: &Range<usize>) {
        let begin = self.text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line_end = |at: usize| {
            self.text.get(at..).and_then(|rest| rest.find('\n')).map_or(self.text.len(), |end| at + end)
        };
        let mut end = line_end(span.end.max(begin));
        let line = self.text.get(begin..end).unwrap_or_default().trim_start();
        if line.starts_with('[') {
            end =
                self.text.get(end..).and_then(|rest| rest.find("\n[")).map_or(self.text.len(), |at| end + at);
        }
        self.torn.insert(table_at(&self.text, begin));
        let blank: String = self
            .text
            .as_bytes()
            .get(begin..end)
            .unwrap_or_default()
            .iter()
            .map(|byte| if matches!(byte, b'\n' | b'\r') { char::from(*byte) } else { ' ' })
            .collect();
        if self.text.is_char_boundary(begin) && self.text.is_char_boundary(end) {
            self.text.replace_range(begin..end, &blank);
        }
    }
}

/// Returns the beginning of the list that an error shows not to end, if it does.
fn unclosed(text: &str, said: &str, span: &Range<usize>) -> Option<Range<usize>> {
    let is_one = said.starts_with("unclosed array") || said.starts_with("unexpected `=` in array");
    let before = text.get(..span.start).filter(|_| is_one)?;
    let mut end = before.len();
    for line in before.split_inclusive('\n').rev() {
        let begin = end - line.len();
        let count = |what: char| line.matches(what).count();
        if let Some((_, value)) = line.split_once('=')
            && value.trim_start().starts_with('[')
            && count('[') > count(']')
        {
            let at = begin + line.find('[')?;
            return Some(at..at + 1);
        }
        end = begin;
    }
    None
}

/// Returns the name of the table that a line is in.
fn table_at(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let name = before.lines().rev().find_map(|line| line.trim().strip_prefix('['));
    let name = name.map(|name| name.trim_matches(['[', ']', ' ']).to_owned());
    name.unwrap_or_default()
}

/// A setting of the right type that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nonsense {
    /// Path of the setting, such as `wire.clients[0].account`.
    pub(super) key: String,
    /// Values that make sense.
    pub(super) remedy: String,
    /// True if other settings of the same table make it wrong, or their absence.
    pub(super) is_relative: bool,
    /// True if one setting may have several of these.
    pub(super) is_one_of_some: bool,
}

impl Nonsense {
    /// A value that is wrong whatever else is set.
    pub(super) fn of(key: impl Into<String>, remedy: impl Into<String>) -> Nonsense {
        Nonsense { key: key.into(), remedy: remedy.into(), is_relative: false, is_one_of_some: false }
    }

    /// One of the mistakes in a setting that has parts of its own.
    pub(super) fn each(key: impl Into<String>, remedy: impl Into<String>) -> Nonsense {
        Nonsense { is_one_of_some: true, ..Nonsense::of(key, remedy) }
    }

    /// A setting that others of its table make wrong.
    pub(super) fn beside(key: impl Into<String>, remedy: impl Into<String>) -> Nonsense {
        Nonsense { is_relative: true, ..Nonsense::of(key, remedy) }
    }
}

/// A configuration file that is being read.
pub(super) struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    /// The file as it is written, as far as it is TOML.
    whole: DeTable<'a>,
    findings: Vec<Finding>,
    /// Settings that have findings.
    wrong: BTreeSet<String>,
    /// Tables without a setting that is in the file.
    torn: BTreeSet<String>,
    /// Indexes in the file of the items that were taken out of lists, by the name of the list.
    taken: BTreeMap<String, BTreeSet<usize>>,
}

impl<'a> Reading<'a> {
    pub(super) fn begin(path: &'a Path, text: &'a str, sound: &'a Sound) -> Reading<'a> {
        let (table, _) = DeTable::parse_recoverable(&sound.text);
        let mut reading = Reading {
            path,
            text,
            whole: table.into_inner(),
            findings: Vec::new(),
            wrong: BTreeSet::new(),
            torn: sound.torn.clone(),
            taken: BTreeMap::new(),
        };
        for (message, span) in &sound.errors {
            reading.add("", message, Some(span.clone()));
        }
        reading
    }

    /// Returns the settings without those that cannot be read; `None` if none is left.
    pub(super) fn settings<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut left = self.whole.clone();
        while self.findings.len() < MOST {
            let table = Spanned::new(0..self.text.len(), left.clone());
            match serde_path_to_error::deserialize(toml::Deserializer::from(table)) {
                Ok(settings) => return Some(settings),
                Err(e) => {
                    let key = self.in_file(&e.path().to_string());
                    // An item of a list has a place of its own, which the error may not have.
                    let span = if key.ends_with(']') { self.span_of(&key) } else { e.inner().span() };
                    self.add(&key, e.inner().message(), span);
                    let path: Vec<&Segment> = e.path().iter().collect();
                    if !self.remove(&mut left, &path, String::new()) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Removes the setting that an error is about; false if it cannot be determined.
    fn remove(&mut self, table: &mut DeTable<'_>, path: &[&Segment], name: String) -> bool {
        let [Segment::Map { key }, rest @ ..] = path else { return false };
        let inner = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let removed = match table.get_mut(key.as_str()).map(Spanned::as_mut) {
            Some(DeValue::Table(table)) => self.remove(table, rest, inner),
            Some(DeValue::Array(items)) => self.remove_item(items, rest, inner),
            _ => false,
        };
        let removed = removed || table.remove(key.as_str()).is_some();
        self.torn.insert(name);
        removed
    }

    /// Removes the item of a list that an error is about, or the setting within it.
    fn remove_item(&mut self, items: &mut DeArray<'_>, path: &[&Segment], name: String) -> bool {
        let [Segment::Seq { index }, rest @ ..] = path else { return false };
        let index_in_file = self.index_in_file(&name, *index);
        if let Some(DeValue::Table(table)) = items.get_mut(*index).map(Spanned::as_mut)
            && self.remove(table, rest, format!("{name}[{index_in_file}]"))
        {
            return true;
        }
        if *index >= items.len() {
            return false;
        }
        let others = items.iter().enumerate().filter(|(n, _)| n != index).map(|(_, item)| item.clone());
        *items = others.collect();
        self.taken.entry(name).or_default().insert(index_in_file)
    }

    /// Returns the index that an item of a list has in the file, where others may be before it.
    fn index_in_file(&self, list: &str, index: usize) -> usize {
        let none = BTreeSet::new();
        let taken = self.taken.get(list).unwrap_or(&none);
        taken.iter().fold(index, |index, before| if *before <= index { index + 1 } else { index })
    }

    /// Returns the path that a setting has in the file.
    fn in_file(&self, key: &str) -> String {
        let mut path = String::new();
        for part in key.split('.') {
            if !path.is_empty() {
                path.push('.');
            }
            match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
                Some((list, index)) if index.parse::<usize>().is_ok() => {
                    path.push_str(list);
                    let index = self.index_in_file(&path, index.parse().unwrap_or_default());
                    path.push_str(&format!("[{index}]"));
                }
                _ => path.push_str(part),
            }
        }
        path
    }

    /// Notes that a setting of the right type makes no sense, unless that may only be so for want of one that
    /// cannot be read.
    pub(super) fn nonsense(&mut self, nonsense: &Nonsense) {
        let Nonsense { remedy, is_relative, is_one_of_some, .. } = nonsense;
        let key = self.in_file(&nonsense.key);
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        // A list item is beside the settings within it.
        let is_torn = self.torn.contains(table) || self.torn.contains(&key);
        if (self.wrong.contains(&key) && !is_one_of_some) || (*is_relative && is_torn) {
            return;
        }
        let span = self.span_of(&key);
        self.add(&key, remedy, span);
    }

    /// Returns all mistakes as an error.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        self.findings.sort_by_key(|finding| finding.place);
        let name = self.path.display().to_string();
        let all: String = self.findings.iter().map(|one| one.render(&name, "", Palette::plain())).collect();
        Err(anyhow!("the configuration file is wrong\n{}", all.trim_end()))
    }

    fn add(&mut self, key: &str, message: &str, span: Option<Range<usize>>) {
        self.wrong.insert(key.to_owned());
        let message = match key {
            "" | "." => without_value(message),
            key => format!("{key}: {}", without_value(message)),
        };
        self.findings.push(Finding::error(place(self.text, span.unwrap_or_default()), message, None));
    }

    /// Returns the place of a key, or that of the innermost table around it in the file.
    fn span_of(&self, path: &str) -> Option<Range<usize>> {
        let mut span = None;
        let mut at: Option<&DeTable<'_>> = Some(&self.whole);
        for part in path.split('.') {
            let (key, index) = match part.split_once('[') {
                Some((key, index)) => (key, index.trim_end_matches(']').parse::<usize>().ok()),
                None => (part, None),
            };
            let Some((name, value)) = at.and_then(|table| table.get_key_value(key)) else { break };
            span = Some(name.span());
            let mut value = Some(value);
            if let Some(index) = index {
                value = value.and_then(|value| value.get_ref().get(index));
                span = value.map(Spanned::span).or(span);
            }
            at = value.and_then(|value| value.get_ref().as_table());
        }
        span
    }
}

/// Returns the mistake of a file that is not UTF-8, at its place.
pub(super) fn not_utf8(path: &Path, valid: &str) -> anyhow::Error {
    let Place { line, column, .. } = place(valid, valid.len()..valid.len());
    anyhow!("the configuration file is wrong\n{}:{line}:{column}: error: this is not UTF-8", path.display())
}

/// A range of bytes as a place.
fn place(text: &str, span: Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        length: text.get(span).map_or(1, |part| part.chars().count()),
    }
}
