//! The pauses between attempts.

use longhaul_model::time::Span;
use longhaul_model::workflow::RetryPolicy;
use longhaul_model::{Fault, TaskId};

fn task() -> TaskId {
    TaskId::from_bytes([9; 16])
}

fn policy(backoff: u64, factor: f64, max: u64, jitter: bool) -> RetryPolicy {
    RetryPolicy { attempts: 1000, backoff: Span(backoff), factor, max: Span(max), jitter }
}

fn pauses(policy: &RetryPolicy, tries: impl Iterator<Item = u32>) -> Vec<u64> {
    tries.map(|tries| policy.pause(tries, task(), 0).0).collect()
}

#[test]
fn pause_without_jitter_grows_to_its_longest() {
    assert_eq!(
        pauses(&policy(2000, 2.0, 60_000, false), 1..8),
        [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]
    );
    assert_eq!(pauses(&policy(500, 1.0, 60_000, false), 1..4), [500, 500, 500]);
    assert_eq!(pauses(&policy(1000, 1.5, 60_000, false), 1..4), [1000, 1500, 2250]);
}

#[test]
fn pause_longer_than_its_longest_is_cut() {
    assert_eq!(pauses(&policy(5000, 2.0, 1000, false), 1..3), [1000, 1000]);
    assert_eq!(pauses(&policy(0, 100.0, 1000, false), [1, 2, 1000].into_iter()), [0, 0, 0]);
    assert_eq!(pauses(&policy(1, 100.0, 7 * 86_400_000, false), [999, 1000].into_iter()), [604_800_000; 2]);
}

#[test]
fn pause_with_jitter_is_up_to_a_half_longer_and_always_the_same() {
    let policy = policy(1000, 2.0, 60_000, true);
    let mut seen = std::collections::BTreeSet::new();
    for sub_task in 0..200 {
        let pause = policy.pause(1, task(), sub_task).0;
        assert!((1000..=1500).contains(&pause), "{pause}");
        assert_eq!(policy.pause(1, task(), sub_task).0, pause);
        seen.insert(pause);
    }
    assert!(seen.len() > 100, "those that failed at once come back spread out: {}", seen.len());
}

#[test]
fn pause_that_was_asked_for_is_kept_up_to_the_longest() {
    let policy = policy(1000, 2.0, 60_000, false);
    for (asked, wanted) in [
        (None, 2000),
        (Some("500"), 2000),
        (Some("7000"), 7000),
        (Some("3600000"), 60_000),
        (Some("soon"), 2000),
    ] {
        let fault = Fault::new("C", "m");
        let fault = match asked {
            Some(text) => fault.with(Fault::RETRY_AFTER, text),
            None => fault,
        };
        let asked = fault.retry_after().unwrap_or_default();
        assert_eq!(policy.pause_after(asked, 2, task(), 0), Span(wanted), "{asked}");
    }
}
