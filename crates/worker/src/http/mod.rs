//! Calls to the server: one of them, and one that is repeated until it is answered.

mod persist;
mod reach;
/// The very file of the HTTP client: whom to trust is decided in one place.
#[path = "../../../client/src/trust.rs"]
mod trust;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longhaul_client::{Client, Credentials};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use tokio::sync::{Mutex, Notify};

pub(crate) use persist::{LONGEST_PAUSE, Unanswered};
use reach::Reach;
pub(crate) use trust::Trust;
use trust::{Verdict, verdict};

use crate::error::WorkerError;
use crate::token::{Renewal, TokenSource};
use crate::wire::Refusal;

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// The calls of the worker protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Lease,
    Heartbeat,
    Complete,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Lease => "lease",
            Verb::Heartbeat => "heartbeat",
            Verb::Complete => "complete",
        }
    }
}

/// The way to one server.
pub(crate) struct Transport {
    http: reqwest::Client,
    base: Url,
    tokens: Arc<dyn TokenSource>,
    /// Held during a renewal: one is enough for all calls that were refused at the same time.
    renewing: Mutex<()>,
    reach: Reach,
    /// Notified when the server answers again.
    back: Notify,
}

/// Failure of a single call.
#[derive(Debug)]
pub(crate) enum Broken {
    /// No answer: the call may or may not have taken effect.
    Unreachable(String),
    /// The peer is not trusted; nothing was sent to it.
    Untrusted(String),
    /// The server cannot answer now, or something else answers in its place.
    Busy { reason: String, retry_after: Option<Duration> },
    /// The server says no.
    Refused { status: u16, refusal: Refusal },
}

impl Transport {
    pub(crate) fn new(
        address: &str,
        trust: &Trust,
        tokens: Arc<dyn TokenSource>,
        patience: Option<Duration>,
    ) -> Result<Self, WorkerError> {
        let base = checked(address, trust, &tokens.token())?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            // A token is for this server and for no other.
            .redirect(Policy::none())
            .user_agent(concat!("longhaul-worker/", env!("CARGO_PKG_VERSION")));
        if is_loopback(&base) {
            // A proxy of the environment cannot know what runs on this machine.
            builder = builder.no_proxy();
        }
        let http = trust.apply(builder, base.scheme() == "https")?.build();
        let http =
            http.map_err(|e| WorkerError::setup("this machine's list of authorities", innermost(&e)))?;
        let reach = Reach::new(base.as_str().trim_end_matches('/').to_owned(), patience);
        Ok(Transport { http, base, tokens, renewing: Mutex::new(()), reach, back: Notify::new() })
    }

    /// The server's address.
    pub(crate) fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Makes a call once; with another token if the one it has is refused.
    async fn once(&self, verb: Verb, body: &Bytes, limit: Duration) -> Result<Bytes, Broken> {
        let token = self.tokens.token();
        match self.send(verb, body, limit, &token).await {
            Err(Broken::Refused { status: 401, refusal }) => match self.another(&token).await {
                Renewal::Token(other) => self.send(verb, body, limit, &other).await,
                Renewal::Later => Err(Broken::Busy { reason: refusal.message, retry_after: None }),
                Renewal::Never => Err(Broken::Refused { status: 401, refusal }),
            },
            answered => answered,
        }
    }

    async fn another(&self, refused: &str) -> Renewal {
        let _one = self.renewing.lock().await;
        let current = self.tokens.token();
        if current == refused { self.tokens.renew(refused).await } else { Renewal::Token(current) }
    }

    async fn send(&self, verb: Verb, body: &Bytes, limit: Duration, token: &str) -> Result<Bytes, Broken> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["v1", "workers", verb.name()]);
        }
        let unusable = |_| Broken::Refused {
            status: 401,
            refusal: Refusal {
                message: "the token cannot be sent in a header".to_owned(),
                ..Refusal::default()
            },
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", token.trim())).map_err(unusable)?;
        bearer.set_sensitive(true);
        let request = self
            .http
            .post(url)
            .timeout(limit)
            .header(AUTHORIZATION, bearer)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.clone());
        let answer = request.send().await.map_err(broken)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(broken)?;
        judge(status, &headers, body)
    }
}

/// Address, certificates and token as every client has them checked.
fn checked(address: &str, trust: &Trust, token: &str) -> Result<Url, WorkerError> {
    let client = Client::builder(address).credentials(Credentials::Token(token.to_owned()));
    let client = match trust {
        Trust::Machine => client,
        Trust::Authority(pem) => client.authority(pem.clone()),
        Trust::Anybody => client.insecure(),
    };
    let client = client.build()?;
    Url::parse(client.server()).map_err(|e| WorkerError::setup("the server's address", e.to_string()))
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn broken(e: reqwest::Error) -> Broken {
    let e = e.without_url();
    match verdict(&e) {
        Some(Verdict::Distrust(reason)) => Broken::Untrusted(reason),
        Some(Verdict::NoTls) => Broken::Unreachable(
            "what answers there speaks no TLS; if it is plain HTTP, write http://".to_owned(),
        ),
        None => Broken::Unreachable(innermost(&e)),
    }
}

/// Judges an answer. Only an Error document of the server's own refuses a call: whatever else comes is from a
/// proxy, say, and may be over soon.
fn judge(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Result<Bytes, Broken> {
    if status.is_success() {
        return Ok(body);
    }
    let Some(refusal) = refusal(&body) else {
        return Err(Broken::Busy { reason: foreign(status, headers, &body), retry_after: None });
    };
    if status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
    {
        let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let reason = format!("{status}: {}", refusal.message);
        return Err(Broken::Busy { reason, retry_after: seconds.map(Duration::from_secs) });
    }
    Err(Broken::Refused { status: status.as_u16(), refusal })
}

/// Returns the Error document of a refusal; `None` if the answer is not the server's own.
fn refusal(body: &[u8]) -> Option<Refusal> {
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    (!refusal.error_code.is_empty() && !refusal.message.is_empty()).then_some(refusal)
}

/// Describes an answer that is not the server's own.
fn foreign(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..4096).unwrap_or(body));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let place = headers.get(LOCATION).filter(|_| status.is_redirection());
    let place = place.map(|place| format!(" to go to {}", String::from_utf8_lossy(place.as_bytes())));
    let said: String = text.chars().take(200).collect();
    format!("the answer {status}{} is not the server's own: `{said}`", place.unwrap_or_default())
}

/// The innermost error says what happened, the outer ones through which layers it came.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
