//! Logging in and out, and who one is.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// Credentials of a login.
#[derive(Clone, Copy)]
pub enum Login<'a> {
    /// A user's name and password.
    Password {
        /// Name of the account.
        username: &'a str,
        /// Password of the account.
        password: &'a str,
    },
    /// An API key.
    ApiKey(&'a str),
}

/// Answer to a login.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Tokens {
    /// Access token, for requests; lasts an hour.
    pub access_token: String,
    /// Refresh token, for new access tokens; lasts a day.
    pub refresh_token: RefreshTokenBody,
}

/// A refresh token.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct RefreshTokenBody {
    /// ID of the refresh token, which is all of it.
    pub id: String,
}

impl Client {
    /// `POST /v1/tokens`.
    pub async fn login(&self, with: Login<'_>) -> Result<Tokens, ClientError> {
        let body = match with {
            Login::Password { username, password } => json!({ "username": username, "password": password }),
            Login::ApiKey(key) => json!({ "apiKey": key }),
        };
        let answer = self.send_plainly(Call::new(Method::POST, &["v1", "tokens"]).json(&body), None).await?;
        serde_json::from_slice(&answer.body).map_err(|e| self.protocol(format!("it is no token: {e}")))
    }

    /// `PATCH /v1/tokens/access-token/refresh`: a new access token.
    pub async fn refresh(&self, refresh_token: &str) -> Result<String, ClientError> {
        let call = Call::new(Method::PATCH, &["v1", "tokens", "access-token", "refresh"]);
        let answer = self.send_plainly(call.json(&json!(refresh_token)), None).await?;
        let token: String = serde_json::from_slice(&answer.body)
            .map_err(|e| self.protocol(format!("it is no token: {e}")))?;
        if token.is_empty() { Err(self.protocol("it is an empty token")) } else { Ok(token) }
    }

    /// `DELETE /v1/tokens/refresh-token`.
    pub async fn logout(&self, refresh_token: &str) -> Result<(), ClientError> {
        let call = Call::new(Method::DELETE, &["v1", "tokens", "refresh-token"]);
        let answer = self.send_plainly(call.json(&json!(refresh_token)), None).await?;
        self.check_done(&answer)
    }

    /// `GET /v1/users/me`.
    pub async fn me(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "users", "me"]), Shape::Principal).await
    }
}
