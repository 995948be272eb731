//! Rules of claims in their plainest form: a line of requests in memory. The stores are compared with it, and
//! the simulator keeps its claims in it. Every step looks at the whole line, so it is no way for a store to
//! work.
//!
//! - A request gets all its claims at once, or none of them.
//! - **Locks** go by order of arrival. A request may have a lock once no earlier request is left, waiting or
//!   holding, that claims the same in an incompatible way. Shared claims go together, up to the first
//!   exclusive one.
//! - **Slots** are occupied by holders only. Of the requests that may have all their locks, the earliest goes
//!   first, and goes once fewer than its own limit hold a slot of the key. A request that waits for a lock
//!   keeps nobody from a slot.
//!
//! Tasks that wait, wait for holders or for tasks that came before. So no tasks wait in a circle, and none
//! waits for ever for a lock.

use std::collections::{HashMap, HashSet};

use super::{Claim, ClaimMode};
use crate::id::TaskId;

/// Claims of one task, with its place in the line.
#[derive(Clone, Debug)]
struct Request {
    task: TaskId,
    claims: Vec<(String, ClaimMode)>,
    held: bool,
}

/// Claims that tasks hold and wait for, in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Line {
    requests: Vec<Request>,
}

impl Line {
    /// Adds a task with its claims at the end. It has them once [`Line::grant`] returns it.
    pub fn request(&mut self, task: TaskId, claims: &[Claim]) {
        let claims = claims.iter().map(|claim| (claim.key(), claim.mode)).collect();
        self.requests.push(Request { task, claims, held: false });
    }

    /// Removes all that a task holds or waits for.
    pub fn release(&mut self, task: TaskId) {
        self.requests.retain(|request| request.task != task);
    }

    /// Grants all that can be granted; returns the tasks, in order of arrival.
    pub fn grant(&mut self) -> Vec<TaskId> {
        let mut places: HashMap<String, u32> = HashMap::new();
        for request in self.requests.iter().filter(|request| request.held) {
            if let Some((key, _)) = request.place() {
                *places.entry(key.to_owned()).or_default() += 1;
            }
        }
        // Keys of earlier requests: the locks that they claim, and the slots that they would get next.
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

    /// Returns the tasks that [`Line::grant`] would grant now, in order of arrival.
    pub fn next(&self) -> Vec<TaskId> {
        self.clone().grant()
    }

    /// Notes that a task was given all that it claims; true if it was its turn. A store settles one key after
    /// another, and what it grants may end and release before it comes to the next key: so it need not grant
    /// all at once that [`Line::grant`] would, but nothing else.
    pub fn give(&mut self, task: TaskId) -> bool {
        let in_turn = self.next().contains(&task);
        if let Some(request) = self.requests.iter_mut().find(|request| request.task == task) {
            request.held = true;
        }
        in_turn
    }

    /// Returns the tasks that hold their claims, in order of arrival.
    pub fn holders(&self) -> Vec<TaskId> {
        self.requests.iter().filter(|request| request.held).map(|request| request.task).collect()
    }

    /// The tasks that wait, in order of arrival.
    pub fn waiting(&self) -> Vec<TaskId> {
        self.requests.iter().filter(|request| !request.held).map(|request| request.task).collect()
    }

    /// Returns true if a task holds all that it claims; `None` for one that is not in the line.
    pub fn holds(&self, task: TaskId) -> Option<bool> {
        self.requests.iter().find(|request| request.task == task).map(|request| request.held)
    }
}

impl Request {
    fn locks(&self) -> impl Iterator<Item = (&str, ClaimMode)> {
        let locks = self.claims.iter().filter(|(_, mode)| !matches!(mode, ClaimMode::Slot(_)));
        locks.map(|(key, mode)| (key.as_str(), *mode))
    }

    /// Returns the key of the request's slot, and its limit.
    fn place(&self) -> Option<(&str, u32)> {
        self.claims.iter().find_map(|(key, mode)| match mode {
            ClaimMode::Slot(most) => Some((key.as_str(), *most)),
            ClaimMode::Shared | ClaimMode::Exclusive => None,
        })
    }

    /// Returns true if the request may have its locks. `locked`: the keys that earlier requests claim, and
    /// whether one of them is exclusive.
    fn has_its_turn(&self, locked: &HashMap<String, bool>) -> bool {
        self.locks().all(|(key, mode)| match locked.get(key) {
            None => true,
            Some(alone) => !alone && mode == ClaimMode::Shared,
        })
    }

    /// Occupies a slot, if the request claims one, unless an earlier one waits for it or none is left.
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
    fn turns_are_known_whatever_a_store_settles_first() {
        let exclusive = |id| lock(id, ClaimMode::Exclusive);
        let mut line = Line::default();
        line.request(task(0), &[exclusive("a")]);
        line.request(task(1), &[exclusive("b")]);
        line.request(task(2), &[exclusive("b"), place(1)]);
        line.request(task(3), &[exclusive("a"), place(1)]);
        assert!(line.give(task(0)) && line.give(task(1)));
        line.release(task(0));
        assert_eq!(line.next(), [task(3)]);
        // Before it is given anything, the lock of an earlier one is free, too.
        line.release(task(1));
        assert_eq!(line.next(), [task(2)]);
        assert!(!line.clone().give(task(3)), "it passes the third");
        assert!(line.give(task(2)));
        assert_eq!((line.holders(), line.next()), (vec![task(2)], vec![]));
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
