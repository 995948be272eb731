//! I2: one key, one task, across any number of crashes.

use std::collections::HashMap;

use super::{Evidence, Verdict};
use crate::history::{Submit, SubmitAnswer};

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I2", "one Idempotency-Key is one task, whenever it is sent again");
    let mut keys: HashMap<&str, Vec<&Submit>> = HashMap::new();
    for submit in &evidence.history.submits {
        if let Some(key) = &submit.key {
            keys.entry(key).or_default().push(submit);
        }
    }
    let mut rows: HashMap<u64, u32> = HashMap::new();
    for task in evidence.dump.tasks.values() {
        *rows.entry(task.input["mark"].as_u64().unwrap_or(u64::MAX)).or_default() += 1;
    }
    for (key, submits) in keys {
        let mut marks: Vec<u64> = submits.iter().map(|submit| submit.mark).collect();
        marks.sort_unstable();
        marks.dedup();
        let landed: u32 = marks.iter().filter_map(|mark| rows.get(mark)).sum();
        verdict.that(landed <= 1, || format!("key {key}: {landed} tasks"));
        // The first answer decides what the others must be.
        let acked = |submit: &&&Submit| matches!(submit.answer, SubmitAnswer::Acked { .. });
        let Some(first) = submits.iter().filter(acked).min_by_key(|submit| submit.ret) else { continue };
        for submit in &submits {
            match (&submit.answer, &first.answer) {
                (SubmitAnswer::Acked { id, replayed }, SubmitAnswer::Acked { id: own, .. }) => {
                    verdict.that(id == own, || format!("key {key}: {own}, and later {id}"));
                    verdict
                        .that(submit.mark == first.mark, || format!("key {key}: another body was accepted"));
                    verdict.that(submit.call <= first.ret || *replayed, || {
                        format!("key {key}: {id} again, and not said to be a repetition")
                    });
                }
                (SubmitAnswer::KeyReused, _) => verdict
                    .that(submit.mark != first.mark, || format!("key {key}: the same body was refused")),
                (SubmitAnswer::Acked { .. } | SubmitAnswer::Unsent | SubmitAnswer::Ambiguous, _) => {}
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    fn again(sample: &mut Sample, change: impl FnOnce(&mut Submit)) {
        let mut submit = sample.history.submits[0].clone();
        (submit.call, submit.ret) = (submit.ret + 1, submit.ret + 2);
        submit.answer = SubmitAnswer::Acked { id: Sample::FIRST, replayed: true };
        change(&mut submit);
        sample.history.submits.push(submit);
    }

    #[test]
    fn another_task_for_the_same_key_is_found() {
        let mut sample = Sample::good();
        again(&mut sample, |_| {});
        assert_eq!(sample.broken(check), Vec::<String>::new());
        again(&mut sample, |submit| {
            submit.answer = SubmitAnswer::Acked { id: uuid::Uuid::from_u128(9), replayed: true };
        });
        assert!(sample.broken(check)[0].contains("and later"));
    }

    #[test]
    fn an_accepted_other_body_and_a_silent_repetition_are_found() {
        let mut other = Sample::good();
        again(&mut other, |submit| submit.mark = 77);
        assert!(other.broken(check)[0].contains("another body"));
        let mut silent = Sample::good();
        again(&mut silent, |submit| {
            submit.answer = SubmitAnswer::Acked { id: Sample::FIRST, replayed: false }
        });
        assert!(silent.broken(check)[0].contains("not said"));
        let mut refused = Sample::good();
        again(&mut refused, |submit| submit.answer = SubmitAnswer::KeyReused);
        assert!(refused.broken(check)[0].contains("refused"));
    }
}
