//! Who the worker is to the server.

use async_trait::async_trait;

/// Where the worker's token comes from, for tokens that end while it works. An API key needs none of this.
#[async_trait]
pub trait TokenSource: Send + Sync + 'static {
    /// The token to send with the next request.
    fn token(&self) -> String;

    /// The server refused this token: whether there is another one.
    async fn renew(&self, refused: &str) -> Renewal;
}

/// What became of a token that the server refused.
#[derive(Clone, PartialEq, Eq)]
pub enum Renewal {
    /// This one takes its place.
    Token(String),
    /// That cannot be found out now; the call is made again later.
    Later,
    /// There is none, which ends the worker.
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
