//! Pure core of Longhaul: tasks and workflows, and every change of a status as a function of (task, command,
//! now). No I/O, no clock of its own, nothing asynchronous.
#![forbid(unsafe_code)]

mod claims;
mod clock;
pub mod command;
pub mod credentials;
pub mod encoding;
pub mod env;
pub mod expr;
pub mod fault;
pub mod id;
pub mod invariant;
pub mod lived;
pub mod liveness;
mod machine;
mod measure;
pub mod record;
pub mod resource;
mod room;
pub mod status;
mod task;
pub mod text;
pub mod time;
pub mod trace;
pub mod value;
pub mod weight;
pub mod workflow;

pub use claims::{Claim, ClaimMode, Line};
pub use clock::Steady;
pub use command::{Change, Command, Decided, Effect, Failure, Launch, Leased, Refused, Terms, Verdict};
pub use env::Env;
pub use fault::{Cause, Fault};
pub use id::{NodeId, TaskId, Token, WorkerId, WorkflowVersion};
pub use machine::Unread;
pub use measure::{ActionKind, AttemptEnd, Ended, Measure, Measures, Run, Wait};
pub use record::{
    Attempt, Child, Children, Decision, EffectKey, Fan, Hold, Lease, Outcome, Record, Stage, State,
    StopReason, Stopping, SubTask, WaitingFor,
};
pub use resource::{LockMode, Resource};
pub use room::{Permit, Room, Unlimited};
pub use status::{Resolution, StageStatus, StatusStyle, SubTaskStatus, TaskStatus};
pub use task::{NotAccepted, Spec, Task};
pub use time::{Span, Timestamp};
pub use trace::TraceContext;
pub use value::Unfit;
