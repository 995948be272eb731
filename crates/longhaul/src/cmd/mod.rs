//! Commands, one a file.

mod backup;
mod completions;
mod import;
mod task;
mod workflow;

use longhaul_client::Client;
pub(crate) use workflow::Linted;

use crate::cli::{Command, Global};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// What every command that talks to a server has.
pub(crate) struct Context {
    /// The server.
    pub(crate) client: Client,
    /// Where to show the answers.
    pub(crate) out: Out,
}

/// Runs a command to its end.
pub(crate) fn run(command: Command, global: &Global, out: Out) -> Result<Code, Failure> {
    match command {
        Command::Serve(args) => crate::serve::run(*args, out),
        Command::Task(command) => blocking(async { task::run(command, &context(global, out)?).await }),
        Command::Workflow(command) => blocking(async { workflow::run(command, global, out).await }),
        Command::Import(args) => blocking(async { import::run(&args, &context(global, out)?).await }),
        Command::Backup(args) => backup::run(&args, &out),
        Command::Completions(args) => completions::run(&args, &out),
    }
}

/// A client of the server that the options name.
pub(crate) fn context(global: &Global, out: Out) -> Result<Context, Failure> {
    Ok(Context { client: Client::new(&global.server)?, out })
}

/// A client does one thing at a time: one thread is enough.
fn blocking(work: impl Future<Output = Result<Code, Failure>>) -> Result<Code, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
