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
        if name == "f22" {
            return self.next.is_some();
        }
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
/// Longest time that one part of a run may take, not counting the length of a soak.
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
        local.block_on(&runtime, run(&arguments))
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
    let place = &Place::new(arguments.longhaul.as_deref(), arguments.keep.as_deref())?;
    let mut run = Run { arguments, report: Report::default() };
    run.servers(place, seed).await;
    run.workers(place, seed).await;
    run.others(place, seed).await;
    Ok(run.report.print())
}

/// A run, part by part.
struct Run<'a> {
    arguments: &'a Arguments,
    report: Report,
}

impl Run<'_> {
    /// Runs a part if it was asked for, and says what came of it. A part that breaks off or takes too long
    /// costs only itself.
    async fn part(
        &mut self,
        name: &'static str,
        part: impl AsyncFnOnce(&Arguments, &mut Report) -> Result<()>,
    ) {
        if !self.arguments.wants(name) {
            return;
        }
        let limit = if name == soak::NAME { LIMIT + self.arguments.soak() } else { LIMIT };
        let done = tokio::time::timeout(limit, part(self.arguments, &mut self.report)).await;
        let broken_off = match done {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(format!("{e:#}")),
            Err(_) => Some(format!("it did not end within {} minutes", limit.as_secs() / 60)),
        };
        if let Some(why) = broken_off {
            self.report.add(name, "", "the part comes to its end", why, false);
        }
        self.report.tell();
    }

    /// Parts in which servers and nodes are killed, stand still or lose their database.
    async fn servers(&mut self, place: &Place, seed: u64) {
        self.part("f1", async |given, report| {
            let kills = given.kills.unwrap_or(if given.quick { 20 } else { 300 });
            kills::run(place, Kills { part: "F1", kills, clients: given.clients, seed }, report).await
        })
        .await;
        let of = |given: &Arguments| nodes::Run {
            rounds: given.kills,
            quick: given.quick,
            clients: given.clients,
            seed,
        };
        for part in nodes::PARTS {
            self.part(part.name, async |given, report| nodes::run(place, part, of(given), report).await)
                .await;
        }
        self.part(nodes::loss::NAME, async |given, report| nodes::loss::run(place, of(given), report).await)
            .await;
        self.part("f2", async |given, report| syncs::run(place, given.quick, report).await).await;
        self.part("f3", async |given, report| {
            recovery::run(place, given.quick, given.clients, seed, report).await
        })
        .await;
    }

    /// Parts in which workers are killed, sleep and report twice.
    async fn workers(&mut self, place: &Place, seed: u64) {
        for (name, nodes) in [("f4", 1), ("f4n", NODES)] {
            self.part(name, async |given, report| {
                workers::run(place, nodes, workers::Faults::of(given.quick), seed, report).await
            })
            .await;
        }
        self.part("f12", async |given, report| {
            leaps::run(place, leaps::rounds(given.quick), seed, report).await
        })
        .await;
        for (name, nodes) in [("mixed", 1), ("mixedn", NODES)] {
            self.part(name, async |given, report| {
                mixed::run(place, nodes, mixed::Faults::of(given.quick), &given.python, seed, report).await
            })
            .await;
        }
    }

    /// Parts about stops, memory and time.
    async fn others(&mut self, place: &Place, seed: u64) {
        let stops =
            |given: &Arguments, whole: usize| given.kills.unwrap_or(if given.quick { 4 } else { whole });
        self.part("f21", async |given, report| {
            drain::run(place, None, stops(given, 50), given.clients, seed, report).await
        })
        .await;
        self.part(memory::NAME, async |given, report| memory::run(place, given.quick, report).await).await;
        self.part(soak::NAME, async |given, report| {
            let soak = soak::Soak { length: given.soak(), life: MINUTE, clients: given.clients, seed };
            soak::run(place, soak, report).await
        })
        .await;
        self.part("f22", async |given, report| {
            drain::run(place, given.next.as_deref(), stops(given, 24), given.clients, seed, report).await
        })
        .await;
    }
}
