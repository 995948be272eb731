//! Statuses of tasks, sub-tasks and stages, and their spelling.
//!
//! Real servers write both `FAILED` and `Failed` (wire contract, section 3); well-known clients match one of
//! the two exactly. A task carries a style; sub-tasks and stages are always in constant style.

use serde::{Deserialize, Serialize};

/// Status of a task. The order is the alphabetical one of the spelling, which is what `orderBy=status` sorts
/// by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TaskStatus {
    /// Cancelled by a caller; nothing of it runs any more.
    Cancelled = 0,
    /// Ended with a warning: a sub-task was skipped by an operator or failed without stopping the task.
    CompletedWithWarning = 1,
    /// Failed: a sub-task failed for good, or the outcome of one is unknown.
    Failed = 2,
    /// Running: at least one sub-task has started.
    InProgress = 3,
    /// Accepted and durable, not started.
    Pending = 4,
    /// The workflow's condition was false.
    Skipped = 5,
    /// Every sub-task that applied succeeded.
    Successful = 6,
}

impl TaskStatus {
    /// All statuses, in the order of their codes.
    pub const ALL: [TaskStatus; 7] = [
        TaskStatus::Cancelled,
        TaskStatus::CompletedWithWarning,
        TaskStatus::Failed,
        TaskStatus::InProgress,
        TaskStatus::Pending,
        TaskStatus::Skipped,
        TaskStatus::Successful,
    ];

    /// The number stores keep.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Converts the stored number; `None` for one that no version wrote.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Returns true if the task does not change any more unless somebody asks for it.
    pub fn is_ended(self) -> bool {
        match self {
            TaskStatus::Pending | TaskStatus::InProgress => false,
            TaskStatus::Cancelled
            | TaskStatus::CompletedWithWarning
            | TaskStatus::Failed
            | TaskStatus::Skipped
            | TaskStatus::Successful => true,
        }
    }

    /// Returns true for the statuses that `completedAfter` calls completed: successful or failed, not
    /// cancelled (wire contract, 2.2).
    pub fn counts_as_completed(self) -> bool {
        matches!(self, TaskStatus::Successful | TaskStatus::Failed | TaskStatus::CompletedWithWarning)
    }

    /// The spelling in a style.
    pub fn spelled(self, style: StatusStyle) -> &'static str {
        match style {
            StatusStyle::Constant => self.constant(),
            StatusStyle::Display => self.display(),
        }
    }

    /// `IN_PROGRESS`.
    pub fn constant(self) -> &'static str {
        match self {
            TaskStatus::Cancelled => "CANCELLED",
            TaskStatus::CompletedWithWarning => "COMPLETED_WITH_WARNING",
            TaskStatus::Failed => "FAILED",
            TaskStatus::InProgress => "IN_PROGRESS",
            TaskStatus::Pending => "PENDING",
            TaskStatus::Skipped => "SKIPPED",
            TaskStatus::Successful => "SUCCESSFUL",
        }
    }

    /// `In Progress`.
    pub fn display(self) -> &'static str {
        match self {
            TaskStatus::Cancelled => "Cancelled",
            TaskStatus::CompletedWithWarning => "Completed With Warning",
            TaskStatus::Failed => "Failed",
            TaskStatus::InProgress => "In Progress",
            TaskStatus::Pending => "Pending",
            TaskStatus::Skipped => "Skipped",
            TaskStatus::Successful => "Successful",
        }
    }

    /// Parses any spelling: case, `_`, `-` and space do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |s: &str| {
            s.chars()
                .filter(|c| !matches!(c, '_' | ' ' | '-'))
                .map(|c| c.to_ascii_uppercase())
                .collect::<String>()
        };
        let wanted = plain(text.trim());
        Self::ALL.into_iter().find(|status| plain(status.constant()) == wanted)
    }
}

/// Spelling of a task's status on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusStyle {
    /// `In Progress`, `Failed`: what most clients expect.
    #[default]
    Display,
    /// `IN_PROGRESS`, `FAILED`.
    Constant,
}

/// Status of a sub-task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubTaskStatus {
    /// The sub-task has not started, or waits for its next automatic attempt.
    #[serde(rename = "P")]
    Pending,
    /// An attempt runs, or a timer does.
    #[serde(rename = "I")]
    InProgress,
    /// Done; never run again.
    #[serde(rename = "S")]
    Successful,
    /// The attempts are spent, or the outcome is unknown.
    #[serde(rename = "F")]
    Failed,
    /// An operator decided to go on without the sub-task.
    #[serde(rename = "K")]
    Skipped,
    /// The condition was false.
    #[serde(rename = "N")]
    NotApplicable,
}

impl SubTaskStatus {
    /// All statuses.
    pub const ALL: [SubTaskStatus; 6] = [
        SubTaskStatus::Pending,
        SubTaskStatus::InProgress,
        SubTaskStatus::Successful,
        SubTaskStatus::Failed,
        SubTaskStatus::Skipped,
        SubTaskStatus::NotApplicable,
    ];

    /// `NOT_APPLICABLE`.
    pub fn constant(self) -> &'static str {
        match self {
            SubTaskStatus::Pending => "PENDING",
            SubTaskStatus::InProgress => "IN_PROGRESS",
            SubTaskStatus::Successful => "SUCCESSFUL",
            SubTaskStatus::Failed => "FAILED",
            SubTaskStatus::Skipped => "SKIPPED",
            SubTaskStatus::NotApplicable => "NOT_APPLICABLE",
        }
    }
}

/// Status of a stage inside a sub-task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageStatus {
    /// The stage has not started.
    Pending,
    /// Running.
    InProgress,
    /// Done.
    Successful,
    /// Failed.
    Failed,
}

impl StageStatus {
    /// `IN_PROGRESS`.
    pub fn constant(self) -> &'static str {
        match self {
            StageStatus::Pending => "PENDING",
            StageStatus::InProgress => "IN_PROGRESS",
            StageStatus::Successful => "SUCCESSFUL",
            StageStatus::Failed => "FAILED",
        }
    }
}

/// Mark on a failed task: whether somebody dealt with the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Resolution {
    /// Nobody has dealt with the failure, or there is none.
    #[default]
    #[serde(rename = "U")]
    Unresolved,
    /// Retried to success, or resolved by an operator.
    #[serde(rename = "R")]
    Resolved,
}

impl Resolution {
    /// `UNRESOLVED`.
    pub fn constant(self) -> &'static str {
        match self {
            Resolution::Unresolved => "UNRESOLVED",
            Resolution::Resolved => "RESOLVED",
        }
    }

    /// Returns true for the default, which stored documents leave out.
    pub fn is_unresolved(&self) -> bool {
        *self == Resolution::Unresolved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_understood() {
        for status in TaskStatus::ALL {
            assert_eq!(TaskStatus::parse(status.constant()), Some(status));
            assert_eq!(TaskStatus::parse(status.display()), Some(status));
            assert_eq!(TaskStatus::parse(&status.display().to_lowercase()), Some(status));
            assert_eq!(TaskStatus::from_code(status.code()), Some(status));
        }
        assert_eq!(TaskStatus::parse("in progress "), Some(TaskStatus::InProgress));
        assert_eq!(TaskStatus::parse("RUNNING"), None);
        assert!(TaskStatus::ALL.is_sorted_by_key(|status| status.constant()));
    }
}
