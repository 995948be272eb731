//! Every planted fault is found, within a bounded number of seeds.

use longhaul_simulation::{Plant, run};

/// Number of seeds within which a fault must show.
const WITHIN: u64 = 10_000;

fn found(plant: Plant) -> Option<u64> {
    (0..WITHIN).find(|seed| !run(*seed, Some(plant), false).broken.is_empty())
}

#[test]
fn every_planted_fault_is_found() {
    let missed: Vec<Plant> = Plant::ALL.into_iter().filter(|plant| found(*plant).is_none()).collect();
    assert_eq!(missed, [], "not found within {WITHIN} seeds");
}
