//! Answers: what every one of them carries.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{self, HeaderValue};

/// Media type of JSON. It is UTF-8, which PowerShell 5.1 takes for Latin-1 where the header does not name it.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = plain(status, body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

/// Builds an answer with the headers that all answers share. Answers are of the moment and may hold what is
/// not for everybody on the machine, so caches keep none of them. An ETag serves callers that keep answers
/// themselves.
fn plain(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// A JSON answer of a value.
pub(crate) fn value(status: StatusCode, value: &serde_json::Value) -> Response {
    json(status, value.to_string())
}

/// Builds an answer without a body. Its length is stated, as clients wait for it otherwise (wire contract,
/// 8.2).
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = plain(status, Body::empty());
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    response
}
