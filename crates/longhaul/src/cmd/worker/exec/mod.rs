//! `worker exec`: any program as a worker.

mod arguments;
mod ending;
mod failure;
mod lines;
mod printed;
mod process;
mod program;
mod session;
mod supervised;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use longhaul_worker::{Context, WorkerBuilder};
use serde_json::Value;

use crate::cli::{ExecArgs, Global};
use crate::cmd::Target;
use crate::exit::{Code, Failure};
use crate::signals::Signals;
use program::Program;

/// Time for the worker's own clean-up, beside the program's.
const MARGIN: Duration = Duration::from_secs(3);

/// Works until a signal, or until the server cannot be reached for longer than the worker's patience.
pub(crate) async fn run(args: ExecArgs, global: &Global) -> Result<Code, Failure> {
    let ended = work(args, global).await;
    crate::log::flush();
    ended
}

async fn work(args: ExecArgs, global: &Global) -> Result<Code, Failure> {
    let program = Arc::new(Program::new(&args.program, args.grace)?);
    let mut builder = trusting(session::builder(global).await?, global)?
        .slots(args.slots)
        .lease(args.lease)
        .grace(args.grace)
        .cleanup(args.grace.saturating_add(MARGIN));
    if let Some(patience) = args.patience {
        builder = builder.patience(patience);
    }
    for queue in args.queues {
        let program = program.clone();
        builder = builder.queue(queue, move |context: Context, input: Value| {
            let program = program.clone();
            async move { program.run(&context, &input).await }
        });
    }
    let worker = builder.build().map_err(failure::of)?;
    start_log()?;
    let mut signals = Signals::listen()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut working = std::pin::pin!(worker.run(async move { drop(stopped.await) }));
    tokio::select! {
        ended = &mut working => return ended.map(|()| Code::Success).map_err(failure::of),
        signal = signals.stop() => tracing::info!(signal, "stopping; a second signal stops at once"),
    }
    drop(stop);
    tokio::select! {
        ended = working => ended.map(|()| Code::Success).map_err(failure::of),
        signal = signals.stop() => {
            tracing::warn!(signal, "stopped at once; what ran is tried again when its lease has expired");
            Ok(Code::Failed)
        }
    }
}

/// Sets the certificates to trust, as in every command.
fn trusting(builder: WorkerBuilder, global: &Global) -> Result<WorkerBuilder, Failure> {
    let target = Target::of(global)?;
    if target.insecure {
        return Ok(builder.insecure());
    }
    Ok(match &target.ca {
        Some(ca) => builder.authority(std::fs::read(ca).with_context(|| format!("--ca {}", ca.display()))?),
        None => builder,
    })
}

/// Sends the worker's own messages to standard error; no message waits for its reader.
fn start_log() -> Result<(), Failure> {
    let level = crate::environment::text("LONGHAUL_LOG").unwrap_or_else(|| "info".to_owned());
    crate::log::start_plain(&level).context("LONGHAUL_LOG")?;
    Ok(())
}
