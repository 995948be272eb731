//! A copy of a task whose original lives on: the original does the work. Here nothing goes on by itself, and
//! what runs over there has an outcome that nobody knows here.

use super::Step;
use super::attempt::outcome_unknown;
use crate::command::{Failure, Refused};
use crate::fault::{Fault, code};
use crate::record::{Outcome, StopReason, Stopping};
use crate::status::SubTaskStatus;
use crate::workflow::CompiledAction;

impl Step<'_> {
    /// To FAILED, from wherever a task stands that has not ended: an operator decides whether it goes on
    /// here.
    pub(super) fn park(&mut self, by: String, reason: String) -> Result<(), Refused> {
        let state = &self.task.record.state;
        if state.status.is_ended() {
            return Err(Refused::Nothing);
        }
        if let Some(why) = state.stopping.as_ref().map(|stopping| stopping.why) {
            // It was being stopped: what ran is over there, and the rest follows as if it had not stopped in
            // time.
            self.give_up(why);
            return Ok(());
        }
        self.decided("park", by, None, Some(reason));
        // For as long as this command lasts, so that nothing starts by what it ends.
        let now = self.now;
        self.task.record.state.stopping = Some(Stopping { why: StopReason::Copy, at: now, give_up_at: now });
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            if self.task.record.sub_tasks[index as usize].fan.is_none() {
                self.put_away(index);
            }
        }
        self.tend_all();
        self.settle();
        self.task.record.state.stopping = None;
        Ok(())
    }

    fn put_away(&mut self, index: u32) {
        let is_timer = matches!(self.task.record.definition(index).action, CompiledAction::Wait(_));
        let sub = &self.task.record.sub_tasks[index as usize];
        match sub.status {
            SubTaskStatus::InProgress if is_timer => self.attempt_failed(index, Failure::Stopped),
            SubTaskStatus::InProgress => self.runs_elsewhere(index),
            SubTaskStatus::Pending => {
                // An attempt whose outcome was in doubt already is one that may run over there once more.
                let in_doubt = sub.key.is_some() && sub.started_at.is_some() && self.is_open(index);
                self.task.set_due(index, None);
                self.unqueue(index);
                self.change.sub_tasks.push(index);
                if in_doubt {
                    self.runs_elsewhere(index);
                }
            }
            SubTaskStatus::Successful
            | SubTaskStatus::Failed
            | SubTaskStatus::Skipped
            | SubTaskStatus::NotApplicable => {}
        }
    }

    /// False for a child whose parent does not run.
    fn is_open(&self, index: u32) -> bool {
        let record = &self.task.record;
        let child = record.sub_tasks[index as usize].child.as_ref();
        child.is_none_or(|child| record.sub_tasks[child.parent as usize].status == SubTaskStatus::InProgress)
    }

    /// The sub-task fails with an unknown outcome, also one that may be repeated: it is under way at this
    /// very moment, and a second run is an operator's decision.
    fn runs_elsewhere(&mut self, index: u32) {
        let fault = outcome_unknown(copied());
        let sub = &self.task.record.sub_tasks[index as usize];
        let key = sub.live_key();
        if sub.status == SubTaskStatus::InProgress {
            self.failed_for_good(index, Outcome::Lost, fault);
            self.task.sub(index).lost += 1;
        } else {
            let now = self.now;
            self.task.set_status(index, SubTaskStatus::Failed);
            let sub = self.task.sub(index);
            sub.completed_at = Some(now.max(sub.started_at.unwrap_or(now)));
            sub.errors = vec![fault];
        }
        let sub = self.task.sub(index);
        sub.key = Some(key);
        sub.outcome_unknown = true;
        self.change.sub_tasks.push(index);
    }
}

/// The reason for which a task, or an attempt of it, does not go on at a copy.
pub(super) fn copied() -> Fault {
    Fault::new(
        code::TASK_COPIED,
        "this is a copy of the task, and the original goes on where it was copied from",
    )
    .remedy(
        "Find out what became of the original. Retry the task only if its work is to be done here as well",
    )
}
