//! Checks of workers' work, each a function of the evidence.

use std::collections::{HashMap, HashSet};

use super::{Deed, Event, Evidence};
use crate::check::Verdict;
use crate::wire::{SubStatus, TaskStatus};

/// Runs every check.
pub fn all(evidence: &Evidence) -> Vec<Verdict> {
    [once, holders, fenced, effects, ends, counted].iter().map(|check| check(evidence)).collect()
}

/// I4: what succeeded is not run again.
fn once(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I4", "no attempt is leased after an accepted success");
    for (sub, events) in evidence.by_sub_task() {
        verdict.looked += 1;
        let Some(at) = events.iter().position(|event| event.deed == Deed::Completed(200)) else { continue };
        let token = events[at].lease.token;
        let later =
            events[at..].iter().find(|event| event.deed == Deed::Granted && event.lease.token > token);
        if let Some(later) = later {
            verdict
                .broken
                .push(format!("{sub:?}: leased as {} after the success of {token}", later.lease.token));
        }
        let successes = accepted(&events, Deed::Completed(200));
        if successes.len() > 1 {
            verdict.broken.push(format!("{sub:?}: successes of {successes:?} were accepted"));
        }
    }
    verdict
}

fn accepted(events: &[Event], deed: Deed) -> HashSet<u64> {
    events.iter().filter(|event| event.deed == deed).map(|event| event.lease.token).collect()
}

/// I7: a lease has one holder, and tokens rise; the server's own attempts do not overlap.
fn holders(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I7", "one holder a token, and attempts of a sub-task one after the other");
    let mut holder = HashMap::new();
    for event in evidence.events.iter().filter(|event| event.deed == Deed::Granted) {
        verdict.looked += 1;
        if let Some(other) = holder.insert(event.lease, event.worker) {
            verdict.broken.push(format!("{:?} was given to {other} and to {}", event.lease, event.worker));
        }
    }
    for (id, task) in &evidence.dump.tasks {
        for (n, attempt) in task.attempts.iter().enumerate() {
            let before = task.attempts[..n].iter().filter(|other| other.sub == attempt.sub);
            for other in before {
                verdict.looked += 1;
                let rises = other.number < attempt.number;
                let over = other.ended.is_some_and(|ended| ended <= attempt.started);
                if !rises || !over {
                    verdict.broken.push(format!("{id} {}: {other:?} and {attempt:?} overlap", attempt.sub));
                }
            }
        }
    }
    verdict
}

/// I8: reports of leases that are over change nothing: whatever was accepted is what the server has.
fn fenced(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I8", "an accepted success is the attempt that the server shows as successful");
    for event in evidence.events.iter().filter(|event| event.deed == Deed::Completed(200)) {
        verdict.looked += 1;
        let Some(task) = evidence.dump.tasks.get(&event.lease.task) else { continue };
        let found = task
            .attempts
            .iter()
            .find(|attempt| attempt.sub == event.lease.sub && u64::from(attempt.number) == event.lease.token);
        if found.is_none_or(|attempt| attempt.status != "SUCCESSFUL") {
            verdict.broken.push(format!("{:?} was accepted, the server has {found:?}", event.lease));
        }
    }
    verdict
}

/// I15: an effect is repeated only where nobody knew, and always under the same key.
fn effects(evidence: &Evidence) -> Verdict {
    let mut verdict =
        verdict("I15", "effects: at least one a success, at most one more for each lost attempt, one key");
    let mut seen: HashMap<_, (usize, HashSet<&str>)> = HashMap::new();
    for effect in &evidence.effects {
        let entry = seen.entry((effect.task, effect.sub.as_str())).or_default();
        entry.0 += 1;
        entry.1.insert(&effect.key);
    }
    for (id, task) in &evidence.dump.tasks {
        for (sub, name) in task.names.iter().enumerate() {
            verdict.looked += 1;
            let lost = task.attempts.iter().filter(|a| a.sub == sub && a.status == "LOST").count();
            let (count, keys) = seen.remove(&(*id, name.as_str())).unwrap_or_default();
            let done = task.view.subs[sub].status == SubStatus::Successful;
            if count > 1 + lost || done && count == 0 || keys.len() > 1 {
                verdict.broken.push(format!("{id} {name}: {count} effects, {lost} lost, keys {keys:?}"));
            }
        }
    }
    verdict.broken.extend(seen.keys().map(|(id, sub)| format!("{id} {sub}: an effect of no task")));
    verdict
}

/// I1, I14: every accepted task is there, and ended well.
pub(super) fn ends(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I14", "every accepted task ended well once the faults were over");
    for id in &evidence.tasks {
        verdict.looked += 1;
        match evidence.dump.tasks.get(id).map(|task| task.view.status) {
            Some(TaskStatus::Successful) => {}
            other => verdict.broken.push(format!("{id}: {other:?}")),
        }
    }
    verdict
}

/// I13: every lease that was given is in the history of attempts.
fn counted(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I13", "every lease is an attempt in the task's history");
    for event in evidence.events.iter().filter(|event| event.deed == Deed::Granted) {
        verdict.looked += 1;
        let Some(task) = evidence.dump.tasks.get(&event.lease.task) else {
            verdict.broken.push(format!("{:?}: the task is gone", event.lease));
            continue;
        };
        let told = task
            .attempts
            .iter()
            .any(|attempt| attempt.sub == event.lease.sub && u64::from(attempt.number) == event.lease.token);
        if !told {
            verdict.broken.push(format!("{:?} left no line", event.lease));
        }
    }
    verdict
}

pub(super) fn verdict(name: &'static str, what: &'static str) -> Verdict {
    Verdict { name, what, looked: 0, broken: Vec::new() }
}
