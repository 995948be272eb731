//! `serve`: opens the store, starts the engine, loads workflows, listens, and stops in an orderly way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use longhaul_auth::Auth;
use longhaul_engine::Engine;
use longhaul_model::Env;
use longhaul_model::workflow::Definition;
use longhaul_server::{Agents, Certificate, Server, ServerConfig};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use tokio_util::sync::CancellationToken;

use crate::again::Again;
use crate::cli::{McpMode, ServeArgs};
use crate::cmd::Linted;
use crate::config::{Config, Fixed};
use crate::demo::{self, Demo, Reach};
use crate::descriptors;
use crate::environment;
use crate::exit::{Code, Failure};
use crate::log;
use crate::notify::Manager;
use crate::out::Out;
use crate::reload::{Running, Stopping};
use crate::signals::{Signals, Wanted};
use crate::start::NotStarted;
use crate::start::start;
use crate::storage::Ground;
use crate::welcome::Welcome;

/// Time that a stop may take beyond its delay and its grace, for requests to end and the store to close.
const CLOSING: Duration = Duration::from_secs(15);
/// Longest wait for threads that still read from the disk.
const ENDING: Duration = Duration::from_secs(1);

/// Runs the server until a signal stops it.
pub(crate) fn run(args: ServeArgs, out: Out, again: Again) -> Result<Code, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Signals come before anything else, so that none is missed, and none ends the process that has another
    // meaning.
    let signals = {
        let _entered = runtime.enter();
        Signals::listen()?
    };
    let config = Config::load(args.clone())?;
    // A core dump would hold keys, passwords and inputs in clear.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("forbid core dumps")?;
    // Programs of the same account must not read its memory or its environment, which holds passwords.
    prctl::set_dumpable(false).context("forbid that others read its memory")?;
    let lost = log::start(&config.log_level, config.log_format)?;
    let served = prepared(args, config, lost, &out)
        .and_then(|prepared| runtime.block_on(serve(prepared, signals, out, again)));
    // Reads that a hanging disk does not answer must not delay the end.
    runtime.shutdown_timeout(ENDING);
    log::flush();
    served
}

/// A server before anything is opened.
struct Prepared {
    args: ServeArgs,
    config: Config,
    /// Settings that count from the start on.
    fixed: Fixed,
    workflows: Vec<(String, Definition)>,
    /// Limit of open files.
    files: u64,
    /// Count of lost lines of the log.
    lost: Arc<AtomicU64>,
}

fn prepared(
    args: ServeArgs,
    mut config: Config,
    lost: Arc<AtomicU64>,
    out: &Out,
) -> Result<Prepared, Failure> {
    for warning in environment::warnings() {
        tracing::warn!("{warning}");
    }
    let fixed = config.fixed();
    if cfg!(target_os = "linux") {
        // Programs end with the server this way, even if the server is killed.
        config.engine.command.launcher = Some(PathBuf::from("/proc/self/exe"));
    }
    let files = descriptors::raise().context("raise the limit of open files")?;
    if descriptors::fit(&mut config.limits, files) {
        descriptors::warn(files, &config.limits);
    }
    let workflows =
        config.workflows.as_deref().map(|folder| workflows(folder, out)).transpose()?.unwrap_or_default();
    Ok(Prepared { args, config, fixed, workflows, files, lost })
}

