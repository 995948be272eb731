#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod any;
mod audit;
mod body;
mod builder;
mod credentials;
mod error;
mod events;
#[cfg(test)]
mod foreign_test;
mod health;
mod http;
mod lenient;
mod session;
mod sessions;
mod shape;
mod tasks;
mod tokens;
mod trust;
mod users;
mod work;
mod workflows;

pub use any::{AnyCall, Verb};
pub use audit::{AuditBody, AuditFilter, HistoryBody, ObstacleBody, ReasonBody, WhyBody};
pub use body::{
    AttemptBody, CauseBody, ErrorBody, PageBody, PageMetadata, Phase, ResourceBody, StageBody, SubTaskBody,
    TaskBody, WaitingForBody, WorkflowRef,
};
pub use builder::ClientBuilder;
pub use credentials::Credentials;
pub use error::ClientError;
pub use events::{Event, Events};
pub use health::HealthBody;
pub use http::Client;
pub use lenient::read;
pub use session::Session;
pub use sessions::SessionBody;
pub use tasks::{Imported, Read, ResolveTask, StartTask, Started, TaskFilter, Versioned};
pub use tokens::{Login, RefreshTokenBody, Tokens};
pub use users::{ApiKeyBody, NewUserBody, UserBody, UserChange};
pub use work::{
    ClockBody, LockBody, LogBody, LogFilter, LogLineBody, NodeBody, QueueBody, QueueLimitsBody, WorkBody,
    WorkerBody,
};
pub use workflows::WorkflowBody;
