//! `worker …`.

mod exec;
mod list;

use super::context;
use crate::cli::{Global, WorkerCommand};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Runs a `worker` command.
pub(crate) async fn run(command: WorkerCommand, global: &Global, out: Out) -> Result<Code, Failure> {
    match command {
        WorkerCommand::List => list::run(&context(global, out).await?).await,
        WorkerCommand::Exec(args) => exec::run(args, global).await,
    }
}
