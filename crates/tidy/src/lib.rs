//! Rules of the source tree that no compiler checks. Each rule is a function from the tree to its findings,
//! in words; `tests/tree.rs` holds the repository to them.
#![forbid(unsafe_code)]

pub mod circles;
pub mod comments;
pub mod links;
mod modules;
pub mod sizes;
pub mod tree;
