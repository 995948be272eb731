//! Credentials of a worker.

use async_trait::async_trait;

/// Source of a worker's token, for tokens that end while it works. An API key needs none.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// The token to send with the next request.
    fn token(&self) -> String;

    /// Replaces a token that the server refused.
    async fn renew(&self, refused: &str) -> Renewal;
}

/// Result of renewing a token that the server refused.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// The token that replaces it.
    Token(String),
    /// Unknown for now; the call is made again later.
    Later,
    /// No other token, which ends the worker.
    Never,
}

/// An API key.
pub(crate) struct ApiKey(pub(crate) String);

#[async_trait]
impl TokenSource for ApiKey {
    fn token(&self) -> String {
        self.0.clone()
    }

    async fn renew(&self, _refused: &str) -> Renewal {
        Renewal::Never
    }
}
