//! Listener to a check.

use longhaul_model::TaskId;
use longhaul_model::workflow::Workflow;
use serde_json::Value;

use super::extent::Progress;
use super::finding::Finding;

/// Listener to a check, which also opens secrets.
pub trait Inspector {
    /// Called with the progress of the check.
    fn progress(&mut self, _progress: Progress) {}
    /// Called with a finding, as soon as there is one.
    fn found(&mut self, finding: Finding);
    /// Tries to open the secrets in the input of a task. The error is the reason why they stay closed.
    fn secrets(&mut self, _id: TaskId, _workflow: &Workflow, _input: &Value) -> Result<(), String> {
        Ok(())
    }
}
