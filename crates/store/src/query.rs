//! Query of a list of tasks (wire contract, section 2.2).

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
    /// Type of a resource, case ignored. With `resource_id`: both of one and the same resource.
    pub resource_kind: Option<String>,
    /// Instant after which the task completed (successful, with warning or failed).
    pub completed_after: Option<Timestamp>,
    /// The name contains this text, case ignored.
    pub name_contains: Option<String>,
    /// True to list, of failed tasks, only those that nobody has resolved.
    pub open_failures: bool,
    /// Labels that a task must have, all of them: each a name and, unless any will do, its value.
    pub labels: Vec<(String, Option<String>)>,
    /// Sort order; the ID breaks ties, in the same direction.
    pub order: OrderBy,
    /// Largest first.
    pub descending: bool,
    /// Count of tasks to leave out at the beginning.
    pub offset: u64,
    /// Largest count of tasks to return.
    pub limit: u32,
    /// Maximum number of `forEach` children on the page, in total. A task whose children do not fit has only
    /// their counts ([`longhaul_model::Record::leaves_out_children`]).
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
            open_failures: false,
            labels: Vec::new(),
            order: OrderBy::CreatedAt,
            descending: true,
            offset: 0,
            limit: 10,
            children: 0,
        }
    }
}

impl TaskQuery {
    /// Returns true if only documents say whether a task belongs to the list, so that no counter has its
    /// length.
    pub(crate) fn reads_documents(&self) -> bool {
        self.open_failures || !self.labels.is_empty()
    }
}

/// Member by which a list is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderBy {
    /// ID.
    Id,
    /// Name, as bytes.
    Name,
    /// Type, case ignored; then creation.
    Kind,
    /// Status by its constant spelling; then creation.
    Status,
    /// Creation.
    CreatedAt,
    /// Completion; tasks that have not ended sort before the first.
    CompletedAt,
}

impl OrderBy {
    /// All orders.
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
