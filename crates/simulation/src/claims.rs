//! The table of claims: holders and waiters, in order of arrival.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{Claim, ClaimMode};

/// Claims of all tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    last: u64,
    entries: BTreeMap<u64, Entry>,
    keys: BTreeMap<String, BTreeSet<u64>>,
    tickets: BTreeMap<usize, u64>,
    /// Number of holders of each key.
    held: BTreeMap<String, usize>,
}

#[derive(Clone, Debug)]
struct Entry {
    task: usize,
    claims: Vec<Claim>,
    held: bool,
}

/// Thoroughness of a wake-up, which a planted fault reduces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Care {
    /// Number of waiters that one wake-up considers.
    pub(crate) looks_at: usize,
    /// Number of claims of a task that are checked before all of them are granted.
    pub(crate) checks: usize,
}

impl Care {
    pub(crate) const FULL: Care = Care { looks_at: usize::MAX, checks: usize::MAX };
}

impl Claims {
    /// Requests all these claims for a task; true if it has them at once.
    pub(crate) fn request(&mut self, task: usize, claims: Vec<Claim>, care: Care) -> bool {
        self.last += 1;
        for claim in &claims {
            self.keys.entry(claim.key()).or_default().insert(self.last);
        }
        self.entries.insert(self.last, Entry { task, claims, held: false });
        self.tickets.insert(task, self.last);
        self.grant(self.last, care)
    }

    /// Releases everything a task holds or asks for; returns the keys that may be free now.
    pub(crate) fn release(&mut self, task: usize) -> Vec<String> {
        let Some(entry) = self.tickets.remove(&task).and_then(|ticket| {
            let entry = self.entries.remove(&ticket)?;
            Some((ticket, entry))
        }) else {
            return Vec::new();
        };
        let (ticket, Entry { claims, held, .. }) = entry;
        let keys: Vec<String> = claims.iter().map(Claim::key).collect();
        for key in &keys {
            if held && let Some(count) = self.held.get_mut(key) {
                *count -= 1;
            }
            if let Some(tickets) = self.keys.get_mut(key) {
                tickets.remove(&ticket);
                if tickets.is_empty() {
                    self.keys.remove(key);
                }
            }
        }
        keys
    }

    /// Grants the claims of tasks that wait for a key and whose turn it is; returns those tasks.
    pub(crate) fn wake(&mut self, key: &str, care: Care) -> Vec<usize> {
        let waiting: Vec<u64> = self
            .keys
            .get(key)
            .into_iter()
            .flatten()
            .filter(|ticket| !self.entries[*ticket].held)
            .take(care.looks_at)
            .copied()
            .collect();
        let mut granted = Vec::new();
        for ticket in waiting {
            let barrier = match self.mode(ticket, key) {
                Some(ClaimMode::Slot(most)) => self.holders(key) >= most as usize,
                _ => false,
            };
            if barrier {
                break;
            }
            if self.grant(ticket, care) {
                granted.push(self.entries[&ticket].task);
            }
            if self.mode(ticket, key) == Some(ClaimMode::Exclusive) {
                break;
            }
        }
        granted
    }

    /// Grants the claims of all tasks whose turn it is, even if no wake-up found them.
    pub(crate) fn sweep(&mut self) -> Vec<usize> {
        let keys: Vec<String> = self.keys.keys().cloned().collect();
        keys.iter().flat_map(|key| self.wake(key, Care::FULL)).collect()
    }

    /// True if a task holds its claims.
    pub(crate) fn holds(&self, task: usize) -> bool {
        self.tickets.get(&task).is_some_and(|ticket| self.entries[ticket].held)
    }

    /// Returns how many tasks hold claims or wait for them.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn mode(&self, ticket: u64, key: &str) -> Option<ClaimMode> {
        self.entries[&ticket].claims.iter().find(|claim| claim.key() == key).map(|claim| claim.mode)
    }

    fn holders(&self, key: &str) -> usize {
        self.held.get(key).copied().unwrap_or(0)
    }

    fn grant(&mut self, ticket: u64, care: Care) -> bool {
        let turn = self.has_turn(ticket, care.checks);
        if let Some(entry) = self.entries.get_mut(&ticket)
            && turn
        {
            entry.held = true;
            for claim in &entry.claims {
                *self.held.entry(claim.key()).or_default() += 1;
            }
        }
        turn
    }

    /// True if nobody stands in a waiter's way.
    fn has_turn(&self, ticket: u64, checks: usize) -> bool {
        self.entries[&ticket].claims.iter().take(checks).all(|claim| self.is_free(ticket, claim))
    }

    fn is_free(&self, ticket: u64, claim: &Claim) -> bool {
        let key = claim.key();
        let before = || self.keys.get(&key).into_iter().flat_map(|tickets| tickets.range(..ticket));
        match claim.mode {
            ClaimMode::Exclusive => before().next().is_none(),
            ClaimMode::Shared => !before().any(|other| self.mode(*other, &key) == Some(ClaimMode::Exclusive)),
            // Only a holder has a slot; among waiters that could have it, the elder goes first.
            ClaimMode::Slot(most) => {
                let most = most as usize;
                let elder = |other: &&u64| !self.entries[*other].held && self.has_locks(**other);
                let held = self.holders(&key);
                held < most && before().filter(elder).take(most - held).count() < most - held
            }
        }
    }

    /// True if a waiter has its turn on all claims except slots.
    fn has_locks(&self, ticket: u64) -> bool {
        let mut locks =
            self.entries[&ticket].claims.iter().filter(|claim| !matches!(claim.mode, ClaimMode::Slot(_)));
        locks.all(|claim| self.is_free(ticket, claim))
    }
}
