//! `GET /v1/tasks/{id}/events`: one task, as it is and with every change.

use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longhaul_engine::{Follower, TaskQuery};
use longhaul_model::TaskId;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::view::{self, Shown};
use super::{cursor, feed, get};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::event_stream::{Events, ReaderGone};
use crate::request::{Id, Parameters};

/// Interval at which the reader's credential is checked again.
const CHECK: Duration = Duration::from_secs(5);
/// Number of checks between two bookmarks.
const BOOKMARK: u32 = 3;
/// Bytes of a large task that a reader gets in a second: it is written anew with each change.
const RATE: u64 = 2 << 20;

/// Event stream of one task.
pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let shown = view::shown(&parameters, caller.wire(), false)?;
    caller.waits(CHECK)?;
    let resumed = feed::resumed(&app, &parameters, &headers).await?;
    let position = match &resumed {
        Some(position) => position.clone(),
        None => app.engine.change_position().await?,
    };
    let first = match resumed {
        Some(_) => None,
        None => Some(get::body(&app, id, &shown).await?),
    };
    let (events, response) = Events::new();
    let form = feed::form(&app, caller.wire());
    let follower = app.engine.follow(TaskQuery::default(), form, position);
    let stream = Stream { app, caller, id, shown, events };
    tokio::spawn(async move {
        // Whoever is gone has nothing to be told.
        let _ = stream.run(first, follower).await;
    });
    Ok(response)
}

struct Stream {
    app: App,
    caller: Caller,
    id: TaskId,
    shown: Shown,
    events: Events,
}

impl Stream {
    async fn run(mut self, first: Option<Vec<u8>>, mut follower: Follower) -> Result<(), ReaderGone> {
        if let Some(first) = first {
            self.events.event("task", None, &first).await?;
            self.events.event("snapshot", Some(&cursor::write(follower.position())), b"{}").await?;
            self.events.flush().await?;
        }
        let mut check = interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checks = 0;
        loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(ReaderGone),
                _ = check.tick() => {
                    if !self.caller.is_admitted_still(&self.app).await {
                        return feed::session_ended(&mut self.events).await;
                    }
                    checks += 1;
                    if checks % BOOKMARK == 0 {
                        self.events.event("bookmark", Some(&cursor::write(follower.position())), b"{}").await?;
                        self.events.flush().await?;
                    }
                }
                next = follower.next_of(self.id) => match next {
                    Ok(()) => {
                        if !self.changed(&cursor::write(follower.position())).await? {
                            return Ok(());
                        }
                    }
                    Err(over) => return feed::end(&mut self.events, over).await,
                },
            }
        }
    }

    /// Tells of the task as it is now; false once it is gone.
    async fn changed(&mut self, cursor: &str) -> Result<bool, ReaderGone> {
        match get::body(&self.app, self.id, &self.shown).await {
            Ok(body) => {
                self.events.event("task", Some(cursor), &body).await?;
                self.events.flush().await?;
                sleep(Duration::from_millis(body.len() as u64 * 1_000 / RATE)).await;
                Ok(true)
            }
            Err(e) if e.status == StatusCode::NOT_FOUND => {
                let gone = json!({ "id": self.id }).to_string();
                self.events.event("deleted", Some(cursor), gone.as_bytes()).await?;
                self.events.flush().await?;
                Ok(false)
            }
            Err(_) => {
                feed::reset(&mut self.events, "FEED_INTERRUPTED", "the task cannot be read at the moment")
                    .await?;
                Ok(false)
            }
        }
    }
}
