//! The program that `longhaul worker exec` runs for each attempt: it does what the environment says, and
//! prints its output.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;

use super::deed::Attempt;
use crate::report::say;

/// The program.
#[derive(Clone, Debug, Args)]
pub struct Program {
    /// The effect counter.
    #[arg(long)]
    pub effects: SocketAddr,
}

/// Runs one attempt.
pub async fn run(program: Program) -> Result<()> {
    let told = |name: &str| std::env::var(name).with_context(|| format!("{name} is not in the environment"));
    let attempt = Attempt {
        task: told("LONGHAUL_TASK_ID")?,
        sub_task: told("LONGHAUL_SUB_TASK")?,
        key: told("LONGHAUL_IDEMPOTENCY_KEY")?,
        token: told("LONGHAUL_TOKEN")?.parse().context("the fencing token")?,
        by: "exec",
    };
    attempt.work(program.effects).await?;
    say(r#"{"by":"exec"}"#);
    Ok(())
}
