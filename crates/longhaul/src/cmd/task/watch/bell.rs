//! Word of a change, by the events of the task.

use longhaul_client::{Event, Events};
use tokio::time::{Duration, Instant};

use crate::cmd::Context;

/// Pause between two tries to have a stream.
const AGAIN: Duration = Duration::from_secs(1);

/// Stream of the task's events, as far as the server has one.
pub(super) struct Bell<'a> {
    context: &'a Context,
    id: &'a str,
    events: Option<Events>,
    cursor: Option<String>,
    /// Time of the next try to have a stream; none once the server has said that it has none.
    next: Option<Instant>,
}

impl<'a> Bell<'a> {
    pub(super) fn new(context: &'a Context, id: &'a str) -> Self {
        Bell { context, id, events: None, cursor: None, next: Some(Instant::now()) }
    }

    /// Opens a stream, unless there is one or it is too early.
    pub(super) async fn open(&mut self) {
        if self.events.is_some() || self.next.is_none_or(|next| Instant::now() < next) {
            return;
        }
        self.next = Some(Instant::now() + AGAIN);
        match self.context.client.task_events(self.id, &[], self.cursor.as_deref()).await {
            Ok(events) => self.events = Some(events),
            Err(e) if e.status() == Some(410) => self.cursor = None,
            // A server of an earlier version does not know the call.
            Err(e) if e.status() == Some(404) => self.next = None,
            Err(_) => {}
        }
    }

    /// Returns true if changes are told.
    pub(super) fn is_there(&self) -> bool {
        self.events.is_some()
    }

    /// Returns once the task may have changed; never without a stream.
    pub(super) async fn rings(&mut self) {
        let Some(events) = &mut self.events else { return std::future::pending().await };
        loop {
            match events.next().await {
                // The page that a stream begins with comes before it: what it has may be news, too.
                Ok(Some(Event::Task(_) | Event::Deleted(_))) => break,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    self.cursor = events.cursor().map(str::to_owned);
                    self.events = None;
                    break;
                }
            }
        }
    }
}
