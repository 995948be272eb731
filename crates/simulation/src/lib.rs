//! Drives the real state machine of Longhaul through everything that may go wrong around it, in virtual time
//! and by chance that follows from a seed: nodes that crash, stop, are cut off and start again, clocks that
//! are set, messages that are lost, late or duplicated, commits that fail or whose answer is lost, workers
//! that die or come back too late, operators who decide. There is no I/O, no thread and no clock: the same
//! seed gives the same run on every machine.
//!
//! The model is not copied: every change is made by `Task::apply_in`. The parts of the stores and the engine
//! around it are reproduced here in short form, and checked by an oracle that keeps its own notes.
#![forbid(unsafe_code)]

mod attempts;
mod claims;
mod clock;
mod database;
mod effects;
mod event;
mod leases;
mod look;
mod node;
mod oracle;
mod outside;
mod plan;
mod plant;
mod process;
mod random;
mod shape;
mod target;
mod worker;
mod world;
mod writer;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use plant::Plant;
use world::World;

/// Result of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every rule that was broken, in words; empty if all is well.
    pub broken: Vec<String>,
    /// Situations that the run came across, and how often.
    pub seen: BTreeMap<&'static str, u64>,
    /// Number of changes that were committed.
    pub changes: u64,
    /// Trace of all that happened, if requested.
    pub trace: Vec<String>,
}

/// Runs a seed, with a planted fault if one is given.
pub fn run(seed: u64, plant: Option<Plant>, traced: bool) -> Outcome {
    let mut world = World::new(seed, plant, traced);
    // The model's debug assertions are rules, too.
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        world.oracle.breaks(text.to_owned());
    }
    let World { oracle, trace, changes, .. } = world;
    Outcome { broken: oracle.broken, seen: oracle.seen, changes, trace: trace.unwrap_or_default() }
}

/// Returns the report of a run that broke a rule: the broken rules, the last events, and the command that
/// shows all of them.
pub fn report(seed: u64, plant: Option<Plant>) -> String {
    const LAST: usize = 40;
    let outcome = run(seed, plant, true);
    let last = outcome.trace.len().saturating_sub(LAST);
    let planted = plant.map_or(String::new(), |plant| format!(" --plant {plant:?}"));
    format!(
        "seed {seed}: {}\n{}\ncargo run -p longhaul-simulation -- --seed {seed}{planted} --trace",
        outcome.broken.join("; "),
        outcome.trace[last..].join("\n"),
    )
}
