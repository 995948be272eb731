//! The schemas of credentials and their tasks (wire contract, sections 1.7 and 1.8).

use longhaul_model::credentials::{Operation, spec_schema};
use serde_json::{Value, json};

use super::{instant, list_of, object, page, text};

/// Adds them.
pub(super) fn add(add: &mut impl FnMut(&str, Value)) {
    add("CredentialsUpdateSpec", spec_schema());
    add("CredentialsTask", task());
    add("PageOfCredentialsTask", page("CredentialsTask"));
    add("CredentialsSubTask", sub_task());
    add("ResourceCredentials", resource_credentials());
}

fn status() -> Value {
    let words = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "USER_CANCELLED", "INCONSISTENT"];
    json!({ "type": "string", "enum": words })
}

fn operation() -> Value {
    json!({ "type": "string", "enum": Operation::ALL.map(Operation::constant) })
}

fn task() -> Value {
    object(
        &["id", "name", "type", "status", "creationTimestamp"],
        json!({
            "id": { "type": "string", "format": "uuid" }, "name": text("What it is called"),
            "type": operation(), "status": status(),
            "creationTimestamp": instant("When it was accepted"), "completionTimestamp": instant("When it ended"),
            "subTasks": list_of("CredentialsSubTask"), "errors": list_of("Error"),
            "isAutoRotate": { "type": "boolean", "description": "Whether it began by itself" },
        }),
    )
}

fn sub_task() -> Value {
    object(
        &["id", "name", "description", "status", "creationTimestamp"],
        json!({
            "id": { "type": "string", "format": "uuid" }, "name": text("What it is called"),
            "type": operation(), "description": text("What it does"), "status": status(),
            "creationTimestamp": instant("When its task was accepted"), "completionTimestamp": instant("When it ended"),
            "resourceName": text("What it is about"), "entityType": text("What kind of thing that is"),
            "errors": list_of("Error"),
        }),
    )
}

fn resource_credentials() -> Value {
    let credential = object(
        &["username"],
        json!({ "username": text("Whose"), "credentialType": text("What for"), "accountType": text("What kind of account") }),
    );
    object(
        &["resourceType", "credentials"],
        json!({
            "resourceName": text("Its name"), "resourceId": text("Its ID"), "resourceType": text("Its type"),
            "credentials": { "type": "array", "items": credential },
        }),
    )
}
