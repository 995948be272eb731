//! Commands to a task, and the changes that they make.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use crate::expr::Scope;
use crate::fault::Fault;
use crate::id::{NodeId, Token, WorkerId};
use crate::measure::Measures;
use crate::record::{Attempt, Lease, Stage};
use crate::room::Permit;
use crate::status::TaskStatus;
use crate::time::{Span, Timestamp};
use crate::trace::TraceContext;
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
        /// Worker that sends the report; `None` for the server itself.
        by: Option<WorkerId>,
        /// Terms of the leases that the same worker would take next: sub-tasks that become ready by this may
        /// be leased to it at once.
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
        /// Worker that sends the report; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// Begins a sub-task that waits in line at a node, as there is a permit for it now.
    Start {
        /// The sub-task.
        sub_task: u32,
        /// Permit for the attempt.
        permit: Permit,
    },
    /// Leases a waiting attempt to a worker.
    Lease {
        /// The sub-task.
        sub_task: u32,
        /// Terms of the lease.
        terms: Arc<Terms>,
    },
    /// Repeats a lease whose answer may be lost: the same call gets the same attempt again. No second attempt
    /// begins.
    LeaseAgain {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Terms of the lease, with the worker and its name for the call.
        terms: Arc<Terms>,
    },
    /// Reports the progress of a running attempt.
    Report {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Percent done.
        progress: Option<u8>,
        /// All stages of the sub-task, if they changed.
        stages: Option<Vec<Stage>>,
        /// Worker that sends the report; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// Hands back an attempt that was granted but never begun, as its server or worker is stopping: it does
    /// not count, and is due at once.
    HandBack {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Worker that sends the report; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// Grants the task all its claims: it starts or goes on.
    Acquired,
    /// Parks a task whose store is a copy of one that lives on: the task fails here, and goes on only once
    /// somebody decides so.
    Park {
        /// Name of the caller who says that it is a copy.
        by: String,
        /// Reason given.
        reason: String,
    },
    /// Releases the locks of a failed task.
    Release {
        /// Name of the operator.
        by: String,
        /// Reason of the operator.
        reason: String,
    },
    /// Notifies the task that time has passed: whatever is due happens.
    Due,
    /// Recovers from the loss of a node: the attempts that it ran are lost, and the node that applies this
    /// takes over its duties.
    Recover {
        /// Node that is gone; `None` for all of them where the store belongs to a single server, which
        /// starts.
        node: Option<NodeId>,
    },
    /// Takes in stored outputs of sub-tasks. They are stored only together with a success: sub-tasks that
    /// still count as running are successful.
    OutputsStored {
        /// The sub-tasks, and their outputs.
        outputs: Vec<(u32, Value)>,
    },
    /// Stops the task: no further attempt starts, running ones are told to stop.
    Cancel {
        /// Name of the caller.
        by: String,
        /// Time that running attempts have to stop.
        grace: Span,
    },
    /// Retries a failed task from what failed.
    Retry {
        /// Name of the caller.
        by: String,
    },
    /// Retries a failed credentials task, with a new spec if one is given.
    RetryCredentials {
        /// Name of the caller.
        by: String,
        /// The new spec.
        input: Option<Value>,
    },
    /// Cancels a failed credentials task, which releases its resources.
    CancelCredentials {
        /// Name of the caller.
        by: String,
    },
    /// Skips a failed sub-task, so that its failed task goes on without it.
    Skip {
        /// The sub-task.
        sub_task: u32,
        /// Name of the operator.
        by: String,
        /// Reason of the operator.
        reason: String,
    },
    /// Decides several failed sub-tasks alike, all in one change; the task goes on if nothing else holds it
    /// up.
    Decide {
        /// The sub-tasks.
        sub_tasks: Vec<u32>,
        /// The decision.
        what: Decided,
        /// Name of the operator.
        by: String,
        /// Reason of the operator.
        reason: String,
    },
    /// An operator dealt with the failure.
    Resolve {
        /// Name of the operator.
        by: String,
        /// Reason of the operator.
        reason: String,
        /// Verdict of the operator about the sub-task, if the outcome was unknown.
        verdict: Option<Verdict>,
    },
}

/// Terms on which attempts are leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The worker that leases.
    pub worker: WorkerId,
    /// Queues, each with the lowest priority that may be leased from it ahead of waiting sub-tasks.
    pub queues: Vec<(Arc<str>, i8)>,
    /// Time for which a lease lasts without a heartbeat.
    pub span: Span,
    /// Name that the worker gave its call, if any.
    pub request: Option<Arc<str>>,
}

