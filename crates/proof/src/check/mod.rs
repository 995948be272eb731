//! Checks of the invariants of docs/reliability.md, by their numbers. Each is a function over the record of a
//! run and the server's final state; none asks the server anything.

mod attempts;
mod cancel;
mod effects;
mod feed;
mod idempotency;
mod locks;
mod monotone;
mod order;
pub mod plant;
mod rollup;
mod submissions;
mod success;
mod totals;
mod withdrawn;

#[cfg(test)]
mod sample;

use std::collections::HashMap;

use uuid::Uuid;

use crate::catalog::{Catalog, Kind};
use crate::dump::{Dump, Final};
use crate::history::{Effect, History, Poll};

/// Evidence that the checks look at.
pub struct Evidence<'a> {
    /// Record of the clients and the effect counter.
    pub history: &'a History,
    /// The server's word in the end.
    pub dump: &'a Dump,
    /// The workflows of the load.
    pub catalog: &'a Catalog,
    polls: HashMap<Uuid, Vec<&'a Poll>>,
    effects: HashMap<Uuid, Vec<&'a Effect>>,
}

/// Result of one invariant's check.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// `I1`.
    pub name: &'static str,
    /// Statement of the invariant.
    pub what: &'static str,
    /// Things looked at.
    pub looked: u64,
    /// Violations, in words.
    pub broken: Vec<String>,
}

/// Check of an invariant.
pub type Check = fn(&Evidence<'_>) -> Verdict;

/// Checks of all invariants.
pub const CHECKS: [Check; 14] = [
    submissions::check,
    idempotency::check,
    success::check,
    effects::check,
    order::check,
    cancel::check,
    monotone::check,
    rollup::check,
    totals::check,
    attempts::check,
    locks::check,
    totals::ended,
    withdrawn::check,
    feed::check,
];

/// Holds the evidence against every invariant.
pub fn all(evidence: &Evidence<'_>) -> Vec<Verdict> {
    CHECKS.iter().map(|check| check(evidence)).collect()
}

impl<'a> Evidence<'a> {
    /// Sorts what was recorded by task.
    pub fn new(history: &'a History, dump: &'a Dump, catalog: &'a Catalog) -> Self {
        let mut polls: HashMap<Uuid, Vec<&Poll>> = HashMap::new();
        for poll in &history.polls {
            polls.entry(poll.id).or_default().push(poll);
        }
        let mut effects: HashMap<Uuid, Vec<&Effect>> = HashMap::new();
        for effect in &history.effects {
            effects.entry(effect.task).or_default().push(effect);
        }
        Evidence { history, dump, catalog, polls, effects }
    }

    /// Returns the views of a task, in the order of the answers.
    fn polls(&self, id: &Uuid) -> &[&'a Poll] {
        self.polls.get(id).map_or(&[], Vec::as_slice)
    }

    /// The calls that a task's sub-task made.
    fn calls(&self, id: &Uuid, sub: &str) -> impl Iterator<Item = &'a Effect> {
        let calls = self.effects.get(id).map_or(&[][..], Vec::as_slice);
        calls.iter().copied().filter(move |effect| effect.sub == sub)
    }

    /// Every task in the end, with what is known of its workflow.
    fn tasks(&self) -> impl Iterator<Item = (&'a Uuid, &'a Final, &'a Kind)> {
        let (dump, catalog) = (self.dump, self.catalog);
        dump.tasks.iter().filter_map(move |(id, task)| Some((id, task, catalog.kind(&task.workflow)?)))
    }
}

impl Verdict {
    fn new(name: &'static str, what: &'static str) -> Self {
        Verdict { name, what, looked: 0, broken: Vec::new() }
    }

    /// Looks at one thing.
    fn that(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        self.looked += 1;
        if !holds {
            self.broken.push(otherwise());
        }
    }
}
