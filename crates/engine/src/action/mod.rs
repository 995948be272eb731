//! The actions that the server runs itself. One file or folder each; here is what they share: the way in, and
//! the bound on what they give.

mod command;
mod http;
mod simulate;

use std::path::PathBuf;

use longhaul_model::expr::ExprError;
use longhaul_model::fault::code;
use longhaul_model::value::DEEPEST;
use longhaul_model::workflow::CompiledAction;
use longhaul_model::{Failure, Fault, Launch, Unfit, value};
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::EngineConfig;
use crate::logs::Log;

/// Runs attempts of built-in actions. Shared by all.
#[derive(Debug)]
pub struct Actions {
    http: http::Http,
    command: command::Commands,
}

/// Why the actions cannot be set up as configured.
#[derive(Debug, Error)]
pub enum ActionsError {
    /// An entry of `http.allow` that cannot be read.
    #[error("http.allow: `{entry}` {reason}")]
    HttpAllow {
        /// The entry as it is written.
        entry: String,
        /// The problem with the entry.
        reason: String,
    },
    /// A file of `http` that cannot be read, or is not of the expected kind.
    #[error("http: `{}`: {reason}", path.display())]
    HttpFile {
        /// The file.
        path: PathBuf,
        /// The problem with the file.
        reason: String,
    },
    /// An entry of `command.allow` that makes no sense.
    #[error("command.allow: `{}` {reason}", path.display())]
    CommandAllow {
        /// The program that it is about.
        path: PathBuf,
        /// The problem with the entry, and what to write.
        reason: String,
    },
    /// The client could not be made.
    #[error("the HTTP client cannot be set up: {0}")]
    HttpClient(String),
    /// The thread that starts commands could not be made.
    #[error("the thread that starts commands cannot be set up: {0}")]
    Thread(std::io::Error),
}

impl Actions {
    /// Reads the allow lists and sets up the HTTP client.
    pub fn new(config: &EngineConfig) -> Result<Actions, ActionsError> {
        Ok(Actions {
            http: http::Http::new(&config.http)?,
            command: command::Commands::new(&config.command)?,
        })
    }

    /// Lets go of what attempts run in. None may follow.
    pub async fn close(&self) {
        self.command.close().await;
    }

    /// Runs one attempt to its end. When `stop` is cancelled it cleans up, killing what it started, and ends
    /// as stopped; whether that was a cancel or a timeout is the caller's to say. What it has to say goes to
    /// `log`.
    pub async fn run(
        &self,
        launch: &Launch,
        stop: CancellationToken,
        log: &Log,
    ) -> Result<Option<Value>, Failure> {
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        let output = match &launch.action {
            CompiledAction::Simulate(template) => simulate::run(template, launch, &stop).await,
            // Letting go of a request closes its connection: there is nothing else to clean up.
            CompiledAction::Http(template) => tokio::select! {
                biased;
                output = self.http.run(template, launch, log) => output,
                () = stop.cancelled() => Err(Failure::Stopped),
            },
            CompiledAction::Command(template) => return self.command.run(template, launch, &stop, log).await,
            CompiledAction::Worker(_) => Err(refuse(Fault::new(
                "ACTION_NOT_RUNNABLE",
                "a `worker` action is run by a worker, and never by the server",
            ))),
            CompiledAction::Wait(_) => Err(refuse(Fault::new(
                "ACTION_NOT_RUNNABLE",
                "a `wait` is a timer of the task itself and has no attempt to run",
            ))),
        }?;
        checked(output)
    }
}

/// Passes an output on if it can be kept. The model checks again; checking here spares the writer that work,
/// and the output of commands is not checked here at all.
fn checked(output: Option<Value>) -> Result<Option<Value>, Failure> {
    let unfit = output.as_ref().and_then(|value| value::check_output(value).err());
    unfit.map_or(Ok(output), |unfit| Err(refuse(unfit.fault())))
}

/// Parses a text as JSON; `None` if the text is something else. JSON nested too deeply to be parsed is also
/// too deep for an output, and JSON with a name twice in one object is refused: readers differ on which one
/// counts.
fn json_of(text: &[u8]) -> Result<Option<Value>, Failure> {
    if let Err(doubled) = value::check_names(text) {
        let fault = Fault::new(code::OUTPUT_AMBIGUOUS, format!("the output is JSON in which {doubled}"));
        return Err(refuse(fault.remedy("Have whatever gave it use each name of an object once")));
    }
    match serde_json::from_slice(text) {
        Ok(json) => Ok(Some(json)),
        Err(_) if value::nesting(text) > DEEPEST && serde_json::from_slice::<IgnoredAny>(text).is_ok() => {
            Err(refuse(Unfit::TooDeep.fault()))
        }
        Err(_) => Ok(None),
    }
}

/// Returns a failure on our side that another attempt would only repeat.
fn refuse(fault: Fault) -> Failure {
    Failure::Local { fault, retryable: false }
}

/// Returns a failure on our side that another attempt may not meet again.
fn may_pass(fault: Fault) -> Failure {
    Failure::Local { fault, retryable: true }
}

/// Returns a failure for work that the party asked to do it says was not done.
fn not_done(fault: Fault, retryable: bool) -> Failure {
    Failure::Error { fault, retryable }
}

/// An expression that could not be evaluated: the input and outputs of an attempt do not change, so neither
/// would the next one do better.
pub(crate) fn bad_expression(field: &str, error: &ExprError) -> Failure {
    refuse(Fault::new(code::EXPRESSION, format!("`{field}`: {error}")).remedy(error.remedy()))
}
