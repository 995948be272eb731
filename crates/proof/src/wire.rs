//! Reads what the server answers into what the checks compare.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use uuid::Uuid;

/// Status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskStatus {
    /// Accepted, not started.
    Pending,
    /// Running.
    InProgress,
    /// Ended well.
    Successful,
    /// Ended, though not everything was well.
    Warning,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
    /// The task did not run.
    Skipped,
}

impl TaskStatus {
    /// Statuses, with their spelling in filters.
    pub const ALL: [(TaskStatus, &'static str); 7] = [
        (TaskStatus::Pending, "PENDING"),
        (TaskStatus::InProgress, "IN_PROGRESS"),
        (TaskStatus::Successful, "SUCCESSFUL"),
        (TaskStatus::Warning, "COMPLETED_WITH_WARNING"),
        (TaskStatus::Failed, "FAILED"),
        (TaskStatus::Cancelled, "CANCELLED"),
        (TaskStatus::Skipped, "SKIPPED"),
    ];

    /// Reads either spelling.
    pub fn parse(text: &str) -> Option<TaskStatus> {
        let plain = text.replace(' ', "_").to_ascii_uppercase();
        Self::ALL.into_iter().find(|(_, name)| *name == plain).map(|(status, _)| status)
    }

    /// Returns true if nothing happens any more by itself.
    pub fn is_ended(self) -> bool {
        !matches!(self, TaskStatus::Pending | TaskStatus::InProgress)
    }
}

/// Status of a sub-task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubStatus {
    /// Pending: not started, or between attempts.
    Pending,
    /// Running.
    InProgress,
    /// Ended well.
    Successful,
    /// Failed.
    Failed,
    /// Skipped by an operator.
    Skipped,
    /// The condition was false.
    NotApplicable,
}

impl SubStatus {
    /// Reads the spelling on the wire.
    pub fn parse(text: &str) -> Option<SubStatus> {
        Some(match text {
            "PENDING" => SubStatus::Pending,
            "IN_PROGRESS" => SubStatus::InProgress,
            "SUCCESSFUL" => SubStatus::Successful,
            "FAILED" => SubStatus::Failed,
            "SKIPPED" => SubStatus::Skipped,
            "NOT_APPLICABLE" => SubStatus::NotApplicable,
            _ => return None,
        })
    }
}

/// A task as one answer shows it. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Status of the task.
    pub status: TaskStatus,
    /// Counts accepted retries and verdicts; 1 at first.
    pub generation: u32,
    /// Rises with every change.
    pub revision: u64,
    /// Time of acceptance.
    pub created: i64,
    /// Time of the end.
    pub completed: Option<i64>,
    /// Views of the sub-tasks, in the workflow's order.
    pub subs: Vec<SubView>,
}

/// A sub-task as one answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubView {
    /// Status of the sub-task.
    pub status: SubStatus,
    /// Start of the latest attempt.
    pub started: Option<i64>,
    /// Time of the end.
    pub completed: Option<i64>,
    /// The latest attempt's number; 0 before the first.
    pub attempt: u32,
    /// The code of its first error.
    pub error: Option<String>,
}

/// An attempt, as history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptView {
    /// The sub-task's place in the workflow.
    pub sub: usize,
    /// Number over all generations, from 1.
    pub number: u32,
    /// Generation of the task when the attempt started.
    pub generation: u32,
    /// Outcome of the attempt.
    pub status: String,
    /// Start of the attempt.
    pub started: i64,
    /// End of the attempt.
    pub ended: Option<i64>,
}

/// A task's id.
pub fn id(task: &Value) -> Result<Uuid> {
    Ok(task["id"].as_str().context("a task without id")?.parse()?)
}

/// A task with its sub-tasks' names.
pub fn view(task: &Value) -> Result<(View, Vec<&str>)> {
    let status = text(task, "status")?;
    let subs = task["subTasks"].as_array().context("subTasks")?;
    let view = View {
        status: TaskStatus::parse(status).with_context(|| format!("the status `{status}`"))?,
        generation: number(task, "attempt")?,
        revision: task["version"].as_u64().context("version")?,
        created: instant(task, "creationTimestamp")?.context("creationTimestamp")?,
        completed: instant(task, "completionTimestamp")?,
        subs: subs.iter().map(sub_view).collect::<Result<_>>()?,
    };
    let names = subs.iter().map(|sub| text(sub, "name")).collect::<Result<_>>()?;
    Ok((view, names))
}

fn sub_view(sub: &Value) -> Result<SubView> {
    let status = text(sub, "status")?;
    Ok(SubView {
        status: SubStatus::parse(status).with_context(|| format!("the sub-task status `{status}`"))?,
        started: instant(sub, "startTimestamp")?,
        completed: instant(sub, "completionTimestamp")?,
        attempt: if sub.get("attempt").is_some() { number(sub, "attempt")? } else { 0 },
        error: sub["errors"][0]["errorCode"].as_str().map(str::to_owned),
    })
}

/// The attempts of a page of them; `names` are the sub-tasks' in order.
pub fn attempts(page: &Value, names: &[&str]) -> Result<Vec<AttemptView>> {
    let elements = page["elements"].as_array().context("elements")?;
    let all: Vec<AttemptView> = elements
        .iter()
        .map(|attempt| {
            let name = text(attempt, "subTask")?;
            let sub = names.iter().position(|known| *known == name);
            Ok(AttemptView {
                sub: sub.with_context(|| format!("an attempt of `{name}`, which the task has not"))?,
                number: number(attempt, "number")?,
                generation: number(attempt, "generation")?,
                status: text(attempt, "status")?.to_owned(),
                started: instant(attempt, "creationTimestamp")?.context("creationTimestamp")?,
                ended: instant(attempt, "completionTimestamp")?,
            })
        })
        .collect::<Result<_>>()?;
    if page["pageMetadata"]["totalElements"].as_u64() != Some(all.len() as u64) {
        bail!("a page of attempts whose total is not what it holds");
    }
    Ok(all)
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name].as_str().with_context(|| format!("`{name}` is no text"))
}

fn number(value: &Value, name: &str) -> Result<u32> {
    let number = value[name].as_u64().with_context(|| format!("`{name}` is no number"))?;
    Ok(u32::try_from(number)?)
}

fn instant(value: &Value, name: &str) -> Result<Option<i64>> {
    let Some(text) = value.get(name) else { return Ok(None) };
    let text = text.as_str().with_context(|| format!("`{name}` is no text"))?;
    let at: jiff::Timestamp = text.parse().with_context(|| format!("`{name}`: `{text}`"))?;
    Ok(Some(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_task_is_read_in_either_spelling() {
        let task = |status: &str| {
            json!({
                "id": "0190d1b2-0000-7000-8000-000000000000", "status": status, "attempt": 2, "version": 7,
                "creationTimestamp": "2026-01-02T03:04:05.006Z",
                "subTasks": [{ "name": "A", "status": "FAILED", "startTimestamp": "2026-01-02T03:04:05.007Z", "attempt": 3,
                    "errors": [{ "errorCode": "X" }] }],
            })
        };
        for status in ["In Progress", "IN_PROGRESS"] {
            let task = task(status);
            let (view, names) = view(&task).unwrap();
            assert_eq!(
                (view.status, view.generation, view.revision, names),
                (TaskStatus::InProgress, 2, 7, vec!["A"])
            );
            assert_eq!((view.subs[0].attempt, view.subs[0].error.as_deref()), (3, Some("X")));
            assert_eq!(view.subs[0].started.unwrap() - view.created, 1);
        }
        assert!(view(&task("RUNNING")).is_err());
    }
}
