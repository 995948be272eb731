//! The faults: kills under load, kills at every sync, kills of the recovery. Every run has an end in time,
//! names its seed, and ends with a line of figures.

mod balancer;
mod database;
mod drain;
mod heal;
mod integrity;
mod kills;
mod leaps;
mod memory;
mod mixed;
mod nodes;
mod place;
mod recovery;
mod scenario;
mod site;
mod soak;
mod strace;
mod syncs;
mod workers;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::LocalSet;

use crate::report::{Report, say};
use crate::work::child::{self, Child};
use crate::work::program::{self, Program};
use crate::work::sdk::{self, Sdk};
use kills::Kills;
use place::Place;

/// Kills a Longhaul server in many ways and checks that it kept every promise.
#[derive(Debug, Parser)]
#[command(name = "torture")]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// The short run that fits into continuous integration.
    #[arg(long)]
    quick: bool,
    /// Length of the soak (f32) in minutes.
    #[arg(long, default_value_t = 120)]
    minutes: u64,
    /// Kills under load; 300, or 20 in a quick run.
    #[arg(long)]
    kills: Option<usize>,
    /// Faults to inject: f1 (kills under load), f2 (a kill at every sync), f3 (kills of the recovery), f4
    /// (workers that die, sleep and report twice, a server that stands still: f4, f5, f11, f20), f12 (the
    /// clock is set), f26 (256 MiB of memory for all that costs some); with three nodes on PostgreSQL f1n
    /// (kills), f12n (their clocks differ and are set), f16, f17, f18 (kills, and commits are cut off, the
    /// primary is lost, the server crashes), f17a (a primary is lost whose standby is asynchronous), f17p
    /// (Patroni has its standby take over; not unless asked for, as it needs Patroni and etcd), f19 (nodes
    /// are cut off from the database), f20 (nodes stand still), f21 (nodes behind a balancer are stopped in
    /// order); mixed (workers of every kind side by side, killed); f4n and mixedn are f4 and mixed with three
    /// nodes behind a balancer; f32 (a soak: a kill each minute for `--minutes`; only when asked for).
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "f1,f1n,f2,f3,f4,f4n,f12,f12n,f16,f17,f17a,f18,f19,f20,f21,f26,mixed,mixedn"
    )]
    faults: Vec<String>,
    /// Seed of all randomness; a new one each time unless given.
    #[arg(long)]
    seed: Option<u64>,
    /// The `longhaul` binary; built when not given.
    #[arg(long)]
    longhaul: Option<PathBuf>,
    /// The `longhaul` binary of another release: nodes are brought to it and back under load (f22).
    #[arg(long)]
    next: Option<PathBuf>,
    /// Directory for data and logs, which stay there; a temporary one that is removed unless given.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// A Python interpreter that has the package of clients/python, for `mixed`.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Clients of the load.
    #[arg(long, default_value_t = 12)]
    clients: u64,
}

impl Arguments {
    /// True if a fault was requested.
    fn wants(&self, name: &str) -> bool {
        self.faults.iter().any(|fault| fault.eq_ignore_ascii_case(name))
    }

    /// Returns the length of the soak.
    fn soak(&self) -> Duration {
        Duration::from_secs(self.minutes * 60)
    }
}

#[derive(Debug, Subcommand)]
enum Part {
    /// A worker of the proof.
    #[command(hide = true)]
    Worker(Child),
    /// A worker made of the library in Rust.
    #[command(hide = true)]
    Sdk(Sdk),
    /// The program that `longhaul worker exec` runs.
    #[command(hide = true)]
    Program(Program),
}

/// Mean lifetime of the server between two kills of a soak.
const MINUTE: Duration = Duration::from_secs(60);
/// Nodes behind a balancer that workers are proven against.
const NODES: usize = 3;
/// Longest time that a whole run may take, not counting a soak.
const LIMIT: Duration = Duration::from_secs(3600);

