//! The schemas of all bodies (wire contract, section 1). A member that has no value is left out, never null.

mod credentials;
mod reasons;
mod users;
mod workers;

use longhaul_model::workflow::definition_schema;
use longhaul_model::{SubTaskStatus, TaskStatus};
use serde_json::{Map, Value, json};

/// Schema of a change.
fn change() -> Value {
    object(
        &["change"],
        json!({
            "change": { "type": "string", "enum": ["TASK", "LEFT", "DELETED"], "description": "A task is new or has changed, has changed and does not belong to the list (any more), or was deleted" },
            "task": { "$ref": "#/components/schemas/Task" },
            "id": { "type": "string", "format": "uuid", "description": "Of a task that left or was deleted" },
            "version": { "type": "integer", "format": "int64", "minimum": 0, "description": "Of a task that left: it rises with each change" },
        }),
    )
}

fn page_of_changes() -> Value {
    object(
        &["elements", "cursor", "more"],
        json!({
            "elements": list_of("Change"),
            "cursor": { "type": "string", "description": "Where the next page begins" },
            "more": { "type": "boolean", "description": "There are more already" },
        }),
    )
}

/// Returns all schemas by the names that `$ref`s have.
pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| {
        all.insert(name.to_owned(), schema);
    };
    add("Task", task());
    add("PageOfTask", page("Task"));
    add("Change", change());
    add("PageOfChange", page_of_changes());
    add("SubTask", sub_task());
    add("Stage", stage());
    add("Resource", resource());
    add("Error", error());
    add(
        "ErrorCause",
        object(&[], json!({ "type": text("What kind of thing failed"), "message": text("What it said") })),
    );
    add("WaitingFor", waiting_for());
    add("Attempt", attempt());
    add("PageOfAttempt", page("Attempt"));
    add("PageMetadata", page_metadata());
    add("TaskStartSpec", start_spec());
    add("TaskResolveSpec", resolve_spec());
    add("SubTaskSkipSpec", closed(&["reason"], json!({ "reason": reason() })));
    add("TaskReleaseSpec", closed(&["reason"], json!({ "reason": reason() })));
    add("Lock", lock());
    add("PageOfLock", page("Lock"));
    add("Node", node());
    add("PageOfNode", page("Node"));
    add("TaskImport", task_import());
    add("ImportedTask", imported_task());
    add(
        "TaskImportResult",
        object(
            &["imported", "replaced", "kept"],
            json!({
        "imported": count("New here"), "replaced": count("Imported before"), "kept": count("Run here, and left as they are") }),
        ),
    );
    credentials::add(&mut add);
    users::add(&mut add);
    workers::add(&mut add);
    add(
        "TaskSettings",
        object(
            &["retentionDays"],
            json!({ "retentionDays": {
        "type": "integer", "format": "int32", "minimum": 1, "maximum": 730, "description": "Days from a task's end to its deletion" } }),
        ),
    );
    add(
        "TaskHistoryDeletionRequest",
        object(
            &["taskIds"],
            json!({ "taskIds": {
        "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 1000 } }),
        ),
    );
    add(
        "TaskHistoryDeletionResult",
        object(
            &["successful", "failed"],
            json!({
        "successful": { "type": "array", "items": { "type": "string" } }, "failed": list_of("TaskHistoryDeletionError") }),
        ),
    );
    add(
        "TaskHistoryDeletionError",
        object(
            &["taskId", "errorCode", "message"],
            json!({
        "taskId": text("Which"), "errorCode": text("Why"), "message": text("For people") }),
        ),
    );
    reasons::add(&mut add);
    add("AuditEntry", audit_entry());
    add("PageOfAuditEntry", page("AuditEntry"));
    add("WorkflowSummary", workflow_summary());
    add("PageOfWorkflow", page("WorkflowSummary"));
    add("Workflow", workflow());
    add("WorkflowDefinition", definition());
    add(
        "Clock",
        object(
            &["clockTimestamp", "livedTimestamp", "doubted"],
            json!({
                "clockTimestamp": instant("What the clock shows"),
                "livedTimestamp": instant("The time by which old tasks are deleted: behind the clock while that is doubted"),
                "doubted": { "type": "boolean", "description": "The clock was far ahead of when the store was last at work" }
            }),
        ),
    );
    add(
        "ClockConfirmation",
        object(&["clockTimestamp"], json!({ "clockTimestamp": instant("What time it is, within an hour") })),
    );
    add(
        "Health",
        object(
            &["status"],
            json!({
                "status": { "type": "string", "enum": ["UP", "DOWN", "STARTING"] },
                "reason": {
                    "type": "string",
                    "enum": ["DRAINING", "STORAGE_FULL", "STORAGE_STUCK", "STORAGE_FAILING", "STORAGE_BROKEN", "STORAGE_CLOSED"]
                },
                "setAside": { "type": "integer" }
            }),
        ),
    );
    all
}

fn audit_entry() -> Value {
    object(
        &["id", "timestamp", "user", "action", "outcome"],
        json!({
            "id": count("Its place in the order of changes"), "timestamp": instant("When"),
            "user": text("Who"), "from": text("The address they came from"), "action": text("The `operationId` of the call"),
            "target": text("What it was done to"), "detail": text("More about it"),
            "referenceToken": text("The reference of the request, which its answer and the log of the server have too"),
            "outcome": { "type": "string", "enum": ["ACCEPTED", "REFUSED"] },
        }),
    )
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn instant(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

/// Pattern of a text that is not blank.
const SAYS_SOMETHING: &str = r"\S";

/// Allows null for a member of a request: some clients send every member of a type.
fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"].take(), "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

fn reason() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 1000, "pattern": SAYS_SOMETHING, "description": "Why, for those who look later" })
}

fn list_of(schema: &str) -> Value {
    json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{schema}") } })
}

fn object(required: &[&str], properties: Value) -> Value {
    let mut schema = json!({ "type": "object" });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema["properties"] = properties;
    schema
}

fn closed(required: &[&str], properties: Value) -> Value {
    let mut schema = object(required, properties);
    schema["additionalProperties"] = json!(false);
    schema
}

fn page(of: &str) -> Value {
    object(
        &["elements", "pageMetadata"],
        json!({ "elements": list_of(of), "pageMetadata": { "$ref": "#/components/schemas/PageMetadata" } }),
    )
}

fn page_metadata() -> Value {
    object(
        &["pageNumber", "pageSize", "totalElements", "totalPages"],
        json!({ "pageNumber": count("From 1"), "pageSize": count("As asked for"), "totalElements": count("Exactly"), "totalPages": count("Of this size") }),
    )
}

/// Both spellings of every status of a task.
pub(super) fn task_statuses() -> Vec<&'static str> {
    TaskStatus::ALL.iter().flat_map(|status| [status.constant(), status.display()]).collect()
}

