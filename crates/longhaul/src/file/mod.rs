//! Workflow files: YAML or JSON, read and checked in one place for `workflow lint`, `workflow apply`,
//! `serve --workflows` and the shipped workflows.

pub(crate) mod finding;
mod folder;
mod mend;
mod structure;
mod tree;

use longhaul_model::text::without_value;
use longhaul_model::workflow::{Definition, Problem, Workflow};
use serde_json::Value;

pub(crate) use finding::{Finding, Place};
pub(crate) use folder::{Found, find};
use tree::{Doubled, Tree, Unreadable};

/// Result of reading a file.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Workflow; `None` if there are mistakes.
    pub(crate) definition: Option<Definition>,
    /// Mistakes and warnings, in the order of their places.
    pub(crate) findings: Vec<Finding>,
}

/// Reads and checks a workflow file: its syntax, its shape, its values, and what only compilation shows; as
/// much of that as possible at once.
pub(crate) fn check(text: &str) -> Checked {
    let mut checked = steps(text);
    checked.findings.sort_by_key(|finding| finding.place);
    if checked.findings.iter().any(Finding::is_error) {
        checked.definition = None;
    }
    checked
}

fn steps(text: &str) -> Checked {
    let refused = |findings| Checked { definition: None, findings };
    let tree = match Tree::parse(text) {
        Ok(tree) => tree,
        Err(e) => return refused(vec![unreadable(text, e)]),
    };
    let (mut findings, mut mended) = structure::check(&tree);
    findings.extend(tree.doubled.iter().map(doubled));
    let mut taken: Vec<String> = Vec::new();
    let definition = loop {
        match definition(mended.value()) {
            Ok(definition) => break definition,
            Err((pointer, message)) => {
                // Mistakes in the shape have been reported in better words.
                let place = tree.at(&pointer);
                let follows = taken.iter().any(|part| part.starts_with(&pointer));
                if !follows && !findings.iter().any(|finding| finding.place == place) {
                    findings.push(Finding::error(place, message, None));
                }
                if !mended.take(&pointer) {
                    return refused(findings);
                }
                taken.push(pointer);
            }
        }
    };
    let others: Vec<Definition> =
        mended.alternatives().filter_map(|document| self::definition(&document).ok()).collect();
    for definition in std::iter::once(&definition).chain(&others) {
        let problems = match Workflow::compile(definition.clone(), 1) {
            Ok(workflow) => workflow.warnings,
            Err(problems) => problems,
        };
        for problem in problems.into_iter().filter(|problem| !mended.explains(problem)) {
            let Problem { severity, pointer, message, hint } = problem;
            let finding = Finding { severity, place: tree.at(&pointer), message, hint };
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
    }
    Checked { definition: Some(definition), findings }
}

/// Converts a value into a definition, or returns the pointer of its mistake.
fn definition(value: &Value) -> Result<Definition, (String, String)> {
    serde_path_to_error::deserialize(value).map_err(|e| {
        let pointer = e.path().iter().fold(String::new(), |pointer, segment| {
            use serde_path_to_error::Segment;
            match segment {
                Segment::Seq { index } => format!("{pointer}/{index}"),
                Segment::Map { key } => format!("{pointer}/{key}"),
                Segment::Enum { variant } => format!("{pointer}/{variant}"),
                Segment::Unknown => pointer,
            }
        });
        (pointer, without_value(&e.into_inner().to_string()))
    })
}

/// Finding for a text that is no document; the usual slip with YAML has words of its own.
fn unreadable(text: &str, Unreadable { place, message, hint }: Unreadable) -> Finding {
    let line = text.lines().nth(place.line - 1).unwrap_or_default();
    let value = line.split_once(": ").map_or(line.trim_start_matches([' ', '-']), |(_, value)| value).trim();
    let value = value.split(" #").next().unwrap_or_default().trim_end();
    if value.starts_with("{{") {
        let quoted = match value.contains(['"', '\\']) {
            true => format!("'{}'", value.replace('\'', "''")),
            false => format!("\"{value}\""),
        };
        let hint = format!("put the text in quotes: {quoted}");
        return Finding::error(place, "`{{` without quotes begins a mapping, not a text", Some(hint));
    }
    Finding::error(place, message, hint.map(str::to_owned))
}

/// Finding for a name that is written twice.
fn doubled(found: &Doubled) -> Finding {
    Finding::error(found.again, found.message(), Some("keep one of them".to_owned()))
}

/// A YAML or JSON document as a plain value.
pub(crate) fn value(text: &str) -> Result<Value, Finding> {
    let tree = Tree::parse(text).map_err(|e| Finding::error(e.place, e.message, None))?;
    match tree.doubled.first() {
        Some(found) => Err(doubled(found)),
        None => Ok(tree.value),
    }
}

/// Place of a part of a document, by its pointer.
pub(crate) fn place_of(text: &str, pointer: &str) -> Place {
    Tree::parse(text).map_or(Place::START, |tree| tree.at(pointer))
}

#[cfg(test)]
mod planted_test;
