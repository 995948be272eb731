//! `worker …`.

mod list;

use super::Context;
use crate::cli::WorkerCommand;
use crate::exit::{Code, Failure};

/// Runs one.
pub(crate) async fn run(command: WorkerCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        WorkerCommand::List => list::run(context).await,
    }
}
