//! Health of a server, which it tells everybody: no credential is sent.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ClientError;
use crate::http::{Call, Client};

/// Health of a server, as far as a client can read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthBody {
    /// `UP`, `DOWN`, or `STARTING` while a node waits for its database.
    pub status: String,
    /// Code of the reason for which the server is not ready.
    pub reason: Option<String>,
    /// Number of changes that the store refuses although it writes others.
    pub set_aside: u64,
}

impl Client {
    /// `GET /health/live`, which is answered as long as the process works.
    /// Err: nobody answers, or somebody else.
    pub async fn live(&self) -> Result<Value, ClientError> {
        self.health("live").await
    }

    /// `GET /health/ready`. A server that is not ready is no error: its status is `DOWN`, with the reason, or
    /// `STARTING`.
    /// Err: nobody answers, or somebody else.
    pub async fn ready(&self) -> Result<Value, ClientError> {
        self.health("ready").await
    }

    async fn health(&self, kind: &str) -> Result<Value, ClientError> {
        let answer = self.answer(Call::new(Method::GET, &["health", kind]), None).await?;
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let status = body.as_ref().and_then(|body| body["status"].as_str());
        match (answer.status, status) {
            (StatusCode::OK, Some("UP")) | (StatusCode::SERVICE_UNAVAILABLE, Some("DOWN" | "STARTING")) => {
                Ok(body.unwrap_or_default())
            }
            (code, _) if code.is_success() => {
                Err(self.protocol(format!("{code} without the status of a Longhaul server")))
            }
            _ => self.accept(answer).and_then(|_| Err(self.protocol("it is no answer about health"))),
        }
    }
}
