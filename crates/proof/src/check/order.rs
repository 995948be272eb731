//! I5: nothing starts before what it needs has ended.

use super::{Evidence, Verdict};
use crate::wire::SubStatus;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I5", "a sub-task starts after the end of all that it needs");
    for (id, task, kind) in evidence.tasks() {
        verdict.that(task.names.iter().eq(kind.subs.iter().map(|sub| &sub.name)), || {
            format!("{id}: its sub-tasks are {:?}", task.names)
        });
        for (i, sub) in kind.subs.iter().enumerate() {
            let first =
                task.attempts.iter().filter(|attempt| attempt.sub == i).map(|attempt| attempt.started).min();
            let Some(first) = first else { continue };
            for &need in &sub.needs {
                let Some(needed) = task.view.subs.get(need) else { continue };
                let well = match needed.status {
                    SubStatus::Successful | SubStatus::Skipped | SubStatus::NotApplicable => true,
                    SubStatus::Failed => kind.subs.get(need).is_some_and(|sub| sub.goes_on),
                    SubStatus::Pending | SubStatus::InProgress => false,
                };
                let before = needed.completed.is_some_and(|at| at <= first);
                verdict.that(well && before, || {
                    format!("{id} {}: started at {first}, but {} is {needed:?}", sub.name, task.names[need])
                });
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
    fn a_start_before_the_end_of_a_need_is_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        let mut early = Sample::good();
        early
            .first()
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.sub == 1)
            .for_each(|attempt| attempt.started = 1_001);
        assert!(early.broken(check)[0].contains("started at 1001"));
        let mut without = Sample::good();
        without.first().view.subs[0].status = SubStatus::Pending;
        assert!(without.broken(check)[0].contains("Pending"));
    }
}
