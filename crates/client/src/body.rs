//! A lenient view of the bodies that servers answer with: members that are missing or null are empty, unknown
//! ones are ignored.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Null counts as missing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskBody {
    /// ID of the task.
    #[serde(deserialize_with = "or_default")]
    pub id: String,
    /// Name of the task.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// `<RESOURCE>_<OPERATION>`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Status in the server's spelling; see [`TaskBody::phase`].
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Time of creation.
    #[serde(deserialize_with = "or_default")]
    pub creation_timestamp: String,
    /// Time of the end.
    pub completion_timestamp: Option<String>,
    /// Sub-tasks.
    #[serde(deserialize_with = "or_default")]
    pub sub_tasks: Vec<SubTaskBody>,
    /// Errors.
    #[serde(deserialize_with = "or_default")]
    pub errors: Vec<ErrorBody>,
    /// Resources that the task works on.
    #[serde(deserialize_with = "or_default")]
    pub resources: Vec<ResourceBody>,
    /// `RESOLVED` or `UNRESOLVED`.
    #[serde(deserialize_with = "or_default")]
    pub resolution_status: String,
    /// True if the task can be cancelled now.
    #[serde(deserialize_with = "or_default")]
    pub is_cancellable: bool,
    /// True if the task can be retried now.
    #[serde(deserialize_with = "or_default")]
    pub is_retryable: bool,
    /// Progress, 0 to 100.
    pub progress: Option<f64>,
    /// Reason of a wait.
    pub waiting_for: Option<WaitingForBody>,
    /// The workflow it is a run of.
    pub workflow: Option<WorkflowRef>,
    /// 1, and 1 more with each retry.
    pub attempt: Option<u64>,
    /// Free words to find it by.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

impl TaskBody {
    /// Returns the status, whichever way the server spells it.
    pub fn phase(&self) -> Phase {
        Phase::of(&self.status)
    }
}

/// A step of a task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubTaskBody {
    /// Name of the sub-task.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Description.
    #[serde(deserialize_with = "or_default")]
    pub description: String,
    /// Status in the server's spelling; see [`SubTaskBody::phase`].
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// Time of the first start.
    pub start_timestamp: Option<String>,
    /// Time of the end.
    pub completion_timestamp: Option<String>,
    /// Stages.
    #[serde(deserialize_with = "or_default")]
    pub stages: Vec<StageBody>,
    /// Errors.
    #[serde(deserialize_with = "or_default")]
    pub errors: Vec<ErrorBody>,
    /// Resources that the sub-task works on.
    #[serde(deserialize_with = "or_default")]
    pub resources: Vec<ResourceBody>,
    /// Children.
    #[serde(deserialize_with = "or_default")]
    pub sub_tasks: Vec<SubTaskBody>,
    /// Number of attempts so far.
    pub attempt: Option<u64>,
    /// Progress, 0 to 100.
    pub progress: Option<f64>,
    /// Time at which the latest attempt ended, where that is known apart from the end of the sub-task; no
    /// server sends it.
    #[serde(skip)]
    pub worked_until: Option<String>,
}

impl SubTaskBody {
    /// Returns the phase that the status stands for.
    pub fn phase(&self) -> Phase {
        Phase::of(&self.status)
    }
}

/// A stage of a sub-task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StageBody {
    /// Name of the stage.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Description.
    #[serde(deserialize_with = "or_default")]
    pub description: String,
    /// Status in the server's spelling.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
}

/// Resource that a task works on.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBody {
    /// ID of the resource.
    #[serde(deserialize_with = "or_default")]
    pub resource_id: String,
    /// Type of the resource.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Fully qualified name.
    pub fqdn: Option<String>,
    /// Display name.
    pub name: Option<String>,
}

/// The workflow of a task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct WorkflowRef {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u64,
}

/// Reason of a task's wait.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WaitingForBody {
    /// `START`, `LOCK`, `TIMER`, `RETRY`, `WORKER`, `DECISION` or `STOP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The sub-task that waits.
    pub sub_task: Option<String>,
    /// Time until which it waits.
    pub until: Option<String>,
    /// The queue whose workers it waits for.
    pub queue: Option<String>,
    /// Number of workers that asked that queue lately.
    pub workers: Option<u64>,
    /// Locks of the tasks that are ahead of it.
    pub locks: Vec<crate::LockBody>,
}

