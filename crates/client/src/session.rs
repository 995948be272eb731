//! A session: an access token that is renewed when it is over, so that a watch of hours outlives its token of
//! one hour.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use reqwest::header::HeaderValue;

use crate::credentials::bearer;
use crate::error::ClientError;

/// Told of each new access token.
type Renewed = dyn Fn(&str) + Send + Sync;

/// Tokens of a login, and a callback for each renewal.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    access: RwLock<HeaderValue>,
    refresh: String,
    renewed: Box<Renewed>,
}

impl Session {
    /// Creates a session from an access token and the refresh token that renews it; `renewed` is given each
    /// new access token, to keep it.
    pub fn new(
        access_token: &str,
        refresh_token: impl Into<String>,
        renewed: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, ClientError> {
        let access = RwLock::new(bearer(access_token)?);
        let shared = Shared { access, refresh: refresh_token.into(), renewed: Box::new(renewed) };
        Ok(Session { shared: Arc::new(shared) })
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.shared.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refresh_token(&self) -> &str {
        &self.shared.refresh
    }

    /// Takes a new access token from now on.
    pub(crate) fn renew(&self, access_token: &str) -> Result<(), ClientError> {
        let header = bearer(access_token)?;
        *self.shared.access.write().unwrap_or_else(PoisonError::into_inner) = header;
        (self.shared.renewed)(access_token);
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(…)")
    }
}
