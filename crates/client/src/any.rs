//! Any call of the API, for programs that pass calls on.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderName;
use serde_json::Value;

use crate::error::ClientError;
use crate::http::{Call, Client};

/// Method of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verb {
    /// GET.
    #[default]
    Get,
    /// POST.
    Post,
    /// PATCH.
    Patch,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
}

/// A call of the API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnyCall {
    /// Method.
    pub verb: Verb,
    /// Segments of the path, from `v1` on; they are encoded when they are sent.
    pub path: Vec<String>,
    /// Parameters of the query; they are encoded when they are sent.
    pub query: Vec<(String, String)>,
    /// Body.
    pub body: Option<Value>,
    /// Idempotency key.
    pub idempotency_key: Option<String>,
    /// Name of the agent that asked for the call, for the audit log.
    pub agent: Option<String>,
    /// Time that the answer may take beyond the usual, because the query asks the server to wait.
    pub wait: Duration,
}

impl Client {
    /// Makes any call whose answer is JSON. An empty answer is `Null`.
    pub async fn call(&self, call: &AnyCall) -> Result<Value, ClientError> {
        let method = match call.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        };
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let mut request = Call::new(method, &path)
            .header(HeaderName::from_static("idempotency-key"), call.idempotency_key.clone())
            .header(HeaderName::from_static("longhaul-agent"), call.agent.clone())
            .patient(call.wait);
        for (name, value) in &call.query {
            request = request.query(name, Some(value.as_str()));
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let answer = self.send(request).await?;
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|e| self.protocol(format!("its answer is no JSON: {e}")))
    }
}