/// The program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = || -> Result<bool> {
        more_files()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let local = LocalSet::new();
        match &arguments.part {
            Some(Part::Worker(child)) => {
                return local.block_on(&runtime, child::run(child.clone())).map(|()| true);
            }
            Some(Part::Sdk(sdk)) => return runtime.block_on(sdk::run(sdk.clone())).map(|()| true),
            Some(Part::Program(program)) => {
                return runtime.block_on(program::run(program.clone())).map(|()| true);
            }
            None => {}
        }
        let all = async {
            let soak = if arguments.wants(soak::NAME) { arguments.soak() } else { Duration::ZERO };
            let limit = LIMIT + soak;
            let run = tokio::time::timeout(limit, run(&arguments)).await;
            run.unwrap_or_else(|_| {
                anyhow::bail!("the run did not end within {} minutes", limit.as_secs() / 60)
            })
        };
        local.block_on(&runtime, all)
    };
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            say(&format!("the run was broken off: {e:#}"));
            say("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

/// Raises the limit of open files: every server that is killed leaves connections that end only later, and a
/// long soak has hundreds of servers.
fn more_files() -> Result<()> {
    const WANTED: u64 = 65_536;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < WANTED.min(hard) {
        setrlimit(Resource::RLIMIT_NOFILE, WANTED.min(hard), hard)?;
    }
    Ok(())
}

async fn run(arguments: &Arguments) -> Result<bool> {
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    say(&format!("seed {seed}"));
    let place = Place::new(arguments.longhaul.as_deref(), arguments.keep.as_deref())?;
    let mut report = Report::default();
    let wanted = |name: &str| arguments.wants(name);
    if wanted("f1") {
        let kills = arguments.kills.unwrap_or(if arguments.quick { 20 } else { 300 });
        let what = Kills { part: "F1", kills, clients: arguments.clients, seed };
        kills::run(&place, what, &mut report).await?;
    }
    for part in nodes::PARTS {
        if wanted(part.name) {
            let Arguments { kills: rounds, quick, clients, .. } = *arguments;
            nodes::run(&place, part, nodes::Run { rounds, quick, clients, seed }, &mut report).await?;
        }
    }
    if wanted(nodes::loss::NAME) {
        let Arguments { kills: rounds, quick, clients, .. } = *arguments;
        nodes::loss::run(&place, nodes::Run { rounds, quick, clients, seed }, &mut report).await?;
    }
    if wanted("f2") {
        syncs::run(&place, arguments.quick, &mut report).await?;
    }
    if wanted("f3") {
        recovery::run(&place, arguments.quick, arguments.clients, seed, &mut report).await?;
    }
    if wanted("f4") {
        workers::run(&place, 1, workers::Faults::of(arguments.quick), seed, &mut report).await?;
    }
    if wanted("f4n") {
        workers::run(&place, NODES, workers::Faults::of(arguments.quick), seed, &mut report).await?;
    }
    if wanted("f12") {
        leaps::run(&place, leaps::rounds(arguments.quick), seed, &mut report).await?;
    }
    if wanted("mixed") {
        let faults = mixed::Faults::of(arguments.quick);
        mixed::run(&place, 1, faults, &arguments.python, seed, &mut report).await?;
    }
    if wanted("mixedn") {
        let faults = mixed::Faults::of(arguments.quick);
        mixed::run(&place, NODES, faults, &arguments.python, seed, &mut report).await?;
    }
    if wanted("f21") {
        let stops = arguments.kills.unwrap_or(if arguments.quick { 4 } else { 50 });
        drain::run(&place, None, stops, arguments.clients, seed, &mut report).await?;
    }
    if wanted(memory::NAME) {
        memory::run(&place, arguments.quick, &mut report).await?;
    }
    if wanted(soak::NAME) {
        let soak = soak::Soak { length: arguments.soak(), life: MINUTE, clients: arguments.clients, seed };
        soak::run(&place, soak, &mut report).await?;
    }
    if let Some(next) = &arguments.next {
        let stops = arguments.kills.unwrap_or(if arguments.quick { 4 } else { 24 });
        drain::run(&place, Some(next), stops, arguments.clients, seed, &mut report).await?;
    }
    Ok(report.print())
}
