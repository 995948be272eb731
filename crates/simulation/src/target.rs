//! The outside world that attempts act on: it deduplicates by the key that comes with each request, so that
//! the same key again gives the same answer and no second effect.

use std::collections::{BTreeMap, BTreeSet};

/// The outside world.
#[derive(Default)]
pub(crate) struct Target {
    answers: BTreeMap<String, bool>,
    /// Keys by which each sub-task had an effect.
    effects: BTreeMap<(usize, u32), BTreeSet<String>>,
}

impl Target {
    /// Answers a request with a key: the first one is done if `wants` says so and refused otherwise, and the
    /// same key always gets the same answer. True if the work is done.
    pub(crate) fn ask(&mut self, task: usize, sub_task: u32, key: &str, wants: bool) -> bool {
        let done = *self.answers.entry(key.to_owned()).or_insert(wants);
        if done {
            self.effects.entry((task, sub_task)).or_default().insert(key.to_owned());
        }
        done
    }

    /// Returns how often a sub-task had its effect.
    pub(crate) fn effects(&self, task: usize, sub_task: u32) -> usize {
        self.effects.get(&(task, sub_task)).map_or(0, BTreeSet::len)
    }

    /// Returns every sub-task that had more than one effect.
    pub(crate) fn repeated(&self) -> impl Iterator<Item = (&(usize, u32), &BTreeSet<String>)> {
        self.effects.iter().filter(|(_, keys)| keys.len() > 1)
    }
}
