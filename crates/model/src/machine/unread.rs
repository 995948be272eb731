//! Decisions about a task whose document cannot be read: an operator may end it, and release its locks. They
//! depend on the little that is known of it without the document.

use crate::command::{Command, Effect, Refused};
use crate::measure::Measures;
use crate::status::TaskStatus;
use crate::time::Timestamp;

/// Facts that are known of a task that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Status of the task; `None` if that cannot be read either.
    pub status: Option<TaskStatus>,
    /// Time at which the task ended.
    pub completed_at: Option<Timestamp>,
    /// True if the task holds or waits for locks or a slot.
    pub holds: bool,
}

impl Unread {
    /// Returns the result of a command on an unread task: it releases all that it holds. `None` for commands
    /// that need the document.
    pub fn apply(self, command: &Command, now: Timestamp) -> Option<Result<Unread, Refused>> {
        match command {
            Command::Cancel { .. } => Some(self.cancel(now)),
            Command::Release { .. } => Some(self.release()),
            _ => None,
        }
    }

    /// Returns true if the task's history may be deleted.
    pub fn is_deletable(self) -> bool {
        self.has_ended() && !self.holds
    }

    /// Returns true if a cancel would be accepted now.
    pub fn is_cancellable(self) -> bool {
        !self.has_ended()
    }

    /// Returns the effects of the change from `before` to this state.
    pub fn effects(self, before: Unread) -> Vec<Effect> {
        let Some(status) = self.status else { return Vec::new() };
        let measured = Effect::Measured(Box::new(Measures::of_unread(status)));
        let measured = (before.status != self.status).then_some(measured);
        measured.into_iter().chain([Effect::Ended(status)]).collect()
    }

    fn has_ended(self) -> bool {
        self.status.is_some_and(TaskStatus::is_ended)
    }

    /// Cancels a task in any status; a workflow that forbids a cancel cannot be asked.
    fn cancel(self, now: Timestamp) -> Result<Unread, Refused> {
        match self.status {
            Some(status) if !self.is_cancellable() => Err(Refused::NotRunning(status)),
            _ => Ok(Unread { status: Some(TaskStatus::Cancelled), completed_at: Some(now), holds: false }),
        }
    }

    fn release(self) -> Result<Unread, Refused> {
        if self.has_ended() && self.holds {
            Ok(Unread { holds: false, ..self })
        } else {
            Err(Refused::HoldsNothing)
        }
    }
}
