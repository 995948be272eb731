//! Credentials tasks as their API shows them (wire contract, section 1.7).

use super::{Record, SubTask};
use crate::credentials::{Operation, sub_task_id};
use crate::id::TaskId;
use crate::status::{SubTaskStatus, TaskStatus};

impl Record {
    /// Returns the operation on credentials, if this is a credentials task.
    pub fn credentials_operation(&self) -> Option<Operation> {
        self.workflow.definition.credentials
    }

    /// Status of the task in the credentials API (wire contract, section 1.7).
    pub fn credentials_status(&self) -> &'static str {
        match self.state.status {
            TaskStatus::Pending => "PENDING",
            TaskStatus::InProgress => "IN_PROGRESS",
            TaskStatus::Successful | TaskStatus::CompletedWithWarning | TaskStatus::Skipped => "SUCCESSFUL",
            // An undecided task may have changed a password or not, which is the meaning of the word.
            TaskStatus::Failed if self.undecided().is_some() => "INCONSISTENT",
            TaskStatus::Failed => "FAILED",
            TaskStatus::Cancelled => "USER_CANCELLED",
        }
    }

    /// The place of the sub-task of an id ([`sub_task_id`]).
    pub fn credentials_sub_task(&self, id: TaskId) -> Option<u32> {
        (0..self.sub_tasks.len() as u32).find(|index| sub_task_id(self.id, *index) == id)
    }
}

impl SubTask {
    /// Status of the sub-task in the credentials API (wire contract, section 1.7).
    pub fn credentials_status(&self) -> &'static str {
        match self.status {
            SubTaskStatus::Pending => "PENDING",
            SubTaskStatus::InProgress => "IN_PROGRESS",
            SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => "SUCCESSFUL",
            SubTaskStatus::Failed if self.outcome_unknown => "INCONSISTENT",
            SubTaskStatus::Failed => "FAILED",
        }
    }
}
