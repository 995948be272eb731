//! Wire form of tasks (wire contract, sections 0 and 1). It is written straight into bytes: a page holds
//! hundreds of sub-tasks, and a task is read far more often than it changes.

mod credentials;
mod json;
mod lock;
mod page;
mod task;
pub(crate) mod user;

pub(crate) use credentials::{credentials_sub_task, credentials_task};
pub(crate) use json::Json;
pub(crate) use lock::lock;
pub(crate) use page::{one, page};
pub(crate) use task::{Extras, View, stored};
