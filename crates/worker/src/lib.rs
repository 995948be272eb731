//! Workers of Longhaul in Rust: async functions that do the work of sub-tasks.
//!
//! A sub-task of a workflow names a queue ([docs/workers.md]); a worker serves queues with functions:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use longhaul_worker::{ActionError, Context, Worker};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize)]
//! struct HostSpec {
//!     host: String,
//! }
//!
//! #[derive(Serialize)]
//! struct Updated {
//!     version: String,
//! }
//!
//! async fn update(ctx: Context, input: HostSpec) -> Result<Updated, ActionError> {
//!     ctx.log(format!("updating {}", input.host));
//!     ctx.progress(50);
//!     tokio::select! {
//!         () = tokio::time::sleep(Duration::from_secs(60)) => Ok(Updated { version: "9.1".to_owned() }),
//!         () = ctx.cancellation().cancelled() => Err(ActionError::new("STOPPED", "stopped half way")),
//!     }
//! }
//!
//! # async fn example(key: String) -> Result<(), Box<dyn std::error::Error>> {
//! Worker::builder("https://longhaul.example.com:8443", key)
//!     .slots(8)
//!     .lease(Duration::from_secs(30))
//!     .queue("esxi", update)
//!     .queue("ping", |_ctx: Context, host: String| async move { Ok(host.len()) })
//!     .build()?
//!     .run(async { drop(tokio::signal::ctrl_c().await) })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! The library sends heartbeats for all leases together, also while handlers block; reports results and
//! leases the next attempts in one call; repeats calls that got no answer, with pauses that grow to 10 s; and
//! stops in order. No library can make an attempt run only once: a worker may die after its work and before
//! its report, so work should be repeatable, or use [`Context::idempotency_key`] or [`Context::token`].
//!
//! [docs/workers.md]: https://github.com/longhaul/longhaul/blob/main/docs/workers.md
#![forbid(unsafe_code)]

mod action_error;
mod builder;
mod context;
mod desk;
mod error;
mod handler;
mod http;
mod identity;
mod stage;
mod token;
mod told;
mod wire;
mod worker;

pub use action_error::{ACTION_FAILED, ActionError, Cause};
pub use async_trait::async_trait;
pub use builder::WorkerBuilder;
pub use context::{Context, StopReason};
pub use error::WorkerError;
pub use stage::{Stage, StageStatus};
pub use token::{Renewal, TokenSource};
pub use wire::Task;
pub use worker::Worker;
