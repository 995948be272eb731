//! Resources that a task works on (wire contract, section 1.4).

use serde::{Deserialize, Serialize};

/// Resource of a task. `type` is the producer's own word and is kept as written; only filters ignore its
/// case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// ID of the resource.
    pub resource_id: String,
    /// Type of the resource: `HOST`, `VCENTER`, `Cluster`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Fully qualified name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Display name of the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Lock mode of a resource while a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LockMode {
    /// Exclusive: no other task may hold the resource.
    #[default]
    Exclusive,
    /// Shared: other tasks may share the resource.
    Shared,
    /// Named for search only.
    None,
}
