//! Credentials tasks (wire contract, section 1.7). Passwords are in none of them.

use longhaul_model::Record;
use longhaul_model::credentials::sub_task_id;

use super::Json;

/// A `CredentialsTask`.
pub(crate) fn credentials_task(json: &mut Json, record: &Record) {
    let state = &record.state;
    json.object(|json| {
        json.key("id").value(&record.id);
        json.key("name").value(&record.name);
        json.key("type").plain(operation(record));
        json.key("status").plain(record.credentials_status());
        json.key("creationTimestamp").time(state.created_at);
        if let Some(at) = state.completed_at {
            json.key("completionTimestamp").time(at);
        }
        let all = 0..record.sub_tasks.len() as u32;
        json.key("subTasks").list(all, |json, i| credentials_sub_task(json, record, i, false));
        json.key("errors").value(&state.errors);
        json.key("isAutoRotate").value(&false);
    });
}

/// Writes a `CredentialsSubTask`; with `typed` also the members that a `CredentialsTask` must have.
pub(crate) fn credentials_sub_task(json: &mut Json, record: &Record, index: u32, typed: bool) {
    let sub = &record.sub_tasks[index as usize];
    json.object(|json| {
        json.key("id").value(&sub_task_id(record.id, index));
        json.key("name").value(record.sub_task_name(index));
        if typed {
            json.key("type").plain(operation(record));
        }
        json.key("description").value(record.sub_task_description(index));
        json.key("status").plain(sub.credentials_status());
        json.key("creationTimestamp").time(record.state.created_at);
        if let Some(at) = sub.completed_at {
            json.key("completionTimestamp").time(at);
        }
        // With several resources nobody knows which of them a sub-task is about.
        if let [resource] = record.state.resources.as_slice() {
            if let Some(name) = &resource.name {
                json.key("resourceName").value(name);
            }
            json.key("entityType").value(&resource.kind);
        }
        if !sub.errors.is_empty() {
            json.key("errors").value(&sub.errors);
        }
    });
}

fn operation(record: &Record) -> &'static str {
    record.credentials_operation().map_or("", longhaul_model::credentials::Operation::constant)
}