fn task_status() -> Value {
    json!({ "type": "string", "enum": task_statuses(), "description": "Spelled as the workflow or the server says" })
}

fn task() -> Value {
    object(
        &["id", "name", "status", "creationTimestamp"],
        json!({
            "id": { "type": "string", "format": "uuid" },
            "name": text("What it is called"),
            "type": text("<resource>_<operation>"),
            "status": task_status(),
            "creationTimestamp": instant("When it was accepted"),
            "completionTimestamp": instant("When it ended"),
            "subTasks": list_of("SubTask"),
            "errors": list_of("Error"),
            "resources": list_of("Resource"),
            "resolutionStatus": { "type": "string", "enum": ["RESOLVED", "UNRESOLVED"] },
            "isCancellable": { "type": "boolean" },
            "isRetryable": { "type": "boolean" },
            "progress": { "type": "integer", "minimum": 0, "maximum": 100 },
            "waitingFor": { "$ref": "#/components/schemas/WaitingFor" },
            "workflow": object(&["name", "version"], json!({ "name": text("Its name"), "version": count("Its version") })),
            "attempt": count("1, and one more with each retry, skip or decision"),
            "version": count("Rises with every change"),
            "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            "input": { "description": "What it was started with" },
            "outputs": { "type": "object", "description": "What its sub-tasks gave, by name" },
        }),
    )
}

fn task_import() -> Value {
    let task = json!({ "$ref": "#/components/schemas/ImportedTask" });
    let tasks = json!({ "type": "array", "items": task });
    let mut page = object(&["elements"], json!({ "elements": tasks }));
    page["description"] = json!("A page of tasks");
    json!({ "description": "A task, a list of tasks, or a page of them", "anyOf": [tasks, task, page] })
}

/// Schema of an imported task: the members that are read; all others are kept as they came.
fn imported_task() -> Value {
    let resource = object(
        &["resourceId", "type"],
        json!({ "resourceId": text("Its ID"), "type": text("HOST, VCENTER, …"), "fqdn": or_null(text("Its full name")), "name": or_null(text("Its display name")) }),
    );
    object(
        &["id", "name", "status", "creationTimestamp"],
        json!({
            "id": { "type": "string", "format": "uuid" }, "name": text("What it is called"),
            "type": or_null(text("<resource>_<operation>")), "status": task_status(),
            "creationTimestamp": instant("When it was accepted"),
            "completionTimestamp": or_null(instant("When it ended")),
            "resources": { "type": ["array", "null"], "items": resource },
        }),
    )
}

