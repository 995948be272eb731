//! Accounts: principals that may log in, with their API keys and sessions. Secrets are never here: passwords
//! are hashed, tokens and API keys are digests.

mod refused;

use async_trait::async_trait;
use longhaul_model::Timestamp;

use crate::audit::Audit;
use crate::error::StoreError;
use crate::session::{RefreshToken, SessionId, SessionPage, SessionQuery};

pub use refused::{AccountRefused, MOST_API_KEYS};

/// Code of the role that administers accounts: one account with it and a password is always left enabled.
pub const ADMIN: &str = "ADMIN";

/// An account: a person, or a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name as it was written; names are compared without case.
    pub name: String,
    /// Code of the account's role.
    pub role: String,
    /// Code of the account's kind: a person or a service.
    pub kind: String,
    /// Bounds that narrow the role, in the form of the crate that checks them.
    pub bounds: Option<String>,
    /// Hash of the account's password, if it has one.
    pub password_hash: Option<String>,
    /// True if the account is disabled.
    pub disabled: bool,
    /// Epoch, which changes when everything given to the account before is void: a value is never used again,
    /// not even with another account of that name. Assigned by the store.
    pub epoch: i64,
    /// Time of creation.
    pub created_at: Timestamp,
    /// API keys, oldest first.
    pub api_keys: Vec<ApiKey>,
}

/// An API key, of which only the digest is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// ID of the key, which may be shown.
    pub id: String,
    /// Name of the key, for people.
    pub name: Option<String>,
    /// The SHA-256 of the key.
    pub hash: [u8; 32],
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last use, to about an hour.
    pub last_used_at: Option<Timestamp>,
}

/// Accounts as a whole, of one moment.
#[derive(Clone, Debug)]
pub struct Users {
    /// Count that rises when the database continued without data that it had, and revisions are assigned
    /// again.
    pub history: u64,
    /// Rises with every change of any account.
    pub revision: i64,
    /// Accounts, by name.
    pub users: Vec<User>,
}

/// Change of one account.
#[derive(Clone, Debug)]
pub enum UserChange {
    /// Sets the fields that are given. A new password, and disabling, begin a new epoch and delete the
    /// refresh tokens.
    Settings {
        /// Code of the role.
        role: Option<String>,
        /// True to disable the account, false to enable it.
        disabled: Option<bool>,
        /// Hash of the password.
        password_hash: Option<String>,
        /// Bounds that narrow the role.
        bounds: Option<String>,
    },
    /// Replaces the hash of the same password by one with today's parameters. Changes nothing if the password
    /// was changed meanwhile.
    Rehash {
        /// Hash before.
        from: String,
        /// Hash after.
        to: String,
    },
    /// Adds an API key.
    AddApiKey(ApiKey),
    /// Removes an API key, by its identity. Begins a new epoch and deletes the refresh tokens, as some may
    /// come from that key.
    RemoveApiKey(String),
}

impl User {
    /// Returns true if the account can administer accounts.
    pub(crate) fn administers(&self) -> bool {
        self.role == ADMIN && !self.disabled && self.password_hash.is_some()
    }

    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.api_keys.iter().any(|key| key.id == id)
    }

    /// Returns the account after a change, and true if everything given to it before is void.
    pub(crate) fn changed(&self, change: UserChange) -> Result<(User, bool), StoreError> {
        let mut user = self.clone();
        let mut void = false;
        match change {
            UserChange::Settings { role, disabled, password_hash, bounds } => {
                void = password_hash.is_some() || (disabled == Some(true) && !user.disabled);
                user.role = role.unwrap_or(user.role);
                user.bounds = bounds.or(user.bounds);
                user.disabled = disabled.unwrap_or(user.disabled);
                user.password_hash = password_hash.or(user.password_hash);
            }
            UserChange::Rehash { from, to } => {
                if user.password_hash.as_ref() == Some(&from) {
                    user.password_hash = Some(to);
                }
            }
            UserChange::AddApiKey(key) => {
                if user.api_keys.len() >= MOST_API_KEYS {
                    return Err(AccountRefused::TooManyApiKeys.into());
                }
                user.api_keys.push(key);
            }
            UserChange::RemoveApiKey(id) => {
                let at = user.api_keys.iter().position(|key| key.id == id).ok_or(StoreError::NotFound)?;
                user.api_keys.remove(at);
                void = true;
            }
        }
        Ok((user, void))
    }
}

