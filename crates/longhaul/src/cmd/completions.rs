//! `completions`: a script for the user's shell.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Prints it.
pub(crate) fn run(args: &CompletionsArgs, out: &Out) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "longhaul", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Code::Success)
}
