//! Record of a task: all that the API shows and stores keep. Definitions are shared; only what a run adds is
//! here. The short names are those of stored documents; the wire has its own (wire contract, section 1).

mod children;
mod credentials;
mod derived;
mod hold;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expr::{ExprError, Scope, Template};
use crate::fault::Fault;
use crate::id::{NodeId, TaskId, Token, WorkerId};
use crate::resource::Resource;
use crate::status::{Resolution, StageStatus, SubTaskStatus, TaskStatus};
use crate::time::{Span, Timestamp};
use crate::value::LONGEST_DESCRIPTION;
use crate::workflow::Workflow;

pub use children::Children;
pub use derived::WaitingFor;
pub use hold::Hold;

/// Task with its sub-tasks, without its input and outputs.
#[derive(Clone, Debug)]
pub struct Record {
    /// Identity of the task.
    pub id: TaskId,
    /// Name of the task.
    pub name: String,
    /// Workflow version of the task, fixed at its submission.
    pub workflow: Arc<Workflow>,
    /// Changing state of the task itself.
    pub state: State,
    /// Sub-tasks of the workflow, in its order; behind them the children of those with `forEach`, unless they
    /// are left out ([`Record::leaves_out_children`]), as in lists.
    pub sub_tasks: Vec<SubTask>,
}

/// Changing state of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Count that rises by one with every change.
    #[serde(rename = "v")]
    pub revision: u64,
    /// Status of the task.
    #[serde(rename = "s")]
    pub status: TaskStatus,
    /// Time at which the task was accepted.
    #[serde(rename = "c")]
    pub created_at: Timestamp,
    /// Start of the first sub-task.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// End of the task.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Count that rises by one with every accepted retry, skip or decision.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Resources that the task works on.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Errors with which the task failed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Resolution of a failure: dealt with or not.
    #[serde(rename = "x", default, skip_serializing_if = "Resolution::is_unresolved")]
    pub resolution: Resolution,
    /// Earliest start.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Deadline: the latest end.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// Set while the task is being stopped: no attempt starts any more.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Stopping>,
    /// State of the claims: none, waiting or held.
    #[serde(rename = "h", default, skip_serializing_if = "Hold::is_none")]
    pub hold: Hold,
    /// Concurrency key, under which only so many tasks run at once.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Decisions of operators, oldest first.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// Counts of the children of each `forEach`, by its index.
    #[serde(rename = "f", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<u32, Children>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Reason and time of the stop of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    /// Reason.
    #[serde(rename = "w")]
    pub why: StopReason,
    /// Time at which the stop began.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// Time at which running attempts are given up.
    #[serde(rename = "d")]
    pub give_up_at: Timestamp,
}

/// Reason for which a task is being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// A caller cancelled the task: it ends CANCELLED.
    #[serde(rename = "c")]
    Cancel,
    /// The timeout passed: the task ends FAILED.
    #[serde(rename = "t")]
    Timeout,
    /// The store became a copy of one that lives on: the task ends FAILED, in the same change.
    #[serde(rename = "p")]
    Copy,
}

/// Decision of an operator about a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Time of the decision.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// Kind of decision: `cancel`, `retry`, `skip`, `resolve`, `release`, `done`, `notDone`, `failed` or
    /// `park`.
    #[serde(rename = "d")]
    pub what: String,
    /// Account that decided.
    #[serde(rename = "b")]
    pub by: String,
    /// Sub-task concerned; of several the parent, if they are the children of one.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sub_task: Option<u32>,
    /// Number of sub-tasks decided at once, if several.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Reason of the operator.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// State that a run adds to a sub-task of the workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubTask {
    /// Status of the sub-task. Only [`crate::Task`] changes it.
    #[serde(rename = "s")]
    pub status: SubTaskStatus,
    /// Start of the latest attempt.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// End of the sub-task.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Number of attempts started so far, over all generations; the number of the latest one, and its token.
    #[serde(rename = "a", default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// The generation of the latest attempt.
    #[serde(rename = "w", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Attempts started in this generation.
    #[serde(rename = "t", default, skip_serializing_if = "is_zero")]
    pub tries: u32,
    /// Number of attempts of this generation with an unknown outcome: lost, timed out, broken off.
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// Key of the latest attempt, if the next one is to carry it again: nothing is known of whether the work
    /// was done under it. Absent, the next attempt has a key of its own ([`SubTask::next_key`]).
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<EffectKey>,
    /// Time at which the timer is due: the end of a wait, or the next automatic attempt.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Errors with which the sub-task failed.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// Stages of the sub-task, as reported.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Percent done, as reported.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<u8>,
    /// Time since which a PENDING sub-task has been offered to the workers of its queue, or stood in line at
    /// the node that is to run it.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// IN_PROGRESS at a worker.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Box<Lease>>,
    /// Node that owns the sub-task while an attempt runs or waits for a worker or a permit: it runs the
    /// attempt, has it in its queue or in line, or watches its lease. 0 for sub-tasks that no node owns, and
    /// in a store of one server only.
    #[serde(rename = "j", default, skip_serializing_if = "NodeId::is_only")]
    pub node: NodeId,
    /// SUCCESSFUL by this worker.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// Digest of the latest report of a worker, which tells the same report sent again from another one.
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u64>,
    /// True if the sub-task is FAILED because its outcome is unknown: an operator must decide.
    #[serde(rename = "u", default, skip_serializing_if = "is_false")]
    pub outcome_unknown: bool,
    /// Children of the sub-task, once they are there.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub fan: Option<Box<Fan>>,
    /// Parent and item, if the sub-task is a child.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Box<Child>>,
    /// Name, if made from the input.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description, if made from the input.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Key of the effects of one sub-task: attempts with the same key ask for the same effect, and a target that
