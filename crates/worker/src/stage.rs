//! Stages: the steps inside of an attempt that people see.

use serde::Serialize;

/// A step inside of an attempt, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stage {
    /// Name, unique among the stages of an attempt.
    pub name: String,
    /// Type: the name in capitals unless set.
    #[serde(rename = "type")]
    pub kind: String,
    /// Description.
    pub description: String,
    /// Status.
    pub status: StageStatus,
}

/// Status of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
#[expect(missing_docs, reason = "the names say it")]
pub enum StageStatus {
    Pending,
    InProgress,
    Successful,
    Failed,
}

impl Stage {
    /// A stage that has not begun.
    pub fn pending(name: impl Into<String>, description: impl Into<String>) -> Self {
        let name = name.into();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let kind = name.chars().map(plain).collect();
        Stage { name, kind, description: description.into(), status: StageStatus::Pending }
    }

    /// A stage that runs.
    pub fn running(name: impl Into<String>, description: impl Into<String>) -> Self {
        Stage::pending(name, description).status(StageStatus::InProgress)
    }

    /// Sets the status.
    pub fn status(mut self, status: StageStatus) -> Self {
        self.status = status;
        self
    }

    /// Sets the type.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = kind.into();
        self
    }
}
