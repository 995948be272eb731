//! Bodies: read within their limits, and as JSON.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use longhaul_engine::Room;
use longhaul_model::encoding::{self, BadEncoding};
use longhaul_model::{Fault, text, value, weight};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;
use tokio::time::{Instant, timeout, timeout_at};

use crate::config::Limits;
use crate::error::{ApiError, shortened};

/// Reads a JSON body and checks its type, length, time, encoding and depth. No text of it may have the
/// character NUL: texts are looked up and kept in columns that cannot have it.
pub(crate) async fn json_body(
    request: Request<Body>,
    limits: &Limits,
    largest: usize,
) -> Result<Json, ApiError> {
    let json = any_json_body(request, limits, largest).await?;
    match nul(&json.bytes) {
        Some(pointer) => {
            let message =
                format!("{}: it has the character NUL", pointer.trim_start_matches('/').replace('/', "."));
            Err(ApiError::field(&pointer, message)
                .remedy("Leave it out; encode binary data, such as in Base64"))
        }
        None => Ok(json),
    }
}

/// Reads a body like [`json_body`], with a small size and a short time: its caller is not known yet.
pub(crate) async fn public_body(request: Request<Body>, limits: &Limits) -> Result<Json, ApiError> {
    let patience = limits.public_body_time;
    let hurried = Limits {
        body_time: limits.body_time.min(patience),
        body_pause: limits.body_pause.min(patience),
        ..limits.clone()
    };
    json_body(request, &hurried, limits.body.min(limits.public_body)).await
}

/// JSON pointer to the first NUL character in a text: in the value or the name of a member.
fn nul(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    // A cheap check comes first: hardly any body has this sequence, whether it is an escape or the end of an
    // escaped backslash.
    if !text.contains("\\u0000") {
        return None;
    }
    let mut open = vec![(String::new(), serde_json::from_str::<Value>(text).ok()?)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::String(text) if text.contains('\0') => return Some(pointer),
            Value::Array(items) => {
                open.extend(items.into_iter().enumerate().map(|(n, item)| (format!("{pointer}/{n}"), item)));
            }
            Value::Object(members) => {
                if members.keys().any(|name| name.contains('\0')) {
                    return Some(pointer);
                }
                let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
                open.extend(
                    members.into_iter().map(|(name, item)| (format!("{pointer}/{}", escaped(&name)), item)),
                );
            }
            _ => {}
        }
    }
    None
}

/// Reads a body like [`json_body`], with any character in its texts: for data that is only kept.
pub(crate) async fn any_json_body(
    request: Request<Body>,
    limits: &Limits,
    largest: usize,
) -> Result<Json, ApiError> {
    let (head, mut body) = request.into_parts();
    let mut room = limits.bodies.room();
    if body.is_end_stream() {
        return Ok(Json { bytes: Bytes::new(), room });
    }
    check_type(&head.headers)?;
    let bytes = match read(&mut body, limits, largest, &mut room).await {
        Ok(bytes) => bytes,
        Err(e) => {
            // A client that asked first whether to send need not.
            if e.status == StatusCode::PAYLOAD_TOO_LARGE && !head.headers.contains_key(header::EXPECT) {
                discard(&mut body).await;
            }
            return Err(e);
        }
    };
    let bytes = in_utf8(bytes, &mut room, limits).await?;
    if value::nesting(&bytes) > limits.depth {
        let message = format!("the body is nested deeper than {} levels", limits.depth);
        return Err(ApiError::bad("MALFORMED_JSON", message));
    }
    // The check is here, so that it holds for every body, whatever its type.
    let names = match bytes.len() {
        0..=SMALL => value::check_names(&bytes),
        // Parsing megabytes of JSON takes long enough to hold up others.
        _ => {
            let bytes = bytes.clone();
            let checked = tokio::task::spawn_blocking(move || value::check_names(&bytes));
            checked.await.map_err(|e| ApiError::internal(e.to_string()))?
        }
    };
    if let Err(e) = names {
        return Err(ApiError::bad("INVALID_REQUEST", format!("the body cannot be read: {e}"))
            .remedy("Write each name once: readers differ on which of the two counts"));
    }
    let values = weight::of_text(&bytes);
    if values > SMALL {
        // The share starts from zero, and not beyond what it has: bodies that wait for much hold nothing, so
        // none of them needs to go first.
        room = limits.bodies.room();
        enlarge(&mut room, bytes.len() + values).await?;
    }
    Ok(Json { bytes, room })
}

