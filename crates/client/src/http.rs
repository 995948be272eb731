//! Requests and answers.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use crate::body::ErrorBody;
use crate::error::ClientError;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take, beside what the server was asked to wait.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to one server. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

/// An answer of success.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A request to be sent.
pub(crate) struct Call<'a> {
    method: Method,
    segments: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    headers: Vec<(HeaderName, String)>,
    body: Option<Vec<u8>>,
    wait: Duration,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, segments: &[&'a str]) -> Self {
        Call {
            method,
            segments: segments.to_vec(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn query(mut self, name: &'a str, value: Option<impl Into<String>>) -> Self {
        self.query.extend(value.map(|value| (name, value.into())));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: Option<impl Into<String>>) -> Self {
        self.headers.extend(value.map(|value| (name, value.into())));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string().into_bytes())
    }

    pub(crate) fn bytes(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks the server to wait for the task's end.
    pub(crate) fn wait(mut self, wait: Option<Duration>) -> Self {
        if let Some(wait) = wait {
            self.wait = wait;
            self.query.push(("wait", format!("{}ms", wait.as_millis())));
        }
        self
    }
}

impl Client {
    /// A client of the server at an address such as `http://127.0.0.1:8080`. Nothing is sent yet.
    pub fn new(server: &str) -> Result<Self, ClientError> {
        let wrong = |reason: String| ClientError::Address { address: server.to_owned(), reason };
        let base =
            Url::parse(server).map_err(|e| wrong(format!("{e}; write it like http://127.0.0.1:8080")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("it must begin with http:// or https://".to_owned()));
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .user_agent(concat!("longhaul/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy of the environment cannot know what runs on this machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| wrong(chain(&e)))?;
        Ok(Client { http, base })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(crate) fn protocol(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Protocol { server: self.server().to_owned(), reason: reason.into() }
    }

    /// Sends a request; an answer of an error status is an error.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(call.segments);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = self
            .http
            .request(call.method, url)
            .timeout(ANSWER + call.wait)
            .header(ACCEPT, "application/json");
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| self.protocol(format!("`{value}` cannot be sent as the header {name}")))?;
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let unreachable = |e: reqwest::Error| ClientError::Unreachable {
            server: self.server().to_owned(),
            reason: chain(&e.without_url()),
        };
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(unreachable)?.to_vec();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Answer { status, headers, body });
        }
        Err(ClientError::Refused { status: status.as_u16(), error: Box::new(refusal(status, &body)) })
    }

    /// Sends a request whose answer is JSON; an empty answer is null.
    pub(crate) async fn json(&self, call: Call<'_>) -> Result<Value, ClientError> {
        let answer = self.send(call).await?;
        self.parsed(&answer.body)
    }

    pub(crate) fn parsed(&self, body: &[u8]) -> Result<Value, ClientError> {
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(body).map_err(|e| self.protocol(format!("it is no JSON: {e}")))
    }
}

/// What an error's body says; one that is no Error of the API is quoted.
fn refusal(status: StatusCode, body: &[u8]) -> ErrorBody {
    serde_json::from_slice::<ErrorBody>(body).ok().filter(|error| !error.message.is_empty()).unwrap_or_else(
        || {
            let text = String::from_utf8_lossy(body);
            let text = text.trim();
            let message = if text.is_empty() {
                format!("the server answered {status}")
            } else {
                text.chars().take(500).collect()
            };
            ErrorBody { message, ..ErrorBody::default() }
        },
    )
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error and what caused it, without repeating what the outer one says already.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    // The innermost says what happened, the outer ones through which layers it came.
    parts.pop().unwrap_or_default()
}
