//! Requests: ids and names in paths, parameters in queries, bodies within their limits.

mod body;
mod canonical;
mod paging;
mod path;
mod query;

pub(crate) use body::{Json, any, any_json_body, json_body, parsed, public_body, unsaid};
pub(crate) use canonical::canonical;
pub(crate) use paging::{Paging, whole_number};
pub(crate) use path::{Id, IfNoneMatch, Named, decoded};
pub(crate) use query::Parameters;
