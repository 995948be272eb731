//! What is known about a task: what the API shows and stores keep. Definitions are shared; only what a run adds
//! is here. The short names are those of stored documents; the wire has its own (wire contract, section 1).

mod children;
mod derived;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::Hold;
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
    /// One for each of the workflow's, in the same order; behind them the children of those with `forEach`,
    /// unless they are left out ([`Record::leaves_out_children`]), as in lists.
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
    /// Whether it has what it claims for itself.
    #[serde(rename = "h", default, skip_serializing_if = "Hold::is_none")]
    pub hold: Hold,
    /// The key under which only so many tasks run at once.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// What operators decided, oldest first.
    #[serde(rename = "o", default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// How the children of each `forEach` stand, by its index.
    #[serde(rename = "f", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub children: BTreeMap<u32, Children>,
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
    /// `cancel`, `retry`, `skip`, `resolve`, `release`, `done` or `notDone`.
    #[serde(rename = "d")]
    pub what: String,
    /// Who.
    #[serde(rename = "b")]
    pub by: String,
    /// The sub-task concerned; of several the parent, if they are the children of one.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub sub_task: Option<u32>,
    /// How many were decided at once, if several.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
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
    #[serde(rename = "l", default, skip_serializing_if = "is_zero")]
    pub lost: u32,
    /// The key of its latest attempt, where the next one is to carry it again: nothing is known of whether
    /// the work was done under it. Absent, the next attempt has a key of its own ([`SubTask::next_key`]).
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<EffectKey>,
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
    /// PENDING, and offered since then to the workers of its queue, or in line at the node that is to run it.
    #[serde(rename = "q", default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// IN_PROGRESS at a worker.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Box<Lease>>,
    /// The node that looks after it while an attempt runs or waits for a worker or for room: it runs the
    /// attempt, has it in its queue or in line, or watches its lease. Of what nobody looks after, and in a
    /// store of one server's own, 0.
    #[serde(rename = "j", default, skip_serializing_if = "NodeId::is_only")]
    pub node: NodeId,
    /// SUCCESSFUL by this worker.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// What the worker of the latest attempt reported, as a number: the same report again is told from another one.
    #[serde(rename = "y", default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u64>,
    /// FAILED because its outcome is unknown: an operator must decide.
    #[serde(rename = "u", default, skip_serializing_if = "is_false")]
    pub outcome_unknown: bool,
    /// The children that it has, once they are there.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub fan: Option<Box<Fan>>,
    /// What makes it a child.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Box<Child>>,
    /// Its name, if that was made from the input.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its description, if that was made from the input.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What tells the effects of one sub-task apart: attempts with the same key ask for the same effect, and a
/// target that remembers keys has it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectKey {
    /// The generation in which it was first used.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Its number in that generation, from 1.
    #[serde(rename = "r")]
    pub run: u32,
}

/// The children of a `forEach`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fan {
    /// The index of the first; the others follow it.
    #[serde(rename = "f")]
    pub first: u32,
    /// How many.
    #[serde(rename = "n")]
    pub count: u32,
    /// How many of them an operator passed over.
    #[serde(rename = "s", default, skip_serializing_if = "is_zero")]
    pub skipped: u32,
}

impl Fan {
    /// The indexes of the children.
    pub fn children(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.count
    }
}

/// What makes a sub-task the child of another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The index of its parent.
    #[serde(rename = "p")]
    pub parent: u32,
    /// The number of its item, from 0.
    #[serde(rename = "i")]
    pub index: u32,
    /// Its item.
    #[serde(rename = "v")]
    pub item: Value,
}

/// The right of a worker to run the latest attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose it is.
    #[serde(rename = "w")]
    pub worker: WorkerId,
    /// How long it lasts without a heartbeat. Heartbeats are not stored: after a restart it lasts so long anew.
    #[serde(rename = "d")]
    pub span: Span,
    /// The worker's name for the call that it was given by, so that the same call again is given it again.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Arc<str>>,
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
    /// The worker that ran it.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
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

    /// One that has not started, of one item.
    pub(crate) fn of_item(child: Child, title: String, description: Option<String>) -> Self {
        SubTask { child: Some(Box::new(child)), ..SubTask::pending(Some(title), description) }
    }

    /// Whether it is under way: an attempt runs, waits for a worker or for room, or is due.
    pub fn is_active(&self) -> bool {
        self.status == SubTaskStatus::InProgress || self.queued_at.is_some() || self.due_at.is_some()
    }

    /// Whether some node looks after it: an attempt runs, or waits for a worker or for room. Not a timer,
    /// which every node sees.
    pub fn is_looked_after(&self) -> bool {
        let runs = self.status == SubTaskStatus::InProgress && self.due_at.is_none() && self.fan.is_none();
        runs || self.queued_at.is_some()
    }

    /// Whether an operator passed over some of its children.
    pub(crate) fn skips(&self) -> bool {
        self.fan.as_ref().is_some_and(|fan| fan.skipped > 0)
    }

    /// The key of the attempt that runs.
    pub(crate) fn live_key(&self) -> EffectKey {
        // Attempts of unknown outcome had the key of the one before them, or left theirs to the one after.
        let own = EffectKey { generation: self.generation, run: self.tries.saturating_sub(self.lost) };
        self.key.unwrap_or(own)
    }

    /// The key that its next attempt in the generation of the latest would have.
    pub(crate) fn next_key(&self) -> EffectKey {
        let own = EffectKey { generation: self.generation, run: (self.tries + 1).saturating_sub(self.lost) };
        self.key.unwrap_or(own)
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
        Template::Whole(_) | Template::Mixed(_) => template.short(scope, LONGEST_DESCRIPTION).map(Some),
    }
}
