//! Log of changes: the tasks that changed, in the order of the commits, written in the transaction of the
//! change itself. It holds no states, which are read from the tasks: whoever follows it learns the newest
//! state of each task, and none is missed across restarts.

use std::collections::{BTreeMap, HashSet};

use longhaul_model::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// Number of changes that each log keeps; whoever lags further behind begins anew.
pub(crate) const KEPT: i64 = 1_000_000;

/// Bytes of one change in a row of the log: the ID of the task.
const WIDTH: usize = 16;

/// Position in the log of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Identity of the storage and of its timeline: a log of another storage, or one that was set back, has
    /// other changes at the same position.
    #[serde(rename = "s")]
    pub lineage: String,
    /// Last row seen of each log, of which there are several where several nodes write: its number, and the
    /// instant of its transaction in milliseconds, which tells it from another row of that number.
    #[serde(rename = "p")]
    pub rows: BTreeMap<i16, (i64, i64)>,
}

impl Position {
    /// Returns the instant of the newest row that is behind an earlier position; `None` if there is none.
    pub fn newest_since(&self, earlier: &Position) -> Option<Timestamp> {
        let new = self.rows.iter().filter(|(log, row)| earlier.rows.get(log) != Some(row));
        new.map(|(_, (_, at))| Timestamp(*at)).max()
    }
}

/// Part of the log of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Tasks that were accepted, changed, imported or deleted, each as often as that happened. What became of
    /// them is read from the tasks.
    pub tasks: Vec<TaskId>,
    /// Position behind them.
    pub position: Position,
    /// True if more changes are there already.
    pub more: bool,
}

/// Changes of a transaction that is not committed yet.
#[derive(Default)]
pub(crate) struct Pending(Vec<TaskId>);

impl Pending {
    /// Notes that a task was accepted, changed, imported or deleted.
    pub(crate) fn add(&mut self, id: TaskId) {
        // A command may apply several changes to one task in a row.
        if self.0.last() != Some(&id) {
            self.0.push(id);
        }
    }

    /// Returns a mark, for [`Pending::take_back`].
    pub(crate) fn mark(&self) -> usize {
        self.0.len()
    }

    /// Forgets the changes since a mark.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.0.truncate(mark);
    }

    /// Forgets all changes, as the transaction failed.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes all changes, as a row of the log holds them, with their number; `None` if there are none.
    pub(crate) fn take(&mut self) -> Option<(Vec<u8>, i64)> {
        if self.0.is_empty() {
            return None;
        }
        let mut seen = HashSet::with_capacity(self.0.len());
        let tasks: Vec<TaskId> = self.0.drain(..).filter(|id| seen.insert(*id)).collect();
        let bytes = tasks.iter().flat_map(|id| *id.as_bytes()).collect();
        Some((bytes, tasks.len() as i64))
    }
}

/// Reads a row of the log. A part that cannot be read is left out: the rest of the log is worth more.
pub(crate) fn decode(bytes: &[u8]) -> impl Iterator<Item = TaskId> + '_ {
    bytes.chunks_exact(WIDTH).filter_map(|id| id.try_into().ok().map(TaskId::from_bytes))
}

/// Returns the instant of a row as a position holds it.
pub(crate) fn stamp(at: Timestamp) -> i64 {
    at.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> TaskId {
        TaskId::from_bytes([n; 16])
    }

    #[test]
    fn each_task_is_written_once() {
        let mut pending = Pending::default();
        pending.add(id(1));
        pending.add(id(1));
        pending.add(id(2));
        let mark = pending.mark();
        pending.add(id(3));
        pending.take_back(mark);
        pending.add(id(1));
        let (bytes, count) = pending.take().expect("changes");
        assert_eq!((decode(&bytes).collect::<Vec<_>>(), count), (vec![id(1), id(2)], 2));
        assert!(pending.take().is_none());
    }

    #[test]
    fn half_a_change_is_left_out() {
        for cut in 0..WIDTH {
            assert_eq!(decode(&[7; 2 * WIDTH][..WIDTH + cut]).collect::<Vec<_>>(), [id(7)]);
        }
    }
}
