//! Model Context Protocol (MCP): tools by which an agent looks at tasks and, where that is allowed, starts,
//! retries, cancels and resolves them. Every tool is a few calls of the HTTP API with the caller's own
//! credential, so roles, limits and the audit log are those of the API.
//!
//! Three rules bound what an agent can do:
//! - Texts of tasks are hostile input. Answers say so, and characters that hide or reorder text are removed.
//! - A change needs a reason and the token of a dry run of the same change, which names its consequences.
//! - An answer has at most 8 kB, whatever it is about.
#![forbid(unsafe_code)]

mod answer;
mod api;
mod arguments;
mod compact;
mod pass;
mod server;
mod tools;

pub use api::{Api, Call, Origin, Refusal, Verb};
pub use pass::Passes;
pub use server::Tools;
pub use tools::{READING, WRITING};
