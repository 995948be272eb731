//! A node's turn: as long as it lasts the node may write. The database decides, by a row that each
//! transaction of the node locks: once the turn is over, it changes nothing any more, though it may not have
//! noticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use longhaul_model::NodeId;
use parking_lot::RwLock;
use tokio_postgres::Row;

use super::agenda::Agenda;
use super::sql::column;
use super::watch::Watch;
use crate::error::StoreError;

/// Whether a node may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may.
    Active,
    /// It cannot reach the database just now.
    CutOff,
    /// Others took over what it looked after, or may: this one is over.
    Over,
    /// It closed.
    Closed,
}

/// A node's turn.
pub(super) struct Turn {
    /// Rises from turn to turn.
    pub(super) number: i64,
    /// The number of its node, which no other has until the turn is over and all of it taken over.
    pub(super) node: NodeId,
    standing: AtomicU8,
    over: tokio::sync::Notify,
    pub(super) closed: tokio::sync::Notify,
    /// The nodes that live, this one with them, in order.
    living: RwLock<Vec<NodeId>>,
    /// True while work of nodes that do not live may not have been taken over.
    left: AtomicBool,
    /// Observations of the other nodes' beats.
    pub(super) watch: Arc<Watch>,
    /// Work that waits in the database, as the last look showed it.
    pub(super) agenda: Agenda,
}

/// The first statement of a transaction that writes: keeps the turn from ending before it does; and the
/// newest revision of the workflows.
pub(super) const OPENING: &str = "SELECT (SELECT n FROM revisions WHERE name = 'workflows') FROM turns WHERE turn = $1 AND NOT over FOR SHARE OF turns";

/// The same for the writer where it asks for the newest version of a workflow. It keeps the turn from ending
/// only where it commits, by [`CLOSING`]: of two transactions that overlap not both hold on to its row, which
/// would cost the database a list of holders each time.
pub(super) const GLANCE: &str =
    "SELECT (SELECT n FROM revisions WHERE name = 'workflows') FROM turns WHERE turn = $1 AND NOT over";

/// Last statement of the writer's transactions: fails, by a division by zero, if the turn is over. Otherwise
/// keeps the turn from ending before the commit sent with it, and lifts the statement timeout for that
/// commit.
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

    /// What ended does not begin again.
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

    /// Comes back when the turn is over.
    pub(super) async fn over(&self) {
        self.until(|standing| standing == Standing::Over).await;
    }

    /// Returns when the turn is over or was closed.
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

    /// The revision that the opening of a transaction found; refused if it found that the turn is over.
    pub(super) fn opened(&self, rows: &[Row]) -> Result<i64, StoreError> {
        let Some(row) = rows.first() else {
            self.set(Standing::Over);
            return Err(StoreError::Unavailable("others took over from this node".to_owned()));
        };
        column(row, 0)
    }

    /// Where its writer counts.
    pub(super) fn writer_place(&self) -> i16 {
        // 0 and 1 are the totals themselves and what is rare.
        self.node.0 as i16 + 1
    }

    /// Where its errands leave their rows.
    pub(super) fn errand_place(&self) -> i16 {
        -self.writer_place()
    }

    /// Sets the nodes that live, and whether others may have left work behind.
    pub(super) fn set_living(&self, mut living: Vec<NodeId>, left: bool) {
        self.left.store(left, Ordering::SeqCst);
        if !living.contains(&self.node) {
            living.push(self.node);
        }
        living.sort_unstable();
        *self.living.write() = living;
    }

    /// Returns true while work of nodes that do not live may not have been taken over.
    pub(super) fn has_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// How many other nodes live.
    pub(super) fn peers(&self) -> usize {
        self.living.read().len() - 1
    }

    /// This node's share of the work of all nodes: shards that leave the second number when divided
    /// by the first.
    pub(super) fn share(&self) -> (i16, i16) {
        let living = self.living.read();
        let place = living.iter().position(|node| *node == self.node).unwrap_or(0);
        (living.len() as i16, place as i16)
    }
}
