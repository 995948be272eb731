//! Work that waits for workers and for locks, and the logs of sub-tasks.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// A queue, as far as a client can read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueBody {
    /// Name of the queue.
    pub name: String,
    /// Sub-tasks that wait in it.
    pub waiting: u64,
    /// Attempts that workers have.
    pub running: u64,
    /// Wait of the oldest sub-task, in milliseconds.
    pub oldest_wait_ms: u64,
    /// Workers that asked it for work lately.
    pub workers: u64,
    /// Limits that an operator set.
    pub limits: QueueLimitsBody,
}

/// The limits of a queue.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueLimitsBody {
    /// Maximum number of attempts that workers may have at once.
    pub max_running: Option<u32>,
    /// Maximum number of attempts that may start in a period, such as `100/1m`.
    pub rate: Option<String>,
    /// True if nothing is leased from the queue.
    pub paused: bool,
}

/// A worker heard of lately.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkerBody {
    /// The name that the process gave itself.
    pub worker: String,
    /// Account of the worker.
    pub user: String,
    /// The queues that it asks.
    pub queues: Vec<String>,
    /// Attempts that it has.
    pub running: u64,
    /// A few of the attempts.
    pub work: Vec<WorkBody>,
    /// Time of the last call.
    pub last_seen: String,
    /// False once it was silent for longer than it said; `None` from servers that do not tell.
    pub alive: Option<bool>,
    /// The machine that it runs on.
    pub host: Option<String>,
    /// The number of its process there.
    pub process: Option<u64>,
}

/// An attempt that a worker has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkBody {
    /// The task.
    pub task_id: String,
    /// Name of the task.
    pub task_name: Option<String>,
    /// The sub-task.
    pub sub_task: Option<String>,
}

/// A lock on a resource, or a place among those of a concurrency key.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockBody {
    /// The type of the resource.
    pub resource_type: Option<String>,
    /// ID of the resource.
    pub resource_id: Option<String>,
    /// The workflow, if this is a place of a concurrency key.
    pub workflow: Option<String>,
    /// The concurrency key, if this is a place.
    pub key: Option<String>,
    /// `SHARED`, `EXCLUSIVE` or `SLOT`.
    pub mode: String,
    /// `HELD` or `WAITING`.
    pub state: String,
    /// Time since which the task holds it or waits for it.
    pub since: String,
    /// ID of the task.
    pub task_id: String,
    /// Name of the task.
    pub task_name: String,
    /// Status of the task, if the lock is held.
    pub task_status: Option<String>,
    /// True if the task failed and keeps the lock until an operator decides.
    pub awaits_decision: bool,
}

/// Lines of a task's log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LogBody {
    /// The lines.
    pub lines: Vec<LogLineBody>,
    /// Position at which the next page begins.
    pub next: u64,
}

/// A line of a log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogLineBody {
    /// Time of writing.
    pub timestamp: String,
    /// The sub-task that wrote it.
    pub sub_task: String,
    /// The attempt's number.
    pub attempt: u64,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// Text of the line.
    pub text: String,
}

/// A node, as far as a client can read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeBody {
    /// Name of the node.
    pub name: String,
    /// `ACTIVE` or `SILENT`.
    pub state: String,
    /// Address on which the node listens.
    pub address: String,
    /// The version of its program.
    pub version: String,
    /// Time of the start.
    pub start_timestamp: String,
    /// Time of the last sign of life.
    pub seen_timestamp: String,
}

/// The server's clock, as far as it decides what is old.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClockBody {
    /// The time by the clock.
    pub clock_timestamp: String,
    /// The time by which old tasks are deleted; the same unless the clock is doubted.
    pub lived_timestamp: String,
    /// True if the clock is too far ahead of when the store was last at work to be believed.
    pub doubted: bool,
}

/// Query for the lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogFilter {
    /// Number after which lines are returned.
    pub after: u64,
    /// Sub-task whose lines are returned; all unless given.
    pub sub_task: Option<String>,
    /// Longest wait of the answer for new lines, such as `30s`.
    pub wait: Option<String>,
}

impl Client {
    /// `GET /v1/queues`.
    pub async fn list_queues(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "queues"]), Shape::Page).await
    }

    /// `PATCH /v1/queues/{name}`: changes the limits that are named, `null` for none; a queue that nobody
    /// asked for is made only if `create` says so.
    pub async fn change_queue(&self, name: &str, change: &Value, create: bool) -> Result<Value, ClientError> {
        let call = Call::new(Method::PATCH, &["v1", "queues", name]).json(change);
        self.json(call.query("create", create.then(|| "true".to_owned())), Shape::Queue).await
    }

    /// `GET /v1/workers`.
    pub async fn list_workers(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "workers"]), Shape::Page).await
    }

    /// `GET /v1/nodes`.
    pub async fn list_nodes(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "nodes"]), Shape::Page).await
    }

    /// `GET /v1/clock`.
    pub async fn clock(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "clock"]), Shape::Clock).await
    }

    /// `POST /v1/clock/confirm`, with the current time as its caller knows it, in RFC 3339.
    pub async fn confirm_clock(&self, time: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::POST, &["v1", "clock", "confirm"]);
        self.done(call.json(&json!({ "clockTimestamp": time }))).await
    }

    /// `GET /v1/resources/locks`, a page.
    pub async fn list_locks(
        &self,
        resource_type: Option<&str>,
        resource_id: Option<&str>,
        page: Option<u32>,
    ) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "resources", "locks"])
            .query("resourceType", resource_type.map(str::to_owned))
            .query("resourceId", resource_id.map(str::to_owned))
            .query("pageNumber", page.map(|n| n.to_string()))
            .query("pageSize", Some("100".to_owned()));
        self.json(call, Shape::Page).await
    }

    /// `GET /v1/tasks/{id}/logs`.
    pub async fn task_logs(&self, id: &str, filter: &LogFilter) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "tasks", id, "logs"])
            .query("after", Some(filter.after.to_string()))
            .query("subTask", filter.sub_task.clone())
            .query("wait", filter.wait.clone());
        self.json(call, Shape::Log).await
    }

    /// `POST /v1/tasks/{id}/release-locks`.
    pub async fn release_locks(&self, id: &str, reason: &str) -> Result<Value, ClientError> {
        let call = Call::new(Method::POST, &["v1", "tasks", id, "release-locks"]);
        self.json(call.json(&json!({ "reason": reason })), Shape::Task).await
    }
}
