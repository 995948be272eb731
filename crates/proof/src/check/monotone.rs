//! I10: whoever looks again never sees a step back, and only a decision takes a task out of its end.

use super::{Evidence, Verdict};
use crate::history::Verb;
use crate::wire::{TaskStatus, View};

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I10", "status, revision and generation never step back");
    let decided = evidence.history.decided(&[Verb::Retry, Verb::Done, Verb::NotDone]);
    for (id, task) in &evidence.dump.tasks {
        let polls = evidence.polls(id);
        // In the order of the calls: each must not be behind any answer that was there before it was made.
        let mut calls: Vec<_> = polls.iter().map(|poll| (poll.call, poll.view.as_ref())).collect();
        calls.push((evidence.dump.at, &task.view));
        calls.sort_by_key(|(call, _)| *call);
        let (mut known, mut newest): (usize, Option<&View>) = (0, None);
        for (call, view) in calls {
            while let Some(poll) = polls.get(known).filter(|poll| poll.ret < call) {
                if newest.is_none_or(|newest| poll.view.revision > newest.revision) {
                    newest = Some(&poll.view);
                }
                known += 1;
            }
            if let Some(before) = newest {
                let wrong = step(before, view);
                verdict.that(wrong.is_none(), || {
                    format!("{id}: {} ({before:?}, then {view:?})", wrong.unwrap_or_default())
                });
            }
        }
        let told = decided.get(id).copied().unwrap_or_default();
        let rises = task.view.generation.saturating_sub(1);
        verdict.that((told.acked..=told.acked + told.ambiguous).contains(&rises), || {
            format!("{id}: generation {} after {told:?} decisions", task.view.generation)
        });
    }
    verdict
}

/// Returns the fault in seeing one view after the other, if there is one.
fn step(before: &View, after: &View) -> Option<&'static str> {
    if after.revision < before.revision {
        return Some("the revision stepped back");
    }
    if after.revision == before.revision && after != before {
        return Some("one revision, two views");
    }
    if after.generation < before.generation {
        return Some("the generation stepped back");
    }
    if after.created != before.created {
        return Some("the time of creation changed");
    }
    if after.generation > before.generation {
        let left = before.status;
        return matches!(
            left,
            TaskStatus::Successful | TaskStatus::Warning | TaskStatus::Cancelled | TaskStatus::Skipped
        )
        .then_some("an end that no decision undoes was left");
    }
    let forward = match before.status {
        TaskStatus::Pending => true,
        TaskStatus::InProgress => after.status != TaskStatus::Pending,
        TaskStatus::Successful
        | TaskStatus::Warning
        | TaskStatus::Failed
        | TaskStatus::Cancelled
        | TaskStatus::Skipped => after.status == before.status,
    };
    (!forward).then_some("the status stepped back")
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn steps_back_are_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        let mut back = Sample::good();
        back.poll_after(|view| {
            view.revision += 1;
            view.status = TaskStatus::InProgress;
        });
        assert!(back.broken(check)[0].contains("status stepped back"));
        let mut revision = Sample::good();
        revision.first().view.revision = 1;
        assert!(revision.broken(check)[0].contains("revision stepped back"));
        let mut generation = Sample::good();
        generation.first().view.generation = 2;
        assert!(generation.broken(check).iter().any(|text| text.contains("decisions")));
    }

    #[test]
    fn answers_that_cross_may_show_either() {
        let mut sample = Sample::good();
        // Asked before the last answer was there.
        sample.poll_after(|view| {
            view.revision = 1;
            view.status = TaskStatus::Pending;
        });
        let (first, crossing) = (sample.history.polls[0].call, sample.history.polls.last_mut().unwrap());
        crossing.call = first;
        assert_eq!(sample.broken(check), Vec::<String>::new());
    }
}
