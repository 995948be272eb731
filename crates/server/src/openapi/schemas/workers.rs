//! The schemas of workers and their queues (docs/workers.md).

use serde_json::{Value, json};

use super::{closed, count, instant, list_of, object, page, text};

/// Adds them.
pub(super) fn add(add: &mut impl FnMut(&str, Value)) {
    add("WorkerLeaseSpec", lease_spec(true));
    add("WorkerNextSpec", lease_spec(false));
    add("WorkerLease", lease());
    add("WorkerLeases", object(&["leases", "retryAfterMs"], leases()));
    add("WorkerHeartbeatSpec", heartbeat_spec());
    add("WorkerHeartbeat", object(&["leases"], json!({ "leases": list_of("WorkerLeaseState") })));
    add("WorkerLeaseState", lease_state());
    add("WorkerReportSpec", report_spec());
    add("WorkerError", error());
    add("WorkerResults", results());
    add("WorkerResult", result());
    add("LogLineSpec", log_line_spec());
    add(
        "TaskLog",
        object(
            &["lines", "next"],
            json!({ "lines": list_of("LogLine"), "next": count("`after` of the next page") }),
        ),
    );
    add("LogLine", log_line());
    add("Worker", worker());
    add("PageOfWorker", page("Worker"));
    add("Queue", queue());
    add("PageOfQueue", page("Queue"));
    add("QueueLimits", limits());
    add("QueueChange", change());
}

fn worker_name() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]{16,200}$", "description": "Made at random at each start of the process" })
}

/// Schema of a duration in whole units up to a limit, in the notation that every reader of patterns knows.
fn duration(pattern: &str, description: &str) -> Value {
    json!({ "type": "string", "pattern": pattern, "description": description })
}

fn wait() -> Value {
    duration("^(60|[1-5]?[0-9])s$", "How long the answer may wait, up to 60s; at once unless given")
}

fn lease_id() -> Value {
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    json!({ "type": "string", "pattern": format!("^{uuid}\\.[0-9]{{1,9}}\\.[0-9]{{1,9}}$"), "description": "As it was given" })
}

fn lease_spec(named: bool) -> Value {
    let mut properties = json!({
        "queues": { "type": "array", "minItems": 1, "maxItems": 32, "items": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$" } },
        "max": { "type": "integer", "minimum": 1, "maximum": 256, "default": 1, "description": "How many attempts at the most" },
        "wait": wait(),
        "lease": duration("^(60|[1-5][0-9]|[1-9])[sm]$", "How long a lease lasts without a heartbeat, 1s to 1h; 30s unless given"),
        "request": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$",
            "description": "A name for this call, made anew for each: the same call again, as its answer was lost, is given the same leases" },
    });
    if !named {
        return closed(&["queues"], properties);
    }
    properties["worker"] = worker_name();
    properties["host"] = json!({ "type": "string", "minLength": 1, "maxLength": 255, "description": "The machine that it runs on, for the list of workers" });
    properties["process"] =
        json!({ "type": "integer", "minimum": 0, "description": "The number of its process there" });
    closed(&["worker", "queues"], properties)
}

fn leases() -> Value {
    json!({
        "leases": list_of("WorkerLease"),
        "retryAfterMs": count("How long to wait before asking again"),
        "draining": { "type": "boolean", "description": "The server stops, and leases nothing" },
    })
}

fn lease() -> Value {
    object(
        &["lease", "token", "expiresInMs", "task", "subTask", "queue", "attempt", "idempotencyKey"],
        json!({
            "lease": text("What later calls name"), "token": count("The fencing token"),
            "expiresInMs": count("How long it lasts without a heartbeat"),
            "task": object(&["id", "name", "type", "workflow"], json!({
                "id": { "type": "string", "format": "uuid" }, "name": text("What it is called"),
                "type": text("Its type"), "workflow": text("Its workflow") })),
            "subTask": text("The sub-task"), "queue": text("Where it waited"), "attempt": count("From 1"),
            "itemIndex": count("The number of the item under `forEach`, from 0"),
            "idempotencyKey": text("The same for attempts that replace one another"),
            "timeoutMs": count("How long it may take"),
            "traceparent": text("The span of the attempt, as in W3C Trace Context; only where tasks are traced"),
            "input": { "description": "What it works on" },
        }),
    )
}

