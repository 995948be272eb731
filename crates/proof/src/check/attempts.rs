//! I13: no more attempts than allowed, none too early, and each leaves its line in the history.

use std::collections::BTreeMap;

use super::{Evidence, Verdict};
use crate::wire::AttemptView;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I13", "attempts: all kept, no more than allowed, after their backoff");
    for (id, task, kind) in evidence.tasks() {
        for (i, sub) in kind.subs.iter().enumerate() {
            let name = &sub.name;
            let mut all: Vec<&AttemptView> =
                task.attempts.iter().filter(|attempt| attempt.sub == i).collect();
            all.sort_by_key(|attempt| attempt.number);
            let numbers = all.iter().map(|attempt| attempt.number);
            // The number of one that was handed back is used up, and leaves no line.
            let rising = || numbers.clone().is_sorted_by(|before, after| before < after);
            let complete =
                if evidence.history.stopped { rising() } else { numbers.clone().eq(1..=all.len() as u32) };
            verdict.that(complete, || {
                format!("{id} {name}: attempts {:?}", numbers.clone().collect::<Vec<_>>())
            });
            let highest = numbers.clone().max().unwrap_or(0);
            let last = task.view.subs.get(i).map(|sub| sub.attempt);
            let said = last.is_some_and(|last| last == highest || last > highest && evidence.history.stopped);
            verdict.that(said, || {
                format!(
                    "{id} {name}: {} attempts in the history, the task says {:?}",
                    all.len(),
                    task.view.subs.get(i)
                )
            });
            verdict.that(
                all.iter().all(|attempt| attempt.ended.is_some_and(|at| at >= attempt.started)),
                || format!("{id} {name}: an attempt without end, or one that ended before it started"),
            );
            let mut generations: BTreeMap<u32, Vec<&AttemptView>> = BTreeMap::new();
            for attempt in &all {
                generations.entry(attempt.generation).or_default().push(attempt);
            }
            for tries in generations.values() {
                if let Some(retry) = sub.retry {
                    verdict.that(tries.len() <= retry.attempts as usize, || {
                        format!("{id} {name}: {} attempts, allowed are {}", tries.len(), retry.attempts)
                    });
                }
                for (pair, tried) in tries.windows(2).zip(1..) {
                    let (before, after) = (pair[0], pair[1]);
                    let pause = match (before.status.as_str(), sub.retry) {
                        ("LOST", _) if !sub.once => 0,
                        ("FAILED", Some(retry)) => retry.pause(tried),
                        _ => i64::MAX,
                    };
                    let gap = after.started - before.ended.unwrap_or(i64::MAX);
                    verdict.that(gap >= pause, || {
                        format!(
                            "{id} {name}: attempt {} {gap} ms after one that was {}",
                            after.number, before.status
                        )
                    });
                }
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn an_attempt_too_many_too_early_or_missing_is_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        let mut killed = Sample::good();
        killed.lost_effect_attempt();
        assert_eq!(killed.broken(check), Vec::<String>::new());
        killed.make_once();
        assert!(killed.broken(check)[0].contains("was LOST"));

        let mut unasked = Sample::good();
        unasked.lost_effect_attempt();
        unasked.first().attempts.iter_mut().filter(|attempt| attempt.status == "LOST").for_each(|attempt| {
            attempt.status = "FAILED".to_owned();
        });
        assert!(unasked.broken(check)[0].contains("was FAILED"));

        let mut missing = Sample::good();
        missing.first().attempts.remove(0);
        assert!(missing.broken(check)[0].contains("attempts in the history"));
    }

    #[test]
    fn a_backoff_is_kept() {
        let mut sample = Sample::good();
        sample.retried(19);
        assert!(sample.broken(check)[0].contains("19 ms after"));
        let mut sample = Sample::good();
        sample.retried(20);
        assert_eq!(sample.broken(check), Vec::<String>::new());
    }
}