/// Verdict of an operator about a sub-task that failed or whose outcome is unknown.
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
    /// Done: the sub-tasks, whose outcome was unknown or whose failure was repaired, count as successful.
    Done,
    /// The sub-tasks were not done, and run again.
    NotDone,
    /// Failed: the sub-tasks, whose outcome was unknown, stay failed, and a retry asks for new work.
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
        /// Error that the executor reported.
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
    /// A credentials task that did not fail was to be cancelled, by its own call.
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
    /// A stop is under way already.
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
    /// A verdict "failed" was given about a sub-task whose failure is known.
    #[error("the outcome of the sub-task `{0}` is known: it failed")]
    OutcomeKnown(String),
    /// A sub-task that does not exist.
    #[error("the task has no sub-task `{0}`")]
    NoSubTask(String),
    /// The report was recorded before, word for word.
    #[error("this was reported before")]
    Repeated,
    /// The result is of an attempt that is not live.
    #[error("the attempt is not the live one of its sub-task")]
    Stale,
    /// A release of a task that runs, or holds nothing.
    #[error("only a failed task that holds locks can let go of them")]
    HoldsNothing,
    /// A release of a credentials task by the call for other tasks.
    #[error("a failed credentials task lets go of its resources when it is cancelled by its own call")]
    ReleasedByOwnCall,
    /// The change ended in an unforeseen way: a fault of Longhaul's own. The task in memory is unusable.
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
    /// The command changes nothing: no timer is due, no attempt was lost, no sub-task can begin.
    #[error("there is nothing to do")]
    Nothing,
}

/// Outcome of a command. The task's own state always changed; everything else is listed.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The sub-tasks that changed, each once, in no order.
    pub sub_tasks: Vec<u32>,
    /// Sub-tasks whose output is new.
    pub outputs: Vec<u32>,
    /// The input is new.
    pub input: bool,
    /// Attempts that ended other than well, for the history.
    pub attempts: Vec<Attempt>,
    /// Attempts that were leased to the worker whose terms the command carried.
    pub grants: Vec<Launch>,
    /// True if the task requests its claims: the store applies [`Command::Acquired`] once it has all of them,
    /// at once if no other task is ahead.
    pub claims: bool,
    /// True if the task releases its claims, held or waiting, so that others may have them.
    pub releases: bool,
    /// Revision of the task after the change.
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
        /// Node that runs the attempt, or watches its lease.
        node: NodeId,
    },
    /// Put a sub-task in line that this node runs itself, until there is a permit for it: ask again with
    /// [`Command::Start`].
    InLine {
        /// The sub-task.
        sub_task: u32,
    },
    /// Remove a sub-task from the line, as no attempt of it will run.
    OutOfLine {
        /// The sub-task.
        sub_task: u32,
        /// Node where the sub-task stood in line.
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
    /// Remove a sub-task from its queue, as it waits no longer for a worker and none has it.
    Unqueued {
        /// The sub-task.
        sub_task: u32,
        /// Queue in which it waited.
        queue: Arc<str>,
        /// Node that had the sub-task in its queue.
        node: NodeId,
    },
    /// Watch the lease of an attempt that a worker has.
    Leased(Box<Leased>),
    /// A worker's attempt is over, or no longer the worker's.
    LeaseEnded {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// Node that watched the lease.
        node: NodeId,
    },
    /// Ask again with [`Command::Due`] at this instant.
    Timer(Timestamp),
    /// The task ended.
    Ended(TaskStatus),
    /// Count what the change began and ended.
    Measured(Box<Measures>),
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
            | Effect::Ended(_)
            | Effect::Measured(_) => None,
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
    /// Lease terms, and the worker that has it.
    pub lease: Lease,
    /// Queue that the attempt came from.
    pub queue: Arc<str>,
    /// Time at which the attempt began.
    pub started_at: Timestamp,
    /// Timeout of the attempt.
    pub timeout: Option<Span>,
    /// True if the worker may have seen secrets, which must be removed from its reports.
    pub secrets: bool,
}

/// An attempt to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The sub-task.
    pub sub_task: u32,
    /// Token of the attempt, which its result must carry.
    pub token: Token,
    /// Number of the attempt over all generations, from 1.
    pub number: u32,
    /// Index of the item under `forEach`, from 0.
    pub item: Option<u32>,
    /// Key by which the effects are known: the same for an attempt and for all that follow it, whichever of
    /// them asks, until one is known to have failed or an operator says that the work was not done.
    pub idempotency_key: String,
    /// Action to run.
    pub action: CompiledAction,
    /// Timeout of the attempt.
    pub timeout: Option<Span>,
    /// Time for which the worker's lease lasts without a heartbeat; `None` if no worker has the attempt.
    /// Never longer than the timeout.
    pub lease: Option<Span>,
    /// False if a second run may do harm.
    pub repeatable: bool,
    /// Variables of the action's expressions; secrets in the input are sealed.
    pub scope: Scope,
    /// Permit of the attempt at the node that runs it: returned when this is dropped.
    pub permit: Permit,
    /// Workflow, if its inputs have secrets, which the action may need or output.
    pub secrets: Option<Arc<Workflow>>,
    /// Span of the attempt, which it passes on to whatever it asks; an engine without traces takes it away.
    pub trace: Option<TraceContext>,
}