/// remembers keys has it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectKey {
    /// Generation in which the key was first used.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Number of the run in that generation, from 1.
    #[serde(rename = "r")]
    pub run: u32,
}

/// The children of a `forEach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    /// Index of the first child; the others follow it.
    #[serde(rename = "f")]
    pub first: u32,
    /// Number of children.
    #[serde(rename = "n")]
    pub count: u32,
    /// Number of children that an operator passed over.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub skipped: u32,
}

impl Fan {
    /// The indexes of the children.
    pub fn children(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.count
    }
}

/// Relation of a child to its parent sub-task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// Index of the parent.
    #[serde(rename = "p")]
    pub parent: u32,
    /// Index of the item, from 0.
    #[serde(rename = "i")]
    pub index: u32,
    /// Item of the child.
    #[serde(rename = "v")]
    pub item: Value,
}

/// The right of a worker to run the latest attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Worker that has the lease.
    #[serde(rename = "w")]
    pub worker: WorkerId,
    /// Duration without a heartbeat. Heartbeats are not stored: after a restart the lease lasts so long
    /// again.
    #[serde(rename = "d")]
    pub span: Span,
    /// Name that the worker gave the call for this lease, so that the same call gets it again.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<str>>,
}

/// Stage of a sub-task, as its executor reports it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Name of the stage.
    pub name: String,
    /// Machine readable.
    #[serde(rename = "type")]
    pub kind: String,
    /// Description for people.
    pub description: String,
    /// Status of the stage.
    pub status: StageStatus,
    /// Start of the stage.
    pub created_at: Timestamp,
    /// End of the stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Errors with which the stage failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
}

/// Execution of a sub-task, as history keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The sub-task.
    #[serde(rename = "i")]
    pub sub_task: u32,
    /// Number of the attempt, from 1, over all generations.
    #[serde(rename = "n")]
    pub number: u32,
    /// Generation of the attempt.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Start of the attempt.
    #[serde(rename = "b")]
    pub started_at: Timestamp,
    /// End of the attempt; absent while it runs.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Outcome of the attempt.
    #[serde(rename = "o")]
    pub outcome: Outcome,
    /// Error with which the attempt failed.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// Worker that ran the attempt.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
}

/// Outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// The attempt runs.
    Running,
    /// The attempt succeeded.
    Successful,
    /// The attempt failed.
    Failed,
    /// The attempt ran too long.
    TimedOut,
    /// The node or worker that ran the attempt died.
    Lost,
    /// The attempt was stopped with its task.
    Stopped,
}

impl SubTask {
    /// Creates a sub-task that has not started.
    pub(crate) fn pending(title: Option<String>, description: Option<String>) -> Self {
        SubTask {
            status: SubTaskStatus::Pending,
            started_at: None,
            completed_at: None,
            attempt: 0,
            generation: 0,
            tries: 0,
            lost: 0,
            key: None,
            due_at: None,
            errors: Vec::new(),
            stages: Vec::new(),
            progress: None,
            queued_at: None,
            lease: None,
            node: NodeId::default(),
            worker: None,
            reported: None,
            outcome_unknown: false,
            fan: None,
            child: None,
            title,
            description,
        }
    }

    /// Creates a child that has not started, for one item.
    pub(crate) fn of_item(child: Child, title: String, description: Option<String>) -> Self {
        SubTask { child: Some(Box::new(child)), ..SubTask::pending(Some(title), description) }
    }

    /// Returns true while the sub-task is under way: an attempt runs, waits for a worker or a permit, or is
    /// due.
    pub fn is_active(&self) -> bool {
        self.status == SubTaskStatus::InProgress || self.queued_at.is_some() || self.due_at.is_some()
    }

    /// Returns true while some node owns the sub-task: an attempt runs, or waits for a worker or a permit. A
    /// timer has no owner, as every node sees it.
    pub fn is_looked_after(&self) -> bool {
        let runs = self.status == SubTaskStatus::InProgress && self.due_at.is_none() && self.fan.is_none();
        runs || self.queued_at.is_some()
    }

    /// Returns true if an operator passed over some of the children.
    pub(crate) fn skips(&self) -> bool {
        self.fan.as_ref().is_some_and(|fan| fan.skipped > 0)
    }

    /// The key of the attempt that runs.
    pub(crate) fn live_key(&self) -> EffectKey {
        // Attempts of unknown outcome had the key of the one before them, or left theirs to the one after.
        let own = EffectKey { generation: self.generation, run: self.tries.saturating_sub(self.lost) };
        self.key.unwrap_or(own)
    }

    /// Returns the key of the next attempt in the generation of the latest.
    pub(crate) fn next_key(&self) -> EffectKey {
        let own = EffectKey { generation: self.generation, run: (self.tries + 1).saturating_sub(self.lost) };
        self.key.unwrap_or(own)
    }

    /// Returns the token of the latest attempt.
    pub fn token(&self) -> Token {
        Token(u64::from(self.attempt))
    }
}

/// The text of a template if that depends on the input.
pub(crate) fn made(template: &Template, scope: &Scope) -> Result<Option<String>, ExprError> {
    match template {
        Template::Plain(_) => Ok(None),
        Template::Whole(_) | Template::Mixed(_) => template.short(scope, LONGEST_DESCRIPTION).map(Some),
    }
}
