//! Calls that only credentials tasks have: retry with a new spec, and cancel of a failed one.

use serde_json::Value;

use super::Step;
use crate::command::{Effect, Refused};
use crate::credentials::resources;
use crate::status::{SubTaskStatus, TaskStatus};
use crate::value;

impl Step<'_> {
    pub(super) fn retry_credentials(&mut self, by: String, input: Option<Value>) -> Result<(), Refused> {
        if self.task.record.credentials_operation().is_none() {
            return Err(Refused::NoCredentialsTask);
        }
        self.check_retryable()?;
        if let Some(input) = input {
            // The task holds the locks of these resources, and its successful sub-tasks worked on them.
            let (new, held) = (resources(&input), &self.task.record.state.resources);
            if new.len() != held.len() || !new.iter().all(|resource| held.contains(resource)) {
                return Err(Refused::OtherResources);
            }
            value::check_depth(&input).map_err(|unfit| Refused::Unfit { what: "spec", unfit })?;
            if input != self.task.spec().input {
                self.new_keys();
            }
            self.task.set_input(input);
            self.change.input = true;
        }
        self.go_back(by);
        Ok(())
    }

    /// Gives new keys to the sub-tasks that run again: from here on they ask for another effect, which a
    /// target must not take for the one before.
    fn new_keys(&mut self) {
        for index in 0..self.task.record.sub_tasks.len() as u32 {
            let sub = &self.task.record.sub_tasks[index as usize];
            let runs_again = matches!(sub.status, SubTaskStatus::Failed | SubTaskStatus::Pending);
            if runs_again && (sub.key.is_some() || sub.lost > 0) {
                self.new_key(index);
            }
        }
    }

    /// Cancels a failed task: FAILED to CANCELLED. Nothing more happens, and the resources are free.
    pub(super) fn cancel_credentials(&mut self, by: String) -> Result<(), Refused> {
        let record = &self.task.record;
        if record.credentials_operation().is_none() {
            return Err(Refused::NoCredentialsTask);
        }
        if record.state.status != TaskStatus::Failed {
            return Err(Refused::NothingToGiveUp(record.state.status));
        }
        self.decided("cancel", by, None, None);
        let now = self.now;
        let state = &mut self.task.record.state;
        state.status = TaskStatus::Cancelled;
        state.completed_at = Some(now);
        self.let_go();
        self.change.effects.push(Effect::Ended(TaskStatus::Cancelled));
        Ok(())
    }
}
