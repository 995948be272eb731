//! Errors, for callers that turn them into answers.

use longhaul_crypto::KeyringError;
use longhaul_model::Span;
use longhaul_store::{AccountRefused, StoreError};
use thiserror::Error;

use crate::oidc::FetchError;
use crate::password::{HasherError, Weak};
use crate::throttle::Slow;

/// Reason for which a server cannot check identities at all.
#[derive(Debug, Error)]
pub enum StartError {
    /// The accounts cannot be read or written.
    #[error("the accounts cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The first administrator was given a password that is not allowed.
    #[error("the password of the first administrator (LONGHAUL_ADMIN_PASSWORD) is not allowed: {0}")]
    Password(#[from] Weak),
    /// Passwords cannot be hashed.
    #[error("{0}")]
    Hash(String),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] RotateError),
    /// The other issuer's settings are wrong.
    #[error("single sign-on cannot be set up: {0}")]
    Oidc(String),
}

impl From<FetchError> for StartError {
    fn from(e: FetchError) -> Self {
        StartError::Oidc(e.to_string())
    }
}

impl From<HasherError> for StartError {
    fn from(e: HasherError) -> Self {
        StartError::Hash(e.to_string())
    }
}

/// Reason for which no signing key was made, or its note not written.
#[derive(Debug, Error)]
pub enum RotateError {
    /// The key ring cannot be written.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The key is there, and could not be noted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason for which a login failed.
#[derive(Debug, Error)]
pub enum LoginError {
    /// Wrong: the name, the password, the key, the token, or the account is disabled. Callers learn no more
    /// than that.
    #[error("User is not authorized")]
    Unauthorized,
    /// The password is right, and the account is a worker's, which the page has nothing for.
    #[error("accounts of the role WORKER do not sign in to the page")]
    Worker,
    /// Too many failures.
    #[error("too many failed logins: try again in {} s", seconds(*after))]
    TooMany {
        /// Time until the next attempt.
        after: Span,
    },
    /// More logins wait than can be checked.
    #[error("too many logins at once: try again in a moment")]
    Busy,
    /// The accounts cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The password cannot be checked.
    #[error("{0}")]
    Hash(String),
}

/// A span in whole seconds, rounded up, as `Retry-After` has it.
fn seconds(span: Span) -> u64 {
    span.0.div_ceil(1000)
}

impl From<Slow> for LoginError {
    fn from(Slow(after): Slow) -> Self {
        LoginError::TooMany { after }
    }
}

impl From<HasherError> for LoginError {
    fn from(e: HasherError) -> Self {
        LoginError::Hash(e.to_string())
    }
}

/// Reason for which no access token was given.
#[derive(Debug, Error)]
pub enum RefreshError {
    /// The refresh token does not exist or has expired, or its account or grant has ended.
    #[error("the refresh token does not exist or is over")]
    NotFound,
    /// The accounts cannot be used.
    #[error(transparent)]
    Store(StoreError),
}

/// Reason for which an account was not changed.
#[derive(Debug, Error)]
pub enum UserError {
    /// The account does not exist.
    #[error("there is no account `{0}`")]
    NoUser(String),
    /// The API key does not exist.
    #[error("there is no API key `{0}`")]
    NoApiKey(String),
    /// The name cannot be one.
    #[error("`name` is 1 to 64 letters, digits and `. _ @ \\ - +`, and not `me`")]
    BadName,
    /// The name is one that the server uses for itself, or looks like one.
    #[error("`name` is one that the server uses for itself, or looks like one: choose another")]
    ReservedName,
    /// The bounds cannot be kept.
    #[error("`{member}`: {message}")]
    Bounds {
        /// The list that it is about.
        member: &'static str,
        /// Reason, and the form that is accepted.
        message: &'static str,
    },
    /// The name could be taken for that of another account.
    #[error("`name` looks like the account `{0}`: choose one that cannot be taken for it")]
    Lookalike(String),
    /// The password is not allowed.
    #[error("{0}")]
    Weak(#[from] Weak),
    /// The name of an API key cannot be one.
    #[error("`name` of an API key has at most 64 characters, all of them printable")]
    BadKeyName,
    /// A person needs a password.
    #[error("`password` is missing: an account of kind USER has one")]
    PasswordMissing,
    /// A service has none.
    #[error("`password` is not for an account of kind SERVICE: it comes in with API keys")]
    PasswordOfService,
    /// The old password is wrong.
    #[error("`oldPassword` is not the password of this account")]
    WrongPassword,
    /// The principal has no account here, and so no password.
    #[error("`{0}` has no password here")]
    NoPassword(String),
    /// The rules of accounts do not allow it.
    #[error(transparent)]
    Refused(AccountRefused),
    /// Too many wrong passwords.
    #[error("too many wrong passwords: try again in {} s", seconds(*after))]
    TooMany {
        /// Time until the next attempt.
        after: Span,
    },
    /// More passwords wait than can be checked.
    #[error("too many passwords at once: try again in a moment")]
    Busy,
    /// The accounts cannot be used.
    #[error(transparent)]
    Store(StoreError),
    /// The password cannot be hashed.
    #[error("{0}")]
    Hash(String),
}

impl From<StoreError> for UserError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::Account(refused) => UserError::Refused(refused),
            other => UserError::Store(other),
        }
    }
}

impl From<HasherError> for UserError {
    fn from(e: HasherError) -> Self {
        UserError::Hash(e.to_string())
    }
}

impl From<LoginError> for UserError {
    fn from(e: LoginError) -> Self {
        match e {
            LoginError::Unauthorized | LoginError::Worker => UserError::WrongPassword,
            LoginError::TooMany { after } => UserError::TooMany { after },
            LoginError::Busy => UserError::Busy,
            LoginError::Store(e) => e.into(),
            LoginError::Hash(why) => UserError::Hash(why),
        }
    }
}
