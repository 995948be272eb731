//! Settings of authentication.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longhaul_crypto::{Rotation, Zeroizing};
use longhaul_model::Span;

use crate::error::StartError;
use crate::role::Role;

const HOUR: u64 = 3_600_000;

/// Settings for checking identities, and lifetimes of credentials.
#[derive(Clone)]
pub struct AuthConfig {
    /// Lifetime of an access token.
    pub access_life: Span,
    /// Lifetime of a refresh token.
    pub refresh_life: Span,
    /// A signing key signs for so long.
    pub rotate_after: Span,
    /// The password of the first administrator; made at random unless given. Without meaning once there are
    /// accounts.
    pub admin_password: Option<Zeroizing<String>>,
    /// Foreign issuer whose tokens are accepted.
    pub oidc: Option<OidcConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        AuthConfig {
            access_life: Span(HOUR),
            refresh_life: Span(24 * HOUR),
            rotate_after: Span(30 * 24 * HOUR),
            admin_password: None,
            oidc: None,
        }
    }
}

impl AuthConfig {
    pub(crate) fn check(&self) -> Result<(), StartError> {
        let Some(oidc) = &self.oidc else { return Ok(()) };
        let missing = |what: &str| Err(StartError::Oidc(format!("`{what}` is missing")));
        if oidc.issuer.is_empty() {
            return missing("issuer");
        }
        // Without one, a token for any other service of that issuer would do.
        if oidc.audiences.iter().all(String::is_empty) {
            return missing("audiences");
        }
        if oidc.roles_claim.is_empty() {
            return missing("roles_claim");
        }
        if oidc.session_life.0 == 0 {
            return Err(StartError::Oidc("`session_life` is 0: no session could begin".to_owned()));
        }
        Ok(())
    }

    /// Rotation of signing keys, for the key ring: a replaced one verifies until twice the life of what
    /// it signed.
    pub fn rotation(&self) -> Rotation {
        Rotation { after: self.rotate_after.0, keep: 2 * self.access_life.0 }
    }
}

/// An issuer of OpenID Connect.
#[derive(Clone, Debug)]
pub struct OidcConfig {
    /// Address of the issuer, exactly as its tokens have it.
    pub issuer: String,
    /// Address of its keys; found through `{issuer}/.well-known/openid-configuration` unless given.
    pub jwks_uri: Option<String>,
    /// A token must be for one of these.
    pub audiences: Vec<String>,
    /// The claim with the roles: a member of the token, or a path such as `realm_access.roles`.
    pub roles_claim: String,
    /// Roles of the issuer, and ours for each. Empty: the names are the same.
    pub roles: BTreeMap<String, Role>,
    /// A session by an ID token lasts so long at the most: the issuer is not asked again meanwhile.
    pub session_life: Span,
    /// A file of PEM certificates to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
}

impl OidcConfig {
    /// The usual settings for an issuer.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        OidcConfig {
            issuer: issuer.into(),
            jwks_uri: None,
            audiences: vec![audience.into()],
            roles_claim: "roles".to_owned(),
            roles: BTreeMap::new(),
            session_life: Span(HOUR),
            ca_file: None,
        }
    }
}
