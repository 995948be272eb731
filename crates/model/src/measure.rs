//! Measurements of a change: what it began and ended, and how long that took. Counters are made from them and
//! from nothing else, so what a transition means to a counter is decided in [`crate::Task::apply`] alone.

use std::sync::Arc;

use crate::record::SubTask;
use crate::status::{SubTaskStatus, TaskStatus};
use crate::time::{Span, Timestamp};
use crate::trace::TraceContext;
use crate::workflow::{CompiledAction, Workflow};

/// Measurements of one change of a task.
#[derive(Clone, Debug)]
pub struct Measures {
    /// Workflow of the task; `None` for a task that cannot be read.
    pub workflow: Option<Arc<Workflow>>,
    /// Measurements, in the order in which they happened.
    pub all: Vec<Measure>,
}

impl Measures {
    /// Measurements of the end of a task that was ended although it cannot be read.
    pub fn of_unread(status: TaskStatus) -> Measures {
        Measures { workflow: None, all: vec![Measure::TaskEnded { status, ran: None, run: None }] }
    }
}

/// Run of a task that ended: its first, or the run that an operator's decision began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Number of the run: the generation of the task.
    pub generation: u32,
    /// Time at which the run began: the task was accepted, or the decision was made.
    pub since: Timestamp,
    /// End of the run.
    pub until: Timestamp,
    /// Span of the caller that asked for the task.
    pub caller: Option<TraceContext>,
    /// Code of the error with which the run ended, if it failed.
    pub error: Option<String>,
}

/// Attempt that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Index of the sub-task.
    pub sub_task: u32,
    /// Index of the sub-task of the workflow: of a child, that of its parent.
    pub own: u32,
    /// Index of the item under `forEach`, from 0.
    pub item: Option<u32>,
    /// Number of the attempt, from 1, over all generations.
    pub number: u32,
    /// Generation in which the attempt began.
    pub generation: u32,
    /// Start of the attempt.
    pub since: Timestamp,
    /// End of the attempt.
    pub until: Timestamp,
    /// Code of the error with which the attempt failed.
    pub error: Option<String>,
}

/// Something that a change began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The task was accepted.
    TaskAccepted,
    /// The task started, for the first time.
    TaskStarted,
    /// The task ended; a task that is retried ends again.
    TaskEnded {
        /// Status with which the task ended.
        status: TaskStatus,
        /// Time from the first start to this end; `None` if the task never started.
        ran: Option<Span>,
        /// Run that ended; `None` for a task that cannot be read.
        run: Option<Box<Run>>,
    },
    /// A sub-task ended: a sub-task of the workflow, or a child of a `forEach`.
    SubTaskEnded(SubTaskStatus),
    /// An attempt began.
    AttemptStarted(ActionKind),
    /// An attempt ended.
    AttemptEnded {
        /// Kind of the action.
        action: ActionKind,
        /// Result of the attempt.
        end: AttemptEnd,
        /// Time that the attempt took.
        took: Span,
        /// The attempt; boxed, as most measurements are small.
        attempt: Box<Ended>,
    },
    /// A wait ended with what was waited for; of a pause before the next attempt, the pause began.
    Waited(Wait, Span),
    /// The lease of a worker expired: the worker was not heard of in time.
    LeaseLost,
}

/// Thing that a task or a sub-task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Wait {
    /// Locks on resources.
    Lock,
    /// A slot of a concurrency key; a task that needs locks, too, counts as waiting for those.
    Concurrency,
    /// The start time of the task.
    Start,
    /// A permit for one more attempt of a built-in action at the node.
    Permit,
    /// A worker of the queue.
    Queue,
    /// The end of a `wait`.
    Timer,
    /// The next automatic attempt.
    Retry,
    /// The decision of a person about a failed task.
    Person,
}

