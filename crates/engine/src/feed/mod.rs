//! Feed: readers are told of the newest state of each task that changed, at this node or another.
//!
//! The store's log of changes says which tasks changed; their states are read from the tasks. Readers at the
//! same position share what was read and written for one of them, so a hundred readers cost the store what
//! one costs. Nothing is queued for a reader: one that is slow reads on from its position, and misses only
//! states in between.

mod follower;
mod shelf;

use std::sync::Arc;

use longhaul_model::{Spec, TaskId};
use longhaul_store::{Facts, Position, Stored};
use tokio::sync::{Mutex, watch};

use shelf::Shelf;

pub use follower::{FeedEnd, Follower};

/// Writes a task, with its labels if they are known, as the readers of a feed get it.
pub(crate) type Writing = Arc<dyn Fn(&Stored, Option<&Spec>) -> String + Send + Sync>;

/// Form in which a reader gets tasks. Readers with the same number share what was written.
#[derive(Clone)]
pub struct Form {
    /// Number of the form.
    pub number: u8,
    /// Writes a task in this form.
    pub write: Writing,
}

/// Task in the feed.
#[derive(Debug)]
pub struct FeedTask {
    /// ID of the task.
    pub id: TaskId,
    /// Revision of the task; it rises with each change. 0 for tasks without one, such as imported tasks.
    pub revision: u64,
    /// Task as it was written.
    pub json: String,
    facts: Facts,
}

/// Change as a reader of the feed gets it.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// A task that belongs to the list is new or has changed.
    Task(Arc<FeedTask>),
    /// A task has changed, and does not belong to the list (any more).
    Left {
        /// ID of the task.
        id: TaskId,
        /// Revision of the task.
        revision: u64,
    },
    /// A task was deleted.
    Deleted(TaskId),
}

/// Feed of one node.
pub(crate) struct Feed {
    /// Rises when there may be more in the log.
    changed: watch::Sender<u64>,
    shelf: Mutex<Shelf>,
}

impl Default for Feed {
    fn default() -> Self {
        Feed { changed: watch::Sender::new(0), shelf: Mutex::new(Shelf::default()) }
    }
}

impl Feed {
    /// Notifies the readers that tasks changed.
    pub(crate) fn changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Number of readers.
    pub(crate) fn readers(&self) -> usize {
        self.changed.receiver_count()
    }
}

/// Changes after a position, for a reader that asks for pages.
#[derive(Debug)]
pub struct FeedPage {
    /// The changes.
    pub events: Vec<FeedEvent>,
    /// Position behind them.
    pub position: Position,
    /// True if there are more already.
    pub more: bool,
}
