//! `command`: a program on the server's machine, if the server's configuration allows that very program. No
//! shell: every argument arrives as it is, as one argument.

mod capture;
mod names;
mod policy;
mod process;
mod spawner;
mod trusted;

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;

use longhaul_model::workflow::CommandTemplate;
use longhaul_model::{Failure, Fault, Launch, weight};
use longhaul_store::Budget;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{ActionsError, bad_expression, json_of, may_pass, not_done, refuse};
use crate::logs::Log;
use crate::{AllowedProgram, CommandConfig, launcher};
use capture::Captured;
use policy::Policy;
use process::Finished;
use spawner::{Program, Spawner, StartError};
use trusted::Untrusted;

/// Longest part of a failed program's last output that an error quotes, in characters.
const QUOTED: usize = 2000;

/// Maximum bytes of values that are parsed from output without a share of the budget.
const SMALL: usize = 64 * 1024;
/// Maximum bytes held of the output of all programs.
const OUTPUT: usize = 32 << 20;

/// Runs programs.
#[derive(Debug)]
pub(super) struct Commands {
    allow: Vec<Policy>,
    budget: Budget,
    /// Absent where no program is allowed.
    spawner: Option<Spawner>,
}

/// Returns the mistakes in the settings of a program.
pub(super) fn mistakes(program: &AllowedProgram) -> Vec<String> {
    Policy::new(program).err().unwrap_or_default()
}

impl Commands {
    pub(super) fn new(config: &CommandConfig) -> Result<Self, ActionsError> {
        let read = |program: &AllowedProgram| {
            let wrong = |reasons: Vec<String>| ActionsError::CommandAllow {
                path: program.path.clone(),
                reason: reasons.join("; "),
            };
            Policy::new(program).map_err(wrong)
        };
        let allow = config.allow.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let spawner = match allow.as_slice() {
            [] => None,
            [..] => Some(Spawner::new(config.launcher.clone()).map_err(ActionsError::Thread)?),
        };
        Ok(Commands { allow, budget: Budget::new(OUTPUT), spawner })
    }

    pub(super) async fn run(
        &self,
        template: &CommandTemplate,
        launch: &Launch,
        stop: &CancellationToken,
        log: &Log,
    ) -> Result<Option<Value>, Failure> {
        let program = &template.program;
        let (Some(spawner), Some(policy)) = (&self.spawner, self.policy(program)) else {
            return Err(not_allowed(program));
        };
        let start = Program {
            path: program.into(),
            arguments: arguments(template, launch, policy)?,
            env: env(template, launch, policy)?,
            limits: policy.limits(),
        };
        let running = spawner.start(start).await.map_err(|e| not_started(program, &e))?;
        let finished = running.finish(stop, log, &self.budget).await.map_err(|e| lost_sight(program, &e))?;
        if finished.stopped {
            return Err(Failure::Stopped);
        }
        let mut finished = finished;
        let stdout = &mut finished.stdout;
        let values = weight::of_text(stdout.text.as_bytes());
        if values > SMALL {
            stdout.room.reach(stdout.text.len() + values).await;
        }
        judge(program, finished, log)
    }

    /// Releases the control groups and the thread of programs, once they have ended.
    pub(super) async fn close(&self) {
        if let Some(spawner) = &self.spawner {
            spawner.close().await;
        }
    }

    /// Returns the policy of a program, matched byte by byte: `/usr/bin/../bin/x` is another program than
    /// `/usr/bin/x`.
    fn policy(&self, program: &str) -> Option<&Policy> {
        self.allow.iter().find(|policy| policy.path().as_os_str() == OsStr::new(program))
    }
}

fn arguments(template: &CommandTemplate, launch: &Launch, policy: &Policy) -> Result<Vec<String>, Failure> {
    let evaluated = template.arguments.iter().enumerate().map(|(position, argument)| {
        let field = format!("run[{}]", position + 1);
        let text = argument.text(&launch.scope).map_err(|e| bad_expression(&field, &e))?;
        let text = no_nul(&field, text)?;
        policy.check_argument(position, argument, &text).map_err(|reason| unusable(&field, &reason))?;
        Ok(text)
    });
    evaluated.collect()
}

fn env(
    template: &CommandTemplate,
    launch: &Launch,
    policy: &Policy,
) -> Result<Vec<(String, String)>, Failure> {
    let fixed = policy.fixed().iter().cloned().map(Ok);
    let evaluated = template.env.iter().map(|(name, value)| {
        let field = format!("env.{name}");
        policy.check_name(name).map_err(|reason| unusable(&field, &reason))?;
        let text = value.text(&launch.scope).map_err(|e| bad_expression(&field, &e))?;
        Ok((name.clone(), no_nul(&field, text)?))
    });
    // Ahead of all others, which may replace it.
    let trace = launch.trace.map(|trace| Ok(("TRACEPARENT".to_owned(), trace.to_string())));
    trace.into_iter().chain(fixed).chain(evaluated).collect()
}

