//! Tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{ETAG, HeaderName, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// Query for a list of tasks. Filters are joined by "and".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    /// Statuses, any of which matches, in any spelling.
    pub status: Vec<String>,
    /// Failed tasks that nobody has resolved; with statuses, those as well.
    pub open_failures: bool,
    /// Labels that the tasks have, each `name` or `name=value`.
    pub labels: Vec<String>,
    /// The task's type.
    pub kind: Option<String>,
    /// A resource's id.
    pub resource_id: Option<String>,
    /// A resource's type.
    pub resource_kind: Option<String>,
    /// The name contains this.
    pub name: Option<String>,
    /// Completed after this instant, in milliseconds since 1970.
    pub completed_after: Option<i64>,
    /// Sort key.
    pub order_by: Option<String>,
    /// `ASC` or `DESC`.
    pub order_direction: Option<String>,
    /// Number of the page, from 1.
    pub page: Option<u32>,
    /// Size of the page, up to 100.
    pub page_size: Option<u32>,
    /// Further members of each task.
    pub include: Vec<String>,
}

impl TaskFilter {
    /// Adds filters, order and page to a call.
    pub(crate) fn query<'a>(&self, call: Call<'a>) -> Call<'a> {
        call.query("taskStatus", joined(&self.status))
            .query("openFailures", self.open_failures.then_some("true"))
            .query_each("label", &self.labels)
            .query("taskType", self.kind.clone())
            .query("resourceId", self.resource_id.clone())
            .query("resourceType", self.resource_kind.clone())
            .query("taskName", self.name.clone())
            .query("completedAfter", self.completed_after.map(|at| at.to_string()))
            .query("orderBy", self.order_by.clone())
            .query("orderDirection", self.order_direction.clone())
            .query("pageNumber", self.page.map(|n| n.to_string()))
            .query("pageSize", self.page_size.map(|n| n.to_string()))
    }
}

/// Options for reading one task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Wait this long for its end.
    pub wait: Option<Duration>,
    /// Further members.
    pub include: Vec<String>,
    /// Without sub-tasks, but for those that failed.
    pub summary: bool,
}

/// A task to be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartTask {
    /// The workflow's name.
    pub workflow: String,
    /// Version of the workflow, the newest unless given.
    pub version: Option<u32>,
    /// Input.
    pub input: Value,
    /// Name of the task.
    pub name: Option<String>,
    /// Earliest start.
    pub not_before: Option<String>,
    /// Free words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Idempotency key: the same key and body never start a second task.
    pub idempotency_key: Option<String>,
    /// Answer only when the task ended or this time is over.
    pub wait: Option<Duration>,
    /// Check only: nothing is stored or started.
    pub dry_run: bool,
}

/// A task that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    /// The task.
    pub task: Value,
    /// The key had started it before.
    pub replayed: bool,
}

/// Decision of an operator about a failed task.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResolveTask {
    /// Reason, for the record.
    pub reason: String,
    /// The sub-task whose outcome was unknown.
    pub sub_task: Option<String>,
    /// Several sub-tasks that are decided alike.
    pub sub_tasks: Vec<String>,
    /// True for every sub-task to which the decision can apply; with a sub-task, for all of its children.
    pub all: bool,
    /// Outcome of them: `done`, `notDone`, `failed` or `skipped`.
    pub outcome: Option<&'static str>,
    /// Output, where the work was done.
    pub output: Option<Value>,
}

/// A task and the tag of what was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned {
    /// The task.
    pub task: Value,
    /// Given back with the next question, so that only changes are sent.
    pub etag: Option<String>,
}

/// Outcome of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Imported {
    /// Tasks that are new there.
    pub imported: u64,
    /// Tasks that had been imported before.
    pub replaced: u64,
    /// Tasks that the server ran itself, left as they are.
    pub kept: u64,
}

fn joined(words: &[String]) -> Option<String> {
    (!words.is_empty()).then(|| words.join(","))
}

impl Client {
    /// `GET /v1/tasks`: one page.
    pub async fn list_tasks(&self, filter: &TaskFilter) -> Result<Value, ClientError> {
        let call = filter.query(Call::new(Method::GET, &["v1", "tasks"]));
        self.json(call.query("include", joined(&filter.include)), Shape::Page).await
    }

