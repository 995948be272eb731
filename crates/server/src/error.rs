//! Errors as answers: a status, and the Error body of the Tasks API (wire contract, sections 1.5 and 4.1).
//! Internal details go to the log under the same reference token, never into a body.

mod auth;
mod engine;

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use longhaul_model::{Cause, Env, Fault};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::respond;

pub(crate) use engine::{UNPAUSE, task_unreadable};

/// Longest part of a caller's value that a message repeats, in characters.
const SHOWN: usize = 100;

/// An error on its way to a caller.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) fault: Box<Fault>,
    header: Option<(HeaderName, HeaderValue)>,
    /// Cause, for the log only.
    cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, fault: Fault) -> Self {
        ApiError { status, fault: Box::new(fault), header: None, cause: None }
    }

    /// 400, for a request that cannot be read.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, Fault::new(code, message))
    }

    /// 400 for a member of the body, by JSON pointer.
    pub(crate) fn field(pointer: &str, message: impl Into<String>) -> Self {
        let mut e = ApiError::bad("INVALID_REQUEST", message);
        e.fault = Box::new(e.fault.with("pointer", pointer));
        e
    }

    /// 400 for a query parameter.
    pub(crate) fn parameter(name: &str, allowed: &str) -> Self {
        // The message does not repeat the value: it may be a secret in the wrong place.
        let message = format!("the query parameter `{name}` does not take this value");
        let fault = Fault::new("INVALID_PARAMETER", message).argument(name).remedy(allowed);
        ApiError::new(StatusCode::BAD_REQUEST, fault)
    }

    /// 400 for a query parameter, with a message of its own.
    pub(crate) fn about_parameter(name: &str, message: impl Into<String>) -> Self {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            Fault::new("INVALID_PARAMETER", message).argument(shortened(name)),
        )
    }

    /// Names parameters of the query instead of the input's members, for a caller who gave these members in
    /// the query.
    pub(crate) fn in_query<'a>(mut self, members: impl Iterator<Item = &'a String>) -> Self {
        let mut first = None;
        for name in members {
            let place = format!("/input/{}", name.replace('~', "~0").replace('/', "~1"));
            for nested in &mut self.fault.nested_errors {
                let pointer = nested.context.get("pointer").and_then(|pointer| pointer.as_str());
                let Some(inner) = pointer.and_then(|pointer| pointer.strip_prefix(&place)) else { continue };
                if !inner.is_empty() && !inner.starts_with('/') {
                    continue;
                }
                let said = nested.message.split_once(": ").map_or(nested.message.as_str(), |(_, said)| said);
                let message = format!("the query parameter {}: {said}", shortened(name));
                *nested = Fault::new("INVALID_PARAMETER", message).argument(shortened(name));
                first.get_or_insert_with(|| nested.clone());
            }
        }
        if let Some(first) = first {
            self.status = StatusCode::BAD_REQUEST;
            let nested_errors = std::mem::take(&mut self.fault.nested_errors);
            let remediation_message = self.fault.remediation_message.take();
            self.fault = Box::new(Fault { nested_errors, remediation_message, ..first });
        }
        self
    }

    /// Moves pointers below `root`, for an error in a part of the body.
    pub(crate) fn below(mut self, root: &str) -> Self {
        let inner =
            self.fault.context.get("pointer").and_then(|pointer| pointer.as_str()).unwrap_or_default();
        let pointer = format!("{root}{inner}");
        self.fault = Box::new(self.fault.with("pointer", pointer));
        self
    }

    /// Names members of the body instead of the input's, for a caller whose body is the input, or has it as
    /// `member`.
    pub(crate) fn in_body(mut self, member: Option<&str>) -> Self {
        let escaped = member.map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        for nested in &mut self.fault.nested_errors {
            let Some(pointer) = nested.context.get("pointer").and_then(|pointer| pointer.as_str()) else {
                continue;
            };
            let pointer = pointer.to_owned();
            let Some(inner) = pointer.strip_prefix("/input") else { continue };
            let inner =
                escaped.as_deref().and_then(|member| inner.strip_prefix(member)).unwrap_or(inner).to_owned();
            if let Some(said) = nested.message.strip_prefix(&pointer) {
                nested.message =
                    if inner.is_empty() { format!("the body{said}") } else { format!("{inner}{said}") };
            }
            *nested = std::mem::replace(nested, Fault::new("", "")).with("pointer", inner);
        }
        self
    }

    pub(crate) fn argument(mut self, text: &str) -> Self {
        self.fault = Box::new(self.fault.argument(text));
        self
    }

    pub(crate) fn remedy(mut self, text: impl Into<String>) -> Self {
        self.fault = Box::new(self.fault.remedy(text));
        self
    }

    pub(crate) fn unknown_route(method: &Method, path: &str) -> Self {
        let fault = Fault::new("ROUTE_NOT_FOUND", format!("there is no {method} {}", shortened(path)))
            .remedy("See /docs for what there is; a workflow's `route:` adds to it");
        ApiError::new(StatusCode::NOT_FOUND, fault)
    }

    pub(crate) fn wrong_method(method: &Method, path: &str, allowed: &str) -> Self {
        let message = format!("{} does not take {method}", shortened(path));
        let fault = Fault::new("METHOD_NOT_ALLOWED", message).remedy(format!("It takes {allowed}"));
        let mut e = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, fault);
        e.header = HeaderValue::from_str(allowed).ok().map(|value| (header::ALLOW, value));
        e
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let fault = Fault::new(
            "VCF_RUNTIME_ERROR",
            "Something went wrong. Please retry or contact the service provider and provide the reference token",
        );
        let mut e = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, fault);
        e.cause = Some(cause.into());
        e
    }

    /// A failure that passes: the caller may try again.
    fn passing(status: StatusCode, fault: Fault, cause: String) -> Self {
        let mut e = ApiError::not_now(status, fault);
        e.cause = Some(cause);
        e
    }

    /// A refusal that passes, with which nothing is wrong.
    pub(crate) fn not_now(status: StatusCode, fault: Fault) -> Self {
        let mut e = ApiError::new(status, fault);
        e.header = Some((header::RETRY_AFTER, HeaderValue::from_static("5")));
        e
    }
}

