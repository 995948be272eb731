//! Session of a node: as long as it lasts the node may write. The database decides, by a row that each
//! transaction of the node locks: once the session is over, the node changes nothing any more, though it may
//! not have noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use longhaul_model::NodeId;
use parking_lot::RwLock;
use tokio_postgres::Row;

use super::agenda::Agenda;
use super::sql::column;
use super::watch::Watch;
use crate::error::StoreError;

/// State of a node session, by which the node may write or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The node may write.
    Active,
    /// The node cannot reach the database just now.
    CutOff,
    /// The session is over: others took over its tasks, or may.
    Over,
    /// The node closed the session.
    Closed,
}

/// Session of a node.
pub(super) struct Turn {
    /// Number of the session, which rises from one to the next.
    pub(super) number: i64,
    /// Number of the node, which no other has until the session is over and all its work taken over.
    pub(super) node: NodeId,
    standing: AtomicU8,
    over: tokio::sync::Notify,
    pub(super) closed: tokio::sync::Notify,
    /// Living nodes, this one with them, in order.
    living: RwLock<Vec<NodeId>>,
    /// True while work of dead nodes may not have been taken over.
    left: AtomicBool,
    /// Observations of the other nodes' beats.
    pub(super) watch: Arc<Watch>,
    /// Work that waits in the database, as the last look showed it.
    pub(super) agenda: Agenda,
}

/// First statement of a transaction that writes: keeps the session from ending before it does; and reads the
/// newest revision of the workflows.
pub(super) const OPENING: &str = "SELECT (SELECT n FROM revisions WHERE name = 'workflows') FROM turns WHERE turn = $1 AND NOT over FOR SHARE OF turns";

/// Checks the session where the writer asks for the newest version of a workflow. The session is kept from
/// ending only at the commit, by [`CLOSING`]: of two transactions that overlap, not both hold its row, which
/// would cost the database a list of holders each time.
pub(super) const GLANCE: &str =
    "SELECT (SELECT n FROM revisions WHERE name = 'workflows') FROM turns WHERE turn = $1 AND NOT over";

/// Last statement of the writer's transactions: fails, by a division by zero, if the session is over.
/// Otherwise keeps the session from ending before the commit sent with it, and lifts the statement timeout
/// for that commit.
pub(super) const CLOSING: &str = "SELECT 1 / count(*), set_config('statement_timeout', '0', true) FROM (SELECT 1 FROM turns WHERE turn = $1 AND NOT over FOR SHARE) AS own";

impl Turn {
    pub(super) fn new(number: i64, node: NodeId, watch: Arc<Watch>) -> Turn {
        Turn {
            number,
            node,
            standing: AtomicU8::new(Standing::Active as u8),
            over: tokio::sync::Notify::new(),
            closed: tokio::sync::Notify::new(),
            living: RwLock::new(vec![node]),
            left: AtomicBool::new(true),
            watch,
            agenda: Agenda::default(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::SeqCst) {
            0 => Standing::Active,
            1 => Standing::CutOff,
            2 => Standing::Over,
            _ => Standing::Closed,
        }
    }

    /// Sets the state. A session that has ended does not begin again.
    pub(super) fn set(&self, standing: Standing) {
        let to = standing as u8;
        let set = |now: u8| (now < 2 || to > now).then_some(to);
        let before = self.standing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, set);
        match standing {
            Standing::Over if before.is_ok_and(|before| before < 2) => {
                tracing::error!("the turn of this node is over");
                self.over.notify_waiters();
            }
            Standing::Closed => {
                self.closed.notify_one();
                self.over.notify_waiters();
            }
            _ => {}
        }
    }

    /// Returns when the session is over.
    pub(super) async fn over(&self) {
        self.until(|standing| standing == Standing::Over).await;
    }

    /// Returns when the session is over or was closed.
    pub(super) async fn ended(&self) {
        self.until(|standing| matches!(standing, Standing::Over | Standing::Closed)).await;
    }

    async fn until(&self, holds: impl Fn(Standing) -> bool) {
        loop {
            let told = self.over.notified();
            if holds(self.standing()) {
                return;
            }
            told.await;
        }
    }

    /// Returns the revision that the first statement of a transaction found; refused if it found that the
    /// session is over.
    pub(super) fn opened(&self, rows: &[Row]) -> Result<i64, StoreError> {
        let Some(row) = rows.first() else {
            self.set(Standing::Over);
            return Err(StoreError::Unavailable("others took over from this node".to_owned()));
        };
        column(row, 0)
    }

    /// Partition of the counters that the session's writer uses.
    pub(super) fn writer_place(&self) -> i16 {
        // 0 and 1 are the totals themselves and the errands.
        self.node.0 as i16 + 1
    }

    /// Partition of the counters that the session's errands use.
    pub(super) fn errand_place(&self) -> i16 {
        -self.writer_place()
    }

    /// Sets the living nodes, and whether dead ones may have left work behind.
    pub(super) fn set_living(&self, mut living: Vec<NodeId>, left: bool) {
        self.left.store(left, Ordering::SeqCst);
        if !living.contains(&self.node) {
            living.push(self.node);
        }
        living.sort_unstable();
        *self.living.write() = living;
    }

    /// Returns true while work of dead nodes may not have been taken over.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// Count of other living nodes.
    pub(super) fn peers(&self) -> usize {
        self.living.read().len() - 1
    }

    /// Share of this node in the work of all nodes: shards that leave the second number when divided by the
    /// first.
    pub(super) fn share(&self) -> (i16, i16) {
        let living = self.living.read();
        let place = living.iter().position(|node| *node == self.node).unwrap_or(0);
        (living.len() as i16, place as i16)
    }
}