/// An error: of a task, a sub-task or an answer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ErrorBody {
    /// Code of the error, stable and machine readable.
    #[serde(deserialize_with = "or_default")]
    pub error_code: String,
    /// Values that the message refers to, such as the ID of a task.
    #[serde(deserialize_with = "or_default")]
    pub arguments: Vec<String>,
    /// Facts by name.
    #[serde(deserialize_with = "or_default")]
    pub context: Map<String, Value>,
    /// Message for people.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
    /// Advice on what to do.
    pub remediation_message: Option<String>,
    /// Causes of the error, nearest first.
    #[serde(deserialize_with = "or_default")]
    pub causes: Vec<CauseBody>,
    /// The errors that this one consists of.
    #[serde(deserialize_with = "or_default")]
    pub nested_errors: Vec<ErrorBody>,
    /// Token by which the server's log can be searched.
    pub reference_token: Option<String>,
}

/// Link of a chain of causes.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CauseBody {
    /// Type of the cause.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Message.
    #[serde(deserialize_with = "or_default")]
    pub message: String,
}

/// Attempt of a sub-task.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttemptBody {
    /// The sub-task.
    pub sub_task: String,
    /// Number over all generations, from 1.
    pub number: u64,
    /// Generation of the task that the attempt belongs to, from 1.
    pub generation: u64,
    /// `RUNNING`, `SUCCESSFUL`, `FAILED`, `TIMED_OUT`, `LOST` or `STOPPED`.
    pub status: String,
    /// Time of the start.
    pub creation_timestamp: String,
    /// Time of the end.
    pub completion_timestamp: Option<String>,
    /// Error of a failed attempt.
    pub error: Option<ErrorBody>,
}

/// A page of anything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageBody<T> {
    /// Elements of the page.
    pub elements: Vec<T>,
    /// Position of the page.
    pub page_metadata: PageMetadata,
}

/// Position of a page in the whole list.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageMetadata {
    /// Number of the page, from 1.
    pub page_number: u64,
    /// Size of a page, as requested.
    pub page_size: u64,
    /// Number of all matches.
    pub total_elements: u64,
    /// Pages in all.
    pub total_pages: u64,
}

/// Status of a task or sub-task, whichever way its server spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Not yet started.
    Pending,
    /// Running.
    InProgress,
    /// Done.
    Successful,
    /// Done, not all of it.
    CompletedWithWarning,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// Left out by decision.
    Skipped,
    /// Left out by its condition.
    NotApplicable,
    /// A spelling that this client does not know.
    Unknown,
}

impl Phase {
    /// Reads any spelling: case, `_`, `-` and space do not matter.
    pub fn of(status: &str) -> Self {
        let plain: String = status
            .chars()
            .filter(|c| !matches!(c, '_' | '-' | ' '))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        match plain.as_str() {
            "PENDING" => Phase::Pending,
            "INPROGRESS" => Phase::InProgress,
            "SUCCESSFUL" => Phase::Successful,
            "COMPLETEDWITHWARNING" => Phase::CompletedWithWarning,
            "FAILED" => Phase::Failed,
            "CANCELLED" => Phase::Cancelled,
            "SKIPPED" => Phase::Skipped,
            "NOTAPPLICABLE" => Phase::NotApplicable,
            _ => Phase::Unknown,
        }
    }

    /// Returns true if nothing more happens without a decision.
    pub fn has_ended(self) -> bool {
        match self {
            Phase::Pending | Phase::InProgress | Phase::Unknown => false,
            Phase::Successful
            | Phase::CompletedWithWarning
            | Phase::Failed
            | Phase::Cancelled
            | Phase::Skipped
            | Phase::NotApplicable => true,
        }
    }

    /// Returns true if it ended otherwise than its starter wished.
    pub fn is_failure(self) -> bool {
        matches!(self, Phase::Failed | Phase::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_gaps_are_read() {
        let text = r#"{"id":"a","status":"In Progress","subTasks":[{"name":"x","status":"IN_PROGRESS","errors":null}],
                       "errors":null,"something":{"new":1},"completionTimestamp":null}"#;
        let task: TaskBody = serde_json::from_str(text).unwrap();
        assert_eq!(task.phase(), Phase::InProgress);
        assert_eq!(task.sub_tasks[0].phase(), Phase::InProgress);
        assert_eq!(task.completion_timestamp, None);
        assert!(!Phase::of("RUNNING").has_ended());
        assert!(Phase::of("completed with warning").has_ended());
    }
}
