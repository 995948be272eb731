//! Liveness of the nodes of a database: their beats as observed by this process, timed by its own monotonic
//! clock.

use longhaul_model::liveness::Observer;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_postgres::Row;

use super::sql::column;
use crate::error::StoreError;

/// A node's beat: the counter, and the database's time of the last beat in microseconds, which is all that
/// earlier versions write. Only changes of the beat matter.
pub(super) type Beat = (i64, i64);

/// SQL columns of a [`Beat`], of a node `n` that may be missing.
pub(super) const BEAT_COLUMNS: &str =
    "coalesce(n.beat, -1), coalesce((extract(epoch FROM n.seen_at) * 1000000)::bigint, 0)";

/// Reads a [`Beat`] from a row, starting at column `first`.
pub(super) fn beat(row: &Row, first: usize) -> Result<Beat, StoreError> {
    Ok((column(row, first)?, column(row, first + 1)?))
}

/// Observations of this process, by session number.
pub(super) struct Watch {
    start: Instant,
    observer: Mutex<Observer<i64, Beat>>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        Watch { start: Instant::now(), observer: Mutex::default() }
    }

    /// Records the beats of all sessions that are not over: requested at `asked`, and known now.
    pub(super) fn look(&self, asked: Instant, beats: impl IntoIterator<Item = (i64, Beat)>) {
        let since = |at: Instant| at.saturating_duration_since(self.start);
        self.observer.lock().look(since(asked), since(Instant::now()), beats);
    }

    /// Returns true if a node has been silent for so long that the others take over from it.
    pub(super) fn is_silent(&self, turn: i64) -> bool {
        self.observer.lock().is_silent(&turn)
    }

    /// Returns true if a node has been silent for that long and its beat is still `beat`.
    pub(super) fn is_silent_at(&self, turn: i64, beat: Beat) -> bool {
        self.observer.lock().silent_at(&turn) == Some(&beat)
    }
}