/// Converts a body into UTF-8 without byte order mark, whichever encoding it has.
async fn in_utf8(bytes: Bytes, room: &mut Room, limits: &Limits) -> Result<Bytes, ApiError> {
    let unreadable = |e: BadEncoding| ApiError::bad("MALFORMED_JSON", format!("the body is no text: {e}"));
    let text = match encoding::text_of(&bytes).map_err(unreadable)? {
        Cow::Borrowed(text) => {
            let mark = bytes.len() - text.len();
            return Ok(bytes.slice(mark..));
        }
        Cow::Owned(text) => text,
    };
    if text.len() > SMALL {
        // The share starts from zero, as the body was read within its own.
        *room = limits.bodies.room();
        enlarge(room, bytes.len() + text.len()).await?;
    }
    Ok(text.into())
}

/// Body of JSON, with its share of the memory budget.
pub(crate) struct Json {
    bytes: Bytes,
    room: Room,
}

impl Json {
    /// Returns the share alone, which lasts for as long as the body's values.
    pub(crate) fn into_room(self) -> Arc<Room> {
        Arc::new(self.room)
    }
}

impl std::ops::Deref for Json {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Largest body that is read without a share of the budget, in bytes.
const SMALL: usize = 64 * 1024;
/// Longest wait for a share of the budget for all bodies.
const PATIENCE: Duration = Duration::from_secs(20);

/// Enlarges the share of a body among all bodies; a body that finds no memory waits for others, but not for
/// long.
async fn enlarge(room: &mut Room, bytes: usize) -> Result<(), ApiError> {
    timeout(PATIENCE, room.reach(bytes)).await.map_err(|_| {
        let fault = Fault::new("SERVER_BUSY", "the server has no memory left for a body of this size")
            .remedy("Send it again in a while");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, fault)
    })
}

async fn read(body: &mut Body, limits: &Limits, largest: usize, room: &mut Room) -> Result<Bytes, ApiError> {
    let too_large = || {
        let fault = Fault::new("BODY_TOO_LARGE", format!("the body is larger than {largest} bytes"))
            .remedy("Send less at once");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, fault)
    };
    let too_slow = || {
        let fault = Fault::new("REQUEST_TIMEOUT", "the body did not arrive in time").remedy("Send it again");
        ApiError::new(StatusCode::REQUEST_TIMEOUT, fault)
    };
    if body.size_hint().lower() > largest as u64 {
        return Err(too_large());
    }
    let begin = Instant::now();
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    loop {
        let next = timeout(limits.body_pause, body.frame());
        let end = begin + longest(limits, first.len().max(all.len()));
        let frame = match timeout_at(end, next).await.map_err(|_| too_slow())?.map_err(|_| too_slow())? {
            Some(frame) => frame.map_err(|_| ApiError::bad("INVALID_REQUEST", "the body ended early"))?,
            // Most bodies arrive in one piece, which is not copied.
            None if all.is_empty() => return Ok(first),
            None => return Ok(all.freeze()),
        };
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(all.len()) + data.len() > largest {
            return Err(too_large());
        }
        let length = first.len().max(all.len()) + data.len();
        if length > SMALL {
            // The space that a buffer may take as it doubles.
            enlarge(room, length.next_power_of_two()).await?;
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
}

/// Returns the longest time for a body to arrive of which so many bytes are there: as long as its sender may
/// pause, and what they take at the least rate, so that nobody holds a place with a byte now and then.
fn longest(limits: &Limits, bytes: usize) -> Duration {
    let earned = Duration::from_secs_f64(bytes as f64 / f64::from(limits.body_rate.max(1)));
    (limits.body_pause + earned).min(limits.body_time)
}

/// Reads on for a while without keeping anything: most clients look at the answer only once they have sent
/// all.
async fn discard(body: &mut Body) {
    const MOST: usize = 32 << 20;
    const LONGEST: Duration = Duration::from_secs(2);
    let read = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > MOST {
                return;
            }
        }
    };
    // The answer follows either way.
    let _ = timeout(LONGEST, read).await;
}

