//! I12: what is counted is what is there. I14: everything comes to its end.

use std::collections::HashSet;

use super::{Evidence, Verdict};
use crate::history::SubmitAnswer;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict =
        Verdict::new("I12", "totals by status = totalElements = pages walked = acknowledged + landed");
    let dump = evidence.dump;
    let rows = dump.walked.len() as u64;
    let unique: HashSet<_> = dump.walked.iter().collect();
    verdict.that(unique.len() == dump.walked.len(), || {
        format!("{} tasks on the pages, {} of them different", rows, unique.len())
    });
    for (page, total) in dump.totals.iter().enumerate() {
        verdict.that(*total == rows, || format!("page {}: totalElements {total}, walked {rows}", page + 1));
    }
    let sum: u64 = dump.by_status.iter().map(|(_, count)| count).sum();
    verdict.that(sum == rows, || format!("{sum} over all statuses, walked {rows}"));
    for (status, count) in &dump.by_status {
        let there = dump.tasks.values().filter(|task| task.view.status == *status).count() as u64;
        verdict
            .that(there == *count, || format!("{count} are {status:?} by the total, {there} by themselves"));
    }
    let acked = evidence.history.acked();
    let unknown: HashSet<u64> = evidence
        .history
        .submits
        .iter()
        .filter(|submit| submit.answer == SubmitAnswer::Ambiguous)
        .map(|submit| submit.mark)
        .collect();
    let landed = dump.tasks.iter().filter(|(id, task)| {
        !acked.contains_key(*id) && task.input["mark"].as_u64().is_some_and(|mark| unknown.contains(&mark))
    });
    let expected = acked.len() as u64 + landed.count() as u64;
    verdict.that(expected == rows, || format!("{expected} acknowledged or landed, walked {rows}"));
    verdict
}

/// I14, over the end: nothing is left that nobody moves.
pub(super) fn ended(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I14", "every task comes to an end once the faults are over");
    for (id, task) in &evidence.dump.tasks {
        verdict.that(task.view.status.is_ended(), || format!("{id}: {:?} still", task.view.status));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use crate::wire::TaskStatus;

    #[test]
    fn wrong_totals_are_found() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        let cases: [fn(&mut Sample); 4] = [
            |sample| sample.dump.totals[0] += 1,
            |sample| sample.dump.by_status[2].1 += 1,
            |sample| sample.dump.walked.push(Sample::FIRST),
            |sample| sample.history.submits.clear(),
        ];
        for change in cases {
            let mut sample = Sample::good();
            change(&mut sample);
            assert!(!sample.broken(check).is_empty());
        }
    }

    #[test]
    fn a_task_that_does_not_end_is_found() {
        let mut sample = Sample::good();
        assert_eq!(sample.broken(ended), Vec::<String>::new());
        sample.first().view.status = TaskStatus::InProgress;
        assert_eq!(sample.broken(ended).len(), 1);
    }
}
