//! Ten thousand seeds without a broken rule. `SIMULATION_SEEDS` sets the number; a failure prints its seed.

use std::collections::BTreeMap;

use longhaul_simulation::{report, run};

fn seeds() -> u64 {
    std::env::var("SIMULATION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// Situations that the runs must have come across: a test that never reaches one proves nothing about it.
const PLACES: [&str; 30] = [
    "Begin",
    "Complete",
    "Fail",
    "HandBack",
    "Lease",
    "Acquired",
    "Due",
    "Recover",
    "Cancel",
    "Release",
    "Retry",
    "Skip",
    "Resolve",
    "SUCCESSFUL",
    "FAILED",
    "CANCELLED",
    "COMPLETED_WITH_WARNING",
    "parked",
    "declared dead",
    "taken over",
    "died before a commit",
    "died behind a commit",
    "commit failed",
    "news lost",
    "answer lost",
    "request lost",
    "request repeated",
    "submission repeated",
    "lease over",
    "stopped by comparison",
];

#[test]
fn no_seed_breaks_a_rule() {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    let mut changes = 0;
    for seed in 0..seeds() {
        let outcome = run(seed, None, false);
        assert!(outcome.broken.is_empty(), "{}", report(seed, None));
        changes += outcome.changes;
        for (place, times) in outcome.seen {
            *seen.entry(place).or_default() += times;
        }
    }
    let missing: Vec<_> = PLACES.iter().filter(|place| !seen.contains_key(**place)).collect();
    assert!(seeds() < 5_000 || missing.is_empty(), "never seen: {missing:?} among {seen:?}");
    assert!(changes > seeds() * 20, "hardly anything happened: {changes} changes");
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..100 {
        let (one, other) = (run(seed, None, true), run(seed, None, true));
        assert_eq!(one.trace, other.trace, "seed {seed}");
    }
}