    /// `GET /v1/task-ids/{part}`: a page of the tasks whose id begins or ends with these hexadecimal digits.
    pub async fn tasks_like(&self, part: &str) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "task-ids", part]), Shape::Page).await
    }

    /// `GET /v1/tasks/{id}`.
    pub async fn get_task(&self, id: &str, read: &Read) -> Result<Value, ClientError> {
        self.json(get(id, read), Shape::Task).await
    }

    /// `GET /v1/tasks/{id}`, answered only if it is not what the tag says any more.
    pub async fn changed_task(
        &self,
        id: &str,
        read: &Read,
        etag: Option<&str>,
    ) -> Result<Option<Versioned>, ClientError> {
        let answer = self.send(get(id, read).header(IF_NONE_MATCH, etag)).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            // Nothing else was asked: to a reader that knows nothing, an unchanged task is no answer.
            return etag.map(|_| None).ok_or_else(|| self.protocol("it says that nothing has changed"));
        }
        let etag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Some(Versioned { task: self.read(&answer, Shape::Task)?, etag }))
    }

    /// `POST /v1/tasks`.
    pub async fn start_task(&self, start: &StartTask) -> Result<Started, ClientError> {
        let mut body = json!({ "workflow": start.workflow, "input": start.input });
        if let Some(version) = start.version {
            body["version"] = version.into();
        }
        if let Some(name) = &start.name {
            body["name"] = name.as_str().into();
        }
        if let Some(at) = &start.not_before {
            body["notBefore"] = at.as_str().into();
        }
        if !start.labels.is_empty() {
            body["labels"] = json!(start.labels);
        }
        let key = HeaderName::from_static("idempotency-key");
        let call = Call::new(Method::POST, &["v1", "tasks"])
            .header(key, start.idempotency_key.clone())
            .wait(start.wait)
            .query("dryRun", start.dry_run.then_some("true"))
            .json(&body);
        let answer = self.send(call).await?;
        let replayed = answer.headers.get("idempotency-replayed").is_some_and(|value| value == "true");
        Ok(Started { task: self.read(&answer, Shape::Task)?, replayed })
    }

    /// `PATCH /v1/tasks/{id}`: runs a failed task on from where it failed. Null from servers that answer
    /// nothing.
    pub async fn retry_task(&self, id: &str) -> Result<Value, ClientError> {
        self.retry_task_because(id, None).await
    }

    /// Retries a task as [`Client::retry_task`] does, with a reason for the record.
    pub async fn retry_task_because(&self, id: &str, reason: Option<&str>) -> Result<Value, ClientError> {
        self.json(
            Call::new(Method::PATCH, &["v1", "tasks", id]).query("reason", reason),
            Shape::TaskOrNothing,
        )
        .await
    }

    /// `DELETE /v1/tasks/{id}`: cancels. Null from servers that answer nothing.
    pub async fn cancel_task(&self, id: &str) -> Result<Value, ClientError> {
        self.cancel_task_because(id, None).await
    }

    /// Cancels a task as [`Client::cancel_task`] does, with a reason for the record.
    pub async fn cancel_task_because(&self, id: &str, reason: Option<&str>) -> Result<Value, ClientError> {
        self.json(
            Call::new(Method::DELETE, &["v1", "tasks", id]).query("reason", reason),
            Shape::TaskOrNothing,
        )
        .await
    }

    /// `POST /v1/tasks/{id}/subtasks/{name}/skip`.
    pub async fn skip_sub_task(&self, id: &str, sub_task: &str, reason: &str) -> Result<Value, ClientError> {
        let call = Call::new(Method::POST, &["v1", "tasks", id, "subtasks", sub_task, "skip"]);
        self.json(call.json(&json!({ "reason": reason })), Shape::Task).await
    }

    /// `POST /v1/tasks/{id}/resolve`.
    pub async fn resolve_task(&self, id: &str, resolve: &ResolveTask) -> Result<Value, ClientError> {
        let mut body = json!({ "reason": resolve.reason });
        if let Some(sub_task) = &resolve.sub_task {
            body["subTask"] = sub_task.as_str().into();
        }
        if !resolve.sub_tasks.is_empty() {
            body["subTasks"] = json!(resolve.sub_tasks);
        }
        if resolve.all {
            body["all"] = true.into();
        }
        if let Some(outcome) = resolve.outcome {
            body["outcome"] = outcome.into();
        }
        if let Some(output) = &resolve.output {
            body["output"] = output.clone();
        }
        self.json(Call::new(Method::POST, &["v1", "tasks", id, "resolve"]).json(&body), Shape::Task).await
    }

    /// `GET /v1/tasks/{id}/attempts`.
    pub async fn task_attempts(&self, id: &str) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "tasks", id, "attempts"]), Shape::Page).await
    }

    /// `POST /v1/tasks/import`: a task, an array of tasks or a page of tasks, as text.
    pub async fn import_tasks(&self, body: Vec<u8>) -> Result<Imported, ClientError> {
        let answer = self
            .json(Call::new(Method::POST, &["v1", "tasks", "import"]).bytes(body), Shape::Imported)
            .await?;
        serde_json::from_value(answer).map_err(|e| self.protocol(e.to_string()))
    }
}

fn get<'a>(id: &'a str, read: &Read) -> Call<'a> {
    Call::new(Method::GET, &["v1", "tasks", id])
        .query("view", read.summary.then_some("summary"))
        .query("include", joined(&read.include))
        .wait(read.wait)
}
