//! Every kind of mistake in a workflow: where it is reported, what it says, and what to write instead.

use longhaul_model::expr::LONGEST_TEMPLATE;
use longhaul_model::workflow::Severity;
use serde_json::json;

use crate::workflow::{problems, with};

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
