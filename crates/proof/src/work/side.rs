//! Checks of workers of every kind side by side: the server's history and the effect counter agree, attempt
//! by attempt.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::Evidence;
use super::check::{ends, verdict};
use crate::check::Verdict;
use crate::check::plant::Outcome;
use crate::history::Effect;
use crate::wire::{AttemptView, SubStatus, TaskStatus};

/// Kind of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The library in Rust.
    Rust,
    /// The package in Python.
    Python,
    /// `longhaul worker exec`.
    Exec,
}

/// Kinds of workers.
pub const KINDS: [Kind; 3] = [Kind::Rust, Kind::Python, Kind::Exec];

/// The queue that all kinds serve.
pub const SHARED: &str = "mixed-shared";

impl Kind {
    /// Name of the kind, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Rust => "rust",
            Kind::Python => "python",
            Kind::Exec => "exec",
        }
    }

    /// The sub-task that only it does.
    pub fn step(self) -> &'static str {
        match self {
            Kind::Rust => "Rust",
            Kind::Python => "Python",
            Kind::Exec => "Exec",
        }
    }

    /// The queue that only it serves.
    pub fn queue(self) -> String {
        format!("mixed-{}", self.word())
    }

    fn of(word: &str) -> Option<Kind> {
        KINDS.into_iter().find(|kind| kind.word() == word)
    }
}

/// Runs every check.
pub fn all(evidence: &Evidence) -> Vec<Verdict> {
    [one_success, in_turn, recorded, own_queue, ends].iter().map(|check| check(evidence)).collect()
}

/// The attempts of each sub-task.
fn by_sub_task(evidence: &Evidence) -> impl Iterator<Item = (Uuid, &str, bool, Vec<&AttemptView>)> {
    evidence.dump.tasks.iter().flat_map(|(id, task)| {
        task.names.iter().zip(&task.view.subs).enumerate().map(move |(n, (name, sub))| {
            let attempts = task.attempts.iter().filter(|attempt| attempt.sub == n).collect();
            (*id, name.as_str(), sub.status == SubStatus::Successful, attempts)
        })
    })
}

/// Effects by task, sub-task and token.
fn by_token(evidence: &Evidence) -> HashMap<(Uuid, &str, u64), Vec<&Effect>> {
    let mut all: HashMap<_, Vec<&Effect>> = HashMap::new();
    for effect in &evidence.effects {
        all.entry((effect.task, effect.sub.as_str(), effect.token.unwrap_or(0))).or_default().push(effect);
    }
    all
}

/// I4: one attempt of a sub-task succeeds, and it is the last.
fn one_success(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I4", "one attempt of a finished sub-task succeeded, and none came after it");
    for (id, name, done, attempts) in by_sub_task(evidence).filter(|(_, _, done, _)| *done) {
        verdict.looked += 1;
        let successes = attempts.iter().filter(|attempt| attempt.status == "SUCCESSFUL").count();
        let last = attempts.iter().max_by_key(|attempt| attempt.number);
        if done && (successes != 1 || last.is_none_or(|last| last.status != "SUCCESSFUL")) {
            verdict.broken.push(format!("{id} {name}: {attempts:?}"));
        }
    }
    verdict
}

/// I7: attempts of a sub-task come one after the other.
fn in_turn(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I7", "attempts of a sub-task, one after the other");
    for (id, name, _, mut attempts) in by_sub_task(evidence) {
        attempts.sort_by_key(|attempt| attempt.number);
        for pair in attempts.windows(2) {
            verdict.looked += 1;
            if pair[0].ended.is_none_or(|ended| ended > pair[1].started) {
                verdict.broken.push(format!("{id} {name}: {:?} and {:?} overlap", pair[0], pair[1]));
            }
        }
    }
    verdict
}

/// I15: an attempt that succeeded has its effect, once; no attempt has two; every effect has its attempt; all
/// of a sub-task carry one key.
fn recorded(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I15", "no effect lost, none recorded twice, none without its attempt");
    let mut effects = by_token(evidence);
    for (id, name, _, attempts) in by_sub_task(evidence) {
        let mut keys = BTreeSet::new();
        for attempt in attempts {
            verdict.looked += 1;
            let of = effects.remove(&(id, name, u64::from(attempt.number))).unwrap_or_default();
            keys.extend(of.iter().map(|effect| &effect.key));
            if of.len() > 1 || of.is_empty() && attempt.status == "SUCCESSFUL" {
                verdict.broken.push(format!("{id} {name}: {} effects of {attempt:?}", of.len()));
            }
        }
        if keys.len() > 1 || keys.iter().any(|key| key.is_empty()) {
            verdict.broken.push(format!("{id} {name}: effects under the keys {keys:?}"));
        }
    }
    verdict.broken.extend(effects.keys().map(|of| format!("{of:?}: an effect of no attempt")));
    verdict
}

