//! Credentials of a client. Secrets appear in no `Debug` output and in no error.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::error::ClientError;
use crate::session::Session;

/// Credentials of a client.
#[derive(Clone)]
#[non_exhaustive]
pub enum Credentials {
    /// An access token or an API key, sent as `Authorization: Bearer`.
    Token(String),
    /// A session, whose access token is renewed when it is over.
    Session(Session),
}

/// Credentials, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) enum Authority {
    Fixed(HeaderValue),
    Session(Session),
}

impl Credentials {
    pub(crate) fn authority(&self) -> Result<Authority, ClientError> {
        match self {
            Credentials::Token(token) => bearer(token).map(Authority::Fixed),
            Credentials::Session(session) => Ok(Authority::Session(session.clone())),
        }
    }
}

impl Authority {
    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Authority::Fixed(header) => header.clone(),
            Authority::Session(session) => session.header(),
        }
    }
}

/// The `Authorization` header of a token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let wrong = |reason: &str| ClientError::Setup { what: "the token".to_owned(), reason: reason.to_owned() };
    // Files and variables often end in a line break.
    let token = token.trim();
    if token.is_empty() {
        return Err(wrong("it is empty"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong("it holds a space or another character that no token has"));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| wrong("it cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Token(_) => f.write_str("Token(…)"),
            Credentials::Session(session) => session.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(token: &str) -> Result<HeaderValue, ClientError> {
        bearer(token)
    }

    #[test]
    fn tokens_are_sent_and_never_shown() {
        let value = header("lhk_secret\n").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer lhk_secret");
        assert_eq!(format!("{value:?}"), "Sensitive");
        assert_eq!(format!("{:?}", Credentials::Token("lhk_secret".to_owned())), "Token(…)");
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_quoted() {
        for wrong in ["", " \n", "lhk_secret lhk_secret", "lhk_secret\nX-Other: y", "lhk_secrét"] {
            let refused = header(wrong).unwrap_err().to_string();
            assert!(
                refused.starts_with("the token cannot be used: ") && !refused.contains("lhk"),
                "{refused}"
            );
        }
    }
}
