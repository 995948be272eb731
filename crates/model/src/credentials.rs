//! Credentials tasks (wire contract, sections 1.7, 1.8 and 6): tasks whose input is a
//! `CredentialsUpdateSpec`. They are retried and cancelled by calls of their own, and a failed one holds its
//! resources until then.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::id::TaskId;
use crate::resource::Resource;
use crate::workflow::{InputSchema, Violation};

/// Operation on credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Operation {
    /// New passwords that the caller chose.
    Update,
    /// Replaces passwords by new ones that nobody chose.
    Rotate,
    /// Takes over passwords that the caller gives.
    Remediate,
    /// Change of the policy by which passwords rotate by themselves.
    UpdateAutoRotatePolicy,
}

impl Operation {
    /// All operations.
    pub const ALL: [Operation; 4] =
        [Operation::Update, Operation::Rotate, Operation::Remediate, Operation::UpdateAutoRotatePolicy];

    /// Constant on the wire.
    pub fn constant(self) -> &'static str {
        match self {
            Operation::Update => "UPDATE",
            Operation::Rotate => "ROTATE",
            Operation::Remediate => "REMEDIATE",
            Operation::UpdateAutoRotatePolicy => "UPDATE_AUTO_ROTATE_POLICY",
        }
    }

    /// The `type` of such a task in the list of all tasks.
    pub fn kind(self) -> &'static str {
        match self {
            Operation::Update => "CREDENTIALS_UPDATE",
            Operation::Rotate => "CREDENTIALS_ROTATE",
            Operation::Remediate => "CREDENTIALS_REMEDIATE",
            Operation::UpdateAutoRotatePolicy => "CREDENTIALS_UPDATE_AUTO_ROTATE_POLICY",
        }
    }
}

/// Returns the JSON Schema of a `CredentialsUpdateSpec`. Members that it does not name are allowed, as
/// clients send some.
pub fn spec_schema() -> Value {
    let mut schema = spec_shape();
    // Members that an operation needs beyond the shape, and may not have.
    let when = |operations: &[Operation], then: Value| {
        let words: Vec<&str> = operations.iter().map(|operation| operation.constant()).collect();
        json!({ "if": { "properties": { "operationType": { "enum": words } } }, "then": then })
    };
    let credentials = |of_each: Value| json!({ "properties": { "elements": { "items": { "properties": { "credentials": { "items": of_each } } } } } });
    schema["allOf"] = json!([
        when(&[Operation::Update, Operation::Remediate], credentials(json!({ "required": ["password"] }))),
        // A service account's password is chosen by nobody.
        when(
            &[Operation::Update],
            credentials(json!({ "properties": { "accountType": { "not": { "const": "SERVICE" } } } }))
        ),
        when(&[Operation::UpdateAutoRotatePolicy], json!({ "required": ["autoRotatePolicy"] })),
    ]);
    schema
}

/// Checks a `CredentialsUpdateSpec`; every violation.
pub fn violations(spec: &Value) -> Vec<Violation> {
    static SCHEMA: LazyLock<Option<InputSchema>> =
        LazyLock::new(|| InputSchema::compile(&spec_schema()).ok());
    SCHEMA.as_ref().map_or_else(Vec::new, |schema| schema.violations(spec))
}

/// The operation that a spec asks for.
pub fn operation(spec: &Value) -> Option<Operation> {
    Operation::ALL.into_iter().find(|operation| spec["operationType"] == operation.constant())
}

fn spec_shape() -> Value {
    let text = || json!({ "type": "string", "minLength": 1, "maxLength": 1024 });
    let words = |words: &[&str]| json!({ "type": "string", "enum": words });
    json!({
        "type": "object",
        "required": ["operationType", "elements"],
        "properties": {
            "operationType": words(&Operation::ALL.map(Operation::constant)),
            "elements": { "type": "array", "minItems": 1, "maxItems": 1000, "items": {
                "type": "object",
                "required": ["resourceType", "credentials"],
                "anyOf": [{ "required": ["resourceName"] }, { "required": ["resourceId"] }],
                "properties": {
                    "resourceName": text(),
                    "resourceId": text(),
                    "resourceType": words(&["ESXI", "VCENTER", "PSC", "NSXT_MANAGER", "NSXT_EDGE", "NSX_ALB", "BACKUP"]),
                    "credentials": { "type": "array", "minItems": 1, "maxItems": 100, "items": {
                        "type": "object",
                        "required": ["username"],
                        "properties": {
                            "credentialType": words(&["SSO", "SSH", "API", "FTP", "AUDIT"]),
                            "accountType": words(&["USER", "SYSTEM", "SERVICE"]),
                            "username": text(),
                            "password": { "type": "string", "minLength": 1, "maxLength": 1024, "writeOnly": true }
                        }
                    } }
                }
            } },
            "autoRotatePolicy": {
                "type": "object",
                "required": ["enableAutoRotatePolicy"],
                "properties": {
                    "frequencyInDays": { "type": "integer", "minimum": 1, "maximum": 3650 },
                    "enableAutoRotatePolicy": { "type": "boolean" }
                }
            }
        }
    })
}

