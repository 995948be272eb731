//! The audit log, the history of a task, and the reasons for which a task does not proceed.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::body::ErrorBody;
use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// An entry of the audit log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditBody {
    /// Time of the call.
    pub timestamp: String,
    /// The account.
    pub user: String,
    /// The address that the account came from.
    pub from: Option<String>,
    /// The call, as the API's description names it.
    pub action: String,
    /// The task, workflow, queue or account that it changed.
    pub target: Option<String>,
    /// Details of the call.
    pub detail: Option<String>,
    /// `ACCEPTED` or `REFUSED`.
    pub outcome: String,
}

/// A filter on the entries of the audit log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFilter {
    /// Name of the account that made the call.
    pub user: Option<String>,
    /// Name of the call.
    pub action: Option<String>,
    /// The task, workflow, queue or account that was changed.
    pub target: Option<String>,
    /// Time of the earliest entry, in RFC 3339.
    pub since: Option<String>,
    /// `ACCEPTED` or `REFUSED`.
    pub outcome: Option<String>,
    /// Number of the page, from 1.
    pub page: Option<u32>,
    /// Number of entries on a page, up to 100.
    pub page_size: Option<u32>,
}

/// An entry of the history of a task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistoryBody {
    /// Time of the call.
    pub timestamp: String,
    /// The account.
    pub user: String,
    /// The call, as the API's description names it.
    pub action: String,
    /// The decision that the call led to.
    pub decision: Option<String>,
    /// The sub-task that the decision was about.
    pub sub_task: Option<String>,
    /// The number of sub-tasks that were decided at once.
    pub sub_task_count: Option<u64>,
    /// The reason given.
    pub reason: Option<String>,
}

/// Explanation for a task that does not proceed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WhyBody {
    /// The first reason in one sentence.
    pub summary: String,
    /// Every reason.
    pub reasons: Vec<ReasonBody>,
}

/// A reason for which a task does not proceed.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReasonBody {
    /// Kind of the reason, such as `LOCK` or `WORKER`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason in one sentence.
    pub message: String,
    /// Advice on how to remove the reason.
    pub remediation_message: Option<String>,
    /// The tasks that are ahead of this one, with the locks that they hold or wait for.
    pub locks: Vec<ObstacleBody>,
    /// The last error.
    pub error: Option<ErrorBody>,
}

/// A task that is ahead of another one for a lock or place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObstacleBody {
    /// The type of the resource.
    pub resource_type: Option<String>,
    /// The id of the resource.
    pub resource_id: Option<String>,
    /// The workflow, if this is a place of a concurrency key.
    pub workflow: Option<String>,
    /// The concurrency key, if this is a place.
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
        self.json(call, Shape::Page).await
    }

    /// `GET /v1/tasks/{id}/history`: a page, newest first.
    pub async fn task_history(&self, id: &str, page: Option<u32>) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "tasks", id, "history"]);
        self.json(call.query("pageNumber", page.map(|n| n.to_string())), Shape::Page).await
    }

    /// `GET /v1/tasks/{id}/why`.
    pub async fn task_why(&self, id: &str) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "tasks", id, "why"]), Shape::Reasons).await
    }
}