/// Builds the whole answer to bytes that are not a request: the connection's own, which knows no handler.
pub(crate) fn unreadable(status: u16) -> Vec<u8> {
    let (code, message, remedy, reason) = match status {
        431 => (
            "HEADERS_TOO_LARGE",
            "the headers of the request are too large, or too many",
            "Send fewer and shorter headers",
            "Request Header Fields Too Large",
        ),
        414 => (
            "QUERY_TOO_LONG",
            "the request's address is too long",
            "Ask for less in one request",
            "URI Too Long",
        ),
        _ => ("MALFORMED_REQUEST", "this is no HTTP request", "Send one as RFC 9112 has it", "Bad Request"),
    };
    let (fault, reference) = (Fault::new(code, message).remedy(remedy), Reference::new());
    tracing::info!(reference = reference.as_str(), status, code, message, "a request was refused");
    let body = serde_json::to_string(&ErrorBody::new(&fault, &reference)).unwrap_or_default();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncache-control: no-cache, no-store\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Remediation for a refusal that has none of its own.
fn remedy_of(status: StatusCode, code: &str) -> Option<&'static str> {
    match status {
        // As real servers have it (wire contract, section 4.1).
        _ if code == "TA_TASK_NOT_FOUND" => None,
        StatusCode::BAD_REQUEST => Some("Correct the request; /docs shows what each call takes"),
        StatusCode::UNAUTHORIZED => Some("Check user name and password; an administrator may set a new one"),
        StatusCode::NOT_FOUND => Some("Check its name or ID"),
        StatusCode::CONFLICT => Some("Look at how it stands now, then decide"),
        StatusCode::URI_TOO_LONG => Some("Ask for less in one request"),
        StatusCode::UNPROCESSABLE_ENTITY => Some("Correct the values that the message names"),
        _ => None,
    }
}

/// The beginning of a text that may be long.
pub(crate) fn shortened(text: &str) -> String {
    longhaul_model::text::shortened(text, SHOWN).into_owned()
}

tokio::task_local! {
    static REFERENCE: Reference;
}

/// Reference that an answer's log line, its body and the audit log share.
#[derive(Clone, Debug)]
pub(crate) struct Reference(String);

impl Reference {
    /// Reference of the current request; a new one outside of a request.
    pub(crate) fn current() -> Self {
        REFERENCE.try_with(Clone::clone).unwrap_or_else(|_| Reference::new())
    }

    /// Runs a future with one reference for all that it does.
    pub(crate) async fn within<T>(of: impl Future<Output = T>) -> T {
        let reference = Reference::new();
        let text = reference.0.clone();
        longhaul_store::referenced(&text, REFERENCE.scope(reference, of)).await
    }

