//! What is known about a task: what the API shows and stores keep. Definitions are shared; only what a run adds
//! is here. The short names are those of stored documents; the wire has its own (wire contract, section 1).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::expr::{ExprError, Scope, Template};
use crate::fault::Fault;
use crate::id::{TaskId, Token};
use crate::resource::Resource;
use crate::status::{Resolution, StageStatus, SubTaskStatus, TaskStatus};
use crate::time::Timestamp;
use crate::workflow::Workflow;

/// A task and its sub-tasks, without its input and outputs.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its identity.
    pub id: TaskId,
    /// What it is called.
    pub name: String,
    /// The workflow version it runs, fixed at its submission.
    pub workflow: Arc<Workflow>,
    /// What changes about the task itself.
    pub state: State,
    /// One for each of the workflow's, in the same order.
    pub sub_tasks: Vec<SubTask>,
}

/// What changes about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Rises by one with every change.
    #[serde(rename = "v")]
    pub revision: u64,
    /// Where it stands.
    #[serde(rename = "s")]
    pub status: TaskStatus,
    /// When it was accepted.
    #[serde(rename = "c")]
    pub created_at: Timestamp,
    /// When its first sub-task started.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Rises by one with every accepted retry, skip or decision.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// What it works on.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Why it failed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Whether somebody dealt with its failure.
    #[serde(rename = "x", default, skip_serializing_if = "Resolution::is_unresolved")]
    pub resolution: Resolution,
    /// It must not start before.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// It must have ended by then.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// It is being stopped: no attempt starts any more.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// What operators decided, oldest first.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Why and since when a task is being stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// Why.
    #[serde(rename = "w")]
    pub why: StopReason,
    /// Since when.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// When attempts that still run are given up.
    #[serde(rename = "d")]
    pub give_up_at: Timestamp,
}

/// Why a task is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// Somebody cancelled it: it ends CANCELLED.
    #[serde(rename = "c")]
    Cancel,
    /// Its timeout passed: it ends FAILED.
    #[serde(rename = "t")]
    Timeout,
}

/// Something an operator decided about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// `cancel`, `retry`, `skip`, `resolve`, `done` or `notDone`.
    #[serde(rename = "d")]
    pub what: String,
    /// Who.
    #[serde(rename = "b")]
    pub by: String,
    /// The sub-task concerned.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sub_task: Option<u32>,
    /// Why.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run adds to a sub-task of the workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubTask {
    /// Where it stands. Only [`crate::Task`] changes it.
    #[serde(rename = "s")]
    pub status: SubTaskStatus,
    /// When its latest attempt started.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Attempts started so far, over all generations; the number of the latest one, and its token.
    #[serde(rename = "a", default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// The generation of the latest attempt.
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Attempts started in this generation.
    #[serde(rename = "t", default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Attempts of this generation of which nobody knows whether they did their work: lost, timed out, broken off.
    /// The next one is known by the same idempotency key.
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// When its timer is due: the end of a wait, or the next automatic attempt.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Progress inside it, as reported.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Percent done, as reported.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// FAILED because its outcome is unknown: an operator must decide.
    #[serde(rename = "u", default, skip_serializing_if = "is_false")]
    pub outcome_unknown: bool,
    /// Its name, if that was made from the input.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its description, if that was made from the input.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// One stage of a sub-task, as its runner reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Machine readable.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub description: String,
    /// Where it stands.
    pub status: StageStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// One execution of a sub-task, as history keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The sub-task.
    #[serde(rename = "i")]
    pub sub_task: u32,
    /// Its number, from 1, over all generations.
    #[serde(rename = "n")]
    pub number: u32,
    /// The generation it belongs to.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// When it started.
    #[serde(rename = "b")]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    #[serde(rename = "o")]
    pub outcome: Outcome,
    /// Why it failed.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It runs.
    Running,
    /// It succeeded.
    Successful,
    /// It failed.
    Failed,
    /// It ran too long.
    TimedOut,
    /// Whoever ran it died.
    Lost,
    /// It was stopped with its task.
    Stopped,
}

/// What a task that does not move waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// Its start time.
    Start(Timestamp),
    /// A sub-task's timer.
    Timer(u32, Timestamp),
    /// A sub-task's next automatic attempt.
    Retry(u32, Timestamp),
    /// An operator: a sub-task's outcome is unknown.
    Decision(u32),
    /// The end of attempts that were told to stop.
    Stop(Timestamp),
}

impl Record {
    /// A sub-task's name on the wire.
    pub fn sub_task_name(&self, index: u32) -> &str {
        let sub = &self.sub_tasks[index as usize];
        sub.title.as_deref().unwrap_or_else(|| &self.workflow.sub_tasks[index as usize].name)
    }

    /// A sub-task's description on the wire.
    pub fn sub_task_description(&self, index: u32) -> &str {
        let written = match &self.workflow.sub_tasks[index as usize].description {
            Template::Plain(text) => text.as_str(),
            Template::Whole(_) | Template::Mixed(_) => "",
        };
        self.sub_tasks[index as usize].description.as_deref().unwrap_or(written)
    }

