//! What an operator may still do to a task whose document cannot be read: end it, and take from it what it
//! holds. Decided by the little that is known of it without the document.

use crate::command::{Command, Refused};
use crate::status::TaskStatus;
use crate::time::Timestamp;

/// What is known of a task that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where it stands; `None` if that cannot be read either.
    pub status: Option<TaskStatus>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Whether it holds or waits for locks or a place.
    pub holds: bool,
}

impl Unread {
    /// Result of a command on an unread task: it releases all that it holds. `None` for commands that need
    /// the document.
    pub fn apply(self, command: &Command, now: Timestamp) -> Option<Result<Unread, Refused>> {
        match command {
            Command::Cancel { .. } => Some(self.cancel(now)),
            Command::Release { .. } => Some(self.release()),
            _ => None,
        }
    }

    /// Whether its history may be deleted.
    pub fn is_deletable(self) -> bool {
        self.has_ended() && !self.holds
    }

    /// True if a cancel would be accepted now.
    pub fn is_cancellable(self) -> bool {
        !self.has_ended()
    }

    fn has_ended(self) -> bool {
        self.status.is_some_and(TaskStatus::is_ended)
    }

    /// To CANCELLED, from wherever it stands; a workflow that rules a cancel out cannot be asked.
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
