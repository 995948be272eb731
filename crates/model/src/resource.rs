//! What a task works on (wire contract, section 1.4).

use serde::{Deserialize, Serialize};

/// A resource of a task. `type` is the producer's own word and is kept as written; only filters ignore its case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// Its id.
    pub resource_id: String,
    /// What it is: `HOST`, `VCENTER`, `Cluster`, ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Its fully qualified name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Its display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// How a task holds a resource while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LockMode {
    /// Nobody else.
    #[default]
    Exclusive,
    /// Others that share.
    Shared,
    /// Named for search only.
    None,
}
