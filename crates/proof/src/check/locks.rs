//! I9: what has ended holds no lock and waits for none.

use super::{Evidence, Verdict};
use crate::wire::TaskStatus;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I9", "no task that has ended holds a lock or waits for one");
    // A failed one whose outcome is unknown keeps its locks until an operator decides.
    let keeps = |workflow: &str| {
        evidence.catalog.kind(workflow).is_some_and(|kind| kind.subs.iter().any(|sub| sub.once))
    };
    for id in &evidence.dump.locks {
        let task = evidence.dump.tasks.get(id);
        let may = task.is_some_and(|task| match task.view.status {
            TaskStatus::Failed => keeps(&task.workflow),
            status => !status.is_ended(),
        });
        verdict.that(may, || format!("{id}: {:?}, and among the locks", task.map(|task| task.view.status)));
    }
    // Without a lock there must have been some to be released.
    let locking = evidence.tasks().filter(|(_, task, kind)| kind.locks && task.view.status.is_ended());
    verdict.looked += locking.count() as u64;
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn locks_of_what_has_ended_are_found() {
        let mut sample = Sample::good();
        assert_eq!(sample.broken(check), Vec::<String>::new());
        sample.dump.locks.push(Sample::FIRST);
        assert_eq!(sample.broken(check).len(), 1);
        sample.first().view.status = TaskStatus::InProgress;
        assert_eq!(sample.broken(check), Vec::<String>::new());
    }

    #[test]
    fn only_a_failed_task_of_unknown_outcome_keeps_its_locks() {
        let mut sample = Sample::good();
        sample.dump.locks.push(Sample::FIRST);
        sample.first().view.status = TaskStatus::Failed;
        assert_eq!(sample.broken(check).len(), 1);
        sample.catalog.kinds[0].subs[1].once = true;
        assert_eq!(sample.broken(check), Vec::<String>::new());
    }
}
