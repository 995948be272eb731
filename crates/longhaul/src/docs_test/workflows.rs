//! `docs/workflows.md` against the checking of workflows, their schema and their expressions.

use std::collections::BTreeSet;

use longhaul_model::expr::{FILTERS, Scope, TESTS, Template, visible};
use longhaul_model::workflow::definition_schema;
use serde_json::Value;

use super::blocks;
use crate::file;

const WORKFLOWS: &str = include_str!("../../../../docs/workflows.md");
const README: &str = include_str!("../../../../README.md");

#[test]
fn every_example_lints_clean() {
    let mut names = BTreeSet::new();
    for (page, text) in [("docs/workflows.md", WORKFLOWS), ("README.md", README)] {
        let examples = blocks(text, "yaml");
        assert!(!examples.is_empty(), "{page} has no example");
        for example in examples {
            let checked = file::check(example);
            assert_eq!(checked.findings, [], "{page}:\n{example}");
            let name = checked.definition.expect("a workflow").name;
            assert!(names.insert(name.clone()), "{page}: `{name}` is the name of two examples");
        }
    }
}

/// Returns the part under a heading, up to the next one that is not below it.
fn part(heading: &str) -> &'static str {
    let (_, rest) = WORKFLOWS.split_once(&format!("\n{heading}\n")).expect(heading);
    let level = heading.split(' ').next().unwrap_or_default();
    let end = (1..=level.len()).filter_map(|n| rest.find(&format!("\n{} ", "#".repeat(n)))).min();
    &rest[..end.unwrap_or(rest.len())]
}

/// The first cells of the tables of a part, without backticks.
fn keys(part: &str) -> BTreeSet<&str> {
    let rows = part.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| row.split('`').nth(1)).collect()
}

/// Each table has the keys of its part of the schema and no others; keys that this version does not run are
/// named below.
#[test]
fn tables_have_the_keys_of_the_schema() {
    let schema = definition_schema();
    for (heading, pointer, later) in [
        ("## The workflow", "/properties", &[][..]),
        ("## Resources", "/$defs/resource/properties", &[]),
        ("## Sub-tasks", "/$defs/subTask/properties", &["probe", "undo"]),
        ("### `http`", "/$defs/action/properties/http/properties", &[]),
        ("### `command`", "/$defs/action/properties/command/properties", &[]),
        ("### `wait`", "/$defs/action/properties/wait/properties", &[]),
        ("### `simulate`", "/$defs/action/properties/simulate/properties", &[]),
        ("### `worker`", "/$defs/action/properties/worker/properties", &[]),
        ("### Errors", "/$defs/error/properties", &[]),
    ] {
        let part = part(heading);
        let known = schema.pointer(pointer).and_then(Value::as_object).expect(pointer);
        let now = known.keys().map(String::as_str).filter(|key| !later.contains(key));
        assert_eq!(keys(part), now.collect(), "{heading}");
        for key in later {
            assert!(part.contains(&format!("`{key}`")), "{heading}: {key} is not named");
        }
    }
    let (_, retry) = part("## Failure").split_once("\n`retry` has\n").expect("a table of retries");
    let known = schema.pointer("/$defs/retry/properties").and_then(Value::as_object).expect("retries");
    let (retry, _) = retry.split_once("\nAn attempt").expect("an end");
    assert_eq!(keys(retry), known.keys().map(String::as_str).collect());
    let actions = schema.pointer("/$defs/action/properties").and_then(Value::as_object).expect("actions");
    for kind in actions.keys() {
        assert!(part("## Actions").contains(&format!("`{kind}`")), "the action {kind} is not named");
    }
}

#[test]
fn every_filter_and_test_is_listed() {
    let page = part("## Expressions");
    for name in FILTERS.iter().chain(TESTS) {
        assert!(page.contains(&format!("`{name}`")), "`{name}` is not listed");
    }
}

#[test]
fn expressions_give_what_the_page_says() {
    let (_, rest) = part("## Expressions").split_once("`input` being `").expect("an input");
    let (input, rest) = rest.split_once("`:\n").expect("its end");
    let input: Value = serde_json::from_str(input).expect("JSON");
    let scope = Scope::new([("input", visible(&input))]);
    let mut count = 0;
    for row in rest.lines().filter(|line| line.starts_with("| `")) {
        // A table's own bars are not escaped.
        let cells: Vec<String> =
            row.replace("\\|", "\u{0}").split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let (expression, wanted) = (cells[1].trim_matches('`'), cells[2].trim_matches('`'));
        let given = Template::parse(expression).expect(expression).value(&scope).expect(expression);
        assert_eq!(given, serde_json::from_str::<Value>(wanted).expect(wanted), "{expression}");
        count += 1;
    }
    assert!(count >= 10, "{count} examples");
}
