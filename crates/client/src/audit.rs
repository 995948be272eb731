//! Who did what, and why tasks do not go on.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::body::ErrorBody;
use crate::error::ClientError;
use crate::http::{Call, Client};

/// A line of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditBody {
    /// When.
    pub timestamp: String,
    /// The account.
    pub user: String,
    /// The address that the account came from.
    pub from: Option<String>,
    /// The call, as the API's description names it.
    pub action: String,
    /// The task, workflow, queue or account that it changed.
    pub target: Option<String>,
    /// More about it.
    pub detail: Option<String>,
    /// `ACCEPTED` or `REFUSED`.
    pub outcome: String,
}

/// Lines of the audit log that are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// Only of this account.
    pub user: Option<String>,
    /// Only of this call.
    pub action: Option<String>,
    /// Only about this.
    pub target: Option<String>,
    /// Only since this instant, in RFC 3339.
    pub since: Option<String>,
    /// Only `ACCEPTED` or `REFUSED` ones.
    pub outcome: Option<String>,
    /// From 1.
    pub page: Option<u32>,
    /// Up to 100.
    pub page_size: Option<u32>,
}

/// Something that was done to a task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryBody {
    /// When.
    pub timestamp: String,
    /// The account.
    pub user: String,
    /// The call, as the API's description names it.
    pub action: String,
    /// The decision that the call led to.
    pub decision: Option<String>,
    /// The sub-task that it was about.
    pub sub_task: Option<String>,
    /// The number of sub-tasks that were decided at once.
    pub sub_task_count: Option<u64>,
    /// The reason given.
    pub reason: Option<String>,
}

/// Why a task does not go on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WhyBody {
    /// The first reason in one sentence.
    pub summary: String,
    /// Every reason.
    pub reasons: Vec<ReasonBody>,
}

/// A reason for which a task does not go on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReasonBody {
    /// Its kind, such as `LOCK` or `WORKER`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason in one sentence.
    pub message: String,
    /// What to do about it.
    pub remediation_message: Option<String>,
    /// The tasks that are before this one, with what they have or wait for.
    pub locks: Vec<ObstacleBody>,
    /// The last error.
    pub error: Option<ErrorBody>,
}

/// A task that is before another on a lock or place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObstacleBody {
    /// The type of the resource.
    pub resource_type: Option<String>,
    /// The id of the resource.
    pub resource_id: Option<String>,
    /// Of a place: the workflow.
    pub workflow: Option<String>,
    /// Of a place: the key.
    pub key: Option<String>,
    /// The id of the task.
    pub task_id: String,
    /// The name of the task.
    pub task_name: String,
    /// The status of the task, if that is known.
    pub task_status: Option<String>,
}

impl Client {
    /// `GET /v1/audit`: a page, newest first.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "audit"])
            .query("user", filter.user.clone())
            .query("action", filter.action.clone())
            .query("target", filter.target.clone())
            .query("since", filter.since.clone())
            .query("outcome", filter.outcome.clone())
            .query("pageNumber", filter.page.map(|n| n.to_string()))
            .query("pageSize", filter.page_size.map(|n| n.to_string()));
        self.json(call).await
    }

    /// `GET /v1/tasks/{id}/history`: a page, newest first.
    pub async fn task_history(&self, id: &str, page: Option<u32>) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "tasks", id, "history"]);
        self.json(call.query("pageNumber", page.map(|n| n.to_string()))).await
    }

    /// `GET /v1/tasks/{id}/why`.
    pub async fn task_why(&self, id: &str) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "tasks", id, "why"])).await
    }
}
