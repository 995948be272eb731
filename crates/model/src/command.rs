//! Everything that can be asked of a task, and everything that comes of it.

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

/// What a caller, a timer or a runner asks.
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
        /// What it gave.
        output: Option<Value>,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
        /// What the same worker would take next: sub-tasks that become ready by this may be leased to it at once.
        next: Option<Arc<Terms>>,
    },
    /// An attempt did not succeed.
    Fail {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// How.
        failure: Failure,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// What stands in line at a node begins there, as there is room for it now.
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
        /// For whom, and for how long.
        terms: Arc<Terms>,
    },
    /// The answer that gave an attempt to a worker may be lost: the same call again is given it again.
    /// Nothing of it begins anew.
    LeaseAgain {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// For whom, and by which call.
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
    /// An attempt was granted but never begun, as its server or worker is stopping: it does not count, and is due at once.
    HandBack {
        /// The sub-task.
        sub_task: u32,
        /// The attempt's token.
        token: Token,
        /// The worker that says so; `None` for the server itself.
        by: Option<WorkerId>,
    },
    /// The task has all that it claims for itself: it starts, or goes on.
    Acquired,
    /// A failed task lets go of what it holds.
    Release {
        /// Who decides.
        by: String,
        /// Why.
        reason: String,
    },
    /// Time has passed: whatever is due happens.
    Due,
    /// A node is no more: attempts that it ran are lost, what it looked after is looked after by the node that says so.
    Recover {
        /// Which; all of them where the store is one server's own, which starts.
        node: Option<NodeId>,
    },
    /// Outputs of sub-tasks are stored, which happens only together with their success: those that still count
    /// as running are successful.
    OutputsStored {
        /// The sub-tasks, and their outputs.
        outputs: Vec<(u32, Value)>,
    },
    /// No further attempt starts, running ones are told to stop.
    Cancel {
        /// Who asks.
        by: String,
        /// How long running attempts have to stop.
        grace: Span,
    },
    /// A failed task goes on from what failed.
    Retry {
        /// Who asks.
        by: String,
    },
    /// A failed credentials task goes on, with a new spec if one is given.
    RetryCredentials {
        /// Who asks.
        by: String,
        /// The new spec.
        input: Option<Value>,
    },
    /// A failed credentials task is given up: it lets go of its resources.
    CancelCredentials {
        /// Who asks.
        by: String,
    },
    /// A failed task goes on without one failed sub-task.
    Skip {
        /// The sub-task.
        sub_task: u32,
        /// Who decides.
        by: String,
        /// Why.
        reason: String,
    },
    /// Several failed sub-tasks are decided alike, all in one change, and the task goes on if nothing else
    /// stands in its way.
    Decide {
        /// Which.
        sub_tasks: Vec<u32>,
        /// How.
        what: Decided,
        /// Who decides.
        by: String,
        /// Why.
        reason: String,
    },
    /// Somebody dealt with the failure.
    Resolve {
        /// Who.
        by: String,
        /// How.
        reason: String,
        /// What really happened, where that was unknown.
        verdict: Option<Verdict>,
    },
}

/// On what terms attempts are leased.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// To whom.
    pub worker: WorkerId,
    /// From which queues, and the lowest priority that may be taken from each past what waits in it.
    pub queues: Vec<(Arc<str>, i8)>,
    /// How long a lease lasts without a heartbeat.
    pub span: Span,
    /// The worker's name for its call, if it has one.
    pub request: Option<Arc<str>>,
}

/// What an operator found out about a failed sub-task, or one of unknown outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The sub-task.
    pub sub_task: u32,
    /// True: it was done, and counts as successful. False: it was not, and runs again.
    pub done: bool,
    /// Its output, where it was done.
    pub output: Option<Value>,
}

/// How several sub-tasks are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// Their outcome was unknown, or they were repaired: they were done, and count as successful.
    Done,
    /// They were not done, and run again.
    NotDone,
    /// They failed, and are passed over.
    Skipped,
}

/// How an attempt did not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Whoever was to do the work says that it was not done.
    Error {
        /// Why.
        fault: Fault,
        /// Whether another attempt may do better.
        retryable: bool,
    },
    /// It failed on this side of whoever does the work, before that was asked or after it had answered: what
    /// was done, or not, stays as it is, and the next attempt asks under the same key.
    Local {
        /// Why.
        fault: Fault,
        /// Whether another attempt may do better.
        retryable: bool,
    },
    /// It ended without telling whether it did its work: a connection that broke, a program that was killed.
    Unknown {
        /// What is known.
        fault: Fault,
    },
    /// Whoever ran it gave it up before the work was done, as it stops; nothing says that another one fares no better.
    Abandoned {
        /// What it says of that.
        fault: Fault,
    },
    /// It ran too long.
    Timeout,
    /// Whoever ran it died.
    Lost,
    /// It stopped because it was told to.
    Stopped,
}

/// Why a command changes nothing.
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
    /// The change ended in a way that nobody foresaw: a fault of Longhaul's own. The task in memory is spoilt.
    #[error("the change ended in a way that Longhaul did not foresee")]
    Panicked,
    /// An output or a spec that a task cannot keep.
    #[error("the {what} is {unfit}")]
    Unfit {
        /// The member: `output` or `spec`.
        what: &'static str,
        /// Why.
        unfit: Unfit,
    },
    /// Nothing is due, nothing was lost, nothing begins.
    #[error("there is nothing to do")]
    Nothing,
}

/// What a command changed. The task's own state always did; the rest is named.
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
    /// It asks for what it claims: the store applies [`Command::Acquired`] once it has all of it, at once if nobody stands in
    /// the way.
    pub claims: bool,
    /// It lets go of what it held or asked for: others may have it.
    pub releases: bool,
    /// The task's revision behind it.
    pub revision: u64,
    /// What must be done once the change is durable.
    pub effects: Vec<Effect>,
}

impl Change {
    /// This change and one that followed it at once, as one.
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

/// What must be done once a change is durable.
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
    /// A sub-task waits for room no more, and nothing of it runs.
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
        /// Where.
        queue: Arc<str>,
        /// Higher goes first.
        priority: i8,
    },
    /// A sub-task waits for a worker no more, and none has it.
    Unqueued {
        /// The sub-task.
        sub_task: u32,
        /// Where it waited.
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
    /// The node that must do it, where that is not the one that committed the change: the others are that one's own.
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
    /// Whose it is, and for how long.
    pub lease: Lease,
    /// The queue that it came from.
    pub queue: Arc<str>,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// How long it may take.
    pub timeout: Option<Span>,
    /// Whether the worker may have seen secrets, which must be taken out of what it says.
    pub secrets: bool,
}

/// An attempt to run.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The sub-task.
    pub sub_task: u32,
    /// The attempt's token, which its result must carry.
    pub token: Token,
    /// Its number over all generations, from 1.
    pub number: u32,
    /// The number of its item under `forEach`, from 0.
    pub item: Option<u32>,
    /// What its effects are known by: the same for an attempt and for all that follow it, whoever asks for
    /// them, until one is known to have failed or an operator says that the work was not done.
    pub idempotency_key: String,
    /// What to run.
    pub action: CompiledAction,
    /// How long it may take.
    pub timeout: Option<Span>,
    /// False if a second run may do harm.
    pub repeatable: bool,
    /// What the action's expressions see; secrets in the input are sealed.
    pub scope: Scope,
    /// The room that it has at the node that runs it: given back when this is dropped.
    pub permit: Permit,
    /// The workflow, if its inputs have secrets, which the action may need or say.
    pub secrets: Option<Arc<Workflow>>,
}
