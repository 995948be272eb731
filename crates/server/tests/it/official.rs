//! Types of the official document, strictly: each answer of each test is read as a typed client reads it. A
//! member that the document describes has its type wherever it occurs; members of Longhaul's own may stand
//! beside it.

use serde_json::Value;

/// Types by name: members with their types, mandatory ones with `!`.
const TYPES: [(&str, &str); 14] = [
    (
        "Task",
        "id!:text name!:text localizableDescriptionPack:MessagePack type:text status!:TaskStatus \
         creationTimestamp!:instant completionTimestamp:instant subTasks:SubTask[] errors:Error[] resources:Resource[] \
         resolutionStatus:text isCancellable:flag isRetryable:flag",
    ),
    (
        "SubTask",
        "name:text type:text description:text status:text creationTimestamp:text completionTimestamp:text stages:Stage[] \
         errors:Error[] resources:Resource[] subTasks:SubTask[] documentationLink:Link",
    ),
    (
        "Stage",
        "name:text type:text description:text status:text creationTimestamp:text completionTimestamp:text errors:Error[]",
    ),
    ("Resource", "resourceId!:text type!:text fqdn:text name:text sans:text[]"),
    (
        "Error",
        "errorCode:text errorType:text arguments:text[] context:facts message:text remediationMessage:text causes:Cause[] \
         nestedErrors:Error[] referenceToken:text label:text remediationUrl:text",
    ),
    ("Cause", "type:text message:text"),
    ("MessagePack", "messageKey:text component:text arguments:text[] message:text bundle:text"),
    ("Link", "url:text label:text"),
    ("PageMetadata", "pageNumber!:int pageSize!:int totalElements!:int totalPages!:int"),
    ("PageOfTask", "elements!:Task[] pageMetadata!:PageMetadata"),
    ("PageOfCredentialsTask", "elements!:CredentialsTask[] pageMetadata!:PageMetadata"),
    (
        "CredentialsTask",
        "id!:text name!:text type!:text status!:text creationTimestamp!:instant completionTimestamp:instant \
         subTasks:CredentialsSubTask[] errors:Error[] isAutoRotate:flag",
    ),
    (
        "CredentialsSubTask",
        "id:text name!:text description!:text status!:text creationTimestamp!:instant resourceName:text \
         completionTimestamp:instant dependentSubTasks:CredentialsSubTask[] errors:Error[] entityType:text username:text \
         credentialType:text",
    ),
    ("TokenPair", "accessToken!:text refreshToken!:any"),
];

const STATUSES: [&str; 7] =
    ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "CANCELLED", "COMPLETED_WITH_WARNING", "SKIPPED"];

/// The documented type of an answer.
fn type_of(method: &str, path: &str, status: u16) -> Option<&'static str> {
    let path = path.trim_matches('/');
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (method, parts.as_slice(), status) {
        (_, ["v1", ..], 400..) => Some("Error"),
        ("GET", ["v1", "tasks"], 200) => Some("PageOfTask"),
        ("GET" | "PATCH" | "DELETE", ["v1", "tasks", id], 200) if *id != "history" => Some("Task"),
        ("GET", ["v1", "credentials", "tasks"], 200) => Some("PageOfCredentialsTask"),
        ("GET", ["v1", "credentials", "tasks", _], 200) => Some("CredentialsTask"),
        ("GET", ["v1", "credentials", "tasks", _, "subtasks", _], 200) => Some("CredentialsTask"),
        ("POST", ["v1", "tokens"], 200 | 201) => Some("TokenPair"),
        (_, ["v1", ..], 202) => Some("Task"),
        _ => None,
    }
}

