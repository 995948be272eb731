//! Workflows: the definition as written, and its compiled form, which makes running it cheap.

mod binding;
mod check;
mod compile;
mod definition;
mod graph;
mod masked;
mod metered;
mod names;
mod query;
mod readers;
mod route;
mod schema;
mod schema_faults;
mod secret;
mod template;

pub use check::{MOST_ITEMS, Problem, Severity};
pub use compile::{
    CommandTemplate, CompiledAction, CompiledSubTask, FailTemplate, HttpTemplate, SimulateTemplate,
    WaitTemplate, WorkerTemplate, Workflow,
};
pub use definition::*;
pub(crate) use graph::did_you_mean;
pub use graph::nearest;
pub use query::{QueryError, QueryMistake};
pub use route::{Route, RouteError};
pub use schema::{InputSchema, Violation};
pub use secret::{SEALED, SecretPlace, Secrets, Unclear, is_sealed};
pub use template::definition_schema;
