//! Reasons for which a caller is refused, as they are logged; the answer tells no more than that a token has
//! expired.

use thiserror::Error;

/// Refusal of a credential.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Denied {
    /// The token was valid and has expired: a new one helps.
    #[error("JWT expired")]
    Expired,
    /// The issuer's keys must be fetched before this can be decided: see `Auth::fetch_keys`.
    #[error("the issuer's keys are not at hand")]
    NeedsFetch,
    /// The issuer vouches for a user who has no role here.
    #[error("the token gives no role that is known here")]
    NoRole,
    /// The account may have changed at another node, and the store cannot be read now.
    #[error("the accounts cannot be read")]
    Unavailable,
    /// The credential is wrong.
    #[error(transparent)]
    Refused(#[from] Reason),
}

/// Reason for which a credential is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Reason {
    /// The token is longer than 8 KiB.
    #[error("the token is too long")]
    TooLong,
    /// The token is not three parts of base64url.
    #[error("the token is malformed")]
    Form,
    /// The header of the token cannot be read, or has a member that is never accepted.
    #[error("the token's header is not acceptable")]
    Header,
    /// The algorithm of the token is not one of the key's issuer.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// The key does not exist or is no longer valid, or the signature is not that key's.
    #[error("the token's signature is not that of a known key")]
    Signature,
    /// A claim is missing, is there twice, or has the wrong type.
    #[error("the token's claims are not as expected")]
    Claims,
    /// The token is of another type.
    #[error("the token is of another type")]
    Type,
    /// The token is of another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// The token is for another audience.
    #[error("the token is for another audience")]
    Audience,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// The account does not exist.
    #[error("the account does not exist")]
    NoAccount,
    /// The account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// The token was given before the password was changed or the account disabled.
    #[error("the token was given before the account changed")]
    Epoch,
    /// The session of the token was ended.
    #[error("the session of the token was ended")]
    Session,
    /// The foreign issuer's user has the name of an account here.
    #[error("the external name is that of an account")]
    NameTaken,
    /// The session is of an account that does not sign in to the page.
    #[error("the session is not one of the page")]
    Page,
    /// The API key is not known.
    #[error("the API key is not known")]
    ApiKey,
}