impl Wait {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Wait; 8] = [
        Wait::Lock,
        Wait::Concurrency,
        Wait::Start,
        Wait::Permit,
        Wait::Queue,
        Wait::Timer,
        Wait::Retry,
        Wait::Person,
    ];

    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Wait::Lock => "lock",
            Wait::Concurrency => "concurrency",
            Wait::Start => "start",
            Wait::Permit => "permit",
            Wait::Queue => "queue",
            Wait::Timer => "timer",
            Wait::Retry => "retry",
            Wait::Person => "person",
        }
    }
}

/// Kind of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ActionKind {
    /// A request.
    Http,
    /// A program.
    Command,
    /// A durable timer.
    Wait,
    /// A simulated outcome.
    Simulate,
    /// The work of a worker.
    Worker,
}

impl ActionKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [ActionKind; 5] =
        [ActionKind::Http, ActionKind::Command, ActionKind::Wait, ActionKind::Simulate, ActionKind::Worker];

    /// Name in metrics, as workflows spell it.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Http => "http",
            ActionKind::Command => "command",
            ActionKind::Wait => "wait",
            ActionKind::Simulate => "simulate",
            ActionKind::Worker => "worker",
        }
    }
}

impl From<&CompiledAction> for ActionKind {
    fn from(action: &CompiledAction) -> Self {
        match action {
            CompiledAction::Http(_) => ActionKind::Http,
            CompiledAction::Command(_) => ActionKind::Command,
            CompiledAction::Wait(_) => ActionKind::Wait,
            CompiledAction::Simulate(_) => ActionKind::Simulate,
            CompiledAction::Worker(_) => ActionKind::Worker,
        }
    }
}

/// Result of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum AttemptEnd {
    /// The attempt succeeded.
    Successful,
    /// The attempt failed.
    Failed,
    /// The attempt ran too long.
    TimedOut,
    /// The node or worker that ran the attempt died, or gave it up.
    Lost,
    /// The attempt was stopped with its task.
    Stopped,
    /// The attempt was handed back before it began, as its server or worker was stopping.
    HandedBack,
}

impl AttemptEnd {
    /// All results, in the order of their numbers.
    pub const ALL: [AttemptEnd; 6] = [
        AttemptEnd::Successful,
        AttemptEnd::Failed,
        AttemptEnd::TimedOut,
        AttemptEnd::Lost,
        AttemptEnd::Stopped,
        AttemptEnd::HandedBack,
    ];

    /// Name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            AttemptEnd::Successful => "successful",
            AttemptEnd::Failed => "failed",
            AttemptEnd::TimedOut => "timed_out",
            AttemptEnd::Lost => "lost",
            AttemptEnd::Stopped => "stopped",
            AttemptEnd::HandedBack => "handed_back",
        }
    }
}

/// Change of a sub-task's status, or of the timer of a sub-task that waits for its next attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    pub(crate) index: u32,
    /// True if the sub-task has children, which have the attempts.
    pub(crate) is_parent: bool,
    pub(crate) before: SubTaskStatus,
    pub(crate) after: SubTaskStatus,
    /// Number of the latest attempt.
    pub(crate) attempt: u32,
    /// Start of the latest attempt.
    pub(crate) started_at: Option<Timestamp>,
    /// Time since which the sub-task waited for a worker or a permit.
    pub(crate) queued_at: Option<Timestamp>,
    /// New time of the timer, if that changed.
    pub(crate) due: Option<Timestamp>,
}

impl Move {
    /// Move of a sub-task that has just changed: its status and queue before, and its timer if that is new.
    pub(crate) fn of(
        index: u32,
        sub: &SubTask,
        before: SubTaskStatus,
        queued_at: Option<Timestamp>,
        due: Option<Timestamp>,
    ) -> Move {
        Move {
            index,
            is_parent: sub.fan.is_some(),
            before,
            after: sub.status,
            attempt: sub.attempt,
            started_at: sub.started_at,
            queued_at,
            due,
        }
    }
}
