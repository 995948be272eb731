//! Settings of tasks (wire contract, section 1.10), kept with them.

use std::num::NonZeroU16;

use longhaul_model::TaskId;
use longhaul_store::{Audit, Deletion};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::engine::Engine;
use crate::error::EngineError;

/// The name under which the settings are kept.
const NAME: &str = "tasks";

/// The longest retention, in days.
const LONGEST: u16 = 730;

/// Settings of an installation, which operators change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSettings {
    /// Days for which a task is kept after its end: 1 to 730.
    pub retention_days: NonZeroU16,
}

impl Default for TaskSettings {
    fn default() -> Self {
        const YEAR: NonZeroU16 = NonZeroU16::new(365).unwrap();
        TaskSettings { retention_days: YEAR }
    }
}

/// Outcome of a deletion, with the task that was to be deleted.
pub type DeletionResult = (TaskId, Deletion);

impl Engine {
    /// Returns the settings; the default where nobody set any.
    pub fn settings(&self) -> Result<TaskSettings, EngineError> {
        let stored = self.inner.store.setting(NAME).map_err(EngineError::Store)?;
        Ok(stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default())
    }

    /// Sets them.
    pub async fn set_settings(&self, settings: TaskSettings, audit: Audit) -> Result<(), EngineError> {
        if settings.retention_days.get() > LONGEST {
            let reason = "it takes 1 to 730 days";
            return Err(EngineError::BadSetting { member: "retentionDays", reason });
        }
        let audit = audit.detail(format!("retentionDays {}", settings.retention_days));
        let value = json!(settings);
        self.inner.store.put_setting(NAME, value, Some(audit)).await.map_err(EngineError::Store)
    }
}
