//! Refused changes of accounts.

use thiserror::Error;

/// Maximum number of API keys of one account.
pub const MOST_API_KEYS: usize = 32;

/// Reason for which a change of accounts was refused; nothing changed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AccountRefused {
    /// The name is taken.
    #[error("there is an account of that name")]
    Exists,
    /// The change would leave nobody who can administer accounts.
    #[error("the last enabled ADMIN with a password cannot be deleted, disabled or demoted")]
    LastAdmin,
    /// The account has as many API keys as allowed.
    #[error("the account has {MOST_API_KEYS} API keys: delete one first")]
    TooManyApiKeys,
}
