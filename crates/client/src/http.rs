//! Requests and answers.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;

use crate::body::ErrorBody;
use crate::builder::ClientBuilder;
use crate::credentials::Authority;
use crate::error::ClientError;
use crate::shape::Shape;
use crate::trust::{Verdict, verdict};

/// Longest time for an answer, beyond the wait that the server was asked for.
const ANSWER: Duration = Duration::from_secs(30);

/// A connection to one server. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: Url,
    /// Address as it is shown.
    pub(crate) name: String,
    pub(crate) authority: Option<Authority>,
}

/// An answer of success.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Call<'a> {
    method: Method,
    segments: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    headers: Vec<(HeaderName, String)>,
    body: Option<Vec<u8>>,
    wait: Duration,
    /// True if the answer goes on without an end.
    streams: bool,
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
            streams: false,
        }
    }

    pub(crate) fn query(mut self, name: &'a str, value: Option<impl Into<String>>) -> Self {
        self.query.extend(value.map(|value| (name, value.into())));
        self
    }

    /// The same parameter once for each value.
    pub(crate) fn query_each(mut self, name: &'a str, values: &[String]) -> Self {
        self.query.extend(values.iter().map(|value| (name, value.clone())));
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

    /// Gives the answer so much time beyond the usual.
    pub(crate) fn patient(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Expects an answer that goes on without an end.
    pub(crate) fn streams(mut self) -> Self {
        self.streams = true;
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

impl Call<'_> {
    /// Refuses ids and names that would make the request one about something else: a URL leaves `.` and `..`
    /// out, and an empty one makes a list of a task.
    fn check_segments(&self) -> Result<(), ClientError> {
        let wrong = |segment: &&&str| segment.trim().is_empty() || matches!(**segment, "." | "..");
        let Some(segment) = self.segments.iter().find(wrong) else { return Ok(()) };
        let (what, reason) = match segment.trim() {
            "" => ("an id or name".to_owned(), "it is empty".to_owned()),
            dots => (format!("`{dots}`"), "it is no id or name".to_owned()),
        };
        Err(ClientError::Setup { what, reason })
    }
}

impl Client {
    /// A client of the server at an address such as `http://127.0.0.1:8080`, without credentials. Nothing is
    /// sent yet.
    pub fn new(server: &str) -> Result<Self, ClientError> {
        Client::builder(server).build()
    }

    /// A client with credentials, or with a say in whom it trusts.
    pub fn builder(server: &str) -> ClientBuilder {
        ClientBuilder::new(server)
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.name
    }

    pub(crate) fn protocol(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Protocol { server: self.server().to_owned(), reason: reason.into() }
    }

    /// Sends a request; an answer of an error status is an error. Where a session's access token is over, it
    /// is renewed and the request sent once more: a refused one did nothing.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        let response = self.open(call).await?;
        self.whole(response).await
    }

    /// Sends a request like [`Client::send`]; the answer's body is still to be read.
    pub(crate) async fn open(&self, call: Call<'_>) -> Result<Response, ClientError> {
        let header = self.authority.as_ref().map(Authority::header);
        let Some(Authority::Session(session)) = &self.authority else {
            return self.open_plainly(call, header).await;
        };
        match self.open_plainly(call.clone(), header).await {
            Err(e) if e.status() == Some(401) => {
                // If it cannot be renewed, the first refusal says what to do: log in.
                session.renew(&self.refresh(session.refresh_token()).await.map_err(|_| e)?)?;
                self.open_plainly(call, Some(session.header())).await
            }
            answered => answered,
        }
    }

    async fn whole(&self, response: Response) -> Result<Answer, ClientError> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|e| self.broken(e))?.to_vec();
        Ok(Answer { status, headers, body })
    }

    /// Sends a request as whoever that header says.
    pub(crate) async fn send_plainly(
        &self,
        call: Call<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, ClientError> {
        self.accept(self.answer(call, authorization).await?)
    }

    /// Sends a request as whoever that header says, and returns the answer whatever its status.
    pub(crate) async fn answer(
        &self,
        call: Call<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, ClientError> {
        let response = self.asked(call, authorization).await?;
        self.whole(response).await
    }

    async fn open_plainly(
        &self,
        call: Call<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, ClientError> {
        let response = self.asked(call, authorization).await?;
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return Ok(response);
        }
        let status = response.status();
        let refused = self.accept(self.whole(response).await?);
        Err(refused.err().unwrap_or_else(|| self.protocol(format!("it answers {status}"))))
    }

    async fn asked(
        &self,
        call: Call<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, ClientError> {
        let mut url = self.base.clone();
        call.check_segments()?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(call.segments);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = self.http.request(call.method, url);
        // An event stream has errors as JSON, too.
        request = match call.streams {
            true => request.header(ACCEPT, "text/event-stream, application/json"),
            false => request.timeout(ANSWER + call.wait).header(ACCEPT, "application/json"),
        };
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in call.headers {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| self.protocol(format!("`{value}` cannot be sent as the header {name}")))?;
            request = request.header(name, value);
        }
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        request.send().await.map_err(|e| self.broken(e))
    }

    /// Returns an answer of success; any other is an error.
    pub(crate) fn accept(&self, answer: Answer) -> Result<Answer, ClientError> {
        let Answer { status, headers, body } = &answer;
        if status.is_success() || *status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        // Not followed: what is meant for this server, a token above all, is for no other.
        if let Some(elsewhere) = headers.get(LOCATION).filter(|_| status.is_redirection()) {
            let elsewhere = String::from_utf8_lossy(elsewhere.as_bytes());
            return Err(
                self.protocol(format!("it sends us to {elsewhere}; if you trust that address, use it"))
            );
        }
        Err(ClientError::Refused { status: status.as_u16(), error: Box::new(refusal(*status, body)) })
    }

    /// Returns the error for a request without an answer.
    pub(crate) fn broken(&self, e: reqwest::Error) -> ClientError {
        let server = self.server().to_owned();
        match verdict(&e) {
            Some(Verdict::Distrust(reason)) => ClientError::Certificate { server, reason },
            Some(Verdict::NoTls) => ClientError::Unreachable {
                server,
                reason: "what answers there speaks no TLS; if it is plain HTTP, write http://".to_owned(),
            },
            None => ClientError::Unreachable { server, reason: chain(&e.without_url()) },
        }
    }

    /// Sends a request and reads its answer, which must have a shape.
    pub(crate) async fn json(&self, call: Call<'_>, shape: Shape) -> Result<Value, ClientError> {
        let answer = self.send(call).await?;
        self.read(&answer, shape)
    }

    /// Reads an answer, which must have a shape.
    pub(crate) fn read(&self, answer: &Answer, shape: Shape) -> Result<Value, ClientError> {
        shape.read(&answer.body).map_err(|reason| self.protocol(reason))
    }

    /// Sends a request that is answered by nothing: 204. Another success is one of somebody else.
    pub(crate) async fn done(&self, call: Call<'_>) -> Result<(), ClientError> {
        let answer = self.send(call).await?;
        self.check_done(&answer)
    }

    /// Checks that an answer is the nothing that a call is answered by.
    pub(crate) fn check_done(&self, answer: &Answer) -> Result<(), ClientError> {
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            other => Err(self.protocol(format!("the status is {other} instead of 204"))),
        }
    }
}

/// Returns the error of a body; a body that is not an Error of the API is quoted.
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

/// An error and what caused it, without repeating what the outer one says already.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_url_would_lose_are_refused() {
        for wrong in ["", " ", "\u{a0}\t", ".", ".."] {
            let refused = Call::new(Method::GET, &["v1", "tasks", wrong]).check_segments();
            assert!(matches!(refused, Err(ClientError::Setup { .. })), "{wrong:?}");
        }
        for right in ["a", "...", ".a", "Sub task", "a/b"] {
            assert!(Call::new(Method::GET, &["v1", "tasks", right]).check_segments().is_ok(), "{right:?}");
        }
    }
}