/// Store of accounts. Reads are quick enough for an event loop, and see every change that was answered before
/// they began. Names are compared without case. The audit entry of a change is written with it.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Returns the revision of [`Users`], to see cheaply whether anything changed.
    fn accounts_revision(&self) -> Result<i64, StoreError>;

    /// Returns a count that rises whenever others may have changed an account; for a look that costs nothing.
    fn accounts_news(&self) -> u64 {
        0
    }

    /// Returns true if other nodes change accounts, too.
    fn accounts_are_shared(&self) -> bool {
        false
    }

    /// Returns the signing keys that all nodes share, or that a copy has for itself, sealed; `None` if the
    /// key file has them.
    fn signing_keys(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Stores signing keys for all nodes in place of `before`; returns false if those were not the stored
    /// ones. After Ok: durable. Crash in the middle: the old ones are kept, or the new ones.
    async fn put_signing_keys(&self, _before: Option<String>, _after: String) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Makes void all that was given to accounts, as the store became a copy: API keys, sessions, access
    /// tokens. `signing_keys` take the place of those before; passwords stay.
    /// After Ok: durable. Crash in the middle: all of it is void, or nothing.
    async fn void_all(&self, signing_keys: String) -> Result<(), StoreError>;

    /// Returns every account.
    fn users(&self) -> Result<Users, StoreError>;

    /// Returns one account; `NotFound` if it does not exist.
    fn user(&self, name: &str) -> Result<User, StoreError>;

    /// Creates an account; returns it with its epoch. After Ok: durable. Crash in the middle: it is there
    /// whole or not at all. Refused: the name is taken.
    async fn create_user(&self, user: User, audit: Option<Audit>) -> Result<User, StoreError>;

    /// Changes an account; returns it as it is then. After Ok: durable. Crash in the middle: it happened
    /// whole or not at all. Refused: no enabled ADMIN would be left, or there would be too many API keys;
    /// `NotFound`: no such account or key.
    async fn change_user(
        &self,
        name: &str,
        change: UserChange,
        audit: Option<Audit>,
    ) -> Result<User, StoreError>;

    /// Deletes an account with all that was given to it. After Ok: durable. Crash in the middle: it happened
    /// whole or not at all. Refused: no enabled ADMIN would be left.
    async fn delete_user(&self, name: &str, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Records when API keys were used; keys that no longer exist are skipped.
    async fn touch_api_keys(&self, used: Vec<(String, Timestamp)>) -> Result<(), StoreError>;

    /// Stores a refresh token. `NotFound` if it rests on an account that is gone, is disabled, or is in
    /// another epoch. After Ok: durable. Crash in the middle: it is there or not.
    async fn put_refresh_token(&self, token: RefreshToken, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Returns a refresh token by its digest; `None` if it does not exist. It may have expired: see
    /// `expires_at`.
    fn refresh_token(&self, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError>;

    /// Returns the refresh token of a session; `None` if it does not exist. It may have expired: see
    /// `expires_at`.
    fn session(&self, id: SessionId) -> Result<Option<RefreshToken>, StoreError>;

    /// Returns sessions that last, newest first, and their count. A row that cannot be read is skipped.
    fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, StoreError>;

    /// Lets a refresh token last longer; returns false if it does not exist or lasts as long already. After
    /// Ok: durable. Crash in the middle: it lasts until one of the two times.
    async fn prolong_refresh_token(&self, hash: [u8; 32], until: Timestamp) -> Result<bool, StoreError>;

    /// Revokes a refresh token; returns true if it existed. After Ok: durable, it is never valid again. Crash
    /// in the middle: it is there or not.
    async fn revoke_refresh_token(&self, hash: [u8; 32], audit: Option<Audit>) -> Result<bool, StoreError>;

    /// Adds an audit entry for what does not change an account: a new signing key, or a refused login. After
    /// Ok: durable.
    async fn note(&self, audit: Audit) -> Result<(), StoreError>;

    /// Deletes at most so many refresh tokens that have expired by now; returns their count.
    async fn prune_refresh_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
