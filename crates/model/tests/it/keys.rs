//! I15: attempts that ask for the same effect. A target that remembers keys acts once for all of one key, so
//! a key changes exactly where the effect is known not to have happened.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{Command, Decided, Failure, Launch, Verdict};

/// The keys that attempts had.
#[derive(Default)]
pub(crate) struct Keys {
    /// Key of each sub-task's latest attempt, and the number of attempts that had it.
    latest: BTreeMap<u32, (String, u32)>,
    /// Sub-tasks whose latest key is spent: an attempt under it is known to have failed.
    spent: BTreeSet<u32>,
    /// Every key of every sub-task.
    used: BTreeSet<String>,
}

impl Keys {
    /// A command was accepted.
    pub(crate) fn note(&mut self, command: &Command) {
        match command {
            Command::Fail { sub_task, failure: Failure::Error { .. }, .. } => {
                self.spent.insert(*sub_task);
            }
            Command::Resolve { verdict: Some(Verdict { sub_task, done: false, .. }), .. } => {
                self.spent.insert(*sub_task);
            }
            Command::Decide { sub_tasks, what: Decided::NotDone | Decided::Failed, .. } => {
                self.spent.extend(sub_tasks)
            }
            Command::HandBack { sub_task, .. } => self.hand_back(*sub_task),
            _ => {}
        }
    }

    /// Notes that the latest attempt was not begun: a key that only it had was never used.
    fn hand_back(&mut self, index: u32) {
        let Some((key, count)) = self.latest.get_mut(&index) else { return };
        *count -= 1;
        if *count == 0 {
            self.used.remove(key);
            self.latest.remove(&index);
        }
    }

    /// Checks an attempt that is given to its worker once more.
    pub(crate) fn check_again(&self, launch: &Launch) {
        let before = self.latest.get(&launch.sub_task).map(|(key, _)| key);
        assert_eq!(before, Some(&launch.idempotency_key), "I15: a lease given again has another key");
    }

    /// An attempt starts.
    pub(crate) fn check(&mut self, launch: &Launch) {
        let (index, key) = (launch.sub_task, &launch.idempotency_key);
        let spent = self.spent.remove(&index);
        match self.latest.get_mut(&index) {
            Some((before, count)) if !spent => {
                assert_eq!(before, key, "I15: sub-task {index}: a new key, and the old one may have acted");
                *count += 1;
            }
            _ => {
                assert!(self.used.insert(key.clone()), "I15: sub-task {index}: the key {key} is done with");
                self.latest.insert(index, (key.clone(), 1));
            }
        }
    }
}