async fn serve(prepared: Prepared, mut signals: Signals, out: Out, again: Again) -> Result<Code, Failure> {
    let Prepared { args, mut config, fixed, mut workflows, files, lost } = prepared;
    let manager = Manager::of_environment();
    let demo = if config.demo { Some(Demo::prepare(&mut config).await?) } else { None };
    if config.demo {
        // A workflow of the folder wins over one of the demonstration with the same name.
        workflows.splice(0..0, demo::workflows()?);
    }
    let env = Env::real();
    let settings = ServerConfig {
        wire: config.wire.clone().into(),
        tls: config.tls.clone(),
        limits: config.limits.clone(),
        insecure_http: config.insecure_http,
        trusted_proxies: config.trusted_proxies.clone(),
        unix_mode: config.unix_mode,
        lost_log_lines: lost,
        agents: match config.mcp {
            McpMode::Off => Agents::Off,
            McpMode::Read => Agents::Read,
            McpMode::Write => Agents::Write,
        },
    };
    if config.database.is_some() {
        // Signals are received at every moment: one that arrives later is lost in a process that becomes
        // another.
        let (mut signals, again) = (Signals::listen()?, again.clone());
        tokio::spawn(async move {
            signals.stop().await;
            again.forbid();
        });
        manager.status("waiting for the database");
    }
    let taken = tokio::select! {
        taken = Ground::take(&config, &env, settings, &mut signals, &again) => taken?,
        () = manager.feed_while_waiting() => None,
    };
    let Some(ground) = taken else {
        return Ok(Code::Success);
    };
    let (auth, engine) = match start(&config, &env, &ground, workflows, out).await {
        Ok(started) => started,
        Err(NotStarted::Failed(e)) => return Err(e.into()),
        Err(NotStarted::Away(why)) => {
            let Some(turn) = ground.turn else { return Err(anyhow!("{why}").into()) };
            tracing::warn!("{why}; this node waits for the database");
            tokio::time::sleep(Duration::from_secs(1)).await;
            again.begin(turn)
        }
    };
    let Ground { at, place, .. } = ground;
    let (address, certificate, urls) = (at.local_addr(), at.certificate(), at.urls());
    let server = Server::new(at, engine.clone(), auth.clone());
    let stop = CancellationToken::new();
    let running = Running {
        args,
        fixed,
        files,
        certificate: certificate.clone(),
        controls: server.controls(),
        engine: engine.clone(),
    };
    let serving = tokio::spawn(server.run(stop.clone()));
    let tidy = CancellationToken::new();
    let tidying = auth.spawn(tidy.clone());
    let said = |text: String| {
        // The reader of the output may be gone, long before the node restarts.
        let _ = out.text(&text);
    };
    said(format!("longhaul listens on {}, data in {place}\n", urls.join(", ")));
    greet(&config, address, certificate.as_ref(), &engine, &auth, out);
    let showing = match (demo, address) {
        (Some(demo), Some(address)) => {
            let key = demo::api_key(&auth, &config.data_dir).await?;
            Some(tokio::spawn(demo.run(Reach::new(address, certificate.as_ref(), key), out)))
        }
        _ => None,
    };
    let feeding = {
        let (manager, engine) = (manager.clone(), engine.clone());
        tokio::spawn(async move { manager.feed_while_working(engine).await })
    };
    let (signal, times) = until_stopped(&running, &mut signals, &manager, &config, &urls).await;
    tracing::info!(signal, "stopping; a second signal stops at once");
    manager.stopping();
    end_in_time(times.delay + times.grace + CLOSING)?;
    if let Some(showing) = showing {
        showing.abort();
    }
    let orderly = async {
        // The delay counts even if no other node is known: one may have come a moment ago.
        let delay = if config.database.is_some() { times.delay } else { Duration::ZERO };
        let noticed = tokio::time::sleep(delay);
        // Clients that poll a task are answered until it is quiet: some give up at a refused connection.
        engine.settle(times.grace).await;
        noticed.await;
        tidy.cancel();
        let _ = tidying.await;
        // Reads are answered while the store closes, and changes are refused: the address is given up last.
        engine.shutdown(Duration::from_secs(1)).await;
        stop.cancel();
        if let Err(e) = serving.await {
            tracing::error!(error = %e, "the server ended early");
        }
        feeding.abort();
    };
    tokio::select! {
        () = orderly => {
            tracing::info!("stopped");
            Ok(Code::Success)
        }
        signal = signals.stop() => {
            tracing::warn!(signal, "stopped at once; the next start goes on from here");
            Ok(Code::Failed)
        }
    }
}

/// Serves signals until one of them asks for a stop. Returns its name, and the longest time that the stop may
/// take.
async fn until_stopped(
    running: &Running,
    signals: &mut Signals,
    manager: &Manager,
    config: &Config,
    urls: &[String],
) -> (&'static str, Stopping) {
    let mut times = Stopping::of(config);
    let status = format!("serving on {}", urls.join(", "));
    manager.ready(&status);
    loop {
        match signals.next().await {
            Wanted::Stop(signal) => return (signal, times),
            Wanted::Reload => {
                manager.reloading();
                times = running.reload().await.unwrap_or(times);
                manager.ready(&status);
            }
            Wanted::Status => running.log_status(),
        }
    }
}

/// Prints on standard output what the person who started the server should know.
fn greet(
    config: &Config,
    address: Option<SocketAddr>,
    certificate: Option<&Certificate>,
    engine: &Engine,
    auth: &Auth,
    out: Out,
) {
    let said = |text: String| drop(out.text(&text));
    if engine.is_paused() {
        let until = match config.engine.paused {
            true => "until it is started again without --paused",
            // Data of another place: `is_original` says more in the log.
            false => {
                "as its data was restored, copied or moved: start it once with --moved if the original is gone, or with \
                 --copy if the original lives on"
            }
        };
        said(format!("it is paused: reads and decisions work, nothing starts {until}\n"));
        tracing::warn!("paused: nothing starts {until}");
    }
    let own = certificate.filter(|certificate| certificate.is_self_signed());
    if let Some(own) = own {
        said(format!(
            "its certificate is self-signed; clients trust it with --ca {}\n",
            own.path().display()
        ));
    }
    if let Some(address) = address.filter(|_| !config.demo && config.is_plain) {
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let welcome = Welcome {
            address: format!("{scheme}://{}", reached_at(address)),
            ca: own.map(Certificate::path),
            data_dir: &config.data_dir,
            key_file: &config.key_file,
        };
        said(welcome.text(auth, engine, out.palette));
    }
}

/// Returns the address at which this machine reaches a listening address.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Ends the process if an orderly stop takes longer than the limit, whatever it waits for. A thread of its
/// own does so, as those of the runtime may all wait for a disk that hangs.
fn end_in_time(limit: Duration) -> std::io::Result<()> {
    let watch = move || {
        std::thread::sleep(limit);
        tracing::error!(
            "the storage does not let go: stopped without it; the next start goes on from what it holds"
        );
        log::flush();
        std::process::exit(1);
    };
    std::thread::Builder::new().name("stopping".into()).spawn(watch).map(drop)
}

/// Reads the workflows of a folder; any mistake prevents the start.
fn workflows(folder: &Path, out: &Out) -> Result<Vec<(String, Definition)>, Failure> {
    let linted = Linted::read(&[folder.to_owned()], out.error_palette);
    if !linted.report.is_empty() {
        // With mistakes or without, nobody may read standard error any more.
        let _ = out.remark(linted.report.trim_end());
    }
    if linted.errors > 0 {
        out.remark(&format!("{}: {}; not started", folder.display(), linted.summary()))?;
        return Err(Failure::Said(Code::Failed));
    }
    Ok(linted.definitions)
}
