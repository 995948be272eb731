//! Commands to a task, and the changes that come of them.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::expr::Scope;
use crate::fault::Fault;
use crate::id::{NodeId, Token, WorkerId};
use crate::record::{Attempt, Lease, Stage};
use crate::room::Permit;
use crate::status::TaskStatus;
use crate::time::{Span, Timestamp};
use crate::value::Unfit;
use crate::workflow::{CompiledAction, Workflow};

/// A command of a caller, a timer or a runner.
#[derive(Clone, Debug)]
pub enum Command {
    /// The task is accepted: it starts now, or waits for its start time.
    Begin,
    /// An attempt succeeded.
    Complete {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Output of the attempt.
        output: Option<Value>,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
        /// Terms of what the same worker would take next: sub-tasks that become ready by this may be leased
        /// to it at once.
        next: Option<Arc<Terms>>,
    },
    /// An attempt did not succeed.
    Fail {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The failure.
        failure: Failure,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// A sub-task that waits in line at a node begins there, as there is room for it now.
    Start {
        /// The sub-task.
        sub_task: u32,
        /// The room.
        permit: Permit,
    },
    /// A worker takes an attempt that waits for one.
    Lease {
        /// The sub-task.
        sub_task: u32,
        /// Terms of the lease.
        terms: Arc<Terms>,
    },
    /// The answer that gave an attempt to a worker may be lost: the same call again is given it again. No
    /// second attempt begins.
    LeaseAgain {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The worker, and its name for the call.
        terms: Arc<Terms>,
    },
    /// A running attempt tells how far it is.
    Report {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Percent done.
        progress: Option<u8>,
        /// All its stages, if they changed.
        stages: Option<Vec<Stage>>,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// An attempt was granted but never begun, as its server or worker is stopping: it does not count, and is
    /// due at once.
    HandBack {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// The task has acquired all that it claims: it starts or goes on.
    Acquired,
    /// The store of the task is a copy, and the original lives on: the task fails here, and goes on only once
    /// somebody decides so.
    Park {
        /// Name of who says that it is a copy.
        by: String,
        /// Reason given.
        reason: String,
    },
    /// A failed task releases what it holds.
    Release {
        /// Name of the operator.
        by: String,
        /// Reason that the operator gives.
        reason: String,
    },
    /// Time has passed: whatever is due happens.
    Due,
    /// A node is gone: the attempts that it ran are lost, and the node that reports this takes over its
    /// duties.
    Recover {
        /// The node that is gone; all of them where the store belongs to a single server, which starts.
        node: Option<NodeId>,
    },
    /// Outputs of sub-tasks are stored, which happens only together with their success: those that still
    /// count as running are successful.
    OutputsStored {
        /// The sub-tasks, and their outputs.
        outputs: Vec<(u32, Value)>,
    },
    /// No further attempt starts, running ones are told to stop.
    Cancel {
        /// Name of the caller.
        by: String,
        /// Time that running attempts have to stop.
        grace: Span,
    },
    /// A failed task goes on from what failed.
    Retry {
        /// Name of the caller.
        by: String,
    },
    /// A failed credentials task goes on, with a new spec if one is given.
    RetryCredentials {
        /// Name of the caller.
        by: String,
        /// The new spec.
        input: Option<Value>,
    },
    /// A failed credentials task is given up: it releases its resources.
    CancelCredentials {
        /// Name of the caller.
        by: String,
    },
    /// A failed task goes on without one failed sub-task.
    Skip {
        /// The sub-task.
        sub_task: u32,
        /// Name of the operator.
        by: String,
        /// Reason that the operator gives.
        reason: String,
    },
    /// Several failed sub-tasks are decided alike, all in one change, and the task goes on if nothing else
    /// holds it up.
    Decide {
        /// The sub-tasks.
        sub_tasks: Vec<u32>,
        /// The decision.
        what: Decided,
        /// Name of the operator.
        by: String,
        /// Reason that the operator gives.
        reason: String,
    },
    /// An operator dealt with the failure.
    Resolve {
        /// Name of the operator.
        by: String,
        /// Reason that the operator gives.
        reason: String,
        /// The operator's finding about the sub-task, where the outcome was unknown.
        verdict: Option<Verdict>,
    },
}

/// Terms on which attempts are leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The worker that leases.
    pub worker: WorkerId,
    /// The queues, each with the lowest priority that may be taken from it past what waits there.
    pub queues: Vec<(Arc<str>, i8)>,
    /// Time for which a lease lasts without a heartbeat.
    pub span: Span,
    /// The worker's name for its call, if it has one.
    pub request: Option<Arc<str>>,
}

/// An operator's finding about a sub-task that failed or whose outcome is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The sub-task.
    pub sub_task: u32,
    /// True if the work was done and counts as successful; false if it was not done and runs again.
    pub done: bool,
    /// Output of the sub-task, if the work was done.
    pub output: Option<Value>,
}

/// A decision about several sub-tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// The sub-tasks, whose outcome was unknown or whose failure was repaired, were done and count as
    /// successful.
    Done,
    /// The sub-tasks were not done, and run again.
    NotDone,
    /// The sub-tasks, whose outcome was unknown, failed: they stay failed, and a retry asks for new work.
    Failed,
    /// The sub-tasks failed, and are skipped.
    Skipped,
}

