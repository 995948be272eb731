//! State machine: the only code that changes a status. Each verb has a file; [`Task::apply`] is total over
//! the commands, and a refused command has changed nothing.

mod advance;
mod attempt;
mod cancel;
mod claims;
mod credentials;
mod due;
mod fan;
mod lease;
mod line;
mod measures;
mod operator;
mod park;
mod recover;
mod stored;
mod titles;
mod unread;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::command::{Change, Command, Refused, Terms};
use crate::id::NodeId;
use crate::room::{Room, Unlimited};
use crate::task::Task;
use crate::time::Timestamp;

pub use unread::Unread;

impl Task {
    /// Applies a command in the store of a single server. On `Err` the task is as it was, except after
    /// [`Refused::Panicked`]: then its state is unknown, and it must be read again.
    pub fn apply(&mut self, command: Command, now: Timestamp) -> Result<Change, Refused> {
        self.apply_at(NodeId::default(), command, now)
    }

    /// Applies a command at a node, which owns what begins by it. On `Err` the task is as it was.
    pub fn apply_at(&mut self, node: NodeId, command: Command, now: Timestamp) -> Result<Change, Refused> {
        self.apply_in(node, &Unlimited, command, now)
    }

    /// Applies a command like [`Task::apply_at`], where the node has only so many permits for attempts of its
    /// own: a sub-task that gets none stands in line.
    pub fn apply_in(
        &mut self,
        node: NodeId,
        room: &dyn Room,
        command: Command,
        now: Timestamp,
    ) -> Result<Change, Refused> {
        // A wall clock may step back; a task's own times do not.
        let now = now.max(self.record.state.started_at.unwrap_or(self.record.state.created_at));
        self.budget_anew();
        let before = measures::Before::of(self, &command);
        let mut step = Step { task: self, now, node, room, terms: None, change: Change::default() };
        // A fault of ours costs this task, and not the server and all the others.
        let obeyed = catch_unwind(AssertUnwindSafe(|| step.obey(command))).map_err(|_| Refused::Panicked)?;
        let mut change = step.change;
        self.count_touched();
        self.lighten();
        let moves = self.take_moves();
        obeyed?;
        change.sub_tasks.sort_unstable();
        change.sub_tasks.dedup();
        self.record.state.revision += 1;
        change.revision = self.record.state.revision;
        measures::add(&before, self, moves, now, &mut change);
        debug_assert_eq!(crate::invariant::violations(self), Vec::<String>::new());
        Ok(change)
    }
}

impl Step<'_> {
    fn obey(&mut self, command: Command) -> Result<(), Refused> {
        let step = self;
        match command {
            Command::Begin => step.begin()?,
            Command::Complete { sub_task, token, output, by, next } => {
                step.terms = next;
                step.complete(sub_task, token, output, by)?
            }
            Command::Fail { sub_task, token, failure, by } => step.fail(sub_task, token, failure, by)?,
            Command::Start { sub_task, permit } => step.start_in_line(sub_task, permit)?,
            Command::Lease { sub_task, terms } => step.lease(sub_task, &terms)?,
            Command::LeaseAgain { sub_task, token, terms } => step.lease_again(sub_task, token, &terms)?,
            Command::Report { sub_task, token, progress, stages, by } => {
                step.report(sub_task, token, progress, stages, by)?
            }
            Command::HandBack { sub_task, token, by } => step.hand_back(sub_task, token, by)?,
            Command::Acquired => step.acquired()?,
            Command::Park { by, reason } => step.park(by, reason)?,
            Command::Release { by, reason } => step.release(by, reason)?,
            Command::Due => step.due()?,
            Command::Recover { node } => step.recover(node)?,
            Command::OutputsStored { outputs } => step.outputs_stored(outputs)?,
            Command::Cancel { by, grace } => step.cancel(by, grace)?,
            Command::Retry { by } => step.retry(by)?,
            Command::RetryCredentials { by, input } => step.retry_credentials(by, input)?,
            Command::CancelCredentials { by } => step.cancel_credentials(by)?,
            Command::Skip { sub_task, by, reason } => step.skip(sub_task, by, reason)?,
            Command::Decide { sub_tasks, what, by, reason } => step.decide(sub_tasks, what, by, reason)?,
            Command::Resolve { by, reason, verdict } => step.resolve(by, reason, verdict)?,
        }
        Ok(())
    }
}

/// Command that is being applied to a task.
struct Step<'a> {
    task: &'a mut Task,
    now: Timestamp,
    /// Node that applies the command.
    node: NodeId,
    /// Permits for attempts that the node runs itself.
    room: &'a dyn Room,
    /// Terms on which work that becomes ready may be leased at once.
    terms: Option<Arc<Terms>>,
    change: Change,
}
