//! `GET /v1/tasks/events` and `GET /v1/changes`: the changes of a list of tasks, as they happen and in pages.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use longhaul_engine::{EngineError, FeedEnd, FeedEvent, Follower, Form, Position, Stored, TaskQuery};
use longhaul_model::{Fault, StatusStyle};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{cursor, list, query, view};
use crate::access::Caller;
use crate::api::App;
use crate::config::WireConfig;
use crate::error::ApiError;
use crate::event_stream::{Events, ReaderGone};
use crate::request::{Parameters, whole_number};
use crate::respond;
use crate::wire::{self, Extras, Json, View};

/// Interval of bookmarks: proxies close connections on which nothing happens.
const BOOKMARK: Duration = Duration::from_secs(15);
/// Interval at which the reader's credential is checked again.
const CHECK: Duration = Duration::from_secs(5);
/// Largest and usual number of changes on a page, about: the changes of one commit stay together.
const LARGEST_PAGE: u64 = 1_000;
const PAGE: u64 = 100;

/// Event stream of a list: its page, then every change.
pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
    RawQuery(text): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let asked = query::read(&parameters, caller.wire())?;
    caller.waits(BOOKMARK)?;
    let resumed = resumed(&app, &parameters, &headers).await?;
    let form = form(&app, caller.wire());
    let (position, snapshot) = match resumed {
        Some(position) => (position, None),
        None => {
            // The position comes first: what changes meanwhile is on the page, and told once more.
            let position = app.engine.change_position().await?;
            let page = list::rows(&app, asked.query.clone(), true).await?;
            (position, Some(page))
        }
    };
    let (mut events, response) = Events::new();
    let follower = app.engine.follow(asked.query.clone(), form.clone(), position);
    tokio::spawn(async move {
        let begun = async {
            let Some((rows, total)) = snapshot else { return Ok(()) };
            for (task, extras) in &rows {
                events.event("task", None, (form.write)(task, extras.labels.as_ref()).as_bytes()).await?;
            }
            let total = asked.cap.map_or(total, |cap| total.min(cap));
            let (number, size) = (asked.number, u64::from(asked.size.max(1)));
            let marker = json!({ "pageMetadata": {
                "pageNumber": number, "pageSize": asked.size, "totalElements": total, "totalPages": total.div_ceil(size),
            } });
            let cursor = cursor::write(follower.position());
            events.event("snapshot", Some(&cursor), marker.to_string().as_bytes()).await?;
            events.flush().await
        };
        if begun.await.is_ok() {
            // Whoever is gone has nothing to be told.
            let _ = Stream { app, caller, events, query: asked.query }.run(follower).await;
        }
    });
    Ok(response)
}

struct Stream {
    app: App,
    caller: Caller,
    events: Events,
    query: TaskQuery,
}

impl Stream {
    async fn run(mut self, mut follower: Follower) -> Result<(), ReaderGone> {
        let every = |period| {
            let mut every = interval_at(Instant::now() + period, period);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            every
        };
        let (mut bookmark, mut check) = (every(BOOKMARK), every(CHECK));
        loop {
            tokio::select! {
                biased;
                () = self.events.closed() => return Err(ReaderGone),
                _ = check.tick() => {
                    if !self.caller.is_admitted_still(&self.app).await {
                        return session_ended(&mut self.events).await;
                    }
                }
                _ = bookmark.tick() => self.bookmark(follower.position()).await?,
                next = follower.next() => match next {
                    Ok(events) => self.tell(events, follower.position()).await?,
                    Err(over) => return end(&mut self.events, over).await,
                },
            }
        }
    }

    async fn tell(&mut self, events: Vec<FeedEvent>, position: &Position) -> Result<(), ReaderGone> {
        let cursor = cursor::write(position);
        let last = events.len().saturating_sub(1);
        for (n, event) in events.into_iter().enumerate() {
            // Only the last of a commit's events moves the cursor: whoever resumes before it gets all of
            // them.
            let cursor = (n == last).then_some(cursor.as_str());
            match event {
                FeedEvent::Task(task) => self.events.event("task", cursor, task.json.as_bytes()).await?,
                FeedEvent::Left { id, revision } => {
                    let left = json!({ "id": id, "version": revision });
                    self.events.event("left", cursor, left.to_string().as_bytes()).await?;
                }
                FeedEvent::Deleted(id) => {
                    self.events.event("deleted", cursor, json!({ "id": id }).to_string().as_bytes()).await?;
                }
            }
        }
        self.events.flush().await
    }

    async fn bookmark(&mut self, position: &Position) -> Result<(), ReaderGone> {
        let counted = self.app.engine.list(TaskQuery { limit: 0, offset: 0, ..self.query.clone() }).await;
        let data = match counted {
            Ok(page) => json!({ "totalElements": page.total }),
            // The total is a courtesy.
            Err(_) => json!({}),
        };
        self.events.event("bookmark", Some(&cursor::write(position)), data.to_string().as_bytes()).await?;
        self.events.flush().await
    }
}

