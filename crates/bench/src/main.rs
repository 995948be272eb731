//! Measures the Longhaul server over HTTP, in turn with a bare spike of the machine's limit, and says which
//! goals are met. Machines drift from minute to minute, so only ratios taken within the same minutes mean
//! anything.
#![forbid(unsafe_code)]

mod access;
mod bench;
mod child;
mod data;
mod fill;
mod goals;
mod load;
mod report;
mod spike;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Parser, Subcommand};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::bench::Bench;
use crate::child::Places;

/// Every goal that is measured here.
const GOALS: [&str; 14] =
    ["P1", "P2", "P3", "P11", "P4", "P5", "P10", "F33", "P13", "P15", "P9", "P6", "P8", "P12"];
/// The last one: it leaves the large store larger.
const GROWTH: &str = "P7";

#[derive(Parser)]
#[command(name = "longhaul-bench", about, version)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    run: Run,
}

/// Measures the Longhaul server against a bare spike of the machine's limit.
#[derive(Args)]
struct Run {
    /// A smaller run: 100,000 tasks, measurements of two seconds.
    #[arg(long)]
    quick: bool,
    /// Goals to measure, such as P1,P4; all unless given.
    #[arg(long, value_delimiter = ',', value_name = "GOALS")]
    only: Vec<String>,
    /// Tasks in the large store [default: 1000000; quick: 100000].
    #[arg(long)]
    tasks: Option<u64>,
    /// Rounds of which the median is taken.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The server's binary [default: the one beside this program].
    #[arg(long, value_name = "PATH")]
    longhaul: Option<PathBuf>,
    /// Directory of the filled stores and of runs [default: bench-data in the target directory].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Fills the stores anew, for a store whose format changed.
    #[arg(long)]
    refill: bool,
}

#[derive(Subcommand)]
enum Part {
    /// The spike's server.
    #[command(hide = true)]
    Spike {
        /// Address to listen at.
        listen: SocketAddr,
        /// Database of the spike.
        database: PathBuf,
    },
    /// Fills and keeps a store, and does nothing else.
    #[command(hide = true)]
    Fill {
        /// Directory of the store.
        root: PathBuf,
        /// Number of tasks.
        count: u64,
    },
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Spike { listen, database }) => spike::serve(listen, &database),
        Some(Part::Fill { root, count }) => fill::ensure(&root, count).map(|_| ()),
        None => run(cli.run),
    }
}

fn run(run: Run) -> Result<()> {
    let beside = std::env::current_exe()?.parent().context("this program is in no directory")?.to_owned();
    let longhaul = run.longhaul.unwrap_or_else(|| beside.join("longhaul"));
    if !longhaul.exists() {
        bail!(
            "{} is not there: build it with `cargo build --release`, or name it with --longhaul",
            longhaul.display()
        );
    }
    let goals: Vec<&str> = GOALS.into_iter().chain([GROWTH]).collect();
    for only in &run.only {
        ensure!(
            goals.contains(&only.as_str()),
            "{only} is not measured here; these are: {}",
            goals.join(", ")
        );
    }
    allow_many_connections()?;

    let kept = run.data.unwrap_or_else(|| beside.join("../bench-data"));
    let tasks = run.tasks.unwrap_or(if run.quick { 100_000 } else { 1_000_000 });
    if run.refill {
        for count in [bench::SMALL, tasks] {
            fill::forget(&kept, count)?;
        }
    }
    let work = kept.join(format!("run-{}", std::process::id()));
    let mut bench = Bench {
        places: Places { longhaul, kept, work: work.clone() },
        rounds: run.rounds.max(1),
        time: Duration::from_secs(if run.quick { 2 } else { 4 }),
        tasks,
        waiting: if run.quick { 10_000 } else { 100_000 },
        rows: Vec::new(),
    };
    let asked: Vec<&str> = goals
        .into_iter()
        .filter(|goal| run.only.is_empty() || run.only.iter().any(|only| only == goal))
        .collect();
    // Before anything is measured, so that filling does not stand between rounds.
    if asked.iter().any(|goal| ["P6", "P7", "P8", "P12"].contains(goal)) {
        fill::ensure(&bench.places.kept, tasks)?;
    }
    let mut broken = Vec::new();
    for goal in asked {
        let measured = match goal {
            "P1" => bench.submissions(),
            "P2" => bench.tasks(),
            "P3" => bench.workers(),
            "P11" => bench.children(),
            "P4" => bench.alone(),
            "P5" => bench.gets().and_then(|()| bench.authenticate()),
            "P10" => bench.postgres().and_then(|()| bench.nodes()),
            "F33" => bench.horizon(),
            "P13" => bench.waiting(),
            "P15" => bench.idle(),
            "P6" => bench.lists(),
            "P8" => bench.start_and_memory(),
            "P12" => bench.upkeep(),
            "P9" => bench.bytes_a_task(),
            _ => bench.growth(),
        };
        if let Err(e) = measured {
            say(&format!("{goal} could not be measured: {e:#}"));
            broken.push(goal);
        }
    }
    print(&report::table(&bench.rows));
    print("Not measured here: the comparisons with other products in P1, P2 and P4.");
    if !broken.is_empty() {
        bail!("not measured: {}; the servers' logs are in {}", broken.join(", "), work.display());
    }
    std::fs::remove_dir_all(&work)?;
    Ok(())
}

/// Ten thousand connections need as many files, here and in the servers, which inherit it.
fn allow_many_connections() -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising the limit of open files")
}

/// Reports progress to whoever watches.
#[expect(clippy::print_stderr, reason = "a program that reports its progress")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// The result.
#[expect(clippy::print_stdout, reason = "the table is what this program gives")]
fn print(text: &str) {
    println!("{text}");
}
