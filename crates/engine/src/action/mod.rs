//! Built-in actions, which the server runs itself. Each has a file or folder; here is what they share: their
//! entry point, and the bound on their output.

mod command;
mod http;
mod simulate;

use std::path::{Path, PathBuf};

use longhaul_model::expr::ExprError;
use longhaul_model::fault::code;
use longhaul_model::value::DEEPEST;
use longhaul_model::workflow::CompiledAction;
use longhaul_model::{Failure, Fault, Launch, Unfit, value};
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::egress::Egress;
use crate::logs::Log;
use crate::{EngineConfig, HttpConfig};

/// Runs attempts of built-in actions. Shared by all.
#[derive(Debug)]
pub struct Actions {
    http: http::Http,
    command: command::Commands,
}

/// Reason why the actions cannot be set up as configured.
#[derive(Debug, Error)]
pub enum ActionsError {
    /// An entry of `http.allow` that cannot be read.
    #[error("http.allow: `{entry}` {reason}")]
    HttpAllow {
        /// Entry as it is written.
        entry: String,
        /// The problem with the entry.
        reason: String,
    },
    /// A file for `http` actions cannot be read, or is not of the expected kind.
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
        /// Path of the program.
        path: PathBuf,
        /// Description of the mistake, and its correction.
        reason: String,
    },
    /// The client could not be made.
    #[error("the HTTP client cannot be set up: {0}")]
    HttpClient(String),
    /// The thread that starts commands could not be made.
    #[error("the thread that starts commands cannot be set up: {0}")]
    Thread(std::io::Error),
}

/// Returns every mistake in the settings of actions: the name of the setting in the configuration file, and
/// the mistake.
pub(crate) fn mistakes(config: &EngineConfig) -> Vec<(String, String)> {
    let entries = config.http.allow.iter().enumerate().filter_map(|(index, entry)| {
        let (entry, reason) = is_destination(entry).err()?;
        Some((format!("actions.http.allow[{index}]"), format!("`{entry}` {reason}")))
    });
    let programs = config.command.allow.iter().enumerate().flat_map(|(index, program)| {
        let each = command::mistakes(program).into_iter();
        each.map(move |reason| {
            let path = program.path.display().to_string();
            let which = if path.is_empty() { "it".to_owned() } else { format!("`{path}`") };
            (format!("actions.command.allow[{index}]"), format!("{which} {reason}"))
        })
    });
    entries.chain(programs).chain(file_mistakes(&config.http)).collect()
}

/// Returns what is wrong with the files of `http` actions.
fn file_mistakes(config: &HttpConfig) -> Vec<(String, String)> {
    let own = config.client_certificate.as_ref();
    let (certificate, key) = (own.map(|(certificate, _)| certificate), own.map(|(_, key)| key));
    let files = [("ca_file", config.ca_file.as_ref()), ("client_cert", certificate), ("client_key", key)];
    let named = |name: &str, path: &Path, reason: String| {
        (format!("actions.http.{name}"), format!("{}: {reason}", path.display()))
    };
    let mut all: Vec<_> = files
        .iter()
        .filter_map(|(name, path)| {
            let reason = std::fs::read((*path)?).err()?;
            Some(named(name, (*path)?, reason.to_string()))
        })
        .collect();
    let is_new = |name: &str| !all.iter().any(|(key, _)| key.ends_with(name));
    let authorities = HttpConfig { ca_file: config.ca_file.clone(), ..HttpConfig::default() };
    let own = HttpConfig { client_certificate: config.client_certificate.clone(), ..HttpConfig::default() };
    let mut found = Vec::new();
    for (part, is_checked) in
        [(authorities, is_new("ca_file")), (own, is_new("client_cert") && is_new("client_key"))]
    {
        if let (true, Err(ActionsError::HttpFile { path, reason })) = (is_checked, http::Http::new(&part)) {
            let of = files.iter().find(|(_, file)| *file == Some(&path)).map_or("ca_file", |(name, _)| name);
            found.push(named(of, &path, reason));
        }
    }
    all.extend(found);
    all
}

fn is_destination(entry: &String) -> Result<(), (String, String)> {
    Egress::new(std::slice::from_ref(entry)).map(drop)
}

impl Actions {
    /// Reads the allow lists and sets up the HTTP client.
    pub fn new(config: &EngineConfig) -> Result<Actions, ActionsError> {
        Ok(Actions {
            http: http::Http::new(&config.http)?,
            command: command::Commands::new(&config.command)?,
        })
    }

    /// Releases the resources of attempts. No attempt may follow.
    pub async fn close(&self) {
        self.command.close().await;
    }

    /// Runs one attempt to its end. When `stop` is cancelled the attempt cleans up, kills what it started,
    /// and ends as stopped; the caller knows whether that was a cancel or a timeout. Lines of output go to
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

/// Passes an output on if it can be kept. The model checks again; the check here spares the writer that work.
/// The output of commands is not checked here at all.
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

/// Returns a failure for work that was not done, as the party asked to do it says.
fn not_done(fault: Fault, retryable: bool) -> Failure {
    Failure::Error { fault, retryable }
}

/// Returns the failure of an expression that could not be evaluated: the input and outputs of an attempt do
/// not change, so the next attempt would fail, too.
pub(crate) fn bad_expression(field: &str, error: &ExprError) -> Failure {
    refuse(Fault::new(code::EXPRESSION, format!("`{field}`: {error}")).remedy(error.remedy()))
}
