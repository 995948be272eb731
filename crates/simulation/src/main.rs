//! Runs seeds of the simulation: a single one, with a trace if requested, or many.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use longhaul_simulation::{Plant, report, run};

/// Drives the state machine through seeded faults in virtual time.
#[derive(Parser)]
struct Options {
    /// Run a single seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Print everything that happens.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Number of seeds to run.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Number of threads, each of which runs its own share of the seeds.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Continue after failing seeds, and print briefly what each broke.
    #[arg(long)]
    all: bool,
    /// Fault to plant.
    #[arg(long)]
    plant: Option<Plant>,
}

#[expect(clippy::print_stdout, reason = "a program that reports what it found")]
fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seed) = options.seed {
        let outcome = run(seed, options.plant, options.trace);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        println!("{} changes; {}", outcome.changes, verdict(&outcome.broken));
        return if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let (next, changes, failed) = (AtomicU64::new(options.from), AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let end = options.from + options.seeds;
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                while failed.load(Ordering::Relaxed) == u64::MAX {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = run(seed, options.plant, false);
                    changes.fetch_add(outcome.changes, Ordering::Relaxed);
                    if !outcome.broken.is_empty() && options.all {
                        println!("seed {seed}: {}", verdict(&outcome.broken));
                    } else if !outcome.broken.is_empty() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    if failed != u64::MAX {
        println!("{}", report(failed, options.plant));
        return ExitCode::FAILURE;
    }
    println!("{} seeds, {} changes", options.seeds, changes.into_inner());
    ExitCode::SUCCESS
}

fn verdict(broken: &[String]) -> String {
    if broken.is_empty() { "all is well".to_owned() } else { broken.join("; ") }
}
