//! I11: a task's status is what its sub-tasks' make it, in every answer.

use super::{Evidence, Verdict};
use crate::catalog::Kind;
use crate::wire::{SubStatus, TaskStatus, View};

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I11", "a task's status follows from its sub-tasks', in every answer");
    for (id, task, kind) in evidence.tasks() {
        let seen = evidence.polls(id).iter().map(|poll| poll.view.as_ref());
        for view in seen.chain([&task.view]) {
            let wrong = wrong(view, kind);
            verdict.that(wrong.is_none(), || format!("{id}: {} ({view:?})", wrong.unwrap_or_default()));
        }
    }
    verdict
}

fn wrong(view: &View, kind: &Kind) -> Option<&'static str> {
    let count = |status: SubStatus| view.subs.iter().filter(|sub| sub.status == status).count();
    let failed = |goes_on: bool| {
        let subs = view.subs.iter().zip(&kind.subs);
        subs.filter(|(sub, known)| sub.status == SubStatus::Failed && known.goes_on == goes_on).count()
    };
    let (pending, running, skipped) =
        (count(SubStatus::Pending), count(SubStatus::InProgress), count(SubStatus::Skipped));
    let (blocking, passed) = (failed(false), failed(true));
    if view.subs.len() != kind.subs.len() {
        return Some("it has not the workflow's sub-tasks");
    }
    if view.status.is_ended() != view.completed.is_some() {
        return Some("exactly an ended task has a completion time");
    }
    if view.completed.is_some_and(|at| at < view.created) {
        return Some("it ended before it began");
    }
    if view.status.is_ended() && running > 0 {
        return Some("something of an ended task runs");
    }
    let backwards =
        view.subs.iter().any(|sub| matches!((sub.started, sub.completed), (Some(a), Some(b)) if b < a));
    if backwards {
        return Some("a sub-task ended before it started");
    }
    let fits = match view.status {
        TaskStatus::Pending => pending == view.subs.len() && view.subs.iter().all(|sub| sub.attempt == 0),
        TaskStatus::InProgress => pending + running > 0,
        TaskStatus::Successful => pending + blocking + passed + skipped == 0,
        TaskStatus::Warning => pending + blocking == 0 && passed + skipped > 0,
        TaskStatus::Failed => blocking > 0,
        TaskStatus::Cancelled | TaskStatus::Skipped => true,
    };
    (!fits).then_some("its status is not that of its sub-tasks")
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_status_that_its_sub_tasks_do_not_make_is_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        let cases: [fn(&mut View); 6] = [
            |view| view.subs[1].status = SubStatus::Failed,
            |view| view.subs[1].status = SubStatus::InProgress,
            |view| view.status = TaskStatus::Warning,
            |view| view.completed = None,
            |view| view.completed = Some(1),
            |view| view.subs[0].completed = Some(1),
        ];
        for change in cases {
            let mut sample = Sample::good();
            change(&mut sample.first().view);
            assert_eq!(sample.broken(check).len(), 1);
        }
    }
}
