//! I1: an acknowledged submission is never lost; one whose answer was lost became one task or none.

use std::collections::{HashMap, HashSet};

use super::{Evidence, Verdict};
use crate::history::SubmitAnswer;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict =
        Verdict::new("I1", "acknowledged submissions exist, as sent; ambiguous ones once or never");
    for submit in &evidence.history.submits {
        let SubmitAnswer::Acked { id, .. } = submit.answer else { continue };
        let Some(task) = evidence.dump.tasks.get(&id) else {
            verdict.that(false, || format!("{id}: acknowledged and lost (mark {})", submit.mark));
            continue;
        };
        verdict.that(task.input == submit.input, || {
            format!("{id}: stored input {} is not the one sent, {}", task.input, submit.input)
        });
        verdict.that(task.workflow == submit.workflow, || {
            format!("{id}: runs {} instead of {}", task.workflow, submit.workflow)
        });
    }
    let acked = evidence.history.acked();
    let may_have_landed: HashSet<u64> = evidence
        .history
        .submits
        .iter()
        .filter(|submit| submit.answer == SubmitAnswer::Ambiguous)
        .map(|submit| submit.mark)
        .collect();
    let mut rows: HashMap<u64, u32> = HashMap::new();
    for (id, task) in &evidence.dump.tasks {
        let mark = task.input["mark"].as_u64().unwrap_or(u64::MAX);
        *rows.entry(mark).or_default() += 1;
        verdict.that(acked.contains_key(id) || may_have_landed.contains(&mark), || {
            format!("{id}: nobody can have started it (mark {mark})")
        });
    }
    for (mark, rows) in rows {
        verdict.that(rows == 1, || format!("mark {mark}: {rows} tasks of one submission"));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn a_lost_changed_doubled_or_foreign_task_is_found() {
        let good = Sample::good();
        assert_eq!(good.broken(check), Vec::<String>::new());

        let mut lost = Sample::good();
        lost.dump.tasks.remove(&Sample::FIRST);
        assert!(lost.broken(check)[0].contains("lost"));

        let mut changed = Sample::good();
        changed.first().input["note"] = "other".into();
        assert!(changed.broken(check)[0].contains("not the one sent"));

        let mut foreign = Sample::good();
        let mut copy = foreign.first().clone();
        copy.input["mark"] = 99.into();
        foreign.dump.tasks.insert(uuid::Uuid::from_u128(9), copy);
        assert!(foreign.broken(check)[0].contains("nobody"));

        let mut doubled = Sample::good();
        let copy = doubled.first().clone();
        doubled.dump.tasks.insert(uuid::Uuid::from_u128(9), copy);
        assert!(doubled.broken(check).iter().any(|text| text.contains("2 tasks")));
    }

    #[test]
    fn an_ambiguous_submission_may_be_there_or_not() {
        let mut there = Sample::good();
        there.history.submits[0].answer = SubmitAnswer::Ambiguous;
        assert_eq!(there.broken(check), Vec::<String>::new());
        there.dump.tasks.remove(&Sample::FIRST);
        assert_eq!(there.broken(check), Vec::<String>::new());
    }
}
