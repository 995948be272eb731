#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod action_error;
mod cancellation;
mod context;
mod desk;
mod error;
mod handler;
mod http;
mod identity;
mod line;
mod panic;
mod stage;
mod token;
mod told;
mod wire;
mod worker;

pub use action_error::{ACTION_FAILED, ActionError, Cause};
pub use async_trait::async_trait;
pub use cancellation::Cancellation;
pub use context::{Context, StopReason};
pub use error::WorkerError;
pub use stage::{Stage, StageStatus};
pub use token::{Renewal, TokenSource};
pub use wire::Task;
pub use worker::{Worker, WorkerBuilder};
