//! The only code of Longhaul that touches cryptography. It wraps one library (aws-lc) and one password hash
//! (argon2id) in the few functions that the rest needs, and keeps the keys: [`Keyring`] is a file of signing
//! keys, which sign access tokens and rotate, and of sealing keys, which encrypt secrets at rest
//! ([`Sealer`]).
#![forbid(unsafe_code)]

pub mod base64url;
pub mod digest;
mod keyfile;
mod keyring;
pub mod passphrase;
pub mod password;
mod private;
mod public_key;
pub mod random;
mod seal;
mod shared;

pub use keyring::{Keyring, KeyringError, Rotation, SigningKey};
pub use private::exposed;
pub use public_key::{BadKey, PublicKey};
pub use seal::{SealError, Sealer};
pub use zeroize::Zeroizing;
