//! Audit log: one row for each accepted mutation, written in its transaction, and one for each refused login.

use std::net::IpAddr;
use std::sync::Arc;

use longhaul_model::Timestamp;

tokio::task_local! {
    static REFERENCE: Arc<str>;
}

/// Does what a request asks for: all that is noted meanwhile has its reference.
pub async fn referenced<T>(reference: &str, of: impl Future<Output = T>) -> T {
    REFERENCE.scope(reference.into(), of).await
}

/// Row to be written for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Account that asked.
    pub by: Arc<str>,
    /// From where.
    pub from: Option<IpAddr>,
    /// Purpose: the `operationId` of the call.
    pub action: &'static str,
    /// Target of the change; a new task's ID unless given.
    pub target: Option<String>,
    /// More about it, without secrets.
    pub detail: Option<String>,
    /// False for what was refused, such as a login.
    pub accepted: bool,
    /// The reference of the request, which its answer and the server's log have too.
    pub reference: Option<String>,
}

impl Audit {
    /// An accepted change, with the reference of the request at hand.
    pub fn new(by: Arc<str>, from: Option<IpAddr>, action: &'static str) -> Self {
        let reference = REFERENCE.try_with(|reference| reference.to_string()).ok();
        Audit { by, from, action, target: None, detail: None, accepted: true, reference }
    }

    /// Sets the target.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// More about it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Marks the row as refused.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.accepted = false;
        self
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Position in the order of changes, without gaps.
    pub seq: u64,
    /// Time of the change.
    pub at: Timestamp,
    /// Account that asked.
    pub by: String,
    /// From where.
    pub from: Option<String>,
    /// Purpose.
    pub action: String,
    /// Target.
    pub target: Option<String>,
    /// More about it.
    pub detail: Option<String>,
    /// True if the change was accepted.
    pub accepted: bool,
    /// The reference of the request.
    pub reference: Option<String>,
}

/// Query for rows, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Of this principal.
    pub by: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// On this target.
    pub target: Option<String>,
    /// Accepted ones, or refused ones.
    pub accepted: Option<bool>,
    /// Since then.
    pub since: Option<Timestamp>,
    /// Rows to leave out.
    pub offset: u64,
    /// Rows at the most.
    pub limit: u32,
}

/// Rows and the exact total.
#[derive(Clone, Debug, Default)]
pub struct AuditPage {
    /// The rows.
    pub entries: Vec<AuditEntry>,
    /// Number of matches.
    pub total: u64,
}
