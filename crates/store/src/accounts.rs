//! Accounts: who may come in, and what was given to them. Secrets are never here: passwords are hashed,
//! tokens and API keys are digests.

use async_trait::async_trait;
use longhaul_model::Timestamp;
use thiserror::Error;

use crate::audit::Audit;
use crate::error::StoreError;
use crate::session::{RefreshToken, SessionId, SessionPage, SessionQuery};

/// The code of the role that administers accounts: one account with it and a password is always left enabled.
pub const ADMIN: &str = "ADMIN";
/// API keys of one account, at the most.
pub const MOST_API_KEYS: usize = 32;

/// An account: a person, or a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name as it was written; names are compared without case.
    pub name: String,
    /// The code of its role.
    pub role: String,
    /// The code of its kind: a person or a service.
    pub kind: String,
    /// Bounds that narrow the role, in the words of those who check them.
    pub bounds: Option<String>,
    /// The hash of its password, if it has one.
    pub password_hash: Option<String>,
    /// True if the account is disabled.
    pub disabled: bool,
    /// Changes when everything given to the account before is void: it never comes back, not even with
    /// another account of that name. Given by the store.
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

/// All accounts, of one moment.
#[derive(Clone, Debug)]
pub struct Users {
    /// Rises when the database went on without what it had, and revisions are given anew.
    pub history: u64,
    /// Rises with every change of any account.
    pub revision: i64,
    /// By name.
    pub users: Vec<User>,
}

/// A change of one account.
#[derive(Clone, Debug)]
pub enum UserChange {
    /// Sets the fields that are given. A new password, and disabling, begin a new epoch and take the refresh
    /// tokens away.
    Settings {
        /// The code of its role.
        role: Option<String>,
        /// May it come in?
        disabled: Option<bool>,
        /// The hash of its password.
        password_hash: Option<String>,
        /// Bounds that narrow the role.
        bounds: Option<String>,
    },
    /// The same password, hashed in today's way. Changes nothing if the password was changed meanwhile.
    Rehash {
        /// Hash before.
        from: String,
        /// Hash after.
        to: String,
    },
    /// One more API key.
    AddApiKey(ApiKey),
    /// Removes an API key, by its identity. Begins a new epoch and takes the refresh tokens away, as some may
    /// come from that key.
    RemoveApiKey(String),
}

/// Reason for which a change of accounts was refused; nothing changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AccountRefused {
    /// The name is taken.
    #[error("there is an account of that name")]
    Exists,
    /// Nobody could administer accounts any more.
    #[error("the last enabled ADMIN with a password cannot be deleted, disabled or demoted")]
    LastAdmin,
    /// The account has as many API keys as it may.
    #[error("the account has {MOST_API_KEYS} API keys: delete one first")]
    TooManyApiKeys,
}

impl User {
    /// Returns true if the account can administer accounts.
    pub(crate) fn administers(&self) -> bool {
        self.role == ADMIN && !self.disabled && self.password_hash.is_some()
    }

    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.api_keys.iter().any(|key| key.id == id)
    }

    /// The account after a change, and whether everything given to it before is void.
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

/// Store of accounts. Reads are quick enough for an event loop, and see every change that was
/// answered before they began. Names are compared without case. What is noted of a change is written with it.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// The revision of [`Users`], to see cheaply whether anything changed.
    fn accounts_revision(&self) -> Result<i64, StoreError>;

    /// Rises whenever others may have changed an account; for a look that costs nothing.
    fn accounts_news(&self) -> u64 {
        0
    }

    /// Returns true if other nodes change accounts, too.
    fn accounts_are_shared(&self) -> bool {
        false
    }

    /// The signing keys that all nodes share, or that a copy has for itself, sealed; `None` where the key file
    /// has them.
    fn signing_keys(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    /// Keeps signing keys for all nodes in place of what was kept; false if that was not what was kept.
    /// After Ok: durable. Crash in the middle: the old ones are kept, or the new ones.
    async fn put_signing_keys(&self, _before: Option<String>, _after: String) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Makes void all that was given to accounts, as the store became a copy: API keys, sessions, access tokens.
    /// `signing_keys` take the place of those before; passwords stay.
    /// After Ok: durable. Crash in the middle: all of it is void, or nothing.
    async fn void_all(&self, signing_keys: String) -> Result<(), StoreError>;

    /// Every account.
    fn users(&self) -> Result<Users, StoreError>;

    /// One account; `NotFound` if there is none.
    fn user(&self, name: &str) -> Result<User, StoreError>;

    /// Makes an account; gives it back with its epoch.
    /// After Ok: durable. Crash in the middle: it is there whole or not at all. Refused: the name is taken.
    async fn create_user(&self, user: User, audit: Option<Audit>) -> Result<User, StoreError>;

    /// Changes an account; gives it back as it is then.
    /// After Ok: durable. Crash in the middle: it happened whole or not at all. Refused: no enabled ADMIN
    /// would be left, or there would be too many API keys; `NotFound`: no such account or key.
    async fn change_user(
        &self,
        name: &str,
        change: UserChange,
        audit: Option<Audit>,
    ) -> Result<User, StoreError>;

    /// Takes an account away with all that was given to it.
    /// After Ok: durable. Crash in the middle: it happened whole or not at all. Refused: no enabled ADMIN
    /// would be left.
    async fn delete_user(&self, name: &str, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Remembers when API keys were used; keys that are gone are passed over.
    async fn touch_api_keys(&self, used: Vec<(String, Timestamp)>) -> Result<(), StoreError>;

    /// Remembers a refresh token. `NotFound` if it rests on an account that is gone, is disabled, or is in
    /// another epoch. After Ok: durable. Crash in the middle: it is there or not.
    async fn put_refresh_token(&self, token: RefreshToken, audit: Option<Audit>) -> Result<(), StoreError>;

    /// A refresh token by its digest; `None` if there is none. It may be over: see `expires_at`.
    fn refresh_token(&self, hash: &[u8; 32]) -> Result<Option<RefreshToken>, StoreError>;

    /// The refresh token of a session; `None` if there is none. It may be over: see `expires_at`.
    fn session(&self, id: SessionId) -> Result<Option<RefreshToken>, StoreError>;

    /// Sessions that last, newest first, and how many there are. A row that cannot be read is passed over.
    fn sessions(&self, query: &SessionQuery) -> Result<SessionPage, StoreError>;

    /// Takes a refresh token away; says whether there was one.
    /// After Ok: durable, it never comes back. Crash in the middle: it is there or not.
    async fn revoke_refresh_token(&self, hash: [u8; 32], audit: Option<Audit>) -> Result<bool, StoreError>;

    /// Notes what is no change of an account: a new signing key, or that somebody was not let in.
    /// After Ok: durable.
    async fn note(&self, audit: Audit) -> Result<(), StoreError>;

    /// Takes away refresh tokens that are over by now, so many at the most; says how many went.
    async fn prune_refresh_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
