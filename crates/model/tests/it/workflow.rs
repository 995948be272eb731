//! The checking of workflows: every kind of mistake, where it is, and what to write instead.

use longhaul_model::expr::LONGEST_TEMPLATE;
use longhaul_model::workflow::{Definition, Problem, Severity, Workflow, definition_schema};
use serde_json::{Value, json};

/// A workflow without problems, in which each case changes one thing.
fn good() -> Value {
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

fn problems(definition: Value) -> Vec<Problem> {
    let definition: Definition = serde_json::from_value(definition).expect("a definition");
    match Workflow::compile(definition, 1) {
        Ok(workflow) => workflow.warnings,
        Err(problems) => problems,
    }
}

/// The good one with one value set, at a JSON pointer whose last part may be new.
fn with(pointer: &str, value: Value) -> Value {
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
fn compile_with_a_mistake_names_its_place_and_what_to_write() {
    let long = format!("{{{{ {} }}}}", "é".repeat(LONGEST_TEMPLATE));
    // Where it is written, what is written, where the problem is reported, what it says, what to write instead.
    let cases = [
        ("/name", json!("Commission Host"), "/name", "is no name", "lower-case letters"),
        ("/name", json!(""), "/name", "is no name", "lower-case letters"),
        ("/type", json!(" "), "/type", "must not be empty", "HOST_COMMISSION"),
        ("/title", json!(""), "/title", "must not be empty", "Commission"),
        ("/title", json!("{{ input.fqdn"), "/title", "`}}` is missing", "{{ input.name }}"),
        ("/title", json!("{{ input.fqnd }}"), "/title", "no property `fqnd`", "did you mean `fqdn`?"),
        ("/title", json!("{{ input.other }}"), "/title", "no property `other`", "input: properties:"),
        ("/title", json!("{{ subTasks.Fetch.output }}"), "/title", "has not ended", "needs: [Fetch]"),
        ("/title", json!(long), "/title", "longer than 8192 bytes", "{{ input.name }}"),
        ("/input", json!({"type": "strnig"}), "/input", "is no JSON Schema", "type: object"),
        ("/route", json!("/v1/hosts"), "/route", "a method and a path", "POST /v1/hosts"),
        ("/route", json!("GET /v1/hosts"), "/route", "`GET` cannot start a task", "POST /v1/hosts"),
        ("/route", json!("POST /hosts"), "/route", "begin with /v1/", "POST /v1/hosts"),
        ("/route", json!("POST /v1/tasks/x"), "/route", "Longhaul's own", "POST /v1/hosts"),
        ("/when", json!("input.count >"), "/when", "in the expression `input.count >`", "{{ input.name }}"),
        ("/when", json!("inputs.count"), "/when", "there is no `inputs`", "did you mean `input`?"),
        ("/when", json!("xyz"), "/when", "there is no `xyz`", "the roots are"),
        ("/when", json!("task.status == 1"), "/when", "a task has `id` and `name`", "task.id or task.name"),
        (
            "/resources/0/resourceId",
            json!("{{ input.id }}"),
            "/resources/0/resourceId",
            "no property `id`",
            "properties:",
        ),
        (
            "/resources/0/name",
            json!("{{ nope }}"),
            "/resources/0/name",
            "there is no `nope`",
            "the roots are",
        ),
        (
            "/concurrency",
            json!({"key": "a", "limit": 1}),
            "/concurrency",
            "not available",
            "does not run it yet",
        ),
        ("/onFailure", json!("undo"), "/onFailure", "not available", "does not run it yet"),
        ("/subTasks", json!([]), "/subTasks", "1 to 1,000 sub-tasks", "at least one"),
        (
            "/subTasks/1/name",
            json!("Validate"),
            "/subTasks/1/name",
            "the name of sub-task 1 already",
            "unique",
        ),
        ("/subTasks/0/name", json!(" "), "/subTasks/0/name", "1 to 200 characters", "ValidateHost"),
        (
            "/subTasks/0/name",
            json!("x".repeat(201)),
            "/subTasks/0/name",
            "1 to 200 characters",
            "ValidateHost",
        ),
        ("/subTasks/0/title", json!("{{ input.x }}"), "/subTasks/0/title", "no property `x`", "properties:"),
        (
            "/subTasks/0/description",
            json!("{{ }}"),
            "/subTasks/0/description",
            "in the expression",
            "{{ input.name }}",
        ),
        (
            "/subTasks/1/needs",
            json!(["Validat"]),
            "/subTasks/1/needs/0",
            "no sub-task `Validat`",
            "did you mean `Validate`?",
        ),
        (
            "/subTasks/1/needs",
            json!(["Fetch"]),
            "/subTasks/1/needs",
            "wait for each other: Fetch -> Fetch",
            "out of its `needs`",
        ),
        (
            "/subTasks/0/needs",
            json!(["Run"]),
            "/subTasks/0/needs",
            "Validate -> Run -> Fetch -> Validate",
            "out of its `needs`",
        ),
        (
            "/subTasks/0/when",
            json!("subTasks.Run.output"),
            "/subTasks/0/when",
            "has not ended",
            "needs: [Run]",
        ),
        (
            "/subTasks/1/when",
            json!("subTasks.Valid.output"),
            "/subTasks/1/when",
            "no sub-task `Valid`",
            "write one of Validate, Fetch",
        ),
        (
            "/subTasks/1/when",
            json!("subTasks.Validate.n"),
            "/subTasks/1/when",
            "has only `output`",
            "subTasks.Validate.output",
        ),
        (
            "/subTasks/0/retry",
            json!({"attempts": 0}),
            "/subTasks/0/retry/attempts",
            "1 to 1,000",
            "two retries",
        ),
        (
            "/subTasks/0/retry",
            json!({"attempts": 2, "factor": 0.5}),
            "/subTasks/0/retry/factor",
            "1 to 100",
            "doubles",
        ),
        (
            "/subTasks/0/forEach",
            json!("input.list"),
            "/subTasks/0/forEach",
            "not available",
            "does not run it yet",
        ),
        ("/subTasks/0/parallel", json!(2), "/subTasks/0/parallel", "not available", "does not run it yet"),
        (
            "/subTasks/0/probe",
            json!({"simulate": {}}),
            "/subTasks/0/probe",
            "not available",
            "does not run it yet",
        ),
        (
            "/subTasks/0/undo",
            json!({"simulate": {}}),
            "/subTasks/0/undo",
            "not available",
            "does not run it yet",
        ),
        (
            "/subTasks/0/action",
            json!({"worker": {"queue": "q"}}),
            "/subTasks/0/action/worker",
            "not available",
            "does not run it yet",
        ),
        (
            "/subTasks/0/action",
            json!({"approval": {}}),
            "/subTasks/0/action/approval",
            "not available",
            "does not run it yet",
        ),
        (
            "/subTasks/0/action",
            json!({"task": {"workflow": "w"}}),
            "/subTasks/0/action/task",
            "not available",
            "does not run it yet",
        ),
        (
            "/subTasks/0/action/simulate/duration",
            json!("5 minutes"),
            "/subTasks/0/action/simulate/duration",
            "is not a duration",
            "5m",
        ),
        (
            "/subTasks/0/action/simulate/output",
            json!({"a": ["{{ input.x }}"]}),
            "/subTasks/0/action/simulate/output",
            "no property `x`",
            "properties:",
        ),
        (
            "/subTasks/1/action/http/method",
            json!("POSTT"),
            "/subTasks/1/action/http/method",
            "`POSTT` is no method",
            "did you mean `POST`?",
        ),
        (
            "/subTasks/1/action/http/method",
            json!("get"),
            "/subTasks/1/action/http/method",
            "`get` is no method",
            "did you mean `GET`?",
        ),
        (
            "/subTasks/1/action/http/url",
            json!("example.com/x"),
            "/subTasks/1/action/http/url",
            "no absolute address",
            "https://",
        ),
        (
            "/subTasks/1/action/http/url",
            json!("https://{{ input.x }}/"),
            "/subTasks/1/action/http/url",
            "no property `x`",
            "properties:",
        ),
        (
            "/subTasks/1/action/http/headers",
            json!({"a/b~c": "{{ x }}"}),
            "/subTasks/1/action/http/headers/a~1b~0c",
            "there is no `x`",
            "the roots are",
        ),
        (
            "/subTasks/1/action/http/body",
            json!("{{ body }}"),
            "/subTasks/1/action/http/body",
            "there is no `body`",
            "the roots are",
        ),
        (
            "/subTasks/1/action/http/output",
            json!("bodi.x"),
            "/subTasks/1/action/http/output",
            "there is no `bodi`",
            "did you mean `body`?",
        ),
        (
            "/subTasks/2/action/command/run",
            json!([]),
            "/subTasks/2/action/command/run",
            "name a program",
            "run: [/usr/bin/uptime]",
        ),
        (
            "/subTasks/2/action/command/run/0",
            json!("uptime"),
            "/subTasks/2/action/command/run/0",
            "an absolute path",
            "/usr/bin/uptime",
        ),
        (
            "/subTasks/2/action/command/run/0",
            json!("/bin/{{ input.fqdn }}"),
            "/subTasks/2/action/command/run/0",
            "without expressions",
            "/usr/bin/uptime",
        ),
        (
            "/subTasks/2/action/command/run/1",
            json!("{{ input.x }}"),
            "/subTasks/2/action/command/run/1",
            "no property `x`",
            "properties:",
        ),
        (
            "/subTasks/2/action/command/env",
            json!({"A": "{{ y }}"}),
            "/subTasks/2/action/command/env/A",
            "there is no `y`",
            "the roots are",
        ),
        (
            "/subTasks/3/timeout",
            json!("5s"),
            "/subTasks/3/timeout",
            "a `wait` has no timeout",
            "leave it out",
        ),
        ("/subTasks/3/action/wait", json!({}), "/subTasks/3/action/wait", "exactly one of", "for: 5m"),
        (
            "/subTasks/3/action/wait",
            json!({"for": "1s", "until": "x"}),
            "/subTasks/3/action/wait",
            "exactly one of",
            "for: 5m",
        ),
        (
            "/subTasks/3/action/wait/for",
            json!("soon"),
            "/subTasks/3/action/wait/for",
            "is not a duration",
            "5m",
        ),
        (
            "/subTasks/3/action/wait",
            json!({"until": "tomorrow"}),
            "/subTasks/3/action/wait/until",
            "RFC 3339",
            "`Z`",
        ),
    ];
    for (at, value, pointer, message, hint) in cases {
        let found = problems(with(at, value.clone()));
        let problem =
            found.iter().find(|problem| problem.pointer == pointer && problem.message.contains(message));
        let problem = problem.unwrap_or_else(|| panic!("{at} = {value}: {found:#?}"));
        assert_eq!(problem.severity, Severity::Error, "{at} = {value}");
        let said = problem.hint.clone().unwrap_or_default();
        assert!(said.contains(hint), "{at} = {value}: {problem:?}");
    }
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
fn compile_with_locks_is_accepted_with_a_warning() {
    let [warning] = problems(with("/resources/0/lock", json!("exclusive"))).try_into().unwrap();
    assert_eq!((warning.severity, warning.pointer.as_str()), (Severity::Warning, "/resources"));
    assert!(warning.hint.unwrap().contains("lock: none"));
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
