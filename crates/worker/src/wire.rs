//! The bodies of the worker protocol, as docs/workers.md has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::action_error::Cause;
use crate::line::LineBody;
use crate::stage::Stage;
use crate::told::News;

/// The name of a lease, taken as it is.
pub(crate) type LeaseName = Arc<str>;

/// Results that one call may have.
pub(crate) const MOST_RESULTS: usize = 1024;
/// Attempts that one call may ask for.
pub(crate) const MOST_LEASES: usize = 256;
/// Bytes that a body of ours takes; the server takes 8 MiB.
pub(crate) const LARGEST_BODY: usize = 6 << 20;
/// Attempts that one worker may have: a heartbeat is for all of them.
pub(crate) const MOST_SLOTS: usize = 1024;
/// The largest output, in bytes of JSON.
pub(crate) const LARGEST_OUTPUT: usize = 1 << 20;
/// Deepest nesting of an output: the server takes bodies of 64 levels, and a report adds three.
pub(crate) const DEEPEST_OUTPUT: usize = 61;

/// A duration as the protocol writes it.
pub(crate) fn span(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

/// Request for leases within a report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NextBody {
    pub(crate) queues: Vec<String>,
    pub(crate) max: usize,
    pub(crate) wait: String,
    pub(crate) lease: String,
    /// The name of the call: the same one again is given what it was given before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
}

/// The body of `/lease`.
#[derive(Debug, Serialize)]
pub(crate) struct LeaseBody<'a> {
    pub(crate) worker: &'a str,
    /// The machine, if it tells its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<&'a str>,
    pub(crate) process: u32,
    #[serde(flatten)]
    pub(crate) next: NextBody,
}

/// The body of `/complete`.
#[derive(Debug, Serialize)]
pub(crate) struct ReportBody<'a> {
    pub(crate) worker: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) completed: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) released: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<NextBody>,
}

/// An attempt that succeeded.
#[derive(Debug, Serialize)]
pub(crate) struct CompletedBody<'a> {
    pub(crate) lease: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[LineBody]>::is_empty")]
    pub(crate) log: &'a [LineBody],
}

/// An attempt that did not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailedBody<'a> {
    pub(crate) lease: &'a str,
    pub(crate) error: ErrorBody<'a>,
    pub(crate) retryable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) outcome_unknown: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) abandoned: bool,
    #[serde(skip_serializing_if = "<[LineBody]>::is_empty")]
    pub(crate) log: &'a [LineBody],
}

/// A lease that is given back.
#[derive(Debug, Serialize)]
pub(crate) struct ReleasedBody<'a> {
    pub(crate) lease: &'a str,
}

/// Error of a failed attempt.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remediation: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Cause]>::is_empty")]
    pub(crate) causes: &'a [Cause],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) context: &'a BTreeMap<String, String>,
}

/// The body of `/heartbeat`.
#[derive(Debug, Serialize)]
pub(crate) struct HeartbeatBody<'a> {
    pub(crate) worker: &'a str,
    pub(crate) leases: Vec<BeatBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<String>,
}

/// A sign of life for one lease.
#[derive(Debug, Serialize)]
pub(crate) struct BeatBody {
    pub(crate) lease: LeaseName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stages: Option<Vec<Stage>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) log: Vec<LineBody>,
}

impl BeatBody {
    /// Creates a heartbeat without updates.
    pub(crate) fn plain(lease: LeaseName) -> Self {
        BeatBody { lease, progress: None, stages: None, log: Vec::new() }
    }

    /// Creates a heartbeat with updates of the attempt.
    pub(crate) fn with(lease: LeaseName, news: News) -> Self {
        BeatBody { lease, progress: news.progress, stages: news.stages, log: news.lines }
    }
}

/// Answer of `/lease` and `/complete`. JSON without `leases` is not the server's own: a proxy made it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Leases {
    #[serde(default)]
    pub(crate) results: Vec<ResultBody>,
    pub(crate) leases: Vec<Lease>,
    #[serde(default)]
    pub(crate) retry_after_ms: u64,
    #[serde(default)]
    pub(crate) draining: bool,
}

/// Outcome of one result.
#[derive(Debug, Deserialize)]
pub(crate) struct ResultBody {
    pub(crate) lease: String,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) error: Refusal,
}

/// Leased attempt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    pub(crate) lease: String,
    pub(crate) token: u64,
    pub(crate) expires_in_ms: u64,
    pub(crate) task: Task,
    pub(crate) sub_task: String,
    pub(crate) queue: String,
    pub(crate) attempt: u32,
    pub(crate) idempotency_key: String,
    #[serde(default)]
    pub(crate) timeout_ms: Option<u64>,
    #[serde(default)]
    pub(crate) item_index: Option<u64>,
    #[serde(default)]
    pub(crate) traceparent: Option<String>,
    #[serde(default)]
    pub(crate) input: Option<Box<RawValue>>,
}

/// The task that an attempt belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Task {
    /// ID of the task.
    pub id: String,
    /// Name of the task.
    pub name: String,
    /// Type of the task, `<RESOURCE>_<OPERATION>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The workflow it is a run of.
    pub workflow: String,
}

/// Answer of `/heartbeat`.
#[derive(Debug, Deserialize)]
pub(crate) struct Beats {
    pub(crate) leases: Vec<Beat>,
}

/// Answer about one lease.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Beat {
    pub(crate) lease: String,
    pub(crate) state: LeaseState,
    #[serde(default)]
    pub(crate) expires_in_ms: Option<u64>,
}

/// State of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaseState {
    Live,
    Cancelled,
    Lost,
}

/// An Error body of the API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Refusal {
    pub(crate) error_code: String,
    pub(crate) message: String,
    pub(crate) remediation_message: Option<String>,
}
