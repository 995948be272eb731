//! `serve`: opens the store, starts the engine, loads workflows, listens, and stops in an orderly way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use longhaul_engine::Engine;
use longhaul_model::Env;
use longhaul_model::workflow::Definition;
use longhaul_server::{Server, ServerConfig};
use longhaul_store::Store;
use longhaul_store::sqlite::Sqlite;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, ServeArgs};
use crate::cmd::Linted;
use crate::config::Config;
use crate::demo::{self, Demo};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Runs until a signal says to stop.
pub(crate) fn run(args: ServeArgs, out: Out) -> Result<Code, Failure> {
    let mut config = Config::load(args)?;
    if cfg!(target_os = "linux") {
        // So that programs die with the server, even with one that is killed.
        config.engine.command.launcher = Some(PathBuf::from("/proc/self/exe"));
    }
    start_log(&config)?;
    let workflows =
        config.workflows.as_deref().map(|folder| workflows(folder, &out)).transpose()?.unwrap_or_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config, workflows, out))
}

async fn serve(
    mut config: Config,
    mut workflows: Vec<(String, Definition)>,
    out: Out,
) -> Result<Code, Failure> {
    // Before anything is started, so that no signal is missed.
    let mut signals = Signals::listen()?;
    let demo = if config.demo { Some(Demo::prepare(&mut config).await?) } else { None };
    if config.demo {
        // A folder's workflow of the same name is what its owner wants to see.
        workflows.splice(0..0, demo::workflows()?);
    }
    let env = Env::real();
    let store: Arc<dyn Store> = Sqlite::open(&config.data_dir, env.clone()).map_err(|e| anyhow!("{e}"))?;
    let engine = Engine::start(store, env, config.engine.clone()).await.map_err(|e| anyhow!("{e}"))?;
    for (origin, definition) in workflows {
        let name = definition.name.clone();
        let put = engine.put_workflow(definition).await.map_err(|e| anyhow!("{origin}: {e}"))?;
        if put.created {
            tracing::info!(workflow = name, version = put.workflow.version, "stored a workflow");
        }
    }
    let settings = ServerConfig { wire: config.wire.into(), ..ServerConfig::default() };
    let server = Server::bind(config.listen, engine.clone(), settings).await.map_err(|e| anyhow!("{e}"))?;
    let address = format!("http://{}", server.local_addr());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.run(stop.clone()));
    out.text(&format!("longhaul listens on {address}, data in {}\n", config.data_dir.display()))?;
    let showing = demo.map(|demo| tokio::spawn(demo.run(address, out)));
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; a second signal stops at once");
    if let Some(showing) = showing {
        showing.abort();
    }
    let orderly = async {
        engine.drain();
        stop.cancel();
        if let Err(e) = serving.await {
            tracing::error!(error = %e, "the server ended early");
        }
        engine.shutdown(config.shutdown_grace).await;
    };
    tokio::select! {
        () = orderly => {
            tracing::info!("stopped");
            Ok(Code::Success)
        }
        signal = signals.next() => {
            tracing::warn!(signal, "stopped at once; the next start goes on from here");
            Ok(Code::Failed)
        }
    }
}

/// The workflows of a folder; any mistake stops the start.
fn workflows(folder: &Path, out: &Out) -> Result<Vec<(String, Definition)>, Failure> {
    let linted = Linted::read(&[folder.to_owned()], out.error_palette)?;
    if !linted.report.is_empty() {
        out.remark(linted.report.trim_end())?;
    }
    if linted.errors > 0 {
        out.remark(&format!("{}: {}; not started", folder.display(), linted.summary()))?;
        return Err(Failure::Said(Code::Failed));
    }
    Ok(linted.definitions)
}

fn start_log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_level).with_context(|| {
        format!("log_level: `{}` is no filter; write info, or info,longhaul_store=debug", config.log_level)
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The two signals that mean stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
