//! Passwords: which are allowed, how they are hashed without taking the machine down, and the memory of those
//! that were right a moment ago.

mod hasher;
mod policy;
mod verified;

pub use hasher::Hashing;
pub(crate) use hasher::{Hasher, HasherError};
pub use policy::Weak;
pub(crate) use policy::{LONGEST, check};
pub(crate) use verified::Verified;
