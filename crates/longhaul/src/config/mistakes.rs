//! Mistakes in a configuration file: all of them, each with its place and the name of its setting. The lines
//! themselves are not shown: they may hold a password, and this goes to the log.

use std::ops::Range;
use std::path::Path;

use anyhow::anyhow;
use longhaul_model::text::without_value;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::{Finding, Place};
use crate::out::style::Palette;

/// Mistakes beyond these are not looked for.
const MOST: usize = 20;

/// A configuration file that is being read.
pub(super) struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    /// The file as it is written.
    whole: DeTable<'a>,
    findings: Vec<Finding>,
}

impl<'a> Reading<'a> {
    pub(super) fn begin(path: &'a Path, text: &'a str) -> Reading<'a> {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading { path, text, whole: table.into_inner(), findings: Vec::new() };
        for e in errors.iter().take(MOST) {
            reading.add("", e.message(), e.span());
        }
        reading
    }

    /// Returns the settings without those that cannot be read; `None` if none is left.
    pub(super) fn settings<T: DeserializeOwned>(&mut self) -> Option<T> {
        if !self.findings.is_empty() {
            // The readable part of a broken file says little about it.
            return None;
        }
        let mut left = self.whole.clone();
        while self.findings.len() < MOST {
            let table = Spanned::new(0..self.text.len(), left.clone());
            match serde_path_to_error::deserialize(toml::Deserializer::from(table)) {
                Ok(settings) => return Some(settings),
                Err(e) => {
                    let key = e.path().to_string();
                    self.add(&key, e.inner().message(), e.inner().span());
                    if !remove(&mut left, e.path().iter()) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// Notes that a setting of the right type makes no sense. `key` is its path, such as
    /// `wire.clients[0].account`.
    pub(super) fn nonsense(&mut self, key: &str, remedy: &str) {
        let span = self.span_of(key);
        self.add(key, remedy, span);
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

/// Removes the setting that an error is about; false if it cannot be determined.
fn remove<'p>(table: &mut DeTable<'_>, mut path: impl Iterator<Item = &'p Segment>) -> bool {
    let Some(Segment::Map { key }) = path.next() else { return false };
    // An array is removed as a whole: its places would change.
    if let Some(DeValue::Table(inner)) = table.get_mut(key.as_str()).map(Spanned::as_mut)
        && remove(inner, path)
    {
        return true;
    }
    table.remove(key.as_str()).is_some()
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
