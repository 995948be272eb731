//! Claims: a task starts once it has all that it claims for itself, and lets go when it has ended.

use super::Step;
use crate::claims::Hold;
use crate::command::Refused;
use crate::status::TaskStatus;

impl Step<'_> {
    /// The task starts, or goes on, once it has what it claims: now, if there is nothing.
    pub(super) fn start_or_wait(&mut self) {
        let record = &self.task.record;
        if record.state.hold == Hold::Held || !record.has_claims() {
            return self.start_or_resume();
        }
        let state = &mut self.task.record.state;
        state.hold = Hold::Waiting;
        state.status = TaskStatus::Pending;
        state.completed_at = None;
        state.stopping = None;
        state.errors.clear();
        self.change.claims = true;
    }

    /// It has all of it.
    pub(super) fn acquired(&mut self) -> Result<(), Refused> {
        let state = &mut self.task.record.state;
        if state.hold != Hold::Waiting || state.status != TaskStatus::Pending {
            return Err(Refused::Nothing);
        }
        state.hold = Hold::Held;
        self.start_or_resume();
        Ok(())
    }

    fn start_or_resume(&mut self) {
        match self.task.record.state.started_at {
            None => self.start_task(),
            Some(_) => self.resume(),
        }
    }

    /// Lets go unless it keeps what it has though it ended.
    pub(super) fn let_go(&mut self) {
        if self.task.record.state.hold != Hold::None && !self.task.record.keeps_locks() {
            self.task.record.state.hold = Hold::None;
            self.change.releases = true;
        }
    }

    /// An operator takes from a failed task what it keeps.
    pub(super) fn release(&mut self, by: String, reason: String) -> Result<(), Refused> {
        let record = &self.task.record;
        if record.state.status != TaskStatus::Failed || record.state.hold != Hold::Held {
            return Err(Refused::HoldsNothing);
        }
        if record.credentials_operation().is_some() {
            return Err(Refused::ReleasedByOwnCall);
        }
        self.decided("release", by, None, Some(reason));
        self.task.record.state.hold = Hold::None;
        self.change.releases = true;
        Ok(())
    }
}