    /// The sub-task of a name: its key or, failing that, its name on the wire.
    pub fn find_sub_task(&self, name: &str) -> Option<u32> {
        self.workflow
            .index_of(name)
            .or_else(|| (0..self.sub_tasks.len() as u32).find(|&i| self.sub_task_name(i) == name))
    }

    /// Whether a cancel would be accepted now.
    pub fn is_cancellable(&self) -> bool {
        !self.state.status.is_ended() && self.state.stopping.is_none() && self.workflow.definition.cancellable
    }

    /// Whether a retry would be accepted now.
    pub fn is_retryable(&self) -> bool {
        self.state.status == TaskStatus::Failed
            && self.workflow.definition.retryable
            && self.undecided().is_none()
    }

    /// The first sub-task whose outcome an operator must decide.
    pub fn undecided(&self) -> Option<u32> {
        self.sub_tasks.iter().position(|sub| sub.outcome_unknown).map(|i| i as u32)
    }

    /// What the task waits for, if it waits.
    pub fn waiting_for(&self) -> Option<WaitingFor> {
        if self.state.status.is_ended() {
            let open = self.undecided().filter(|_| self.state.status == TaskStatus::Failed);
            return open.map(WaitingFor::Decision);
        }
        if let Some(stopping) = &self.state.stopping {
            return Some(WaitingFor::Stop(stopping.give_up_at));
        }
        if let (TaskStatus::Pending, Some(at)) = (self.state.status, self.state.not_before) {
            return Some(WaitingFor::Start(at));
        }
        let timed = self.sub_tasks.iter().zip(0..).filter_map(|(sub, i)| Some((sub.due_at?, sub.status, i)));
        let works = |sub: &SubTask| sub.status == SubTaskStatus::InProgress && sub.due_at.is_none();
        if self.sub_tasks.iter().any(works) {
            return None;
        }
        timed.min_by_key(|(at, ..)| *at).map(|(at, status, i)| match status {
            SubTaskStatus::InProgress => WaitingFor::Timer(i, at),
            _ => WaitingFor::Retry(i, at),
        })
    }

    /// Percent done: ended sub-tasks, and what running ones reported.
    pub fn progress(&self) -> u8 {
        if self.sub_tasks.is_empty() || self.state.status == TaskStatus::Successful {
            return 100;
        }
        let sum: usize = self
            .sub_tasks
            .iter()
            .map(|sub| match sub.status {
                SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => 100,
                SubTaskStatus::InProgress => usize::from(sub.progress.unwrap_or(0).min(99)),
                SubTaskStatus::Pending | SubTaskStatus::Failed => 0,
            })
            .sum();
        (sum / self.sub_tasks.len()) as u8
    }

    /// The earliest instant at which something is due without anybody asking.
    pub fn due_at(&self) -> Option<Timestamp> {
        if self.state.status.is_ended() {
            return None;
        }
        let start = self.state.not_before.filter(|_| self.state.status == TaskStatus::Pending);
        let stop = self.state.stopping.as_ref().map(|stopping| stopping.give_up_at);
        let deadline = self.state.deadline.filter(|_| stop.is_none());
        let timers = self.sub_tasks.iter().filter_map(|sub| sub.due_at);
        timers.chain(start).chain(stop).chain(deadline).min()
    }

    /// The latest attempt of each sub-task that has one, unless history has it already (history keeps every one
    /// that did not succeed).
    pub fn latest_attempts(&self) -> impl Iterator<Item = Attempt> + '_ {
        self.sub_tasks.iter().zip(0..).filter_map(|(sub, sub_task)| {
            let outcome = match sub.status {
                SubTaskStatus::Successful => Outcome::Successful,
                SubTaskStatus::InProgress => Outcome::Running,
                _ => return None,
            };
            Some(Attempt {
                sub_task,
                number: sub.attempt,
                generation: sub.generation,
                started_at: sub.started_at?,
                ended_at: sub.completed_at,
                outcome,
                error: None,
            })
        })
    }
}

impl SubTask {
    /// One that has not started.
    pub(crate) fn pending(title: Option<String>, description: Option<String>) -> Self {
        SubTask {
            status: SubTaskStatus::Pending,
            started_at: None,
            completed_at: None,
            attempt: 0,
            generation: 0,
            tries: 0,
            lost: 0,
            due_at: None,
            errors: Vec::new(),
            stages: Vec::new(),
            progress: None,
            outcome_unknown: false,
            title,
            description,
        }
    }

    /// The token of its latest attempt.
    pub fn token(&self) -> Token {
        Token(u64::from(self.attempt))
    }
}

/// The text of a template if that depends on the input.
pub(crate) fn made(template: &Template, scope: &Scope) -> Result<Option<String>, ExprError> {
    match template {
        Template::Plain(_) => Ok(None),
        Template::Whole(_) | Template::Mixed(_) => template.text(scope).map(Some),
    }
}