fn sub_task() -> Value {
    let statuses: Vec<&str> = SubTaskStatus::ALL.iter().map(|status| status.constant()).collect();
    object(
        &["name", "description", "status", "creationTimestamp"],
        json!({
            "name": text("Its name"),
            "description": text("What it does"),
            "status": { "type": "string", "enum": statuses },
            "creationTimestamp": instant("When its task was accepted"),
            "completionTimestamp": instant("When it ended"),
            "stages": list_of("Stage"),
            "errors": list_of("Error"),
            "subTasks": list_of("SubTask"),
            "startTimestamp": instant("When its latest attempt started"),
            "attempt": count("Number of its latest attempt"),
            "progress": { "type": "integer", "minimum": 0, "maximum": 100 },
            "childCounts": {
                "type": "object",
                "description": "In lists, of a `forEach`: how many of its children have each status, in the place of the children",
                "additionalProperties": { "type": "integer", "minimum": 1 },
            },
        }),
    )
}

fn stage() -> Value {
    object(
        &["name", "type", "description", "status", "creationTimestamp"],
        json!({
            "name": text("Its name"), "type": text("Machine readable"), "description": text("For people"),
            "status": { "type": "string", "enum": ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED"] },
            "creationTimestamp": instant("When it began"), "completionTimestamp": instant("When it ended"),
            "errors": list_of("Error"),
        }),
    )
}

fn resource() -> Value {
    object(
        &["resourceId", "type"],
        json!({ "resourceId": text("Its ID"), "type": text("HOST, VCENTER, …"), "fqdn": text("Its full name"), "name": text("Its display name") }),
    )
}

fn error() -> Value {
    object(
        &["message"],
        json!({
            "errorCode": text("Stable and machine readable"),
            "errorType": text("ERROR or WARNING"),
            "arguments": { "type": "array", "items": { "type": "string" } },
            "context": { "type": "object", "additionalProperties": { "type": "string" } },
            "message": text("For people"),
            "remediationMessage": text("What to do"),
            "causes": list_of("ErrorCause"),
            "nestedErrors": list_of("Error"),
            "referenceToken": text("Six characters that are in the server's log, too"),
        }),
    )
}

fn waiting_for() -> Value {
    object(
        &["type"],
        json!({
            "type": { "type": "string", "enum": ["START", "LOCK", "TIMER", "RETRY", "WORKER", "CAPACITY", "DECISION", "STOP",
                "PAUSED"] },
            "subTask": text("The sub-task concerned"), "until": instant("When it goes on by itself"),
            "queue": text("The queue whose workers it waits for"), "since": instant("Since when"),
            "workers": count("How many workers asked that queue lately"),
            "limit": count("How many attempts of built-in actions run at once at a node"), "locks": list_of("Lock"),
        }),
    )
}

fn lock() -> Value {
    object(
        &["mode", "state", "since", "taskId", "taskName"],
        json!({
            "resourceType": text("The type of the resource, in capitals"), "resourceId": text("Its id, in small letters"),
            "workflow": text("Of a place: the workflow"), "key": text("Of a place: the concurrency key"),
            "limit": count("Of a place: how many there are"),
            "mode": { "type": "string", "enum": ["SHARED", "EXCLUSIVE", "SLOT"] },
            "state": { "type": "string", "enum": ["HELD", "WAITING"] }, "since": instant("Since when"),
            "taskId": { "type": "string", "format": "uuid" }, "taskName": text("What the task is called"),
            "taskStatus": { "type": "string", "enum": TaskStatus::ALL.map(|status| status.constant()), "description": "In the list of locks, of the task that holds it" },
            "awaitsDecision": { "type": "boolean", "description": "The task that holds it failed, and keeps it until somebody decides" },
        }),
    )
}

fn node() -> Value {
    object(
        &["name", "state", "address", "version", "startTimestamp", "seenTimestamp"],
        json!({
            "name": text("What it is called: its host and port"),
            "state": { "type": "string", "enum": ["ACTIVE", "SILENT"] },
            "address": text("Where it listens"), "version": text("The version of its program"),
            "startTimestamp": instant("When it was started"), "seenTimestamp": instant("When it was last heard of"),
        }),
    )
}

fn attempt() -> Value {
    object(
        &["subTask", "number", "generation", "status", "creationTimestamp"],
        json!({
            "subTask": text("The sub-task"), "number": count("From 1"), "generation": count("From 1; rises with each retry of the task"),
            "status": { "type": "string", "enum": ["RUNNING", "SUCCESSFUL", "FAILED", "TIMED_OUT", "LOST", "STOPPED"] },
            "creationTimestamp": instant("When it started"), "completionTimestamp": instant("When it ended"),
            "worker": text("Account and name of the worker that ran it"),
            "error": { "$ref": "#/components/schemas/Error" },
        }),
    )
}

fn start_spec() -> Value {
    closed(
        &["workflow"],
        json!({
            "workflow": text("Name of the workflow"),
            "version": or_null(json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX, "description": "The newest unless given" })),
            "input": { "description": "Valid against the workflow's schema; an empty object unless given" },
            "name": or_null(json!({ "type": "string", "minLength": 1, "maxLength": 500, "pattern": SAYS_SOMETHING, "description": "The workflow's title unless given" })),
            "notBefore": or_null(instant("It does not start before")),
            "labels": {
                "type": "object", "maxProperties": 50, "propertyNames": { "minLength": 1, "maxLength": 100 },
                "additionalProperties": { "type": "string", "maxLength": 500 },
            },
        }),
    )
}