fn heartbeat_spec() -> Value {
    let stage = closed(
        &["name", "status"],
        json!({
            "name": text("Its name"), "type": text("Machine readable"), "description": text("For people"),
            "status": { "type": "string", "enum": ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED"] },
        }),
    );
    let beat = closed(
        &["lease"],
        json!({
            "lease": lease_id(), "progress": { "type": "integer", "minimum": 0, "maximum": 100 },
            "stages": { "type": "array", "maxItems": 100, "items": stage }, "log": list_of("LogLineSpec"),
        }),
    );
    closed(
        &["worker", "leases"],
        json!({ "worker": worker_name(), "wait": wait(), "leases": { "type": "array", "maxItems": 1024, "items": beat } }),
    )
}

fn lease_state() -> Value {
    object(
        &["lease", "state"],
        json!({
            "lease": text("Which"), "state": { "type": "string", "enum": ["live", "cancelled", "lost"] },
            "expiresInMs": count("How long it lasts from now"),
            "error": { "$ref": "#/components/schemas/Error", "description": "What of its sign of life cannot be read; nothing else of it counts" },
        }),
    )
}

fn report_spec() -> Value {
    let list = |item: Value| json!({ "type": "array", "maxItems": 1024, "items": item });
    let completed = closed(
        &["lease"],
        json!({ "lease": lease_id(), "output": { "description": "Any JSON up to 1 MiB" }, "log": list_of("LogLineSpec") }),
    );
    let failed = closed(
        &["lease", "error"],
        json!({
            "lease": lease_id(), "error": { "$ref": "#/components/schemas/WorkerError" },
            "retryable": { "type": "boolean", "default": true },
            "outcomeUnknown": { "type": "boolean", "default": false, "description": "The worker does not know whether the work was done" },
            "abandoned": { "type": "boolean", "default": false, "description": "The worker gave the work up unfinished, as it stops: another takes over at once" },
            "log": list_of("LogLineSpec"),
        }),
    );
    let released = closed(&["lease"], json!({ "lease": lease_id() }));
    closed(
        &["worker"],
        json!({
            "worker": worker_name(), "completed": list(completed), "failed": list(failed), "released": list(released),
            "next": { "$ref": "#/components/schemas/WorkerNextSpec" },
        }),
    )
}

fn error() -> Value {
    let cause =
        closed(&["type", "message"], json!({ "type": text("What kind"), "message": text("What it said") }));
    closed(
        &["code", "message"],
        json!({
            "code": text("Stable and machine readable"), "message": text("For people"), "remediation": text("What to do"),
            "causes": { "type": "array", "items": cause }, "context": { "type": "object" },
        }),
    )
}

fn results() -> Value {
    let mut properties = leases();
    properties["results"] = list_of("WorkerResult");
    object(&["results", "leases", "retryAfterMs"], properties)
}

fn result() -> Value {
    object(
        &["lease", "status"],
        json!({
            "lease": text("Which"), "status": { "type": "integer", "enum": [200, 409, 413] },
            "error": { "$ref": "#/components/schemas/Error" },
        }),
    )
}

fn log_line_spec() -> Value {
    let full = closed(
        &["text"],
        json!({
            "text": text("Without its line break"), "stream": { "type": "string", "enum": ["stdout", "stderr"] },
            "at": instant("When it was written; now unless given"),
        }),
    );
    json!({ "anyOf": [{ "type": "string" }, full] })
}

fn log_line() -> Value {
    object(
        &["number", "timestamp", "subTask", "attempt", "stream", "text"],
        json!({
            "number": count("From 1, through the task"), "timestamp": instant("When it was written"),
            "subTask": text("By which"), "attempt": count("The attempt's number"),
            "stream": { "type": "string", "enum": ["stdout", "stderr"] }, "text": text("Without its line break"),
        }),
    )
}

fn worker() -> Value {
    object(
        &["worker", "user", "queues", "running", "work", "lastSeen", "alive"],
        json!({
            "worker": text("The name that the process gave itself"), "user": text("Its account"),
            "queues": { "type": "array", "items": { "type": "string" } }, "running": count("Attempts that it has"),
            "work": { "type": "array", "description": "Some of these attempts, at most eight",
                "items": object(&["taskId"], json!({ "taskId": { "type": "string", "format": "uuid" },
                    "taskName": text("What the task is called"), "subTask": text("The sub-task, unless it is a child of one") })) },
            "lastSeen": instant("When it last called"),
            "alive": { "type": "boolean", "description": "False once it was silent for longer than it said, and has no lease" },
            "host": text("The machine that it runs on, as it says"), "process": count("The number of its process there, as it says"),
        }),
    )
}

fn queue() -> Value {
    object(
        &["name", "waiting", "running", "oldestWaitMs", "workers", "limits"],
        json!({
            "name": text("Its name"), "waiting": count("Sub-tasks that wait in it"), "running": count("Attempts that workers have"),
            "oldestWaitMs": count("How long the oldest waits"), "workers": count("Workers that asked it for work lately"),
            "limits": { "$ref": "#/components/schemas/QueueLimits" },
        }),
    )
}

fn limits() -> Value {
    closed(
        &[],
        json!({
            "maxRunning": { "type": "integer", "format": "int32", "minimum": 0, "description": "Attempts that workers may have at once" },
            "rate": duration("^[1-9][0-9]{0,5}/[1-9][0-9]{0,3}(ms|s|m|h)$", "So many attempts may start in a time, such as 100/1m"),
            "paused": { "type": "boolean", "default": false, "description": "Nothing is leased" },
        }),
    )
}

fn change() -> Value {
    closed(
        &[],
        json!({
            "maxRunning": { "type": ["integer", "null"], "format": "int32", "minimum": 0, "maximum": u32::MAX, "description": "Attempts that workers may have at once; null for any number" },
            "rate": { "type": ["string", "null"], "pattern": "^[1-9][0-9]{0,5}/[1-9][0-9]{0,3}(ms|s|m|h)$", "description": "So many attempts may start in a time, such as 100/1m; null for any number" },
            "paused": { "type": ["boolean", "null"], "description": "True lets nothing be leased" },
        }),
    )
}
