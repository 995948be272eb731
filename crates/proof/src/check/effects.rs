//! I4 and I15: what succeeded is not run again, measured at the effect counter. A second call of one sub-task
//! needs a death of the server between the two; one that may do harm when repeated is called once unless an
//! operator says that it was not done.

use std::collections::{BTreeMap, HashSet};

use super::success::first_success;
use super::{Evidence, Verdict};
use crate::history::{Effect, Verb};
use crate::wire::SubStatus;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict =
        Verdict::new("I4", "no effect without a kill before it twice, none after a success (I15)");
    let verdicts = evidence.history.decided(&[Verb::NotDone]);
    let done = evidence.history.decided(&[Verb::Done]);
    for (id, task, kind) in evidence.tasks() {
        let polls = evidence.polls(id);
        for (i, (sub, last)) in
            kind.subs.iter().zip(&task.view.subs).enumerate().filter(|(_, (sub, _))| sub.effect)
        {
            let name = &sub.name;
            let calls: Vec<_> = evidence.calls(id, name).collect();
            let attempts = task.attempts.iter().filter(|attempt| attempt.sub == i).count();
            verdict.that(calls.len() <= attempts, || {
                format!("{id} {name}: {} effects of {attempts} attempts", calls.len())
            });
            let mut lives: BTreeMap<usize, u32> = BTreeMap::new();
            for call in &calls {
                *lives.entry(call.life).or_default() += 1;
            }
            // Nothing but a kill makes a second attempt of these, and an operator's word that it was not
            // done.
            let told = verdicts.get(id).map_or(0, |told| told.acked + told.ambiguous);
            for (life, count) in lives {
                // Others may take over before the stragglers of the dead are waited for.
                let struck = evidence.history.lives.get(life).and_then(|life| life.struck);
                let after = |call: &&&Effect| call.life == life && struck.is_some_and(|at| call.at >= at);
                let late = calls.iter().filter(after).count().min(1) as u32;
                verdict.that(count <= 1 + late + told, || {
                    format!("{id} {name}: {count} effects in life {life}")
                });
            }
            if sub.once {
                let count = calls.len();
                verdict.that(count <= 1 + told as usize, || {
                    format!("{id} {name}: {count} effects of what must not be repeated, {told} times told to")
                });
            }
            let keys: HashSet<&str> = calls.iter().map(|call| call.key.as_str()).collect();
            let generations: HashSet<u32> = task
                .attempts
                .iter()
                .filter(|attempt| attempt.sub == i)
                .map(|attempt| attempt.generation)
                .collect();
            verdict.that(keys.len() <= generations.len() && !keys.contains(""), || {
                format!("{id} {name}: effects under {} keys in {} generations", keys.len(), generations.len())
            });
            if last.status == SubStatus::Successful {
                verdict.that(!calls.is_empty() || done.contains_key(id), || {
                    format!("{id} {name}: a success without effect")
                });
            }
            if let Some((first, _)) = first_success(polls, i) {
                // What a node had begun from which others took over meanwhile, it cannot be kept from: the
                // key tells.
                let lost = task.attempts.iter().any(|attempt| attempt.sub == i && attempt.status == "LOST");
                let returned =
                    |life: usize| evidence.history.lives.get(life).is_some_and(|life| life.returned);
                let late = calls.iter().filter(|call| call.at > first.ret);
                let later = late.filter(|call| !(lost && returned(call.life))).count();
                verdict.that(later == 0, || {
                    format!("{id} {name}: {later} effects after it was seen successful")
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
    fn a_repeated_effect_is_found_unless_a_kill_lies_between() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());

        let mut again = Sample::good();
        let copy = again.history.effects[0].clone();
        again.history.effects.push(copy.clone());
        let broken = again.broken(check);
        assert!(broken.iter().any(|text| text.contains("2 effects in life 0")), "{broken:?}");

        let mut killed = Sample::good();
        killed.history.effects.insert(0, crate::history::Effect { life: 7, at: 1, ..copy.clone() });
        killed.lost_effect_attempt();
        assert_eq!(killed.broken(check), Vec::<String>::new());

        let mut late = Sample::good();
        late.history.effects[0].at = 1_000_000;
        assert!(late.broken(check)[0].contains("after it was seen"));

        let mut without = Sample::good();
        without.history.effects.clear();
        assert!(without.broken(check)[0].contains("without effect"));
    }

    #[test]
    fn what_must_not_be_repeated_has_one_effect_over_all_lives() {
        let mut sample = Sample::good();
        sample.make_once();
        let copy = sample.history.effects[0].clone();
        sample.history.effects.insert(0, crate::history::Effect { life: 7, at: 1, ..copy });
        sample.lost_effect_attempt();
        assert!(sample.broken(check)[0].contains("must not be repeated"));
        sample.told_not_done();
        assert_eq!(sample.broken(check), Vec::<String>::new());
    }
}