/// A way in which an attempt did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The executor reports that the work was not done.
    Error {
        /// Error.
        fault: Fault,
        /// True if another attempt may do better.
        retryable: bool,
    },
    /// The attempt failed on this side of the executor, before it was asked or after it had answered: the
    /// work stays done or not done, and the next attempt asks under the same key.
    Local {
        /// Error.
        fault: Fault,
        /// True if another attempt may do better.
        retryable: bool,
    },
    /// The attempt ended without telling whether it did its work: a connection broke, a program was killed.
    Unknown {
        /// Facts that are known.
        fault: Fault,
    },
    /// The executor gave the attempt up before the work was done, as it is stopping; another one need not
    /// fare better.
    Abandoned {
        /// Error that the executor gave.
        fault: Fault,
    },
    /// The attempt ran too long.
    Timeout,
    /// The executor died.
    Lost,
    /// The attempt stopped because it was told to.
    Stopped,
}

/// Reason for which a command changes nothing.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum Refused {
    /// A retry of a task that did not fail.
    #[error("only a failed task can be retried; this one is {}", .0.display())]
    NotFailed(TaskStatus),
    /// A retry that the workflow rules out.
    #[error("tasks of this workflow cannot be retried")]
    NotRetryable,
    /// A retry of a credentials task by the call for other tasks.
    #[error("a credentials task is retried by its own call")]
    RetriedByOwnCall,
    /// A cancel of a failed credentials task by the call for other tasks.
    #[error("a failed credentials task is cancelled by its own call")]
    CancelledByOwnCall,
    /// A credentials call for another task.
    #[error("the task is no credentials task")]
    NoCredentialsTask,
    /// A cancel of a credentials task that did not fail, by its own call.
    #[error("only a failed credentials task can be cancelled; this one is {}", .0.display())]
    NothingToGiveUp(TaskStatus),
    /// A retry whose spec names another operation or other resources than the task's.
    #[error("the spec names another operation, or other resources, than the task's")]
    OtherResources,
    /// A retry while an outcome is unknown.
    #[error("the outcome of the sub-task `{0}` is unknown; it must be decided before the task can go on")]
    Undecided(String),
    /// A cancel of a task that ended or is being stopped.
    #[error("only a pending or running task can be cancelled; this one is {}", .0.display())]
    NotRunning(TaskStatus),
    /// A cancel while one is under way.
    #[error("the task is being stopped already")]
    Stopping,
    /// A cancel that the workflow rules out.
    #[error("tasks of this workflow cannot be cancelled")]
    NotCancellable,
    /// A decision about a task that did not fail.
    #[error("only a failed task needs a decision; this one is {}", .0.display())]
    NothingToDecide(TaskStatus),
    /// A decision about a sub-task that did not fail.
    #[error("the sub-task `{0}` has not failed")]
    SubTaskNotFailed(String),
    /// A verdict about a sub-task that failed with its children.
    #[error("the sub-task `{0}` failed with its children: decide about those that failed")]
    DecidedByChildren(String),
    /// A finding that a sub-task failed whose failure is known.
    #[error("the outcome of the sub-task `{0}` is known: it failed")]
    OutcomeKnown(String),
    /// A sub-task that does not exist.
    #[error("the task has no sub-task `{0}`")]
    NoSubTask(String),
    /// A report that was recorded before, word for word.
    #[error("this was reported before")]
    Repeated,
    /// A result of an attempt that is not the live one.
    #[error("the attempt is not the live one of its sub-task")]
    Stale,
    /// A release of a task that runs, or holds nothing.
    #[error("only a failed task that holds locks can let go of them")]
    HoldsNothing,
    /// A release of a credentials task by the call for other tasks.
    #[error("a failed credentials task lets go of its resources when it is cancelled by its own call")]
    ReleasedByOwnCall,
    /// The change ended in an unforeseen way: a fault of Longhaul's own. The task in memory is spoilt.
    #[error("the change ended in a way that Longhaul did not foresee")]
    Panicked,
    /// An output or a spec that a task cannot keep.
    #[error("the {what} is {unfit}")]
    Unfit {
        /// The member: `output` or `spec`.
        what: &'static str,
        /// Reason.
        unfit: Unfit,
    },
    /// Nothing is due, nothing was lost, nothing begins.
    #[error("there is nothing to do")]
    Nothing,
}