/// A queue's work is done by those who serve it.
fn own_queue(evidence: &Evidence) -> Verdict {
    let mut verdict = verdict("I6", "work of a queue goes to those who serve it");
    for effect in &evidence.effects {
        verdict.looked += 1;
        let by = effect.by.as_deref().and_then(Kind::of);
        let whose = KINDS.into_iter().find(|kind| kind.step() == effect.sub);
        if by.is_none() || whose.is_some() && whose != by {
            verdict.broken.push(format!("{} {} by {:?}", effect.task, effect.sub, effect.by));
        }
    }
    verdict
}

/// Effects whose attempt was lost, by kind: kills that fell between the two.
pub fn lost_by_kind(evidence: &Evidence) -> HashMap<&str, usize> {
    let effects = by_token(evidence);
    let mut lost = HashMap::new();
    for (id, name, _, attempts) in by_sub_task(evidence) {
        for attempt in attempts.iter().filter(|attempt| attempt.status == "LOST") {
            let of = effects.get(&(id, name, u64::from(attempt.number))).into_iter().flatten();
            for by in of.filter_map(|effect| effect.by.as_deref()) {
                *lost.entry(by).or_default() += 1;
            }
        }
    }
    lost
}

/// The kinds that did something of the queue that all serve.
pub fn kinds_on_shared(evidence: &Evidence) -> BTreeSet<Kind> {
    let shared = evidence.effects.iter().filter(|effect| effect.sub.starts_with("Any"));
    shared.filter_map(|effect| Kind::of(effect.by.as_deref()?)).collect()
}

/// A planted bug: what a faulty server would have left.
pub struct Plant {
    /// Name of the bug, in words.
    pub name: &'static str,
    /// The invariant that it breaks.
    pub invariant: &'static str,
    put: fn(&mut Evidence) -> bool,
}

/// Planted bugs.
const PLANTS: [Plant; 7] = [
    Plant { name: "two attempts succeeded", invariant: "I4", put: succeed_twice },
    Plant { name: "two attempts ran side by side", invariant: "I7", put: overlap },
    Plant { name: "an effect was recorded twice", invariant: "I15", put: record_twice },
    Plant { name: "an effect was lost", invariant: "I15", put: lose_effect },
    Plant { name: "an attempt left no line", invariant: "I15", put: forget_attempt },
    Plant { name: "another kind did the work", invariant: "I6", put: mistake },
    Plant { name: "a task is stuck", invariant: "I14", put: stick },
];

/// Puts each bug into a copy and looks whether it is seen.
pub fn all_planted(evidence: &Evidence) -> Vec<(&'static Plant, Outcome)> {
    let outcome = |plant: &'static Plant| {
        let mut copy = evidence.clone();
        if !(plant.put)(&mut copy) {
            return (plant, Outcome::NoPlace);
        }
        let seen = all(&copy).iter().any(|v| v.name == plant.invariant && !v.broken.is_empty());
        (plant, if seen { Outcome::Caught } else { Outcome::Missed })
    };
    PLANTS.iter().map(outcome).collect()
}

/// Returns an attempt that another one followed.
fn repeated(evidence: &mut Evidence) -> Option<&mut AttemptView> {
    let mut all = evidence.dump.tasks.values_mut().flat_map(|task| task.attempts.iter_mut());
    all.find(|attempt| attempt.status == "LOST")
}

fn succeed_twice(evidence: &mut Evidence) -> bool {
    repeated(evidence).map(|attempt| attempt.status = "SUCCESSFUL".to_owned()).is_some()
}

fn overlap(evidence: &mut Evidence) -> bool {
    repeated(evidence).map(|attempt| attempt.ended = attempt.ended.map(|at| at + 3_600_000)).is_some()
}

fn record_twice(evidence: &mut Evidence) -> bool {
    let first = evidence.effects.first().cloned();
    first.map(|effect| evidence.effects.push(effect)).is_some()
}

fn lose_effect(evidence: &mut Evidence) -> bool {
    // The last of them: nothing was killed any more.
    evidence.effects.pop().is_some()
}

fn forget_attempt(evidence: &mut Evidence) -> bool {
    let Some(Effect { task, sub, token: Some(token), .. }) = evidence.effects.first() else { return false };
    let (sub, token) = (sub.clone(), *token);
    let Some(task) = evidence.dump.tasks.get_mut(task) else { return false };
    let Some(place) = task.names.iter().position(|name| *name == sub) else { return false };
    let before = task.attempts.len();
    task.attempts.retain(|attempt| attempt.sub != place || u64::from(attempt.number) != token);
    task.attempts.len() < before
}

fn mistake(evidence: &mut Evidence) -> bool {
    let own = evidence.effects.iter_mut().find(|effect| effect.sub == Kind::Exec.step());
    own.map(|effect| effect.by = Some(Kind::Rust.word().to_owned())).is_some()
}

fn stick(evidence: &mut Evidence) -> bool {
    let first = evidence.dump.tasks.values_mut().next();
    first.map(|task| task.view.status = TaskStatus::InProgress).is_some()
}