/// Absent or JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let coding =
        headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok()).unwrap_or_default();
    if !matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity") {
        let fault = Fault::new("UNSUPPORTED_MEDIA_TYPE", "a body with this Content-Encoding cannot be read")
            .remedy("Send the body as it is, without Content-Encoding");
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault));
    }
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = given.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let fault = Fault::new("UNSUPPORTED_MEDIA_TYPE", "a body of this Content-Type cannot be read")
        .remedy("Send JSON, with Content-Type: application/json");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault))
}

/// Parses a body as a type; a mistake is named with its pointer.
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // The deserializer would accept a list for the members of an object, in the order of our code.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        let message = "the body must be an object, and it is a list";
        return Err(ApiError::field("", message).remedy("Write its members by name, as /docs shows them"));
    }
    any(bytes)
}

/// Parses a body like [`parsed`], of any shape.
pub(crate) fn any<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| match e.is_data() {
        true => unfit::<T>(bytes, &e),
        false => ApiError::bad("MALFORMED_JSON", format!("the body cannot be read: {}", unsaid(&e))),
    })
}

/// Describes JSON that is not of this type. Only here it is read once more, slower, to know which member is
/// wrong.
fn unfit<T: DeserializeOwned>(bytes: &[u8], e: &serde_json::Error) -> ApiError {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize::<_, T>(&mut reader);
    let path: Vec<String> = match &read {
        Err(e) => e.path().iter().filter_map(member).collect(),
        Ok(_) => Vec::new(),
    };
    if path.is_empty() {
        return ApiError::bad("INVALID_REQUEST", format!("the body cannot be read: {}", unsaid(e)));
    }
    let pointer: String = path.iter().map(|part| format!("/{part}")).collect();
    let named = path.join(".");
    ApiError::field(&pointer, format!("{}: {}", shortened(&named), unsaid(e)))
}

/// Describes an error of a JSON text without repeating what was sent.
pub(crate) fn unsaid(e: &serde_json::Error) -> String {
    text::without_value(&e.to_string())
}

