//! `/v1/users`: accounts and their API keys, for administrators; and the caller's own.

pub(crate) mod accounts;
pub(crate) mod api_keys;
pub(crate) mod me;

use longhaul_auth::Role;

use crate::error::ApiError;

/// Reads a role by its name in a body.
fn role(text: &str) -> Result<Role, ApiError> {
    text.parse().map_err(|e: longhaul_auth::BadRole| ApiError::field("/role", e.to_string()))
}
