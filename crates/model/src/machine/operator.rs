//! Decisions of operators about a failed task: retry, skip, resolve.

use serde_json::Value;

use super::Step;
use crate::command::{Decided, Refused, Verdict};
use crate::fault::code;
use crate::status::{Resolution, SubTaskStatus, TaskStatus};

impl Step<'_> {
    /// Retries a task: FAILED sub-tasks go back to PENDING; successful ones stay, with their outputs.
    pub(super) fn retry(&mut self, by: String) -> Result<(), Refused> {
        if self.task.record.credentials_operation().is_some() {
            return Err(Refused::RetriedByOwnCall);
        }
        self.check_retryable()?;
        self.go_back(by);
        Ok(())
    }

    /// Returns an error unless the failed sub-tasks may run again.
    pub(super) fn check_retryable(&self) -> Result<(), Refused> {
        let record = &self.task.record;
        if record.state.status != TaskStatus::Failed {
            return Err(Refused::NotFailed(record.state.status));
        }
        if !record.workflow.definition.retryable {
            return Err(Refused::NotRetryable);
        }
        if let Some(index) = record.undecided() {
            return Err(Refused::Undecided(record.sub_task_name(index).to_owned()));
        }
        Ok(())
    }

    /// Sets the failed sub-tasks back to PENDING, and lets the task go on.
    pub(super) fn go_back(&mut self, by: String) {
        self.decided("retry", by, None, None);
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            if self.task.record.sub_tasks[index as usize].status == SubTaskStatus::Failed {
                self.back_to_pending(index);
            }
        }
        self.task.record.state.generation += 1;
        self.go_on();
    }

    pub(super) fn skip(&mut self, index: u32, by: String, reason: String) -> Result<(), Refused> {
        self.check_decidable(index)?;
        self.skipped(index);
        self.decided("skip", by, Some(index), Some(reason));
        self.go_on_if_free();
        Ok(())
    }

    /// Decides several sub-tasks alike, in one change: all of them, or none if one of them cannot be decided.
    pub(super) fn decide(
        &mut self,
        mut sub_tasks: Vec<u32>,
        what: Decided,
        by: String,
        reason: String,
    ) -> Result<(), Refused> {
        sub_tasks.sort_unstable();
        sub_tasks.dedup();
        let status = self.task.record.state.status;
        if status != TaskStatus::Failed {
            return Err(Refused::NothingToDecide(status));
        }
        let Some(first) = sub_tasks.first().copied() else { return Err(Refused::Nothing) };
        for index in &sub_tasks {
            self.check_decidable(*index)?;
            match what {
                Decided::Done => self.check_done(*index)?,
                Decided::NotDone => self.check_again(*index)?,
                Decided::Failed => self.check_unknown(*index)?,
                Decided::Skipped => {}
            }
        }
        for index in &sub_tasks {
            match what {
                Decided::Done => self.done(*index, None),
                Decided::NotDone => self.not_done(*index),
                Decided::Failed => self.failed(*index),
                Decided::Skipped => self.skipped(*index),
            }
        }
        // One note covers all: of the children of one parent under that.
        let parent = self.task.record.own(first);
        let of_one = sub_tasks.iter().all(|index| self.task.record.own(*index) == parent);
        let about = if sub_tasks.len() == 1 { Some(first) } else { of_one.then_some(parent) };
        let word = match what {
            Decided::Done => "done",
            Decided::NotDone => "notDone",
            Decided::Failed => "failed",
            Decided::Skipped => "skip",
        };
        self.decided(word, by, about, Some(reason));
        if let (Some(note), true) = (self.task.record.state.decisions.last_mut(), sub_tasks.len() > 1) {
            note.count = Some(sub_tasks.len() as u32);
        }
        self.go_on_if_free();
        Ok(())
    }

    /// Skips a failed sub-task.
    fn skipped(&mut self, index: u32) {
        let now = self.now;
        self.task.set_status(index, SubTaskStatus::Skipped);
        let sub = self.task.sub(index);
        sub.completed_at = Some(now.max(sub.started_at.unwrap_or(now)));
        sub.outcome_unknown = false;
        self.change.sub_tasks.push(index);
        if let Some(child) = &self.task.record.sub_tasks[index as usize].child {
            let parent = child.parent;
            if let Some(fan) = &mut self.task.sub(parent).fan {
                fan.skipped += 1;
            }
            self.change.sub_tasks.push(parent);
        }
        self.child_decided(index);
    }

    /// Marks a sub-task as successful whose outcome was unknown, or whose work was done by hand.
    fn done(&mut self, index: u32, output: Option<Value>) {
        let now = self.now;
        self.task.set_status(index, SubTaskStatus::Successful);
        let sub = self.task.sub(index);
        sub.completed_at = Some(now.max(sub.started_at.unwrap_or(now)));
        sub.outcome_unknown = false;
        sub.key = None;
        sub.errors.clear();
        self.change.sub_tasks.push(index);
        if let Some(output) = output {
            self.task.set_output(index, output);
            self.change.outputs.push(index);
        }
        self.child_decided(index);
    }

    /// Lets a sub-task that was not done run again, under a new key.
    fn not_done(&mut self, index: u32) {
        self.back_to_pending(index);
        self.new_key(index);
        self.child_decided(index);
    }

    /// Makes a failure known: the sub-task stays failed, and the next attempt asks for new work.
    fn failed(&mut self, index: u32) {
        let sub = self.task.sub(index);
        sub.outcome_unknown = false;
        for error in sub.errors.iter_mut().filter(|error| error.error_code == code::OUTCOME_UNKNOWN) {
            code::FAILURE_CONFIRMED.clone_into(&mut error.error_code);
            "the attempt failed, as an operator found".clone_into(&mut error.message);
            error.remediation_message = Some("Remove the cause, then retry the task".to_owned());
        }
        self.new_key(index);
    }

    pub(super) fn resolve(
        &mut self,
        by: String,
        reason: String,
        verdict: Option<Verdict>,
    ) -> Result<(), Refused> {
        let status = self.task.record.state.status;
        if status != TaskStatus::Failed {
            return Err(Refused::NothingToDecide(status));
        }
        let Some(Verdict { sub_task, done, output }) = verdict else {
            self.decided("resolve", by, None, Some(reason));
            self.task.record.state.resolution = Resolution::Resolved;
            return Ok(());
        };
        self.check_decidable(sub_task)?;
        if done { self.check_done(sub_task) } else { self.check_again(sub_task) }?;
        if let Err(unfit) = output.as_ref().map_or(Ok(()), |output| self.task.check_output(output)) {
            return Err(Refused::Unfit { what: "output", unfit });
        }
        if done {
            self.decided("done", by, Some(sub_task), Some(reason));
            self.done(sub_task, output);
        } else {
            self.decided("notDone", by, Some(sub_task), Some(reason));
            self.not_done(sub_task);
        }
        self.go_on_if_free();
        Ok(())
    }

    /// Returns an error unless a failed sub-task may count as done, its outcome being unknown or its failure
    /// repaired. A sub-task that failed with its children is done when they are.
    fn check_done(&self, index: u32) -> Result<(), Refused> {
        let record = &self.task.record;
        match record.sub_tasks[index as usize].fan {
            None => Ok(()),
            Some(_) => Err(Refused::DecidedByChildren(record.sub_task_name(index).to_owned())),
        }
    }

    /// Returns an error unless the outcome of a failed sub-task is unknown.
    fn check_unknown(&self, index: u32) -> Result<(), Refused> {
        self.check_done(index)?;
        let record = &self.task.record;
        match record.sub_tasks[index as usize].outcome_unknown {
            true => Ok(()),
            false => Err(Refused::OutcomeKnown(record.sub_task_name(index).to_owned())),
        }
    }

    /// Returns an error unless a failed sub-task may run again; if its failure is known, that is a retry of
    /// it alone.
    fn check_again(&self, index: u32) -> Result<(), Refused> {
        self.check_done(index)?;
        let record = &self.task.record;
        if record.sub_tasks[index as usize].outcome_unknown {
            return Ok(());
        }
        if record.credentials_operation().is_some() {
            return Err(Refused::RetriedByOwnCall);
        }
        if !record.workflow.definition.retryable {
            return Err(Refused::NotRetryable);
        }
        Ok(())
    }

    fn check_decidable(&self, index: u32) -> Result<(), Refused> {
        let record = &self.task.record;
        if record.state.status != TaskStatus::Failed {
            return Err(Refused::NothingToDecide(record.state.status));
        }
        let sub =
            record.sub_tasks.get(index as usize).ok_or_else(|| Refused::NoSubTask(index.to_string()))?;
        if sub.status != SubTaskStatus::Failed {
            return Err(Refused::SubTaskNotFailed(record.sub_task_name(index).to_owned()));
        }
        Ok(())
    }

    pub(super) fn back_to_pending(&mut self, index: u32) {
        self.task.set_status(index, SubTaskStatus::Pending);
        let sub = self.task.sub(index);
        sub.started_at = None;
        sub.completed_at = None;
        sub.errors.clear();
        sub.stages.clear();
        sub.progress = None;
        sub.outcome_unknown = false;
        self.change.sub_tasks.push(index);
    }

    /// Gives a sub-task a new key, so that the next attempt asks for new work, whatever was done under the
    /// old one.
    pub(super) fn new_key(&mut self, index: u32) {
        let sub = self.task.sub(index);
        (sub.key, sub.tries, sub.lost) = (None, 0, 0);
        self.change.sub_tasks.push(index);
    }

    /// Lets the task go on unless another sub-task still holds it up.
    fn go_on_if_free(&mut self) {
        // The generation rises even if the task does not go on: a status that an operator took back is told
        // from one that fell by itself.
        self.task.record.state.generation += 1;
        if self.task.tally.blocking == 0 {
            self.go_on();
        } else {
            // This was perhaps the last sub-task with an unknown outcome.
            self.let_go();
        }
    }

    fn go_on(&mut self) {
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            let sub = self.task.sub(index);
            if sub.status == SubTaskStatus::Pending && (sub.tries, sub.lost) != (0, 0) {
                if sub.lost > 0 {
                    // Older versions did not store the key: it follows from the counts.
                    sub.key = Some(sub.next_key());
                }
                (sub.tries, sub.lost) = (0, 0);
                self.change.sub_tasks.push(index);
            }
        }
        self.task.record.state.resolution = Resolution::Unresolved;
        self.start_or_wait();
    }
}
