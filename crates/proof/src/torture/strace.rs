//! Kills at a given system call. The count is kept by thread: the k-th call of any one thread ends the
//! process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// The calls that make data durable.
pub(super) const SYNCS: &str = "fsync,fdatasync";
/// The calls that write into the database and its log.
pub(super) const WRITES: &str = "pwrite64";

/// Fails when there is no strace.
pub(super) async fn check() -> Result<()> {
    let asked = Command::new("strace").arg("--version").stdout(Stdio::null()).status().await;
    match asked {
        Ok(status) if status.success() => Ok(()),
        _ => bail!("strace is missing: `make setup` installs it"),
    }
}

fn arguments(calls: &str, when: u32, trace: &Path) -> Vec<String> {
    [
        "-f".to_owned(),
        "-qq".to_owned(),
        "-o".to_owned(),
        trace.display().to_string(),
        "-e".to_owned(),
        format!("trace={calls}"),
        "-e".to_owned(),
        format!("inject={calls}:signal=KILL:when={when}"),
    ]
    .into()
}

/// Returns the command to run the server under. The server stays the harness's own child: the tracer is the
/// one that steps aside.
pub(super) fn under(calls: &str, when: u32, trace: &Path) -> Vec<String> {
    let mut all = vec!["strace".to_owned(), "-D".to_owned()];
    all.extend(arguments(calls, when, trace));
    all
}

/// Attaches to a server that runs: its counts begin here. Ends with the server.
pub(super) async fn attach(calls: &str, when: u32, trace: &Path, to: Pid) -> Result<Child> {
    let mut command = Command::new("strace");
    // Without -qq: it says when it is attached.
    let arguments = arguments(calls, when, trace).into_iter().filter(|argument| argument != "-qq");
    command.args(arguments).args(["-p", &to.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("strace")?;
    let mut lines = BufReader::new(child.stderr.take().context("stderr")?).lines();
    let attached = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains("attached") {
                return Ok(());
            }
        }
        bail!("strace did not attach")
    };
    timeout(Duration::from_secs(10), attached).await.context("strace did not attach within 10 s")??;
    tokio::task::spawn_local(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(child)
}

/// Returns the number of such calls that each thread made, largest first.
pub(super) fn counts(trace: &Path) -> Result<Vec<usize>> {
    let text = std::fs::read_to_string(trace).with_context(|| trace.display().to_string())?;
    let mut counts = std::collections::HashMap::<&str, usize>::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        if call.trim_start().starts_with(|c: char| c.is_ascii_alphabetic()) {
            *counts.entry(thread).or_default() += 1;
        }
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    Ok(counts)
}
