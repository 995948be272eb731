//! Content of a store, in terms of no engine: tables of plain rows, in the order in which they are
//! moved.

use super::value::Kind::{self, Bytes, Flag, Id, Int, Text};

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Workflows,
    /// Rows of tasks; the parts follow, each with its task's ID.
    Tasks,
    Specs,
    Chunks,
    Outputs,
    Attempts,
    Logs,
    Claims,
    /// Idempotency keys. Keys of tasks that are gone stand for nothing, and stay behind.
    Keys,
    Settings,
    Users,
    ApiKeys,
    RefreshTokens,
    AccountState,
    Audit,
}

/// All tables, each behind those that it needs.
pub(crate) const TABLES: [Table; 15] = [
    Table::Workflows,
    Table::Tasks,
    Table::Specs,
    Table::Chunks,
    Table::Outputs,
    Table::Attempts,
    Table::Logs,
    Table::Claims,
    Table::Keys,
    Table::Settings,
    Table::Users,
    Table::ApiKeys,
    Table::RefreshTokens,
    Table::AccountState,
    Table::Audit,
];

impl Table {
    /// Name of the table, which both engines use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Workflows => "workflows",
            Table::Tasks => "tasks",
            Table::Specs => "specs",
            Table::Chunks => "chunks",
            Table::Outputs => "outputs",
            Table::Attempts => "attempts",
            Table::Logs => "logs",
            Table::Claims => "claims",
            Table::Keys => "keys",
            Table::Settings => "settings",
            Table::Users => "users",
            Table::ApiKeys => "api_keys",
            Table::RefreshTokens => "refresh_tokens",
            Table::AccountState => "account_state",
            Table::Audit => "audit",
        }
    }

    /// Returns true if the rows are parts of tasks: the first column is the task's ID.
    pub(crate) fn is_part(self) -> bool {
        use Table::{Attempts, Chunks, Claims, Keys, Logs, Outputs, Specs};
        matches!(self, Specs | Chunks | Outputs | Attempts | Logs | Claims | Keys)
    }

    /// Columns of the table.
    pub(crate) fn columns(self) -> &'static [(&'static str, Kind)] {
        match self {
            Table::Workflows => &[
                ("wid", Int),
                ("name", Text),
                ("version", Int),
                ("doc", Text),
                ("created_at", Int),
                ("hidden", Flag),
            ],
            Table::Tasks => &[
                ("id", Id),
                ("name", Text),
                ("kind", Text),
                ("status", Int),
                ("created_at", Int),
                ("completed_at", Int),
                ("due_at", Int),
                ("origin", Int),
                ("resources", Text),
                ("doc", Text),
            ],
            Table::Specs => &[("id", Id), ("doc", Text)],
            Table::Chunks => &[("id", Id), ("n", Int), ("doc", Text)],
            Table::Outputs => &[("id", Id), ("sub_task", Int), ("doc", Text)],
            Table::Attempts => &[("id", Id), ("sub_task", Int), ("number", Int), ("doc", Text)],
            Table::Logs => &[
                ("id", Id),
                ("n", Int),
                ("sub_task", Int),
                ("attempt", Int),
                ("lines", Int),
                ("total", Int),
                ("doc", Text),
            ],
            Table::Claims => &[
                ("id", Id),
                ("key", Text),
                ("ticket", Int),
                ("kind", Text),
                ("name", Text),
                ("mode", Int),
                ("most", Int),
                ("held", Flag),
                ("since", Int),
            ],
            Table::Keys => {
                &[("id", Id), ("principal", Text), ("key", Text), ("fingerprint", Bytes), ("created_at", Int)]
            }
            Table::Settings => &[("name", Text), ("doc", Text)],
            Table::Users => &[
                ("name", Text),
                ("role", Text),
                ("kind", Text),
                ("password_hash", Text),
                ("disabled", Flag),
                ("epoch", Int),
                ("created_at", Int),
                ("bounds", Text),
            ],
            Table::ApiKeys => &[
                ("id", Text),
                ("user", Text),
                ("name", Text),
                ("hash", Bytes),
                ("created_at", Int),
                ("last_used_at", Int),
            ],
            Table::RefreshTokens => &[
                ("hash", Bytes),
                ("user", Text),
                ("epoch", Int),
                ("role", Text),
                ("created_at", Int),
                ("expires_at", Int),
                ("means", Text),
                ("origin", Text),
                ("issuer", Text),
                ("granted", Text),
            ],
            Table::AccountState => &[("revision", Int), ("epoch", Int)],
            Table::Audit => &[
                ("seq", Int),
                ("at", Int),
                ("by", Text),
                ("origin", Text),
                ("action", Text),
                ("target", Text),
                ("detail", Text),
                ("accepted", Flag),
                ("reference", Text),
            ],
        }
    }
}

/// A task's row in the order of [`Table::columns`].
pub(crate) mod task {
    pub(crate) const ID: usize = 0;
    pub(crate) const NAME: usize = 1;
    pub(crate) const KIND: usize = 2;
    pub(crate) const STATUS: usize = 3;
    pub(crate) const CREATED_AT: usize = 4;
    pub(crate) const COMPLETED_AT: usize = 5;
    pub(crate) const DUE_AT: usize = 6;
    pub(crate) const ORIGIN: usize = 7;
    pub(crate) const RESOURCES: usize = 8;
    pub(crate) const DOC: usize = 9;
}
