//! `/v1/users`: accounts and their API keys, for administrators; and one's own.

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod me;

use longhaul_auth::Role;

use crate::error::ApiError;

/// A role as a body names it.
fn role(text: &str) -> Result<Role, ApiError> {
    text.parse().map_err(|e: longhaul_auth::BadRole| ApiError::field("/role", e.to_string()))
}