/// Outcome of a command. The task's own state always changed; the rest is named.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The sub-tasks that changed, each once, in no order.
    pub sub_tasks: Vec<u32>,
    /// The sub-tasks whose output is new.
    pub outputs: Vec<u32>,
    /// The input is new.
    pub input: bool,
    /// Attempts that ended other than well, for the history.
    pub attempts: Vec<Attempt>,
    /// Attempts that were leased to the worker whose terms the command carried.
    pub grants: Vec<Launch>,
    /// True if the task asks for what it claims: the store applies [`Command::Acquired`] once it has all of
    /// it, at once if no other task is ahead.
    pub claims: bool,
    /// True if the task releases what it held or asked for, so that others may have it.
    pub releases: bool,
    /// The task's revision behind it.
    pub revision: u64,
    /// Effects to carry out once the change is durable.
    pub effects: Vec<Effect>,
}

impl Change {
    /// Joins this change with one that followed it at once.
    pub fn and(&mut self, next: Change) {
        self.sub_tasks.extend(next.sub_tasks);
        self.sub_tasks.sort_unstable();
        self.sub_tasks.dedup();
        self.outputs.extend(next.outputs);
        self.input |= next.input;
        self.attempts.extend(next.attempts);
        self.grants.extend(next.grants);
        self.claims = next.claims;
        self.revision = next.revision;
        self.releases |= next.releases;
        self.effects.extend(next.effects);
    }
}

/// Effect to carry out once a change is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Run an attempt.
    Start(Launch),
    /// Tell a running attempt to stop.
    Stop {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The node that runs it, or watches its lease.
        node: NodeId,
    },
    /// A sub-task that this node runs itself waits until it has room for it: ask again with
    /// [`Command::Start`].
    InLine {
        /// The sub-task.
        sub_task: u32,
    },
    /// A sub-task no longer waits for room, and no attempt of it runs.
    OutOfLine {
        /// The sub-task.
        sub_task: u32,
        /// The node where it stood in line.
        node: NodeId,
    },
    /// A sub-task waits for a worker.
    Queued {
        /// The sub-task.
        sub_task: u32,
        /// Queue.
        queue: Arc<str>,
        /// Higher goes first.
        priority: i8,
    },
    /// A sub-task no longer waits for a worker, and no worker has it.
    Unqueued {
        /// The sub-task.
        sub_task: u32,
        /// Queue in which it waited.
        queue: Arc<str>,
        /// The node that had it in its queue.
        node: NodeId,
    },
    /// A worker has an attempt: watch its time.
    Leased(Box<Leased>),
    /// A worker's attempt is over, or no longer the worker's.
    LeaseEnded {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The node that watched it.
        node: NodeId,
    },
    /// Ask again with [`Command::Due`] at this instant.
    Timer(Timestamp),
    /// The task ended.
    Ended(TaskStatus),
}

impl Effect {
    /// Returns the node that must carry out the effect, if it is not the one that committed the change, which
    /// carries out all others.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Effect::Stop { node, .. }
            | Effect::OutOfLine { node, .. }
            | Effect::Unqueued { node, .. }
            | Effect::LeaseEnded { node, .. } => Some(*node),
            Effect::Start(_)
            | Effect::InLine { .. }
            | Effect::Queued { .. }
            | Effect::Leased(_)
            | Effect::Timer(_)
            | Effect::Ended(_) => None,
        }
    }
}

/// An attempt that a worker has.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The sub-task.
    pub sub_task: u32,
    /// The attempt's token.
    pub token: Token,
    /// Terms of the lease, and the worker that has it.
    pub lease: Lease,
    /// The queue that it came from.
    pub queue: Arc<str>,
    /// Time at which the attempt began.
    pub started_at: Timestamp,
    /// Longest time that the attempt may take.
    pub timeout: Option<Span>,
    /// True if the worker may have seen secrets, which must be taken out of what it says.
    pub secrets: bool,
}

/// An attempt to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The sub-task.
    pub sub_task: u32,
    /// The attempt's token, which its result must carry.
    pub token: Token,
    /// Number of the attempt over all generations, from 1.
    pub number: u32,
    /// The number of its item under `forEach`, from 0.
    pub item: Option<u32>,
    /// Key that its effects are known by: the same for an attempt and for all that follow it, whichever of
    /// them asks, until one is known to have failed or an operator says that the work was not done.
    pub idempotency_key: String,
    /// Action to run.
    pub action: CompiledAction,
    /// Longest time that the attempt may take.
    pub timeout: Option<Span>,
    /// Time for which the worker's lease lasts without a heartbeat; `None` if no worker has the attempt. Never
    /// longer than the timeout.
    pub lease: Option<Span>,
    /// False if a second run may do harm.
    pub repeatable: bool,
    /// Variables of the action's expressions; secrets in the input are sealed.
    pub scope: Scope,
    /// The room that it has at the node that runs it: given back when this is dropped.
    pub permit: Permit,
    /// The workflow, if its inputs have secrets, which the action may need or say.
    pub secrets: Option<Arc<Workflow>>,
}
