//! Tasks as the wire has them (wire contract, sections 0 and 1). Written straight into bytes: a page holds
//! hundreds of sub-tasks and a task is read far more often than it changes.

mod json;
mod page;
mod task;

pub(crate) use json::Json;
pub(crate) use page::page;
pub(crate) use task::{Extras, View, stored};
