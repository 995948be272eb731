//! Log of changes: the tasks that changed, in the order of the commits, written in the transaction of the
//! change itself. It holds no states, which are read from the tasks: whoever follows it learns the newest
//! state of each task, and none is missed across restarts.

use std::collections::BTreeMap;

use longhaul_model::{TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// Number of changes that each log keeps; whoever lags further behind begins anew.
pub(crate) const KEPT: i64 = 1_000_000;

/// Bytes of one change in a row of the log: its kind and the task.
const WIDTH: usize = 17;
const CHANGED: u8 = 0;
const DELETED: u8 = 1;

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

/// Task in the log of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Changed {
    /// The task.
    pub id: TaskId,
    /// True if the task was deleted.
    pub deleted: bool,
}

/// Part of the log of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// Tasks that changed, each as often as it did; those of one task in the order of their commits.
    pub tasks: Vec<Changed>,
    /// Position behind them.
    pub position: Position,
    /// True if more changes are there already.
    pub more: bool,
}

/// Changes of a transaction that is not committed yet.
#[derive(Default)]
pub(crate) struct Pending(Vec<Changed>);

impl Pending {
    /// Notes that a task was accepted, changed or imported.
    pub(crate) fn changed(&mut self, id: TaskId) {
        // A command may apply several changes to one task in a row.
        if self.0.last().is_none_or(|last| last.id != id || last.deleted) {
            self.0.push(Changed { id, deleted: false });
        }
    }

    /// Notes that a task was deleted.
    pub(crate) fn deleted(&mut self, id: TaskId) {
        self.0.push(Changed { id, deleted: true });
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
        // The last change of a task says it all.
        let mut seen = std::collections::HashSet::with_capacity(self.0.len());
        let mut last: Vec<Changed> = self.0.drain(..).rev().filter(|one| seen.insert(one.id)).collect();
        last.reverse();
        Some((encode(&last), last.len() as i64))
    }
}

fn encode(tasks: &[Changed]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(tasks.len() * WIDTH);
    for one in tasks {
        bytes.push(if one.deleted { DELETED } else { CHANGED });
        bytes.extend_from_slice(one.id.as_bytes());
    }
    bytes
}

/// Reads a row of the log. A part that cannot be read is left out: the rest of the log is worth more.
pub(crate) fn decode(bytes: &[u8]) -> impl Iterator<Item = Changed> + '_ {
    bytes.chunks_exact(WIDTH).filter_map(|one| {
        let id = TaskId::from_bytes(one[1..].try_into().ok()?);
        Some(Changed { id, deleted: one[0] == DELETED })
    })
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
    fn the_last_change_of_each_task_is_written() {
        let mut pending = Pending::default();
        pending.changed(id(1));
        pending.changed(id(1));
        pending.changed(id(2));
        let mark = pending.mark();
        pending.changed(id(3));
        pending.take_back(mark);
        pending.deleted(id(1));
        let (bytes, count) = pending.take().expect("changes");
        let read: Vec<Changed> = decode(&bytes).collect();
        assert_eq!(count, 2);
        assert_eq!(read, [Changed { id: id(2), deleted: false }, Changed { id: id(1), deleted: true }]);
        assert!(pending.take().is_none());
    }

    #[test]
    fn half_a_change_is_left_out() {
        let whole = encode(&[Changed { id: id(7), deleted: false }]);
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]).count(), 0);
        }
        let more = [whole.as_slice(), &[0, 1, 2]].concat();
        assert_eq!(decode(&more).count(), 1);
    }
}
