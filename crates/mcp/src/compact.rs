//! Tasks in few words: what an agent needs of them to decide what to do next.

use serde_json::{Map, Value, json};

/// Members of a task in a list.
const ROW: [&str; 13] = [
    "id",
    "name",
    "type",
    "status",
    "creationTimestamp",
    "completionTimestamp",
    "isRetryable",
    "isCancellable",
    "waitingFor",
    "progress",
    "labels",
    "workflow",
    "resources",
];
/// Members of a sub-task.
const SUB_TASK: [&str; 9] = [
    "name",
    "status",
    "description",
    "creationTimestamp",
    "completionTimestamp",
    "attempts",
    "progress",
    "children",
    "childCounts",
];
/// Members of an error.
const ERROR: [&str; 4] = ["errorCode", "message", "remediationMessage", "context"];
/// Causes shown of an error.
const CAUSES: usize = 3;

/// Returns a row of a list: with the errors, without the sub-tasks.
pub(crate) fn row(task: &Value) -> Value {
    let mut row = picked(task, &ROW);
    errors(task, &mut row);
    Value::Object(row)
}

/// Returns a task with its sub-tasks.
pub(crate) fn task(task: &Value) -> Value {
    let mut told = picked(task, &ROW);
    errors(task, &mut told);
    for name in ["version", "input", "outputs"] {
        if let Some(value) = task.get(name).filter(|value| !value.is_null()) {
            told.insert(name.to_owned(), value.clone());
        }
    }
    told.insert("subTasks".to_owned(), Value::Array(sub_tasks(task).map(sub_task).collect()));
    Value::Object(told)
}

fn sub_task(one: &Value) -> Value {
    let mut told = picked(one, &SUB_TASK);
    errors(one, &mut told);
    if let Some(children) = one.get("subTasks").and_then(Value::as_array) {
        told.insert("subTasks".to_owned(), Value::Array(children.iter().map(sub_task).collect()));
    }
    Value::Object(told)
}

/// Returns a task's sub-tasks.
pub(crate) fn sub_tasks(task: &Value) -> impl Iterator<Item = &Value> {
    task.get("subTasks").and_then(Value::as_array).into_iter().flatten()
}

/// Returns the names of the sub-tasks whose status is one of some, by its constant or as it is displayed.
pub(crate) fn named(task: &Value, statuses: &[&str]) -> Vec<String> {
    let same = |status: &str| {
        let constant = status.to_uppercase().replace(' ', "_");
        statuses.contains(&constant.as_str())
    };
    sub_tasks(task)
        .filter(|one| one.get("status").and_then(Value::as_str).is_some_and(same))
        .filter_map(|one| one.get("name").and_then(Value::as_str).map(str::to_owned))
        .collect()
}

/// Returns the rows of a page, and how many there are.
pub(crate) fn page(page: &Value, row: impl Fn(&Value) -> Value) -> Value {
    let rows: Vec<Value> =
        page.get("elements").and_then(Value::as_array).into_iter().flatten().map(row).collect();
    let about = &page["pageMetadata"];
    json!({
        "total": about["totalElements"], "page": about["pageNumber"], "pages": about["totalPages"],
        "elements": rows,
    })
}

fn errors(of: &Value, into: &mut Map<String, Value>) {
    let all: Vec<Value> =
        of.get("errors").and_then(Value::as_array).into_iter().flatten().map(error).collect();
    if !all.is_empty() {
        into.insert("errors".to_owned(), Value::Array(all));
    }
}

fn error(error: &Value) -> Value {
    let mut told = picked(error, &ERROR);
    let causes = error.get("causes").and_then(Value::as_array).into_iter().flatten();
    let causes: Vec<Value> = causes.take(CAUSES).cloned().collect();
    if !causes.is_empty() {
        told.insert("causes".to_owned(), Value::Array(causes));
    }
    Value::Object(told)
}

/// Returns some members of an object: those that are there and say something.
pub(crate) fn picked(of: &Value, names: &[&str]) -> Map<String, Value> {
    let says = |value: &&Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    names.iter().filter_map(|&name| Some((name.to_owned(), of.get(name).filter(says)?.clone()))).collect()
}
