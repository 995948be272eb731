//! Reader of the feed.

use std::time::Duration;

use longhaul_model::TaskId;
use longhaul_store::{Position, StoreError, TaskQuery};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::shelf::{Found, Part};
use super::{FeedEvent, FeedPage, Form};
use crate::engine::Engine;
use crate::error::EngineError;

/// Time for which changes are gathered before they are read.
const GATHERED: Duration = Duration::from_millis(20);
/// Interval at which the log is looked at though nothing is heard: at a server of its own, and where other
/// nodes may have changed tasks and their word was lost.
const LOOK: Duration = Duration::from_secs(10);
const LOOK_AT_OTHERS: Duration = Duration::from_secs(1);
/// Number of changes that are read at once, and by a reader that has lagged behind.
const AT_ONCE: u32 = 500;
const CATCHING_UP: u32 = 5_000;
/// Number of events that all readers together get in a second: readers never take the processor from tasks.
const EVENTS: u64 = 20_000;
/// Number of parts of the log that a reader may be behind: it catches up no more, and begins anew.
const BEHIND: u32 = 40;

/// End of a feed for a reader, who begins anew.
#[derive(Debug)]
pub enum FeedEnd {
    /// The log does not have the changes after the reader's position.
    Gone,
    /// The reader is too far behind.
    Slow,
    /// The server is about to stop.
    Stopping,
    /// The log cannot be read now.
    Failed(StoreError),
}

/// Reader of the feed, at a position in the log.
pub struct Follower {
    engine: Engine,
    query: TaskQuery,
    form: Form,
    position: Position,
    changed: watch::Receiver<u64>,
    /// Number of parts in a row behind which there were more.
    behind: u32,
    rested: Instant,
}

impl Engine {
    /// Returns the present end of the log of changes.
    pub async fn change_position(&self) -> Result<Position, EngineError> {
        self.beside(|store| store.change_position()).await.map_err(EngineError::Store)
    }

    /// Returns true if the log has all changes after a position.
    pub async fn has_changes_after(&self, position: &Position) -> Result<bool, EngineError> {
        let after = position.clone();
        let found = self.beside(move |store| store.changes(&after, 1)).await.map_err(EngineError::Store)?;
        Ok(found.is_some())
    }

    /// Follows the changes of the tasks of a list, from a position on.
    pub fn follow(&self, query: TaskQuery, form: Form, position: Position) -> Follower {
        let feed = self.inner.dispatcher.feed();
        let changed = feed.changed.subscribe();
        let rested = Instant::now();
        Follower { engine: self.clone(), query, form, position, changed, behind: 0, rested }
    }
}

impl Follower {
    /// Position behind the events that were returned.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Returns the next changes, of which there is at least one. Dropped before it returns, it loses none.
    pub async fn next(&mut self) -> Result<Vec<FeedEvent>, FeedEnd> {
        loop {
            self.rest().await?;
            let page = self.read(self.at_once()).await?;
            self.behind = if page.more { self.behind + 1 } else { 0 };
            if self.behind > BEHIND {
                return Err(FeedEnd::Slow);
            }
            if !page.events.is_empty() {
                return Ok(page.events);
            }
            if !page.more {
                self.wait().await?;
            }
        }
    }

    /// Waits for the next change of one task.
    pub async fn next_of(&mut self, id: TaskId) -> Result<(), FeedEnd> {
        loop {
            self.rest().await?;
            self.changed.borrow_and_update();
            let part = self.part(CATCHING_UP).await?;
            self.position = part.position.clone();
            if part.tasks.contains(&id) {
                return Ok(());
            }
            if !part.more {
                self.wait().await?;
            }
        }
    }

    /// Returns the next page of changes, which may have none; waits for the first of them at the most so
    /// long.
    pub async fn page(&mut self, limit: u32, wait: Duration) -> Result<FeedPage, FeedEnd> {
        let until = Instant::now() + wait;
        loop {
            let page = self.read(limit).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !page.events.is_empty() || page.more || left.is_zero() {
                return Ok(page);
            }
            match timeout(left, self.wait()).await {
                Ok(waited) => waited?,
                Err(_) => return Ok(page),
            }
        }
    }

    async fn read(&mut self, limit: u32) -> Result<FeedPage, FeedEnd> {
        // Seen before the log is read: a change after that wakes the reader again.
        self.changed.borrow_and_update();
        let part = self.part(limit).await?;
        let events = if part.tasks.is_empty() { Vec::new() } else { self.events(&part).await? };
        self.position = part.position.clone();
        let readers = self.engine.inner.dispatcher.feed().readers().max(1) as u64;
        let cost = Duration::from_millis(1_000 * part.tasks.len() as u64 * readers / EVENTS);
        self.rested = Instant::now() + cost;
        Ok(FeedPage { events, position: part.position.clone(), more: part.more })
    }

    async fn part(&self, limit: u32) -> Result<std::sync::Arc<Part>, FeedEnd> {
        let mut shelf = self.engine.inner.dispatcher.feed().shelf.lock().await;
        let part = shelf.part(&self.engine, &self.position, limit).await.map_err(FeedEnd::Failed)?;
        part.ok_or(FeedEnd::Gone)
    }

    async fn events(&self, part: &Part) -> Result<Vec<FeedEvent>, FeedEnd> {
        let found = {
            let mut shelf = self.engine.inner.dispatcher.feed().shelf.lock().await;
            shelf.tasks(&self.engine, part, &self.form).await.map_err(FeedEnd::Failed)?
        };
        Ok(part.tasks.iter().filter_map(|id| self.event(*id, &found)).collect())
    }

    fn event(&self, id: TaskId, found: &Found) -> Option<FeedEvent> {
        let Some(task) = found.get(&id).and_then(Option::as_ref) else { return Some(FeedEvent::Deleted(id)) };
        if self.query.matches(&task.facts) {
            return Some(FeedEvent::Task(task.clone()));
        }
        let may_know = self.query.may_have_matched(&task.facts);
        may_know.then_some(FeedEvent::Left { id, revision: task.revision })
    }

    fn at_once(&self) -> u32 {
        if self.behind > 0 { CATCHING_UP } else { AT_ONCE }
    }

    /// Waits until the reader may read again.
    async fn rest(&self) -> Result<(), FeedEnd> {
        tokio::select! {
            biased;
            () = self.engine.inner.stopped() => Err(FeedEnd::Stopping),
            () = sleep_until(self.rested) => Ok(()),
        }
    }

    /// Waits for a change, and for those that follow it at once.
    async fn wait(&mut self) -> Result<(), FeedEnd> {
        let look = if self.engine.inner.store.peers() > 0 { LOOK_AT_OTHERS } else { LOOK };
        let engine = self.engine.clone();
        tokio::select! {
            biased;
            () = engine.inner.stopped() => return Err(FeedEnd::Stopping),
            changed = self.changed.changed() => changed.map_err(|_| FeedEnd::Stopping)?,
            () = sleep(look) => {}
        }
        sleep(GATHERED).await;
        Ok(())
    }
}
