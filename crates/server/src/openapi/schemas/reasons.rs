//! Schemas of the reasons why a task does not proceed, and of its history.

use serde_json::{Value, json};

use super::{count, instant, list_of, object, page, text};

/// Adds them.
pub(super) fn add(add: &mut impl FnMut(&str, Value)) {
    let reasons = json!({
        "taskId": text("The task"), "summary": text("The first reason in one sentence"),
        "reasons": list_of("TaskReason"),
    });
    add("TaskReasons", object(&["taskId", "summary", "reasons"], reasons));
    add("TaskReason", object(&["type", "message"], reason()));
    add(
        "TaskObstacle",
        object(&["mode", "state", "since", "taskId", "taskName", "awaitsDecision"], obstacle()),
    );
    let queue = json!({
        "name": text("The queue"), "waiting": count("Sub-tasks that wait in it"),
        "running": count("Attempts that workers have"), "workers": count("Workers that asked for its work lately"),
        "limits": { "$ref": "#/components/schemas/QueueLimits" },
    });
    add("TaskReasonQueue", object(&["name", "waiting", "running", "workers", "limits"], queue));
    add("TaskHistoryEntry", object(&["id", "timestamp", "user", "action"], told()));
    add("PageOfTaskHistoryEntry", page("TaskHistoryEntry"));
}

fn reason() -> Value {
    json!({
        "type": { "type": "string", "enum": ["IMPORTED", "UNREADABLE", "ENDED", "FAILED", "DECISION", "STOP", "PAUSED",
            "DRAINING", "LOCK", "START", "TIMER", "RETRY", "WORKER", "CAPACITY", "RUNNING"] },
        "message": text("The reason in one sentence"), "remediationMessage": text("What to do about it"),
        "subTask": text("The sub-task; of several the first"), "since": instant("Since when"),
        "until": instant("Until when at the latest"),
        "waiting": count("Sub-tasks of the task that wait in the queue"),
        "queue": { "$ref": "#/components/schemas/TaskReasonQueue" },
        "locks": list_of("TaskObstacle"),
        "attempt": count("The number of the attempt that runs"),
        "attempts": count("Attempts made so far in this run of the task"),
        "maxAttempts": count("Attempts that one run of the task may make"),
        "worker": text("The worker that has the attempt; absent for the server itself"),
        "running": count("Attempts that run at once on the node"), "limit": count("How many may"),
        "error": { "$ref": "#/components/schemas/Error" },
    })
}

fn obstacle() -> Value {
    json!({
        "resourceType": text("The type of the resource"), "resourceId": text("The id of the resource"),
        "workflow": text("Of a place: the workflow"), "key": text("Of a place: the key"),
        "limit": count("Of a place: how many there are"),
        "mode": { "type": "string", "enum": ["SHARED", "EXCLUSIVE", "SLOT"] },
        "state": { "type": "string", "enum": ["HELD", "WAITING"] },
        "since": instant("Since when"), "taskId": text("The task that is before"), "taskName": text("Its name"),
        "taskStatus": text("Its status, in capitals"),
        "awaitsDecision": { "type": "boolean", "description": "It failed, and keeps the lock until somebody decides about it" },
    })
}

fn told() -> Value {
    json!({
        "id": count("Its place in the order of changes"), "timestamp": instant("When"), "user": text("Who"),
        "action": text("The `operationId` of the call"),
        "decision": { "type": "string", "enum": ["cancel", "retry", "skip", "resolve", "release", "done", "notDone", "park"] },
        "subTask": text("The sub-task that it was about; of several children their parent"),
        "subTaskCount": count("How many sub-tasks were decided at once"), "reason": text("Why"),
    })
}
