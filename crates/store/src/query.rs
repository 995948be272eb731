//! What a list of tasks is asked for (wire contract, section 2.2).

use longhaul_model::{TaskStatus, Timestamp};

/// Number of tasks, the newest ones, among which the end of an id is looked up: a bound on its cost.
pub(crate) const NEWEST: u32 = 100_000;

/// Filters, order and page of a task list. Filters are joined by "and".
#[derive(Clone, Debug, PartialEq)]
pub struct TaskQuery {
    /// Any of these statuses; empty for all.
    pub statuses: Vec<TaskStatus>,
    /// `Task.type`, case ignored.
    pub kind: Option<String>,
    /// A resource's id, exactly.
    pub resource_id: Option<String>,
    /// A resource's type, case ignored. With `resource_id`: both of one and the same resource.
    pub resource_kind: Option<String>,
    /// Completed (successful, with warning or failed) after this instant.
    pub completed_after: Option<Timestamp>,
    /// The name contains this text, case ignored.
    pub name_contains: Option<String>,
    /// What to sort by; the id breaks ties, in the same direction.
    pub order: OrderBy,
    /// Largest first.
    pub descending: bool,
    /// How many to leave out at the beginning.
    pub offset: u64,
    /// How many to give at the most.
    pub limit: u32,
    /// Maximum number of `forEach` children on the page, in total. A task whose children do not fit is given
    /// with their counts only ([`longhaul_model::Record::leaves_out_children`]).
    pub children: u32,
}

impl Default for TaskQuery {
    /// The newest ten.
    fn default() -> Self {
        TaskQuery {
            statuses: Vec::new(),
            kind: None,
            resource_id: None,
            resource_kind: None,
            completed_after: None,
            name_contains: None,
            order: OrderBy::CreatedAt,
            descending: true,
            offset: 0,
            limit: 10,
            children: 0,
        }
    }
}

/// What a list is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderBy {
    /// By id.
    Id,
    /// By name, as bytes.
    Name,
    /// By type, case ignored; then by creation.
    Kind,
    /// By the status's constant spelling; then by creation.
    Status,
    /// By creation.
    CreatedAt,
    /// By completion; those that have not ended come before the first.
    CompletedAt,
}

impl OrderBy {
    /// All of them.
    pub const ALL: [OrderBy; 6] = [
        OrderBy::Id,
        OrderBy::Name,
        OrderBy::Kind,
        OrderBy::Status,
        OrderBy::CreatedAt,
        OrderBy::CompletedAt,
    ];

    /// The name in `orderBy=`.
    pub fn wire_name(self) -> &'static str {
        match self {
            OrderBy::Id => "id",
            OrderBy::Name => "name",
            OrderBy::Kind => "type",
            OrderBy::Status => "status",
            OrderBy::CreatedAt => "creationTimestamp",
            OrderBy::CompletedAt => "completionTimestamp",
        }
    }
}