/// Tells a reader how its feed ended.
pub(super) async fn end(events: &mut Events, end: FeedEnd) -> Result<(), ReaderGone> {
    match end {
        FeedEnd::Gone => {
            reset(events, "CURSOR_GONE", "the changes after this point are not known any more").await
        }
        FeedEnd::Slow => {
            reset(events, "READER_TOO_SLOW", "tasks change faster than they are read here").await
        }
        FeedEnd::Stopping => reset(events, "SERVER_STOPPING", "the server is stopping").await,
        FeedEnd::Failed(e) => {
            tracing::warn!(error = %e, "a feed ended, as the log of changes could not be read");
            reset(events, "FEED_INTERRUPTED", "the changes cannot be read at the moment").await
        }
    }
}

/// Tells a reader that what allowed its stream is over.
pub(super) async fn session_ended(events: &mut Events) -> Result<(), ReaderGone> {
    reset(events, "SESSION_ENDED", "the credential of this stream is no longer accepted").await
}

/// Tells a reader to begin anew.
pub(super) async fn reset(events: &mut Events, code: &str, message: &str) -> Result<(), ReaderGone> {
    let fault = Fault::new(code, message).remedy("Begin anew, without a cursor");
    let data = serde_json::to_vec(&fault).unwrap_or_default();
    events.event("reset", None, &data).await?;
    events.flush().await
}

/// Returns the position to resume from, if the request names one: the header of browsers, or the parameter.
fn named(parameters: &Parameters, headers: &HeaderMap) -> Result<Option<Position>, ApiError> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let text = header.filter(|text| !text.is_empty()).or_else(|| parameters.get("cursor"));
    text.map(cursor::read).transpose()
}

/// Returns the position that a request names, if the log has all changes after it.
pub(super) async fn resumed(
    app: &App,
    parameters: &Parameters,
    headers: &HeaderMap,
) -> Result<Option<Position>, ApiError> {
    match named(parameters, headers)? {
        Some(position) if !app.engine.has_changes_after(&position).await? => Err(cursor::gone()),
        position => Ok(position),
    }
}

/// Form of the tasks in the feed: rows of a list with Longhaul's own members, as `view=summary&include=all`
/// shows them.
pub(super) fn form(app: &App, wire: &WireConfig) -> Form {
    let (style, extensions, is_paused) = (wire.status_style, wire.extensions, app.engine.is_paused());
    let view = if extensions { View::extended(style) } else { View::documented(style) };
    let view = View { summary: true, ..view };
    let number = u8::from(style == StatusStyle::Constant) | u8::from(extensions) << 1;
    Form {
        number,
        write: Arc::new(move |task: &Stored, spec| {
            let labels = spec.cloned().filter(|_| extensions);
            let extras = Extras { labels, is_paused, ..Extras::default() };
            let mut json = Json::new(1024);
            wire::stored(&mut json, task, view, &extras);
            String::from_utf8(json.finish()).unwrap_or_default()
        }),
    }
}

/// A page of changes after a cursor; without one, the cursor of now.
pub(crate) async fn changes(
    State(app): State<App>,
    caller: Caller,
    RawQuery(text): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let query = query::filters(&parameters)?;
    let limit = whole_number(&parameters, "limit")?.unwrap_or(PAGE).clamp(1, LARGEST_PAGE) as u32;
    let wait = view::wait(&parameters)?.unwrap_or_default();
    caller.waits(wait)?;
    let Some(position) = named(&parameters, &HeaderMap::new())? else {
        let position = app.engine.change_position().await?;
        return Ok(respond::json(StatusCode::OK, page(&[], &position, false)));
    };
    let form = form(&app, caller.wire());
    let mut follower = app.engine.follow(query, form, position);
    match follower.page(limit, wait).await {
        Ok(found) => Ok(respond::json(StatusCode::OK, page(&found.events, &found.position, found.more))),
        Err(FeedEnd::Gone | FeedEnd::Slow) => Err(cursor::gone()),
        Err(FeedEnd::Stopping) => Ok(respond::json(StatusCode::OK, page(&[], follower.position(), false))),
        Err(FeedEnd::Failed(e)) => Err(EngineError::Store(e).into()),
    }
}

fn page(events: &[FeedEvent], position: &Position, more: bool) -> Vec<u8> {
    let mut json = Json::new(4096);
    json.object(|json| {
        json.key("elements").list(events, |json, event| {
            json.object(|json| match event {
                FeedEvent::Task(task) => {
                    json.key("change").plain("TASK");
                    json.key("task").raw(&task.json);
                }
                FeedEvent::Left { id, revision } => {
                    json.key("change").plain("LEFT");
                    json.key("id").value(id);
                    json.key("version").value(revision);
                }
                FeedEvent::Deleted(id) => {
                    json.key("change").plain("DELETED");
                    json.key("id").value(id);
                }
            });
        });
        json.key("cursor").plain(&cursor::write(position));
        json.key("more").value(&more);
    });
    json.finish()
}
