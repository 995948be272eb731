//! The statuses of tasks, sub-tasks and stages, and how they are spelled.
//!
//! Real servers write both `FAILED` and `Failed` (wire contract, section 3); well-known clients match one of
//! the two exactly. A task carries a style; sub-tasks and stages are always in constant style.

use serde::{Deserialize, Serialize};

/// Where a task stands. The order is the alphabetical one of the spelling, which is what `orderBy=status` sorts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum TaskStatus {
    /// Cancelled by a caller; nothing of it runs any more.
    Cancelled = 0,
    /// Ended, though a sub-task was skipped by an operator or failed without stopping the task.
    CompletedWithWarning = 1,
    /// A sub-task failed for good, or the outcome of one is unknown.
    Failed = 2,
    /// At least one sub-task has started.
    InProgress = 3,
    /// Accepted and durable, not started.
    Pending = 4,
    /// The workflow's condition was false.
    Skipped = 5,
    /// Every sub-task that applied succeeded.
    Successful = 6,
}

impl TaskStatus {
    /// All of them, in the order of their codes.
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

    /// From the stored number; `None` for one that no version wrote.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// True when nothing happens any more unless somebody asks for it.
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

    /// True for what `completedAfter` calls completed: successful or failed, not cancelled (wire contract, 2.2).
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

    /// From any spelling: case, `_`, `-` and space do not matter.
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

/// How a task's status is spelled on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StatusStyle {
    /// `In Progress`, `Failed`: what most clients expect.
    #[default]
    Display,
    /// `IN_PROGRESS`, `FAILED`.
    Constant,
}

/// Where a sub-task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SubTaskStatus {
    /// Not started, or waiting for its next automatic attempt.
    #[serde(rename = "P")]
    Pending,
    /// An attempt runs, or a timer does.
    #[serde(rename = "I")]
    InProgress,
    /// Done; never run again.
    #[serde(rename = "S")]
    Successful,
    /// Its attempts are spent, or its outcome is unknown.
    #[serde(rename = "F")]
    Failed,
    /// An operator decided to go on without it.
    #[serde(rename = "K")]
    Skipped,
    /// Its condition was false.
    #[serde(rename = "N")]
    NotApplicable,
}

impl SubTaskStatus {
    /// All of them.
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

/// Where a stage inside a sub-task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StageStatus {
    /// Not started.
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

/// Whether somebody dealt with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Resolution {
    /// Nobody did, or there was nothing to deal with.
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

    /// True for the default, which stored documents leave out.
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