    /// Creates a reference of six characters of `[0-9A-Z]`, as real servers have them.
    fn new() -> Self {
        const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let mut seed = Env::real().random();
        let letter = |_| {
            let letter = LETTERS[(seed % 36) as usize];
            seed /= 36;
            char::from(letter)
        };
        Reference((0..6).map(letter).collect())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Error body of an answer. As from real servers, `arguments` is always there; other empty members are not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_code: &'a str,
    error_type: &'a str,
    arguments: &'a [String],
    #[serde(
        skip_serializing_if = "longhaul_model::fault::context::is_empty",
        serialize_with = "longhaul_model::fault::context::serialize"
    )]
    context: &'a Map<String, Value>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation_message: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [Cause],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    nested_errors: &'a [Fault],
    reference_token: &'a str,
}

impl<'a> ErrorBody<'a> {
    fn new(fault: &'a Fault, reference: &'a Reference) -> Self {
        ErrorBody {
            error_code: &fault.error_code,
            error_type: &fault.error_type,
            arguments: &fault.arguments,
            context: &fault.context,
            message: &fault.message,
            remediation_message: fault.remediation_message.as_deref(),
            causes: &fault.causes,
            nested_errors: &fault.nested_errors,
            reference_token: reference.as_str(),
        }
    }
}

/// Goes with an answer that refuses something.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// The error's code.
    pub(crate) code: String,
}

impl IntoResponse for ApiError {
    fn into_response(mut self) -> Response {
        let reference = Reference::current();
        if self.fault.remediation_message.is_none() {
            self.fault.remediation_message =
                remedy_of(self.status, &self.fault.error_code).map(str::to_owned);
        }
        // All refusals pass here: nothing longer than this is answered or logged.
        self.fault = Box::new(self.fault.presentable());
        if let Some(cause) = self.cause.as_deref().filter(|_| self.status.is_server_error()) {
            tracing::error!(
                reference = reference.as_str(),
                status = self.status.as_u16(),
                code = self.fault.error_code,
                cause,
                "a request failed"
            );
        } else {
            tracing::info!(
                reference = reference.as_str(),
                status = self.status.as_u16(),
                code = self.fault.error_code,
                message = self.fault.message,
                cause = self.cause.as_deref(),
                "a request was refused"
            );
        }
        let body = serde_json::to_vec(&ErrorBody::new(&self.fault, &reference)).unwrap_or_default();
        let mut response = respond::json(self.status, body);
        response.extensions_mut().insert(reference);
        response.extensions_mut().insert(Refusal { code: self.fault.error_code });
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use longhaul_engine::{EngineError, StoreError};

    use super::*;

    async fn answered(e: ApiError) -> (u16, http::HeaderMap, Value) {
        let response = e.into_response();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn body_has_the_members_and_order_of_real_servers() {
        let id = "bc32f3be-a777-434b-a156-3fa54e8d2ded";
        let (status, _, body) = answered(EngineError::NoTask(id.parse().unwrap()).into()).await;
        assert_eq!(status, 404);
        let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errorCode", "errorType", "arguments", "message", "referenceToken"]);
        assert_eq!(body["arguments"], serde_json::json!([id]));
        assert_eq!(body["message"], format!("Task with ID {id} not found"));
    }

    #[tokio::test]
    async fn failures_below_keep_their_causes_to_the_log() {
        let disk = || "disk I/O error at /var/lib/longhaul".to_owned();
        for (e, wanted, retry_after) in [
            (StoreError::Unavailable(disk()), 503, Some("5")),
            (StoreError::Full, 507, Some("5")),
            (StoreError::Corrupt(disk()), 500, None),
        ] {
            let (status, headers, body) = answered(EngineError::Store(e).into()).await;
            assert_eq!(
                (status, headers.get("retry-after").map(|v| v.to_str().unwrap())),
                (wanted, retry_after)
            );
            assert!(!body.to_string().contains("disk"), "{body}");
        }
    }

    #[tokio::test]
    async fn every_answer_is_bounded() {
        let long = "long\u{1b} ".repeat(20_000);
        let mut fault =
            Fault::new(long.clone(), long.clone()).with("pointer", long.clone()).remedy(long.clone());
        fault.arguments = vec![long.clone(); 200];
        fault.nested_errors = vec![Fault::new("CODE", long.clone()).cause("T", long.clone()); 5];
        let (_, _, body) = answered(ApiError::new(StatusCode::BAD_REQUEST, fault)).await;
        let text = body.to_string();
        assert!(text.len() < 64 << 10 && !text.contains("\\u001b"), "{} bytes", text.len());
    }
}
