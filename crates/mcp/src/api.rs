//! The HTTP API as the tools need it, wherever they run.

use std::time::Duration;

use serde_json::Value;

/// Method of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// Call of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Method.
    pub verb: Verb,
    /// Segments of the path behind `/v1`, not encoded yet.
    pub path: Vec<String>,
    /// Parameters of the query, not encoded yet.
    pub query: Vec<(&'static str, String)>,
    /// Body.
    pub body: Option<Value>,
    /// Idempotency key.
    pub key: Option<String>,
    /// Time that the server may take beyond the usual, because it was asked to wait.
    pub wait: Duration,
}

impl Call {
    /// Creates a call without parameters.
    pub(crate) fn new(verb: Verb, path: &[&str]) -> Call {
        let path = path.iter().map(|&segment| segment.to_owned()).collect();
        Call { verb, path, query: Vec::new(), body: None, key: None, wait: Duration::ZERO }
    }

    /// Creates a GET.
    pub(crate) fn get(path: &[&str]) -> Call {
        Call::new(Verb::Get, path)
    }

    /// Adds a parameter, if it has a value.
    #[must_use]
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl Into<String>>) -> Call {
        self.query.extend(value.map(|value| (name, value.into())));
        self
    }

    /// Sets the body.
    #[must_use]
    pub(crate) fn body(mut self, body: Value) -> Call {
        self.body = Some(body);
        self
    }
}

/// Source of a call: the agent, and the request that it came by, if that was HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Name and version that the agent's program gave; the audit log has it.
    pub agent: &'a str,
    /// Head of the agent's request, with its credential.
    pub request: Option<&'a http::request::Parts>,
}

/// Refusal of a call, or the reason why there is no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// Error code.
    pub code: String,
    /// Message.
    pub message: String,
    /// Advice.
    pub remediation: Option<String>,
    /// Messages of the errors behind this one, such as one for each field that is wrong.
    pub details: Vec<String>,
}

impl Refusal {
    /// Creates a refusal without advice.
    pub fn of(code: &str, message: impl Into<String>) -> Refusal {
        Refusal { code: code.to_owned(), message: message.into(), ..Refusal::default() }
    }

    /// Adds advice.
    #[must_use]
    pub(crate) fn remedy(mut self, text: &str) -> Refusal {
        self.remediation = Some(text.to_owned());
        self
    }
}

/// Access to the API.
pub trait Api: Send + Sync + 'static {
    /// Makes a call as the origin's account. An empty answer is `Null`.
    fn call(&self, origin: Origin<'_>, call: Call) -> impl Future<Output = Result<Value, Refusal>> + Send;
}
