//! The shipped workflows, the published schema and the parser agree with each other and with the documented
//! examples.

use longhaul_model::workflow::{InputSchema, definition_schema};
use serde_json::{Value, json};

use crate::demo::{WORKFLOWS, workflows};
use crate::file;

#[test]
fn shipped_workflows_have_no_findings_and_fit_the_schema() {
    let schema = InputSchema::compile(&definition_schema()).unwrap();
    for (name, text) in WORKFLOWS {
        let checked = file::check(text);
        assert_eq!(checked.findings, [], "{name}");
        assert_eq!(schema.violations(&file::value(text).unwrap()), [], "{name}");
    }
}

/// Workflows for authors of clients, one for each operation of SDDC Manager that answers with a task, have no
/// findings.
#[test]
fn workflows_of_sddc_manager_have_no_findings_and_cover_each_operation() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows/sddc-manager");
    let mut routes = Vec::new();
    for source in file::find(&[folder.into()]).files {
        let checked = file::check(&source.text);
        assert_eq!(checked.findings, [], "{}", source.name());
        let definition = checked.definition.unwrap();
        assert!(source.path.ends_with(format!("{}.yaml", definition.name)), "{}", source.name());
        routes.extend(definition.route);
    }
    let table = include_str!("../../server/src/declared/operations.md");
    for row in table.lines().filter(|row| row.contains("| /v1/")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let built_in =
            ["/v1/tasks", "/v1/credentials", "/v1/tokens"].iter().any(|own| cells[2].starts_with(own));
        assert!(
            built_in || routes.contains(&format!("{} {}", cells[1], cells[2])),
            "{} {}",
            cells[1],
            cells[2]
        );
    }
}

/// A sub-task of the documented examples is in a shipped workflow, word for word.
#[test]
fn shipped_workflows_are_those_of_the_documented_examples() {
    let page: Value = serde_json::from_str(include_str!("../fixtures/tasks.json")).unwrap();
    let task: Value = serde_json::from_str(include_str!("../fixtures/task.json")).unwrap();
    let input = json!({"fqdn": "sfo-vcf01.rainpole.io", "credentialType": "FTP"});
    let filled = |text: &str| {
        text.replace("{{ input.fqdn }}", input["fqdn"].as_str().unwrap())
            .replace("{{ input.credentialType }}", input["credentialType"].as_str().unwrap())
    };
    let ours = workflows().unwrap();
    for example in page["elements"].as_array().unwrap().iter().chain([&task]) {
        let (_, definition) =
            ours.iter().find(|(_, d)| d.title == example["name"]).expect("a workflow of that title");
        for (sub, theirs) in definition.sub_tasks.iter().zip(example["subTasks"].as_array().unwrap()) {
            assert_eq!(filled(sub.title.as_ref().unwrap_or(&sub.name)), theirs["name"].as_str().unwrap());
            assert_eq!(filled(&sub.description), theirs["description"].as_str().unwrap());
        }
        for error in example["errors"].as_array().unwrap() {
            let ours = definition.error.as_ref().expect("an error");
            assert_eq!((&ours.code, &ours.message), (&text(&error["errorCode"]), &text(&error["message"])));
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The schema is written by hand: its names must be those that the parser takes.
#[test]
fn the_schema_names_what_the_parser_takes() {
    let schema = definition_schema();
    let known = |pointer: &str| -> Vec<String> {
        let properties = schema.pointer(pointer).and_then(Value::as_object).expect(pointer);
        let mut names: Vec<String> = properties.keys().cloned().collect();
        names.sort();
        names
    };
    let workflow = json!({"name": "a", "type": "A", "title": "A", "subTasks": []});
    let sub_task = json!({"name": "a", "description": "a", "action": {"simulate": {}}});
    let in_sub_task = |sub: Value| json!({"name": "a", "type": "A", "title": "A", "subTasks": [sub]});
    let in_action = |action: Value| in_sub_task(json!({"name": "a", "description": "a", "action": action}));
    let cases: Vec<(&str, Value)> = vec![
        ("/properties", merged(&workflow, json!({"?": 1}))),
        ("/properties/concurrency/properties", merged(&workflow, json!({"concurrency": {"?": 1}}))),
        ("/$defs/error/properties", merged(&workflow, json!({"error": {"?": 1}}))),
        ("/$defs/resource/properties", merged(&workflow, json!({"resources": [{"?": 1}]}))),
        ("/$defs/subTask/properties", in_sub_task(merged(&sub_task, json!({"?": 1})))),
        ("/$defs/retry/properties", in_sub_task(merged(&sub_task, json!({"retry": {"?": 1}})))),
        ("/$defs/action/properties", in_action(json!({"?": {}}))),
    ];
    let kinds = known("/$defs/action/properties");
    let actions = kinds.iter().map(|kind| {
        (format!("/$defs/action/properties/{kind}/properties"), in_action(json!({kind: {"?": 1}})))
    });
    for (pointer, with_unknown) in
        cases.into_iter().map(|(pointer, value)| (pointer.to_owned(), value)).chain(actions)
    {
        let refusal = serde_json::from_value::<longhaul_model::workflow::Definition>(with_unknown)
            .unwrap_err()
            .to_string();
        assert_eq!(named(&refusal), known(&pointer), "{pointer}: {refusal}");
    }
}

fn merged(base: &Value, more: Value) -> Value {
    let mut all = base.clone();
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// Returns the names in "unknown field `?`, expected one of `a`, `b`".
fn named(refusal: &str) -> Vec<String> {
    let expected = refusal.split_once("expected").map_or("", |(_, rest)| rest);
    let mut names: Vec<String> = expected.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    names.sort();
    names
}
