//! Streams of events: a list of tasks or a single task, followed instead of polled.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::header::HeaderName;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::body::ErrorBody;
use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::tasks::TaskFilter;

/// Longest silence of a stream: the server says something every fifteen seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// Event of a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A task of the page; after [`Event::Snapshot`], one that is new or has changed.
    Task(Value),
    /// The page is complete, and changes follow.
    Snapshot(Value),
    /// A task has changed, and does not belong to the list.
    Left {
        /// ID of the task.
        id: String,
        /// Version of the task.
        version: u64,
    },
    /// A task was deleted.
    Deleted(String),
    /// Nothing changed for a while. Has the number of tasks in the list, if it is known.
    Bookmark(Option<u64>),
    /// The stream ends; the client begins anew, without a cursor.
    Reset(Box<ErrorBody>),
}

/// Stream of events.
#[derive(Debug)]
pub struct Events {
    client: Client,
    response: Response,
    text: Vec<u8>,
    events: VecDeque<(Option<String>, Event)>,
    cursor: Option<String>,
}

impl Client {
    /// Follows a list of tasks; with a cursor of an earlier stream, from there on. Refused with 410 if the
    /// changes since then are not known any more.
    pub async fn events(&self, filter: &TaskFilter, cursor: Option<&str>) -> Result<Events, ClientError> {
        let call = filter.query(Call::new(Method::GET, &["v1", "tasks", "events"]));
        self.stream(call, cursor).await
    }

    /// Follows a task, with these further members.
    pub async fn task_events(
        &self,
        id: &str,
        include: &[String],
        cursor: Option<&str>,
    ) -> Result<Events, ClientError> {
        let call = Call::new(Method::GET, &["v1", "tasks", id, "events"]);
        let include = (!include.is_empty()).then(|| include.join(","));
        self.stream(call.query("include", include), cursor).await
    }

    async fn stream(&self, call: Call<'_>, cursor: Option<&str>) -> Result<Events, ClientError> {
        let call = call.header(HeaderName::from_static("last-event-id"), cursor);
        let response = self.open(call.streams()).await?;
        let (text, events) = (Vec::new(), VecDeque::new());
        Ok(Events { client: self.clone(), response, text, events, cursor: cursor.map(str::to_owned) })
    }
}

impl Events {
    /// Cursor behind the events that were returned.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Returns the next event; `None` once the stream is over. Dropped before it returns, it loses none.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some((cursor, event)) = self.events.pop_front() {
                if cursor.is_some() {
                    self.cursor = cursor;
                }
                return Ok(Some(event));
            }
            match timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.text.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(e)) => return Err(self.client.broken(e)),
                Err(_) => {
                    let (server, reason) =
                        (self.client.server().to_owned(), "the stream is silent".to_owned());
                    return Err(ClientError::Unreachable { server, reason });
                }
            }
            while let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let rest = self.text.split_off(end + 2);
                let text = std::mem::replace(&mut self.text, rest);
                self.events.extend(event(&String::from_utf8_lossy(&text)));
            }
        }
    }
}

/// Reads one event. One that this version does not know is left out.
fn event(text: &str) -> Option<(Option<String>, Event)> {
    let (mut name, mut cursor, mut data) = ("", None, String::new());
    for line in text.lines() {
        let Some((field, value)) = line.split_once(':') else { continue };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => name = value,
            "id" => cursor = Some(value.to_owned()),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            _ => {}
        }
    }
    let data: Value = serde_json::from_str(&data).ok()?;
    let id = || data["id"].as_str().map(str::to_owned);
    let event = match name {
        "snapshot" => Event::Snapshot(data),
        "left" => Event::Left { id: id()?, version: data["version"].as_u64().unwrap_or(0) },
        "deleted" => Event::Deleted(id()?),
        "bookmark" => Event::Bookmark(data["totalElements"].as_u64()),
        "reset" => Event::Reset(Box::new(serde_json::from_value(data).ok()?)),
        "task" => Event::Task(data),
        _ => return None,
    };
    Some((cursor, event))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_as_they_are_written() {
        let of = |text: &str| event(text);
        let task = of("event: task\nid: c1\ndata: {\"id\":\ndata: 1}\n\n");
        assert_eq!(task, Some((Some("c1".to_owned()), Event::Task(json!({ "id": 1 })))));
        let left = Event::Left { id: "a".to_owned(), version: 3 };
        assert_eq!(of("event:left\ndata:{\"id\":\"a\",\"version\":3}\n\n"), Some((None, left)));
        assert_eq!(of("event: bookmark\ndata: {}\n\n"), Some((None, Event::Bookmark(None))));
        for odd in ["", "\n\n", "event: task\n\n", "event: later\ndata: {}\n\n", "data: {", "nonsense"] {
            assert_eq!(of(odd), None, "{odd:?}");
        }
    }
}