fn no_nul(field: &str, text: String) -> Result<String, Failure> {
    if text.contains('\0') {
        Err(unusable(field, "has a NUL character, which no program can be given"))
    } else {
        Ok(text)
    }
}

fn unusable(field: &str, reason: &str) -> Failure {
    refuse(
        Fault::new("COMMAND_ARGUMENT", format!("`{field}` {reason}"))
            .remedy(format!("Correct `{field}` of the `command` action, or the values its expressions use")),
    )
}

fn not_allowed(program: &str) -> Failure {
    refuse(
        Fault::new("COMMAND_NOT_ALLOWED", format!("the server does not allow the program `{program}`"))
            .argument(program)
            .remedy(format!(
                "An operator allows it in the server's configuration: add \"{program}\" to `command.allow`, then retry"
            )),
    )
}

fn not_started(program: &str, error: &StartError) -> Failure {
    let fault = Fault::new("COMMAND_NOT_STARTED", format!("`{program}` was not started: {error}"));
    match error {
        StartError::Untrusted(Untrusted::Writable { path, mode }) => refuse(fault.remedy(format!(
            "Whoever may write it decides what runs: chmod go-w {} (its mode is {mode:o})",
            path.display()
        ))),
        StartError::Untrusted(Untrusted::Owner { path, .. }) => refuse(fault.remedy(format!(
            "Its owner decides what runs: chown root {} once it holds what it should",
            path.display()
        ))),
        StartError::Untrusted(_) | StartError::NoProgram(_) => {
            refuse(fault.remedy("Install it, or correct `run` and `command.allow`"))
        }
        // The system lacks processes or memory: another attempt may succeed.
        StartError::System(_) => {
            may_pass(fault.remedy("Look at the limits of processes and memory on the server"))
        }
    }
}

fn lost_sight(program: &str, error: &std::io::Error) -> Failure {
    Failure::Unknown {
        fault: Fault::new("COMMAND_FAILED", format!("how `{program}` ended cannot be found out: {error}")),
    }
}

fn judge(program: &str, finished: Finished, log: &Log) -> Result<Option<Value>, Failure> {
    let Finished { status, stdout, stderr, ran_out_of_memory, .. } = finished;
    match (status.code(), status.signal()) {
        (Some(0), _) => output(stdout, stderr).map(Some),
        (Some(launcher::REFUSED), _) if stderr.text.starts_with(launcher::COMPLAINT) => {
            let reason = stderr.text[launcher::COMPLAINT.len()..].trim();
            let error = match reason.starts_with(launcher::NO_GROUP) {
                true => StartError::System(std::io::Error::other(reason)),
                false => StartError::NoProgram(reason.to_owned()),
            };
            Err(not_started(program, &error))
        }
        (Some(code), _) => {
            let fault = Fault::new("COMMAND_FAILED", format!("`{program}` ended with exit code {code}"));
            let fault = fault.argument(code.to_string()).with("exitCode", code);
            Err(not_done(quoting(fault, &stdout, &stderr, log), true))
        }
        (None, signal) => {
            let name = signal.and_then(|n| Signal::try_from(n).ok()).map_or("a signal", Signal::as_str);
            // Another process killed it: how far it had come is not known.
            let fault = Fault::new("COMMAND_FAILED", format!("`{program}` was ended by {name}"));
            let fault = fault.remedy(match signal.and_then(|n| Signal::try_from(n).ok()) {
                _ if ran_out_of_memory => {
                    "It used more memory than it may: raise `memory_mib` of its `limits`, or give it less to do"
                }
                Some(Signal::SIGXCPU) => {
                    "It used up its processor time: raise `cpu` of its `limits`, or give it less to do"
                }
                Some(Signal::SIGXFSZ) => "It wrote too large a file: raise `file_size_mib` of its `limits`",
                _ => "Look in the system's log for who did: memory running out is one reason",
            });
            Err(Failure::Unknown { fault: quoting(fault, &stdout, &stderr, log) })
        }
    }
}

/// Adds the end of a program's output to an error: standard error first.
fn quoting(fault: Fault, stdout: &Captured, stderr: &Captured, log: &Log) -> Fault {
    let tail = |text: &str| {
        let text = log.clean(text.trim_end().to_owned());
        let from = text.char_indices().rev().nth(QUOTED - 1).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    };
    match (tail(&stderr.text), tail(&stdout.text)) {
        (errors, _) if !errors.is_empty() => fault.cause("STDERR", errors),
        (_, printed) if !printed.is_empty() => fault.cause("STDOUT", printed),
        (_, _) => fault,
    }
}

fn output(stdout: Captured, stderr: Captured) -> Result<Value, Failure> {
    let json = if stdout.truncated { None } else { json_of(stdout.text.as_bytes())? };
    let mut output = json!({ "exitCode": 0, "stdout": stdout.text, "stderr": stderr.text });
    if let Some(json) = json {
        output["json"] = json;
    }
    for (name, truncated) in [("stdoutTruncated", stdout.truncated), ("stderrTruncated", stderr.truncated)] {
        if truncated {
            output[name] = Value::Bool(true);
        }
    }
    Ok(output)
}
