//! Checks of workflows: what is accepted, and the problems that are reported with it.

use longhaul_model::workflow::{Definition, Problem, Severity, Workflow, definition_schema};
use serde_json::{Value, json};

/// Returns a workflow without problems, in which each case changes one thing.
pub(crate) fn good() -> Value {
    json!({
        "name": "commission-host", "type": "HOST_COMMISSION", "title": "Commission {{ input.fqdn }}",
        "route": "POST /v1/hosts",
        "input": {
            "type": "object", "required": ["fqdn"],
            "properties": {"fqdn": {"type": "string"}, "count": {"type": "integer"}},
        },
        "resources": [{"type": "HOST", "resourceId": "{{ input.fqdn }}", "lock": "none"}],
        "subTasks": [
            {"name": "Validate", "description": "Validate {{ input.fqdn }}", "action": {"simulate": {"output": {"n": 1}}}},
            {"name": "Fetch", "description": "Fetch", "action": {"http": {"url": "https://example.com/{{ input.fqdn }}"}}},
            {"name": "Run", "description": "Run", "action": {"command": {"run": ["/usr/bin/uptime", "-p"]}}},
            {"name": "Wait", "description": "Wait", "action": {"wait": {"for": "1s"}}},
        ],
    })
}

pub(crate) fn problems(definition: Value) -> Vec<Problem> {
    let definition: Definition = serde_json::from_value(definition).expect("a definition");
    match Workflow::compile(definition, 1) {
        Ok(workflow) => workflow.warnings,
        Err(problems) => problems,
    }
}

/// Returns the good one with one value set, at a JSON pointer whose last part may be new.
pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut definition = good();
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    match definition.pointer_mut(parent).expect(parent) {
        Value::Array(items) => items[member.parse::<usize>().expect("an index")] = value,
        object => object[member] = value,
    }
    definition
}

#[test]
fn compile_good_workflow_has_no_problems() {
    assert_eq!(problems(good()), []);
}

#[test]
fn compile_reports_all_mistakes_at_once() {
    let mut definition = with("/subTasks/0/name", json!(""));
    definition["name"] = json!("NO");
    definition["subTasks"][1]["retry"] = json!({"attempts": 0});
    let pointers: Vec<_> = problems(definition).into_iter().map(|problem| problem.pointer).collect();
    assert_eq!(pointers, ["/name", "/subTasks/0/name", "/subTasks/1/retry/attempts"]);
}

#[test]
fn compile_of_children_that_all_do_the_same_warns() {
    let [warning] = problems(with("/subTasks/0/forEach", json!("{{ [1, 2] }}"))).try_into().unwrap();
    assert_eq!((warning.severity, warning.pointer.as_str()), (Severity::Warning, "/subTasks/0/action"));
    assert!(warning.hint.unwrap().contains("{{ item }}"));
}

#[test]
fn compile_with_an_open_input_allows_any_property() {
    for more in
        [json!({"type": "object"}), json!({"type": "object", "properties": {}, "additionalProperties": true})]
    {
        let mut definition = with("/input", more);
        definition["title"] = json!("{{ input.anything }}");
        assert_eq!(problems(definition), []);
    }
}

#[test]
fn compile_without_an_input_allows_none() {
    let mut definition = good();
    definition.as_object_mut().unwrap().remove("input");
    let found = problems(definition);
    assert!(
        found.is_empty() || found.iter().all(|problem| problem.message.contains("no property")),
        "{found:?}"
    );
}

#[test]
fn compile_graph_lets_names_of_what_ended_before_be_used() {
    let mut definition = with("/subTasks/2/needs", json!(["Validate"]));
    definition["subTasks"][2]["action"]["command"]["run"][1] = json!("{{ subTasks.Validate.output.n }}");
    assert_eq!(problems(definition.clone()), []);
    definition["subTasks"][2]["action"]["command"]["run"][1] = json!("{{ subTasks.Fetch.output.n }}");
    let [problem] = problems(definition).try_into().unwrap();
    assert!(problem.message.contains("`Fetch` has not ended"));
}

#[test]
fn definition_with_an_unknown_or_wrong_member_is_refused_by_name() {
    for (pointer, value, part) in [
        ("/subTask", json!([]), "unknown field `subTask`"),
        ("/subTasks/0/retries", json!(3), "unknown field `retries`"),
        ("/subTasks/0/action", json!({"htp": {}}), "unknown variant `htp`"),
        ("/subTasks/1/action/http/uri", json!("x"), "unknown field `uri`"),
        ("/subTasks/1/action/http/expect", json!([99]), "a status code such as 204"),
        ("/subTasks/1/action/http/expect", json!(["300-200"]), "a status code such as 204"),
        ("/timeout", json!("2 hours"), "is not a duration"),
        ("/timeout", json!(5), "expected a string"),
        ("/subTasks/0/onFailure", json!("ignore"), "unknown variant `ignore`"),
    ] {
        let error = serde_json::from_value::<Definition>(with(pointer, value.clone())).expect_err(pointer);
        assert!(error.to_string().contains(part), "{pointer} = {value}: {error}");
    }
}

#[test]
fn definition_survives_being_stored() {
    let definition: Definition = serde_json::from_value(good()).unwrap();
    let stored = serde_json::to_string(&definition).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&stored).unwrap(), definition);
}

#[test]
fn definition_schema_accepts_what_is_accepted() {
    let validator = jsonschema::validator_for(&definition_schema()).unwrap();
    let errors: Vec<_> = validator.iter_errors(&good()).map(|e| e.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    for (pointer, value) in [
        ("/subTask", json!([])),
        ("/subTasks/0/retries", json!(3)),
        ("/subTasks/0/action", json!({"htp": {}})),
        ("/timeout", json!("2 hours")),
        ("/subTasks", json!([])),
    ] {
        assert!(!validator.is_valid(&with(pointer, value.clone())), "{pointer} = {value}");
    }
}
