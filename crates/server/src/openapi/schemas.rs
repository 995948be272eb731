//! The schemas of all bodies (wire contract, section 1). A member that has no value is left out, never null.

use longhaul_model::workflow::definition_schema;
use longhaul_model::{SubTaskStatus, TaskStatus};
use serde_json::{Map, Value, json};

/// By name, as `$ref`s have them.
pub(super) fn all() -> Map<String, Value> {
    let mut all = Map::new();
    let mut add = |name: &str, schema: Value| {
        all.insert(name.to_owned(), schema);
    };
    add("Task", task());
    add("PageOfTask", page("Task"));
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
    add(
        "TaskImport",
        json!({ "description": "A task, a list of tasks, or a page of them", "oneOf": [
        { "type": "array", "items": { "$ref": "#/components/schemas/Task" } }, { "$ref": "#/components/schemas/Task" }, { "$ref": "#/components/schemas/PageOfTask" } ] }),
    );
    add(
        "TaskImportResult",
        object(
            &["imported", "replaced", "kept"],
            json!({
        "imported": count("New here"), "replaced": count("Imported before"), "kept": count("Run here, and left as they are") }),
        ),
    );
    add("WorkflowSummary", workflow_summary());
    add("PageOfWorkflow", page("WorkflowSummary"));
    add("Workflow", workflow());
    add("WorkflowDefinition", definition());
    add("Health", object(&["status"], json!({ "status": { "type": "string", "enum": ["UP", "DOWN"] } })));
    all
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

fn reason() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 1000, "description": "Why, for those who look later" })
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

fn task() -> Value {
    let statuses: Vec<&str> =
        TaskStatus::ALL.iter().flat_map(|status| [status.constant(), status.display()]).collect();
    object(
        &["id", "name", "status", "creationTimestamp"],
        json!({
            "id": { "type": "string", "format": "uuid" },
            "name": text("What it is called"),
            "type": text("<resource>_<operation>"),
            "status": { "type": "string", "enum": statuses, "description": "Spelled as the workflow or the server says" },
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
            "startTimestamp": instant("When its latest attempt started"),
            "attempt": count("Number of its latest attempt"),
            "progress": { "type": "integer", "minimum": 0, "maximum": 100 },
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
            "context": { "type": "object" },
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
            "type": { "type": "string", "enum": ["START", "TIMER", "RETRY", "DECISION", "STOP"] },
            "subTask": text("The sub-task concerned"), "until": instant("When it goes on by itself"),
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
            "error": { "$ref": "#/components/schemas/Error" },
        }),
    )
}

fn start_spec() -> Value {
    closed(
        &["workflow"],
        json!({
            "workflow": text("Name of the workflow"),
            "version": { "type": "integer", "minimum": 1, "description": "The newest unless given" },
            "input": { "description": "Valid against the workflow's schema; an empty object unless given" },
            "name": { "type": "string", "minLength": 1, "maxLength": 500, "description": "The workflow's title unless given" },
            "notBefore": instant("It does not start before"),
            "labels": { "type": "object", "maxProperties": 50, "additionalProperties": { "type": "string", "maxLength": 500 } },
        }),
    )
}

fn resolve_spec() -> Value {
    closed(
        &["reason"],
        json!({
            "reason": reason(),
            "subTask": text("The sub-task whose outcome was unknown"),
            "outcome": { "type": "string", "enum": ["done", "notDone"], "description": "What really happened" },
            "output": { "description": "Its output, where it was done" },
        }),
    )
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

/// The schema of workflow files, its definitions moved to where this document has them.
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
