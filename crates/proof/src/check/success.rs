//! I3: a sub-task succeeds at most once, and that stays.

use super::{Evidence, Verdict};
use crate::history::{Poll, Verb};
use crate::wire::{SubStatus, SubView};

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I3", "a success is never taken back, repeated or changed");
    let done = evidence.history.decided(&[Verb::Done]);
    for (id, task, _) in evidence.tasks() {
        let polls = evidence.polls(id);
        for (i, (name, last)) in task.names.iter().zip(&task.view.subs).enumerate() {
            let successes: Vec<_> = task
                .attempts
                .iter()
                .filter(|attempt| attempt.sub == i && attempt.status == "SUCCESSFUL")
                .collect();
            verdict
                .that(successes.len() <= 1, || format!("{id} {name}: succeeded {} times", successes.len()));
            let succeeded = last.status == SubStatus::Successful;
            verdict.that(succeeded != successes.is_empty() || (succeeded && done.contains_key(id)), || {
                format!(
                    "{id} {name}: {:?} in the end with {} successful attempts",
                    last.status,
                    successes.len()
                )
            });
            if let Some(success) = successes.first() {
                let later = task.attempts.iter().any(|other| other.sub == i && other.number > success.number);
                verdict.that(!later, || format!("{id} {name}: run again after its success"));
            }
            let Some((first, seen)) = first_success(polls, i) else { continue };
            let same = |view: &SubView| {
                (view.status, view.started, view.completed, view.attempt)
                    == (SubStatus::Successful, seen.started, seen.completed, seen.attempt)
            };
            for poll in polls.iter().filter(|poll| poll.call > first.ret) {
                verdict.that(poll.view.subs.get(i).is_some_and(same), || {
                    format!("{id} {name}: seen successful, and later {:?}", poll.view.subs.get(i))
                });
            }
            verdict.that(same(last), || format!("{id} {name}: seen successful, and in the end {last:?}"));
        }
    }
    verdict
}

/// The answer that was first to show a sub-task successful.
pub(super) fn first_success<'a>(polls: &[&'a Poll], sub: usize) -> Option<(&'a Poll, &'a SubView)> {
    polls.iter().find_map(|poll| {
        let seen = poll.view.subs.get(sub)?;
        (seen.status == SubStatus::Successful).then_some((*poll, seen))
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_success_taken_back_changed_or_repeated_is_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());

        let mut back = Sample::good();
        back.poll_after(|view| view.subs[0].status = SubStatus::Pending);
        assert!(back.broken(check)[0].contains("and later"));

        let mut changed = Sample::good();
        changed.first().view.subs[0].completed = Some(1_999);
        assert!(changed.broken(check)[0].contains("in the end"));

        let mut repeated = Sample::good();
        let mut attempt = repeated.first().attempts[0].clone();
        attempt.number = 2;
        repeated.first().attempts.push(attempt);
        let broken = repeated.broken(check);
        assert!(
            broken.iter().any(|text| text.contains("2 times"))
                && broken.iter().any(|text| text.contains("run again"))
        );
    }
}
