//! Limits the count of attempts of built-in actions that run at once, and keeps the line of those that wait
//! for a permit. A permit is taken by the change that begins an attempt, and returned when the attempt has
//! ended or the change was not made after all; it then goes to the first in line, if there is one. So either
//! no permit is free or the line is empty.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use longhaul_model::TaskId;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Sub-task in line.
pub(crate) type Waiting = (TaskId, u32);

/// Permits and the line of sub-tasks that wait for one.
pub(crate) struct Permits {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: usize,
    line: Line,
    /// True once nothing begins any more.
    closed: bool,
}

/// Snapshot of the permits and the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineSummary {
    /// Maximum number of attempts of built-in actions that run at once.
    pub most: usize,
    /// Number of attempts that run.
    pub running: usize,
    /// Number of sub-tasks that wait for a permit.
    pub waiting: usize,
    /// Longest wait among the sub-tasks in line; `None` if the line is empty.
    pub oldest_wait: Option<Duration>,
}

impl Permits {
    pub(crate) fn new(most: usize) -> Self {
        Permits { most, state: Mutex::new(State { free: most, ..State::default() }) }
    }

    /// Takes a permit; returns false if none is free.
    pub(crate) fn take(&self) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.free == 0 {
            return false;
        }
        state.free -= 1;
        true
    }

    /// Returns a permit. If a sub-task stands in line, the permit goes to the first one, which is returned
    /// and may begin.
    #[must_use]
    pub(crate) fn give_back(&self) -> Option<Waiting> {
        let mut state = self.state.lock();
        let next = if state.closed { None } else { state.line.pop() };
        if next.is_none() {
            state.free += 1;
        }
        next
    }

    /// Adds a sub-task to the line. Returns the sub-task that may begin now, with a permit: one may have
    /// become free meanwhile.
    #[must_use]
    pub(crate) fn line_up(&self, waiting: Waiting, now: Instant) -> Option<Waiting> {
        let mut state = self.state.lock();
        state.line.push(waiting, now);
        if state.closed || state.free == 0 {
            return None;
        }
        let next = state.line.pop()?;
        state.free -= 1;
        Some(next)
    }

    /// Removes a sub-task from the line.
    pub(crate) fn leave(&self, waiting: Waiting) {
        self.state.lock().line.remove(waiting);
    }

    /// Closes the permits: nothing begins from here on.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
    }

    pub(crate) fn summary(&self, now: Instant) -> LineSummary {
        let state = self.state.lock();
        LineSummary {
            most: self.most,
            running: self.most - state.free,
            waiting: state.line.len,
            oldest_wait: state.line.oldest().map(|since| now.duration_since(since)),
        }
    }
}

/// Waiting sub-tasks, served one per task in turn, so that a task with thousands does not hold up the others.
#[derive(Default)]
struct Line {
    /// Tasks with sub-tasks in line, next first.
    turns: VecDeque<TaskId>,
    tasks: HashMap<TaskId, VecDeque<(u32, Instant)>>,
    len: usize,
}

impl Line {
    fn push(&mut self, (id, sub_task): Waiting, now: Instant) {
        let of_task = self.tasks.entry(id).or_insert_with(|| {
            self.turns.push_back(id);
            VecDeque::new()
        });
        of_task.push_back((sub_task, now));
        self.len += 1;
    }

    fn pop(&mut self) -> Option<Waiting> {
        // A task may keep its turn after it has left the line.
        while let Some(id) = self.turns.pop_front() {
            let Some(of_task) = self.tasks.get_mut(&id) else { continue };
            let first = of_task.pop_front();
            if of_task.is_empty() {
                self.tasks.remove(&id);
            } else {
                self.turns.push_back(id);
            }
            if let Some((sub_task, _)) = first {
                self.len -= 1;
                return Some((id, sub_task));
            }
        }
        None
    }

    fn remove(&mut self, (id, sub_task): Waiting) {
        let Some(of_task) = self.tasks.get_mut(&id) else { return };
        // Cheap, as a stopped task leaves the line in the order in which it came.
        if let Some(at) = of_task.iter().position(|(waiting, _)| *waiting == sub_task) {
            of_task.remove(at);
            self.len -= 1;
        }
        if of_task.is_empty() {
            self.tasks.remove(&id);
            self.turns.retain(|turn| *turn != id);
        }
    }

    fn oldest(&self) -> Option<Instant> {
        self.tasks.values().filter_map(|of_task| Some(of_task.front()?.1)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(n: u8) -> TaskId {
        TaskId::from_bytes([n; 16])
    }

    #[tokio::test]
    async fn tasks_take_turns_and_their_own_keep_their_order() {
        let (permits, now) = (Permits::new(1), Instant::now());
        assert!(permits.take());
        for waiting in [(task(1), 0), (task(1), 1), (task(1), 2), (task(2), 0), (task(3), 0), (task(3), 1)] {
            assert_eq!(permits.line_up(waiting, now), None);
        }
        permits.leave((task(3), 0));
        permits.leave((task(9), 0));
        let order: Vec<_> = std::iter::from_fn(|| permits.give_back()).collect();
        assert_eq!(order, [(task(1), 0), (task(2), 0), (task(3), 1), (task(1), 1), (task(1), 2)]);
        assert_eq!(permits.summary(now).running, 0);
    }

    #[tokio::test]
    async fn room_that_came_before_the_line_was_known_is_not_missed() {
        let (permits, now) = (Permits::new(2), Instant::now());
        assert!(permits.take() && permits.take() && !permits.take());
        // The change that got no permit has not been reported yet.
        assert_eq!(permits.give_back(), None);
        assert_eq!(permits.line_up((task(1), 4), now), Some((task(1), 4)));
        assert_eq!(permits.line_up((task(1), 5), now), None);
        let summary = permits.summary(now + Duration::from_secs(2));
        assert_eq!((summary.running, summary.waiting), (2, 1));
        assert_eq!(summary.oldest_wait, Some(Duration::from_secs(2)));
    }

    #[tokio::test]
    async fn nothing_begins_once_it_is_closed() {
        let (permits, now) = (Permits::new(1), Instant::now());
        assert!(permits.take());
        assert_eq!(permits.line_up((task(1), 0), now), None);
        permits.close();
        assert_eq!((permits.give_back(), permits.take()), (None, false));
        assert_eq!(permits.line_up((task(1), 1), now), None);
    }
}
