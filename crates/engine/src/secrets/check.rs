//! Check of stored secrets: whether the keys open them, without their values.

use longhaul_crypto::Sealer;
use longhaul_model::TaskId;
use longhaul_model::workflow::Workflow;
use serde_json::Value;

use super::Vault;

/// Opens the secrets of stored inputs, and forgets them.
pub struct SecretCheck(Vault);

impl SecretCheck {
    /// Creates one with the keys of an installation.
    pub fn new(sealer: Sealer) -> Self {
        SecretCheck(Vault::new(sealer))
    }

    /// Opens every secret in the input of a task. The error is the reason why one stays closed.
    pub fn opens(&self, id: TaskId, workflow: &Workflow, input: &Value) -> Result<(), String> {
        let mut input = input.clone();
        self.0.open(id, &workflow.secrets, &mut input).map(drop).map_err(|e| e.to_string())
    }
}