/// Fails if an answer, or a task of an event or of a page of changes, is not of its documented type.
pub(crate) fn check(method: &str, path: &str, status: u16, body: &str) {
    if body.starts_with("event: ") {
        for event in body.split("\n\n").filter_map(|event| event.strip_prefix("event: task\n")) {
            let data: String = event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
            check("GET", "/v1/tasks/of-an-event", 200, &data);
        }
        return;
    }
    if path == "/v1/changes" && status == 200 {
        let page: Value = serde_json::from_str(body).expect("a page of changes");
        for task in page["elements"].as_array().expect("elements").iter().map(|change| &change["task"]) {
            let task = if task.is_null() { String::new() } else { task.to_string() };
            check("GET", "/v1/tasks/of-a-change", 200, &task);
        }
        return;
    }
    let Some(wanted) = type_of(method, path, status).filter(|_| !body.is_empty()) else { return };
    let value: Value = serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {body}"));
    let mut wrong = Vec::new();
    walk(wanted, &value, "", &mut wrong);
    assert!(wrong.is_empty(), "{method} {path}, {status}: {wrong:?}\n{body}");
    if status >= 400 {
        assert!(value["message"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {body}");
    }
}

fn walk(kind: &str, value: &Value, at: &str, wrong: &mut Vec<String>) {
    if let Some(item) = kind.strip_suffix("[]") {
        match value.as_array() {
            Some(items) => {
                items.iter().enumerate().for_each(|(n, one)| walk(item, one, &format!("{at}/{n}"), wrong));
            }
            None => wrong.push(format!("{at}: {kind}")),
        }
        return;
    }
    let fits = match kind {
        "any" => true,
        "text" => value.is_string(),
        "flag" => value.is_boolean(),
        "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "instant" => value.as_str().is_some_and(|text| text.parse::<longhaul_model::Timestamp>().is_ok()),
        "facts" => value.as_object().is_some_and(|facts| facts.values().all(Value::is_string)),
        "TaskStatus" => value.as_str().is_some_and(|text| {
            let constant = text.to_ascii_uppercase().replace(' ', "_");
            STATUSES.contains(&constant.as_str())
        }),
        _ => return walk_members(kind, value, at, wrong),
    };
    if !fits {
        wrong.push(format!("{at}: {kind}"));
    }
}

fn walk_members(kind: &str, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let Some(members) = value.as_object() else { return wrong.push(format!("{at}: {kind}")) };
    let (_, documented) = TYPES.iter().find(|(name, _)| *name == kind).unwrap();
    for member in documented.split_whitespace() {
        let (name, kind) = member.split_once(':').unwrap();
        let plain = name.trim_end_matches('!');
        match members.get(plain) {
            Some(value) => walk(kind, value, &format!("{at}/{plain}"), wrong),
            None if name.ends_with('!') => wrong.push(format!("{at}/{plain}: missing")),
            None => {}
        }
    }
}

#[test]
fn check_finds_what_a_typed_client_cannot_read() {
    let task = |more: &str| {
        format!(
            "{{\"id\":\"a\",\"name\":\"b\",\"status\":\"In Progress\",\"creationTimestamp\":\"2019-06-20T12:03:18.890Z\"{more}}}"
        )
    };
    let found = |more: &str| {
        let mut wrong = Vec::new();
        walk("Task", &serde_json::from_str(&task(more)).unwrap(), "", &mut wrong);
        wrong.join(" ")
    };
    assert_eq!(found(""), "");
    for (more, wanted) in [
        (r#","errors":[{"context":{"n":1}}]"#, "/errors/0/context: facts"),
        (
            r#","subTasks":[{"errors":[{"nestedErrors":[{"arguments":[1]}]}]}]"#,
            "/subTasks/0/errors/0/nestedErrors/0/arguments/0: text",
        ),
        (r#","completionTimestamp":null"#, "/completionTimestamp: instant"),
        (r#","resources":[{"type":"HOST"}]"#, "/resources/0/resourceId: missing"),
        (r#","isRetryable":"no""#, "/isRetryable: flag"),
    ] {
        assert_eq!(found(more), wanted);
    }
}
