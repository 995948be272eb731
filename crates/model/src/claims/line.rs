//! The rules of claims in their plainest form: a line of requests in memory. It is what the stores are
//! compared with, and what the simulator keeps its claims in. It looks at the whole line each time, so it is
//! not what a store works like.
//!
//! - A request has all that it claims at once, or nothing of it.
//! - **Locks** go by order of arrival. A request has its turn on a lock once nobody who came before it, and
//!   claims the same in a way
//!   that does not go with it, is left, whether that one holds or waits. Those that share go together, up to
//!   the first that wants it alone.
//! - **Places** are taken by those who hold only. Of those that have their turn on all their locks, whoever
//!   came first goes first, and
//!   goes once fewer than its own limit hold a place of the key. Whoever waits for a lock keeps nobody from a
//!   place.
//!
//! Everybody who waits, waits for holders or for those that came before. So nobody waits in a circle, and
//! nobody waits for ever for a lock.

use std::collections::{HashMap, HashSet};

use super::{Claim, ClaimMode};
use crate::id::TaskId;

/// One request in the line.
#[derive(Clone, Debug)]
struct Request {
    task: TaskId,
    claims: Vec<(String, ClaimMode)>,
    held: bool,
}

/// What tasks hold and wait for, in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Line {
    requests: Vec<Request>,
}

impl Line {
    /// Puts a task that asks for these at the end. It has them once [`Line::grant`] says so.
    pub fn request(&mut self, task: TaskId, claims: &[Claim]) {
        let claims = claims.iter().map(|claim| (claim.key(), claim.mode)).collect();
        self.requests.push(Request { task, claims, held: false });
    }

    /// Takes out what a task holds or waits for.
    pub fn release(&mut self, task: TaskId) {
        self.requests.retain(|request| request.task != task);
    }

    /// Grants all that can be granted: the tasks, in order of arrival.
    pub fn grant(&mut self) -> Vec<TaskId> {
        let mut places: HashMap<String, u32> = HashMap::new();
        for request in self.requests.iter().filter(|request| request.held) {
            if let Some((key, _)) = request.place() {
                *places.entry(key.to_owned()).or_default() += 1;
            }
        }
        // Of those that came before: who locks what, and who would have a place next.
        let (mut locked, mut next) = (HashMap::new(), HashSet::new());
        let mut granted = Vec::new();
        for request in &mut self.requests {
            if !request.held {
                request.held = request.has_its_turn(&locked) && request.takes_place(&mut places, &mut next);
                if request.held {
                    granted.push(request.task);
                }
            }
            for (key, mode) in request.locks() {
                let alone = locked.entry(key.to_owned()).or_insert(false);
                *alone |= mode == ClaimMode::Exclusive;
            }
        }
        granted
    }

    /// The tasks that hold what they claim, in order of arrival.
    pub fn holders(&self) -> Vec<TaskId> {
        self.requests.iter().filter(|request| request.held).map(|request| request.task).collect()
    }

    /// The tasks that wait, in order of arrival.
    pub fn waiting(&self) -> Vec<TaskId> {
        self.requests.iter().filter(|request| !request.held).map(|request| request.task).collect()
    }

    /// Whether a task holds what it claims; `None` for one that is not in the line.
    pub fn holds(&self, task: TaskId) -> Option<bool> {
        self.requests.iter().find(|request| request.task == task).map(|request| request.held)
    }
}

impl Request {
    fn locks(&self) -> impl Iterator<Item = (&str, ClaimMode)> {
        let locks = self.claims.iter().filter(|(_, mode)| !matches!(mode, ClaimMode::Slot(_)));
        locks.map(|(key, mode)| (key.as_str(), *mode))
    }

    /// The key of its place, and how many may have one.
    fn place(&self) -> Option<(&str, u32)> {
        self.claims.iter().find_map(|(key, mode)| match mode {
            ClaimMode::Slot(most) => Some((key.as_str(), *most)),
            ClaimMode::Shared | ClaimMode::Exclusive => None,
        })
    }

    /// `locked`: the keys that those before it claim, and whether one of them wants it alone.
    fn has_its_turn(&self, locked: &HashMap<String, bool>) -> bool {
        self.locks().all(|(key, mode)| match locked.get(key) {
            None => true,
            Some(alone) => !alone && mode == ClaimMode::Shared,
        })
    }

    /// Takes a place, if it claims one, unless somebody is before it or none is left.
    fn takes_place(&self, places: &mut HashMap<String, u32>, next: &mut HashSet<String>) -> bool {
        let Some((key, most)) = self.place() else { return true };
        let taken = places.entry(key.to_owned()).or_default();
        if next.contains(key) || *taken >= most {
            next.insert(key.to_owned());
            return false;
        }
        *taken += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(n: u128) -> TaskId {
        TaskId(uuid::Uuid::from_u128(n))
    }

    fn lock(id: &str, mode: ClaimMode) -> Claim {
        Claim { kind: "HOST".to_owned(), id: id.to_owned(), mode }
    }

    fn place(most: u32) -> Claim {
        lock("k", ClaimMode::Slot(most))
    }

    #[test]
    fn one_that_wants_it_alone_stands_before_those_that_share() {
        let mut line = Line::default();
        let modes = [ClaimMode::Shared, ClaimMode::Exclusive, ClaimMode::Shared, ClaimMode::Shared];
        for (n, mode) in modes.into_iter().enumerate() {
            line.request(task(n as u128), &[lock("a", mode)]);
        }
        assert_eq!(line.grant(), [task(0)]);
        line.release(task(0));
        assert_eq!(line.grant(), [task(1)]);
        line.release(task(1));
        assert_eq!(line.grant(), [task(2), task(3)]);
        assert_eq!((line.holders().len(), line.waiting().len()), (2, 0));
    }

    #[test]
    fn all_is_granted_at_once_or_nothing() {
        let mut line = Line::default();
        line.request(task(0), &[lock("a", ClaimMode::Exclusive)]);
        line.request(task(1), &[lock("a", ClaimMode::Exclusive), lock("b", ClaimMode::Exclusive)]);
        line.request(task(2), &[lock("b", ClaimMode::Exclusive)]);
        assert_eq!(line.grant(), [task(0)], "the third stands behind the second");
        line.release(task(1));
        assert_eq!(line.grant(), [task(2)]);
    }

    #[test]
    fn whoever_waits_for_a_lock_takes_no_place() {
        let mut line = Line::default();
        line.request(task(0), &[lock("a", ClaimMode::Exclusive)]);
        line.request(task(1), &[lock("a", ClaimMode::Exclusive), place(1)]);
        line.request(task(2), &[place(1)]);
        line.request(task(3), &[place(1)]);
        assert_eq!(line.grant(), [task(0), task(2)]);
        line.release(task(0));
        assert_eq!(line.grant(), []);
        line.release(task(2));
        assert_eq!(line.grant(), [task(1)], "it came before the fourth");
    }

    #[test]
    fn each_goes_by_its_own_limit_and_nobody_passes() {
        let mut line = Line::default();
        line.request(task(0), &[place(2)]);
        line.request(task(1), &[place(1)]);
        line.request(task(2), &[place(2)]);
        assert_eq!(line.grant(), [task(0)], "the third has room, but the second is before it");
        line.release(task(0));
        assert_eq!(line.grant(), [task(1), task(2)]);
    }
}
