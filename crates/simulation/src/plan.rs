//! Plan of a run, drawn from its seed: the number of nodes, tasks and workers, and how much goes wrong, for
//! how long.

use crate::random::Rng;
use crate::shape::{LINES, STOCK};

/// The plan of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Number of nodes on one database; a single node has its own.
    pub(crate) nodes: usize,
    pub(crate) cluster: bool,
    /// Maximum number of built-in attempts that run at once on one node.
    pub(crate) permits: usize,
    pub(crate) workers: usize,
    /// Workflow and time of each submission.
    pub(crate) tasks: Vec<(u64, u64)>,
    /// Number of different resources and keys.
    pub(crate) names: u64,
    /// Number of items of a `forEach`.
    pub(crate) items: u64,
    /// Time during which things go wrong, in milliseconds.
    pub(crate) chaos: u64,
    pub(crate) faults: u64,
    pub(crate) operations: u64,
    /// Rates per thousand of lost messages, and of commits around which a process dies or the disk fails.
    pub(crate) loss: u32,
    pub(crate) crashes: u32,
    pub(crate) failures: u32,
    /// Maximum offset by which clocks are set, in milliseconds.
    pub(crate) leap: u64,
}

impl Plan {
    pub(crate) fn new(rng: &mut Rng) -> Plan {
        let cluster = rng.chance(600);
        let chaos = rng.within(3_000, 25_000);
        let crowd = rng.chance(20);
        let mut plan = Plan {
            nodes: if cluster { rng.within(2, 4) as usize } else { 1 },
            cluster,
            permits: rng.within(1, 6) as usize,
            workers: rng.within(1, 4) as usize,
            tasks: Vec::new(),
            names: rng.within(1, 6),
            items: if rng.chance(50) { rng.within(10, 120) } else { rng.within(0, 6) },
            chaos,
            faults: if rng.chance(150) { 0 } else { rng.within(1, 8) },
            operations: rng.within(0, 10),
            loss: if rng.chance(400) { 0 } else { rng.within(1, 120) as u32 },
            crashes: if rng.chance(600) { 0 } else { rng.within(1, 40) as u32 },
            failures: if rng.chance(600) { 0 } else { rng.within(1, 60) as u32 },
            leap: if rng.chance(300) { 300_000 } else { 40_000 },
        };
        plan.tasks = if crowd { plan.crowd(rng) } else { plan.mixed(rng) };
        plan
    }

    /// Draws a few tasks of random workflows.
    fn mixed(&self, rng: &mut Rng) -> Vec<(u64, u64)> {
        let few: Vec<u64> = (0..rng.within(1, 3)).map(|_| rng.below(STOCK)).collect();
        (0..rng.within(2, 14)).map(|_| (few[rng.index(few.len())], rng.below(self.chaos))).collect()
    }

    /// Draws many tasks in a few lines; more than a thousand in one of twenty such runs.
    fn crowd(&self, rng: &mut Rng) -> Vec<(u64, u64)> {
        let count = if rng.chance(50) { rng.within(1_000, 1_300) } else { rng.within(30, 200) };
        let kinds: Vec<u64> = (0..rng.within(1, 2)).map(|_| STOCK + rng.below(LINES)).collect();
        (0..count).map(|_| (kinds[rng.index(kinds.len())], rng.below(self.chaos / 4))).collect()
    }
}
