//! Requests: bodies within their limits, queries by name, ids.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use bytes::Bytes;
use http::header;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use longhaul_model::{Fault, TaskId};
use serde::de::DeserializeOwned;

use crate::config::Limits;
use crate::error::ApiError;

/// The task that a path names.
pub(crate) struct Id(pub(crate) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad("TASK_ID_MALFORMED", "the path is not valid UTF-8"))?;
        let text =
            names.into_iter().find(|(name, _)| name == "id").map(|(_, value)| value).unwrap_or_default();
        let malformed = || {
            let shown: String = text.chars().take(100).collect();
            ApiError::bad("TASK_ID_MALFORMED", format!("`{shown}` is no task ID"))
                .remedy("A task ID is a UUID such as bc32f3be-a777-434b-a156-3fa54e8d2ded")
        };
        text.parse().map(Id).map_err(|_| malformed())
    }
}

/// Another part of the path, by its name in the route.
pub(crate) struct Named(Vec<(String, String)>);

impl Named {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(names) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad("INVALID_REQUEST", "the path is not valid UTF-8"))?;
        Ok(Named(names))
    }
}

/// A query's parameters: decoded, in order. Unknown ones are for nobody and ignored.
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(query: Option<&str>, limits: &Limits) -> Result<Self, ApiError> {
        let query = query.unwrap_or_default();
        if query.len() > limits.query {
            let fault =
                Fault::new("QUERY_TOO_LONG", format!("the query is longer than {} bytes", limits.query));
            return Err(ApiError::new(StatusCode::URI_TOO_LONG, fault));
        }
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Result<_, ApiError>>().map(Parameters)
    }

    /// The last value of a parameter; an empty one is as good as none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }
}

/// `%20` and `+` to a space.
fn decoded(text: &str) -> Result<String, ApiError> {
    let bad = || ApiError::bad("INVALID_REQUEST", "the query is not valid UTF-8 in percent encoding");
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = text.get(at + 1..at + 3).ok_or_else(bad)?;
                out.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
                at += 2;
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| bad())
}

/// A body of JSON: its type, length, time, encoding and depth checked.
pub(crate) async fn json_body(
    request: Request<Body>,
    limits: &Limits,
    largest: usize,
) -> Result<Bytes, ApiError> {
    check_type(request.headers())?;
    let too_large = || {
        let fault = Fault::new("BODY_TOO_LARGE", format!("the body is larger than {largest} bytes"))
            .remedy("Send less at once");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, fault)
    };
    let length =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut body = request.into_body();
    if length.is_some_and(|length: u64| length > largest as u64) {
        discard(&mut body).await;
        return Err(too_large());
    }
    let read = Limited::new(&mut body, largest).collect();
    let bytes = match tokio::time::timeout(limits.body_time, read).await {
        Err(_) => {
            let fault = Fault::new("REQUEST_TIMEOUT", "the body did not arrive in time");
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, fault));
        }
        Ok(Err(e)) if e.downcast_ref::<LengthLimitError>().is_some() => {
            discard(&mut body).await;
            return Err(too_large());
        }
        Ok(Err(_)) => return Err(ApiError::bad("INVALID_REQUEST", "the body ended early")),
        Ok(Ok(body)) => body.to_bytes(),
    };
    if let Err(e) = std::str::from_utf8(&bytes) {
        let message = format!("the body is not valid UTF-8 from byte {} on", e.valid_up_to());
        return Err(ApiError::bad("MALFORMED_JSON", message));
    }
    if depth(&bytes) > limits.depth {
        let message = format!("the body is nested deeper than {} levels", limits.depth);
        return Err(ApiError::bad("MALFORMED_JSON", message));
    }
    Ok(bytes)
}

/// Reads on for a while without keeping anything: most clients look at the answer only once they have sent all.
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
    // Either way the answer follows.
    let _ = tokio::time::timeout(LONGEST, read).await;
}

/// Absent or JSON.
fn check_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = given.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let fault = Fault::new("UNSUPPORTED_MEDIA_TYPE", format!("a body of `{text}` cannot be read"))
        .remedy("Send JSON, with Content-Type: application/json");
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, fault))
}

/// How deep a JSON text is nested.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A body as a type; what is wrong is named with its place.
pub(crate) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes).map_err(|e| {
        let code = if e.is_data() { "INVALID_REQUEST" } else { "MALFORMED_JSON" };
        ApiError::bad(code, format!("the body cannot be read: {e}"))
    })
}