/// Converts a step of a path into a reference token of a JSON pointer.
fn member(step: &Segment) -> Option<String> {
    match step {
        Segment::Map { key } => Some(key.replace('~', "~0").replace('/', "~1")),
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_chunks(chunks: &[&'static str], largest: usize) -> Result<Json, ApiError> {
        let chunks: Vec<Result<Bytes, std::io::Error>> =
            chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk.as_bytes()))).collect();
        let body = Body::from_stream(futures_util::stream::iter(chunks));
        json_body(Request::new(body), &Limits::default(), largest).await
    }

    #[tokio::test]
    async fn body_may_come_in_pieces_up_to_its_limit() {
        for chunks in [&["[1,2,3]"][..], &["[1,", "2,3]"], &["", "[1", ",2", ",", "3]", ""]] {
            assert_eq!(&*read_chunks(chunks, 7).await.unwrap(), b"[1,2,3]", "{chunks:?}");
            let e = read_chunks(chunks, 6).await.err().unwrap();
            assert_eq!(e.status, StatusCode::PAYLOAD_TOO_LARGE);
        }
        assert_eq!(&*read_chunks(&[], 7).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn body_that_stalls_is_given_up() {
        let limits = Limits { body_pause: Duration::from_millis(50), ..Limits::default() };
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let e = json_body(Request::new(body), &limits, 10).await.err().unwrap();
        assert_eq!(e.status, StatusCode::REQUEST_TIMEOUT);
    }

    /// A text of JSON of so many bytes, that many at a time, with a pause of so many milliseconds before
    /// each.
    fn dripping(bytes: usize, at_once: usize, pause: u64) -> Body {
        let pieces = futures_util::stream::unfold(bytes, move |left| async move {
            if left == 0 {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let rest = left.saturating_sub(at_once);
            let quoted = |n: usize| if n == bytes || n == 1 { b'"' } else { b'a' };
            let piece: Vec<u8> = (rest + 1..=left).rev().map(quoted).collect();
            Some((Ok::<_, std::io::Error>(Bytes::from(piece)), rest))
        });
        Body::from_stream(pieces)
    }

    /// The time is virtual: it passes when everything waits.
    #[tokio::test(start_paused = true)]
    async fn body_that_drips_is_given_up_and_a_slow_one_is_not() {
        let limits = Limits::default();
        let rate = limits.body_rate as usize;
        for (at_once, pause) in [(1, 1), (1, 500), (10, 100), (rate / 4, 1_000), (rate, 29_000)] {
            let begun = Instant::now();
            let body = dripping(1 << 20, at_once, pause);
            let e = json_body(Request::new(body), &limits, 1 << 20).await.err().unwrap();
            assert_eq!(e.status, StatusCode::REQUEST_TIMEOUT, "{at_once} every {pause} ms");
            assert!(begun.elapsed() <= 2 * limits.body_pause, "{at_once} every {pause} ms");
        }
        for (at_once, pause) in [(rate, 1_000), (rate * 29, 29_000), (1 << 20, 29_000)] {
            let body = dripping(1 << 20, at_once, pause);
            let read = json_body(Request::new(body), &limits, 1 << 20).await;
            assert_eq!(read.ok().map(|body| body.len()), Some(1 << 20), "{at_once} every {pause} ms");
        }
    }

    #[tokio::test]
    async fn bodies_in_flight_share_what_they_and_their_values_may_take() {
        let limits = Limits { bodies: longhaul_engine::Budget::new(1 << 20), ..Limits::default() };
        let zeros = format!("[{}0]", "0,".repeat(5_000));
        let body = |text: String| Request::new(Body::from(text));
        let first = json_body(body(zeros.clone()), &limits, 1 << 20).await.ok().unwrap();
        let free = limits.bodies.free();
        assert!(free < (1 << 20) - 300_000, "5,000 numbers take more than their text: {free}");
        let _second = json_body(body(zeros.clone()), &limits, 1 << 20).await.ok().unwrap();
        let third = json_body(body(zeros), &limits, 1 << 20);
        tokio::pin!(third);
        assert!(timeout(Duration::from_millis(50), &mut third).await.is_err(), "it waits");
        drop(first);
        assert!(timeout(Duration::from_secs(60), third).await.unwrap().is_ok());
    }

    #[test]
    fn nul_is_found_in_values_and_names() {
        let found = |text: &str| nul(text.as_bytes());
        assert_eq!(found(r#"{"a":[{"b/c":"x\u0000"}]}"#).as_deref(), Some("/a/0/b~1c"));
        assert_eq!(found(r#"{"a":{"\u0000":1}}"#).as_deref(), Some("/a"));
        assert_eq!(found(r#""\u0000""#).as_deref(), Some(""));
        for text in [r#"{"a":"\\u0000"}"#, r#"{"a":"u0000"}"#, "{}", r#"{"a":"\u0000"#] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn member_that_does_not_fit_is_named() {
        let e = any::<std::collections::BTreeMap<String, Vec<u8>>>(br#"{"a/b": [1, 300]}"#).unwrap_err();
        assert_eq!(e.fault.error_code, "INVALID_REQUEST");
        assert!(
            e.fault
                .message
                .starts_with("a~1b.1: invalid value: an integer, expected a whole number from 0 to 255"),
            "{}",
            e.fault.message
        );
        assert_eq!(e.fault.context["pointer"], "/a~1b/1");
        let e = any::<Vec<u8>>(b"{}").unwrap_err();
        assert!(
            e.fault.message.starts_with("the body cannot be read: invalid type: an object"),
            "{}",
            e.fault.message
        );
        assert_eq!(any::<Vec<u8>>(b"[1,").unwrap_err().fault.error_code, "MALFORMED_JSON");
    }
}
