//! `completions`: a script for the user's shell.

use anyhow::anyhow;
use clap_complete::env::Shells;

use crate::cli::CompletionsArgs;
use crate::complete::VARIABLE;
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Prints the completion script.
pub(crate) fn run(args: &CompletionsArgs, out: &Out) -> Result<Code, Failure> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| anyhow!("there is no script for {name}"))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "longhaul", "longhaul", "longhaul", &mut script)?;
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Code::Success)
}
