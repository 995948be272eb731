//! I6: a cancel is a barrier. Once it was answered no attempt starts, and the task ends cancelled.

use super::{Evidence, Verdict};
use crate::history::{DecisionAnswer, Verb};
use crate::wire::TaskStatus;

/// Largest difference between the clocks of several nodes and this process's, in milliseconds.
const AGREED: i64 = 10;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict =
        Verdict::new("I6", "after an acknowledged cancel nothing starts, and the task ends cancelled");
    let agreed = if evidence.history.lives.iter().any(|life| life.shared) { AGREED } else { 0 };
    let cancels = evidence.history.decisions.iter().filter(|decision| decision.what == Verb::Cancel);
    for cancel in cancels.filter(|cancel| cancel.answer == DecisionAnswer::Acked) {
        let id = cancel.id;
        let Some(task) = evidence.dump.tasks.get(&id) else { continue };
        verdict.that(task.view.status == TaskStatus::Cancelled, || {
            format!("{id}: cancelled, and in the end {:?}", task.view.status)
        });
        for attempt in &task.attempts {
            verdict.that(attempt.started <= cancel.ret_wall + agreed, || {
                let late = attempt.started - cancel.ret_wall;
                format!(
                    "{id} {}: attempt {} started {late} ms after the cancel",
                    task.names[attempt.sub], attempt.number
                )
            });
        }
        // Those of the life in which it was cancelled may have been under way, or at another node.
        let later = |life: usize| {
            let life = evidence.history.lives.get(life);
            life.is_some_and(|life| life.spawned > cancel.ret && !life.shared)
        };
        for effect in evidence.effects.get(&id).into_iter().flatten() {
            verdict.that(!later(effect.life), || {
                format!("{id} {}: an effect in a life after the cancel", effect.sub)
            });
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;

    #[test]
    fn what_happens_after_a_cancel_is_found() {
        let mut sample = Sample::good();
        sample.cancelled();
        assert_eq!(sample.broken(check), Vec::<String>::new());
        sample.first().view.status = TaskStatus::Successful;
        assert!(sample.broken(check)[0].contains("in the end"));
        sample.cancelled();
        sample.first().attempts[0].started = 10_000;
        assert!(sample.broken(check)[0].contains("after the cancel"));
    }
}