fn resolve_spec() -> Value {
    let mut spec = closed(
        &["reason"],
        json!({
            "reason": reason(),
            "subTask": or_null(text("The sub-task that failed or whose outcome was unknown; with `all` the one whose children are decided")),
            "subTasks": or_null(json!({ "type": "array", "items": { "type": "string" }, "minItems": 1, "maxItems": 10000,
                "description": "Several sub-tasks that are decided alike, all or none" })),
            "all": { "type": "boolean", "description": "All whose outcome is unknown; with `skipped`, all that failed" },
            "outcome": or_null(json!({ "type": "string", "enum": ["done", "notDone", "failed", "skipped"], "description": "What really happened, or that it is passed over" })),
            "output": { "description": "Its output, where it was done" },
        }),
    );
    // A sub-task and its outcome go together, and only what was done has an output.
    let nothing = || json!({ "type": "null" });
    let verdict = |outcome: &str| json!({ "required": ["subTask", "outcome"], "properties": { "subTask": { "type": "string" }, "outcome": { "const": outcome } } });
    let mut not_done = verdict("notDone");
    not_done["properties"]["output"] = nothing();
    let mut failed = verdict("failed");
    failed["properties"]["output"] = nothing();
    let no_all = json!({ "const": false });
    let mut none = json!({ "properties": { "subTask": nothing(), "subTasks": nothing(), "outcome": nothing(), "output": nothing() } });
    none["properties"]["all"] = no_all;
    let outcome = || json!({ "type": "string" });
    spec["anyOf"] = json!([
        none,
        verdict("done"),
        not_done,
        failed,
        verdict("skipped"),
        { "required": ["subTasks", "outcome"], "properties": { "subTask": nothing(), "subTasks": { "type": "array" }, "outcome": outcome(), "output": nothing() } },
        { "required": ["all", "outcome"], "properties": { "subTasks": nothing(), "all": { "const": true }, "outcome": outcome(), "output": nothing() } },
    ]);
    spec
}

fn workflow_summary() -> Value {
    object(
        &["name", "type", "title", "version", "versions"],
        json!({
            "name": text("Its name"), "type": text("Type of its tasks"), "title": text("Name of its tasks"), "description": text("What it is for"),
            "version": count("The newest"), "versions": { "type": "array", "items": { "type": "integer" } },
            "route": text("The request that starts it"), "creationTimestamp": instant("When the newest version was stored"),
        }),
    )
}

fn workflow() -> Value {
    let problem = object(
        &["severity", "pointer", "message"],
        json!({ "severity": { "type": "string", "enum": ["error", "warning"] }, "pointer": text("Where"), "message": text("What"), "hint": text("What to write instead") }),
    );
    object(
        &["name", "version", "definition"],
        json!({
            "name": text("Its name"), "version": count("This version"), "creationTimestamp": instant("When it was stored"),
            "definition": { "$ref": "#/components/schemas/WorkflowDefinition" },
            "warnings": { "type": "array", "items": problem },
        }),
    )
}

/// Schema of workflow files, its definitions moved to where this document has them.
fn definition() -> Value {
    let mut schema = definition_schema();
    if let Some(members) = schema.as_object_mut() {
        members.shift_remove("$schema");
    }
    relocate(&mut schema);
    schema
}

fn relocate(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get_mut("$ref") {
                *target = target.replace("#/$defs/", "#/components/schemas/WorkflowDefinition/$defs/");
            }
            members.values_mut().for_each(relocate);
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