/// The resources that a spec names, each once.
pub fn resources(spec: &Value) -> Vec<Resource> {
    let mut all: Vec<Resource> = Vec::new();
    for element in spec["elements"].as_array().into_iter().flatten() {
        let text = |member: &str| element[member].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (name, kind) = (text("resourceName"), text("resourceType"));
        let (Some(resource_id), Some(kind)) = (text("resourceId").or_else(|| name.clone()), kind) else {
            continue;
        };
        let resource = Resource { resource_id, kind, fqdn: name.clone(), name };
        if !all.contains(&resource) {
            all.push(resource);
        }
    }
    all
}

/// Returns the ID of a sub-task in the credentials API, where sub-tasks have one: made from the task's ID and
/// the index.
pub fn sub_task_id(task: TaskId, index: u32) -> TaskId {
    let mut bytes = task.as_bytes().to_owned();
    for (byte, part) in bytes[12..].iter_mut().zip((index + 1).to_be_bytes()) {
        *byte ^= part;
    }
    // Version 8 marks an ID made by a rule of ours.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    TaskId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_needs_its_own() {
        let spec = |operation: &str, credential: Value| {
            json!({ "operationType": operation, "elements": [
                { "resourceName": "h", "resourceType": "ESXI", "credentials": [credential] }] })
        };
        let bare = || json!({ "username": "root" });
        let full = |kind: &str| json!({ "username": "root", "accountType": kind, "password": "secret-1234" });
        for (spec, pointer) in [
            (spec("ROTATE", bare()), None),
            (spec("UPDATE", full("USER")), None),
            (spec("REMEDIATE", full("SERVICE")), None),
            (spec("UPDATE", bare()), Some("/elements/0/credentials/0")),
            (spec("UPDATE", full("SERVICE")), Some("/elements/0/credentials/0/accountType")),
            (spec("REMEDIATE", bare()), Some("/elements/0/credentials/0")),
            (spec("UPDATE_AUTO_ROTATE_POLICY", bare()), Some("")),
            (spec("DELETE", bare()), Some("/operationType")),
            (json!({ "operationType": "ROTATE", "elements": [] }), Some("/elements")),
            (json!(7), Some("")),
        ] {
            let found = violations(&spec);
            assert_eq!(
                found.first().map(|violation| violation.pointer.as_str()),
                pointer,
                "{spec} {found:?}"
            );
            assert!(found.iter().all(|violation| !violation.message.contains("secret-1234")), "{found:?}");
        }
        assert_eq!(operation(&spec("REMEDIATE", bare())), Some(Operation::Remediate));
    }

    #[test]
    fn resources_of_a_spec_are_named_once() {
        let spec = json!({ "elements": [
            { "resourceName": "sddc.example", "resourceId": "1", "resourceType": "BACKUP" },
            { "resourceName": "esxi-1.example", "resourceType": "ESXI" },
            { "resourceName": "esxi-1.example", "resourceType": "ESXI" },
            { "resourceType": "ESXI" }
        ] });
        let ids: Vec<_> = resources(&spec).into_iter().map(|r| (r.kind, r.resource_id, r.name)).collect();
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(
            ids,
            [
                ("BACKUP".into(), "1".into(), name("sddc.example")),
                ("ESXI".into(), "esxi-1.example".into(), name("esxi-1.example")),
            ]
        );
    }

    #[test]
    fn sub_tasks_have_ids_of_their_own() {
        let task: TaskId = "bc32f3be-a777-434b-a156-3fa54e8d2ded".parse().unwrap();
        let ids: std::collections::HashSet<_> = (0..1000).map(|i| sub_task_id(task, i).to_string()).collect();
        assert_eq!(ids.len(), 1000);
        assert!(!ids.contains(&task.to_string()));
        assert_eq!(sub_task_id(task, 0).to_string(), "bc32f3be-a777-834b-a156-3fa54e8d2dec");
    }

    #[test]
    fn schema_names_what_is_secret() {
        let secrets = crate::workflow::Secrets::of(&spec_schema());
        let mut spec = json!({ "elements": [{ "credentials": [{ "password": "a" }, { "password": "b" }] }] });
        let mut found = Vec::new();
        secrets.visit(&mut spec, &mut |place, value| {
            found.push(format!("{}={value}", place.pointer));
        });
        assert_eq!(
            found,
            [r#"/elements/0/credentials/0/password="a""#, r#"/elements/0/credentials/1/password="b""#]
        );
    }
}
