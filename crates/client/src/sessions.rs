//! Sessions: who is logged in.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// A session, as far as a client can read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionBody {
    /// Public identity of the session.
    pub id: String,
    /// Name of the account or external user that the session belongs to.
    pub user: String,
    /// Kind of the owner.
    pub kind: String,
    /// Role of the owner.
    pub role: Option<String>,
    /// The kind of credential that it began with.
    pub login: Option<String>,
    /// The address where the login came from.
    pub from: Option<String>,
    /// Time at which the session began.
    pub creation_timestamp: String,
    /// Time at which the session expires.
    pub expiration_timestamp: String,
    /// True if this call was made with the session.
    pub current: bool,
}

impl Client {
    /// `GET /v1/sessions`, a page: one's own, or for an administrator everybody's or those of an account.
    pub async fn list_sessions(&self, user: Option<&str>, page: Option<u32>) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "sessions"])
            .query("user", user.map(str::to_owned))
            .query("pageNumber", page.map(|n| n.to_string()))
            .query("pageSize", Some("100".to_owned()));
        self.json(call, Shape::Page).await
    }

    /// `DELETE /v1/sessions/{id}`.
    pub async fn end_session(&self, id: &str) -> Result<(), ClientError> {
        self.done(Call::new(Method::DELETE, &["v1", "sessions", id])).await
    }
}
