//! JSON Schema of a workflow file, for editors: written by hand beside the types it describes, and compared
//! with them by a test.

use crate::credentials::Operation;
use serde_json::{Value, json};

/// The schema that `longhaul workflow schema` prints.
pub fn definition_schema() -> Value {
    let duration = json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$", "description": "A duration: 250ms, 30s, 5m, 2h, 7d" });
    let mut root = object(
        &["name", "type", "title", "subTasks"],
        json!({
            "name": { "type": "string", "pattern": "^[a-z0-9._-]{1,100}$", "description": "Key of the workflow" },
            "type": { "type": "string", "minLength": 1, "description": "Task.type, <RESOURCE>_<OPERATION>" },
            "title": text("What a task of it is called; may use {{ input.… }}"),
            "description": text("What it is for"),
            "route": { "type": "string", "pattern": "^(POST|PUT|PATCH|DELETE) /v1/", "description": "A request that starts a task with its body as input and answers 202 with it" },
            "body": { "type": "string", "minLength": 1, "description": "The member of the input that a body of the route takes if it is no object" },
            "query": { "type": "array", "items": { "type": "string", "minLength": 1 }, "uniqueItems": true, "description": "Parameters of the route's query that become members of the input; others are refused" },
            "credentials": { "enum": Operation::ALL.map(Operation::constant), "description": "The operation of PATCH /v1/credentials that a task of it carries out" },
            "input": { "type": "object", "description": "JSON Schema of the input" },
            "resources": { "type": "array", "items": { "$ref": "#/$defs/resource" } },
            "cancellable": { "type": "boolean", "default": true },
            "retryable": { "type": "boolean", "default": true },
            "concurrency": object(&["key", "limit"], json!({ "key": text("An expression over input"), "limit": { "type": "integer", "minimum": 1 } })),
            "timeout": duration,
            "when": text("Condition; false makes the task SKIPPED"),
            "onFailure": { "enum": ["stop", "undo"], "default": "stop" },
            "error": { "$ref": "#/$defs/error" },
            "statusStyle": { "enum": ["display", "constant"], "description": "Failed or FAILED" },
            "subTasks": { "type": "array", "minItems": 1, "maxItems": 1000, "items": { "$ref": "#/$defs/subTask" } },
        }),
    );
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Longhaul workflow");
    root["$defs"] = json!({
        "duration": duration,
        "error": object(&["code", "message"], json!({
            "code": text("Stable and machine readable"), "message": text("For people"), "remediation": text("What to do") })),
        "resource": object(&["type", "resourceId"], json!({
            "type": text("HOST, VCENTER, …"), "resourceId": text("Its id"), "fqdn": text("Its full name"),
            "name": text("Its display name"), "lock": { "enum": ["exclusive", "shared", "none"], "default": "exclusive" } })),
        "retry": object(&["attempts"], json!({
            "attempts": { "type": "integer", "minimum": 1, "maximum": 1000, "description": "Attempts in all" },
            "backoff": { "$ref": "#/$defs/duration" }, "factor": { "type": "number", "minimum": 1, "maximum": 100 },
            "max": { "$ref": "#/$defs/duration" }, "jitter": { "type": "boolean", "default": true } })),
        "subTask": sub_task(),
        "action": action(),
    });
    root
}

fn sub_task() -> Value {
    object(
        &["name", "description", "action"],
        json!({
            "name": { "type": "string", "minLength": 1, "maxLength": 200, "description": "Its key, and its name in the API" },
            "title": text("Its name in the API when that depends on the input"),
            "description": text("What it does"),
            "action": { "$ref": "#/$defs/action" },
            "retry": { "$ref": "#/$defs/retry" },
            "timeout": { "$ref": "#/$defs/duration" },
            "when": text("Condition; false makes it NOT_APPLICABLE"),
            "needs": { "type": "array", "items": { "type": "string" }, "description": "Sub-tasks that must end well first; without it the one written before" },
            "forEach": text("A list, such as {{ input.hosts }}: one child for each item, which its expressions know as `item` and `index`"),
            "parallel": { "type": "integer", "minimum": 1, "maximum": 10000, "default": 1, "description": "How many children are under way at once" },
            "onFailure": { "enum": ["fail", "continue"], "default": "fail" },
            "repeatable": { "type": "boolean", "default": true, "description": "false: a second run may do harm" },
            "probe": { "$ref": "#/$defs/action" },
            "undo": { "$ref": "#/$defs/action" },
        }),
    )
}

fn action() -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let kinds = json!({
        "http": object(&["url"], json!({
            "method": { "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "default": "GET" },
            "url": text("Absolute address"), "headers": texts, "body": { "description": "Sent as JSON, a text as it is" },
            "expect": { "type": "array", "items": { "type": ["integer", "string"] }, "description": "200, or 200-299" },
            "output": text("An expression over status, headers and body") })),
        "command": object(&["run"], json!({
            "run": { "type": "array", "minItems": 1, "items": { "type": "string" }, "description": "Absolute path and arguments" }, "env": texts })),
        "wait": object(&[], json!({ "for": text("A duration"), "until": text("An RFC 3339 instant") })),
        "approval": object(&[], json!({ "roles": { "type": "array", "items": { "type": "string" } }, "timeout": { "$ref": "#/$defs/duration" } })),
        "task": object(&["workflow"], json!({ "workflow": text("Another workflow"), "input": {} })),
        "simulate": object(&[], json!({
            "duration": text("How long an attempt takes"),
            "failAttempts": { "type": ["array", "string"], "items": { "type": "integer", "minimum": 1 }, "description": "The attempts that fail, or an expression that lists them" },
            "error": { "$ref": "#/$defs/error" }, "output": {} })),
        "worker": object(&["queue"], json!({
            "queue": text("The queue that workers lease from"), "input": { "description": "What the worker is given; expressions in its texts" },
            "priority": { "type": "integer", "minimum": -100, "maximum": 100, "default": 0, "description": "Higher goes first" } })),
    });
    json!({ "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false, "properties": kinds })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties })
}
