//! Agenda of the periodic work, read along with each look at the other nodes. While it says that there is
//! nothing to do, the sweeps of an idle node ask the database nothing: one question a second is all it costs.

use std::time::Duration;

use longhaul_model::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::sql::column;
use crate::error::StoreError;

/// Longest time for which an entry counts, from the moment at which it was asked for: two looks, so that one
/// late answer does not set off the sweeps of an idle node.
const FRESH: Duration = Duration::from_secs(2);

/// State of the stored work at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Earliest due time of a task, in milliseconds since 1970; `None` if no task has a due date.
    due: Option<i64>,
    /// True if there is a granted claim of which its task may not have been told.
    untold: bool,
    /// True if there is a claim that is not granted.
    waiting: bool,
}

impl Entry {
    /// Reads the columns of the function `agenda()` from a row, starting at column `first`; `None` if it
    /// could not look, as a table is locked.
    pub(super) fn read(row: &Row, first: usize) -> Result<Option<Entry>, StoreError> {
        let due = column(row, first)?;
        let flags: (Option<bool>, Option<bool>) = (column(row, first + 1)?, column(row, first + 2)?);
        let (Some(untold), Some(waiting)) = flags else { return Ok(None) };
        Ok(Some(Entry { due, untold, waiting }))
    }
}

/// Last entry that still counts. An entry counts until it is old, or until this node changes anything: what
/// the node itself writes is found at once, what others write is found by the next look.
#[derive(Default)]
pub(super) struct Agenda(Mutex<State>);

#[derive(Default)]
struct State {
    /// Number of changes that this node has made.
    changes: u64,
    entry: Option<(Instant, Entry)>,
}

/// Mark of the changes that were made before a question was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    changes: u64,
}

impl Agenda {
    /// Marks the moment before a question.
    pub(super) fn ask(&self) -> Asked {
        Asked { at: Instant::now(), changes: self.0.lock().changes }
    }

    /// Takes in an answer, unless this node changed something since the question was asked: the answer may
    /// not know of it.
    pub(super) fn learn(&self, asked: Asked, entry: Entry) {
        let mut state = self.0.lock();
        if state.changes == asked.changes {
            state.entry = Some((asked.at, entry));
        }
    }

    /// Notes that this node committed something: nothing is known of what is stored until the next look.
    pub(super) fn changed(&self) {
        let mut state = self.0.lock();
        state.changes += 1;
        state.entry = None;
    }

    /// Returns true if no task is due at `now`.
    pub(super) fn has_nothing_due(&self, now: Timestamp) -> bool {
        self.says(|entry| entry.due.is_none_or(|due| due > now.0))
    }

    /// Returns true if every task knows of the claims granted to it.
    pub(super) fn has_nothing_untold(&self) -> bool {
        self.says(|entry| !entry.untold)
    }

    /// Returns true if no claim waits to be granted.
    pub(super) fn has_nothing_waiting(&self) -> bool {
        self.says(|entry| !entry.waiting)
    }

    fn says(&self, what: impl Fn(&Entry) -> bool) -> bool {
        let fresh = |(at, entry): &(Instant, Entry)| at.elapsed() < FRESH && what(entry);
        self.0.lock().entry.as_ref().is_some_and(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Entry = Entry { due: None, untold: false, waiting: false };

    fn all(agenda: &Agenda) -> [bool; 3] {
        [agenda.has_nothing_due(Timestamp(5)), agenda.has_nothing_untold(), agenda.has_nothing_waiting()]
    }

    /// Checks each entry for itself, up to the moment at which it is too old to count.
    #[tokio::test(start_paused = true)]
    async fn an_entry_counts_for_a_short_time() {
        for (entry, said) in [
            (EMPTY, [true, true, true]),
            (Entry { due: Some(6), ..EMPTY }, [true, true, true]),
            (Entry { due: Some(5), ..EMPTY }, [false, true, true]),
            (Entry { untold: true, ..EMPTY }, [true, false, true]),
            (Entry { waiting: true, ..EMPTY }, [true, true, false]),
        ] {
            let agenda = Agenda::default();
            assert_eq!(all(&agenda), [false; 3], "nothing is known yet");
            agenda.learn(agenda.ask(), entry);
            assert_eq!(all(&agenda), said);
            tokio::time::advance(FRESH - Duration::from_millis(1)).await;
            assert_eq!(all(&agenda), said);
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(all(&agenda), [false; 3], "{entry:?} is too old");
        }
    }

    /// Checks every order of a question, its answer and a commit: an answer counts only if it was asked for
    /// after the last commit.
    #[tokio::test(start_paused = true)]
    async fn an_answer_from_before_a_commit_does_not_count() {
        let agenda = Agenda::default();
        let before = agenda.ask();
        agenda.changed();
        agenda.learn(before, EMPTY);
        assert_eq!(all(&agenda), [false; 3], "asked before the commit, answered after it");
        agenda.learn(agenda.ask(), EMPTY);
        assert_eq!(all(&agenda), [true; 3]);
        agenda.changed();
        assert_eq!(all(&agenda), [false; 3], "answered before the commit");
    }
}
