//! Claims: a task starts once it has all its locks and slots, and releases them when it has ended.

use super::Step;
use crate::command::Refused;
use crate::record::Hold;
use crate::status::TaskStatus;

impl Step<'_> {
    /// Starts or resumes the task once it has its claims: now, if there are none.
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

    /// Starts or resumes the task, which now has all that it claims.
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

    /// Releases the claims unless the task keeps them after its end. Claims that a task only waits for are no
    /// locks to keep: it leaves the line.
    pub(super) fn let_go(&mut self) {
        let record = &self.task.record;
        let keeps = record.state.hold == Hold::Held && record.keeps_locks();
        if record.state.hold != Hold::None && !keeps {
            self.task.record.state.hold = Hold::None;
            self.change.releases = true;
        }
    }

    /// Releases the locks that a failed task keeps, for an operator.
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
