//! Workflow files: YAML or JSON, read and checked in one place for `workflow lint`, `workflow apply`,
//! `serve --workflows` and the shipped workflows.

pub(crate) mod finding;
mod folder;
mod structure;
mod tree;

use longhaul_model::workflow::{Definition, Problem, Workflow};
use serde_json::Value;

pub(crate) use finding::{Finding, Place};
pub(crate) use folder::find;
use tree::Tree;

/// What became of reading a file.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The workflow; `None` when there are mistakes.
    pub(crate) definition: Option<Definition>,
    /// Mistakes and warnings, in the order of their places.
    pub(crate) findings: Vec<Finding>,
}

/// Reads and checks a workflow file: its syntax, its shape, its values, and what only compiling it shows. Each step
/// needs the one before it to have found no mistake.
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
        Err(e) => {
            let hint = unquoted(text, e.place);
            return refused(vec![Finding::error(e.place, e.message, hint)]);
        }
    };
    let findings = structure::check(&tree);
    if !findings.is_empty() {
        return refused(findings);
    }
    let definition = match definition(&tree.value) {
        Ok(definition) => definition,
        Err((pointer, message)) => return refused(vec![Finding::error(tree.at(&pointer), message, None)]),
    };
    let problems = match Workflow::compile(definition.clone(), 1) {
        Ok(workflow) => workflow.warnings,
        Err(problems) => problems,
    };
    let at = |Problem { severity, pointer, message, hint }| Finding {
        severity,
        place: tree.at(&pointer),
        message,
        hint,
    };
    Checked { definition: Some(definition), findings: problems.into_iter().map(at).collect() }
}

/// The definition that a value is, or the pointer of what is wrong with it.
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
        (pointer, e.into_inner().to_string())
    })
}

/// The usual slip with YAML: `{{ … }}` without quotes is a mapping there.
fn unquoted(text: &str, place: Place) -> Option<String> {
    let line = text.lines().nth(place.line - 1)?;
    let value = line.split_once(": ").map_or(line.trim_start_matches([' ', '-']), |(_, value)| value).trim();
    value.starts_with("{{").then(|| format!("put the text in quotes: \"{value}\""))
}

/// A YAML or JSON document as a plain value.
pub(crate) fn value(text: &str) -> Result<Value, Finding> {
    Tree::parse(text).map(|tree| tree.value).map_err(|e| Finding::error(e.place, e.message, None))
}

/// Where a part of a document stands.
pub(crate) fn place_of(text: &str, pointer: &str) -> Place {
    Tree::parse(text).map_or(Place::START, |tree| tree.at(pointer))
}
