//! Audit log: one row for each accepted mutation, written in its transaction, and one for each refused login.

use std::net::IpAddr;
use std::sync::Arc;

use longhaul_model::Timestamp;

tokio::task_local! {
    static REFERENCE: Arc<str>;
}

/// Runs a future; all audit entries that are made meanwhile have this reference.
pub async fn referenced<T>(reference: &str, of: impl Future<Output = T>) -> T {
    REFERENCE.scope(reference.into(), of).await
}

/// Row to be written for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Account that asked.
    pub by: Arc<str>,
    /// Address that the request came from.
    pub from: Option<IpAddr>,
    /// Purpose: the `operationId` of the call.
    pub action: &'static str,
    /// Target of the change; a new task's ID unless given.
    pub target: Option<String>,
    /// Further details, without secrets.
    pub detail: Option<String>,
    /// False for a refused action, such as a login.
    pub accepted: bool,
    /// Reference of the request, which its answer and the server's log have too.
    pub reference: Option<String>,
}

impl Audit {
    /// Creates the entry of an accepted change, with the reference of the current request.
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

    /// Adds further details.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let more = detail.into();
        self.detail = Some(match self.detail {
            Some(detail) => format!("{detail}: {more}"),
            None => more,
        });
        self
    }

    /// Marks the row as refused.
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.accepted = false;
        self
    }
}

/// Entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Position in the order of changes, without gaps.
    pub seq: u64,
    /// Time of the change.
    pub at: Timestamp,
    /// Account that asked.
    pub by: String,
    /// Selects entries of this address.
    pub from: Option<String>,
    /// Purpose.
    pub action: String,
    /// Target.
    pub target: Option<String>,
    /// Further details.
    pub detail: Option<String>,
    /// True if the change was accepted.
    pub accepted: bool,
    /// The reference of the request.
    pub reference: Option<String>,
}

/// Query for rows, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Selects entries of this principal.
    pub by: Option<String>,
    /// Selects entries of this action.
    pub action: Option<String>,
    /// Selects entries with this target.
    pub target: Option<String>,
    /// Selects accepted or refused actions.
    pub accepted: Option<bool>,
    /// Selects entries since this instant.
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
