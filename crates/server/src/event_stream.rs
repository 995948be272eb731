//! Server-sent events (the HTML standard, section 9.2): an answer that goes on.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderValue};
use tokio::sync::mpsc;

/// Media type of an event stream.
pub(crate) const MEDIA_TYPE: &str = "text/event-stream";
/// Size in bytes from which events are sent on.
const CHUNK: usize = 16 << 10;
/// Longest time until a reader takes a chunk; one that does not is gone, or would lag for ever.
const STALLED: Duration = Duration::from_secs(30);

/// Writing end of an event stream.
pub(crate) struct Events {
    chunks: mpsc::Sender<Bytes>,
    text: Vec<u8>,
}

/// The reader is gone.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl Events {
    /// Makes an event stream and its answer.
    pub(crate) fn new() -> (Events, Response) {
        // One chunk waits: what a slow reader does not take stays where it is.
        let (chunks, receiver) = mpsc::channel::<Bytes>(1);
        let body = stream::unfold(receiver, |mut receiver| async move {
            let chunk = receiver.recv().await?;
            Some((Ok::<Bytes, std::convert::Infallible>(chunk), receiver))
        });
        let mut response = Response::new(Body::from_stream(body));
        for (name, value) in [
            (header::CONTENT_TYPE, MEDIA_TYPE),
            (header::CACHE_CONTROL, "no-cache, no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // The connection ends with the stream: nothing else follows on it.
            (header::CONNECTION, "close"),
            (header::HeaderName::from_static("x-accel-buffering"), "no"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        (Events { chunks, text: Vec::new() }, response)
    }

    /// Adds an event; large ones and many small ones are sent on. `data` is JSON, in which line breaks mean
    /// nothing.
    pub(crate) async fn event(
        &mut self,
        name: &str,
        cursor: Option<&str>,
        data: &[u8],
    ) -> Result<(), ReaderGone> {
        write(&mut self.text, name, cursor, data);
        if self.text.len() >= CHUNK { self.flush().await } else { Ok(()) }
    }

    /// Sends what is written.
    pub(crate) async fn flush(&mut self) -> Result<(), ReaderGone> {
        if self.text.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.text));
        let sent = tokio::time::timeout(STALLED, self.chunks.send(chunk)).await;
        sent.ok().and_then(Result::ok).ok_or(ReaderGone)
    }

    /// Returns once the reader is gone.
    pub(crate) async fn closed(&self) {
        self.chunks.closed().await;
    }
}

fn write(out: &mut Vec<u8>, name: &str, cursor: Option<&str>, data: &[u8]) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    if let Some(cursor) = cursor {
        out.extend_from_slice(b"\nid: ");
        out.extend_from_slice(cursor.as_bytes());
    }
    // Imported tasks are kept as they came, maybe on several lines.
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(b"\ndata: ");
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_what_the_standard_says() {
        let mut out = Vec::new();
        write(&mut out, "task", Some("abc"), b"{\"id\":\r\n1}");
        write(&mut out, "snapshot", None, b"{}");
        let text = "event: task\nid: abc\ndata: {\"id\":\ndata: \ndata: 1}\n\nevent: snapshot\ndata: {}\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
