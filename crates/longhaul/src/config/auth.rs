//! Sections `[auth]` and `[limits]`: logins and tokens, and the limits of callers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longhaul_auth::{AuthConfig, OidcConfig, Role};
use longhaul_crypto::Zeroizing;
use longhaul_engine::WorkerBounds;
use longhaul_model::Span;
use longhaul_server::Limits;
use serde::{Deserialize, Deserializer};

use super::mistakes::Nonsense;

/// Section `auth`: lifetimes of credentials, and foreign issuers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AuthSection {
    access_token_life: Option<Span>,
    refresh_token_life: Option<Span>,
    rotate_signing_keys: Option<Span>,
    oidc: Option<Oidc>,
}

/// Foreign issuer whose tokens are accepted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Oidc {
    // Both are required; an empty one is reported with the other mistakes of the section.
    #[serde(default)]
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    jwks_uri: Option<String>,
    #[serde(default)]
    roles_claim: Option<String>,
    #[serde(default, deserialize_with = "roles")]
    roles: BTreeMap<String, Role>,
    #[serde(default)]
    session_life: Option<Span>,
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

fn roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Role>, D::Error> {
    /// One of them: each has its own place in the file.
    struct Ours(Role);

    impl<'de> Deserialize<'de> for Ours {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let wrong = "this is not a role: use VIEWER, OPERATOR, ADMIN or WORKER";
            String::deserialize(deserializer)?.parse().map(Ours).map_err(|_| serde::de::Error::custom(wrong))
        }
    }

    let given = BTreeMap::<String, Ours>::deserialize(deserializer)?;
    Ok(given.into_iter().map(|(theirs, Ours(ours))| (theirs, ours)).collect())
}

impl AuthSection {
    /// File of the authorities that the issuer's server is trusted by.
    pub(super) fn issuer_authorities(&self) -> Option<&PathBuf> {
        self.oidc.as_ref().and_then(|oidc| oidc.ca_file.as_ref())
    }

    /// Applies the section, with the password that the environment has for the first administrator.
    pub(super) fn resolve(self, admin_password: Option<String>) -> AuthConfig {
        let defaults = AuthConfig::default();
        AuthConfig {
            access_life: self.access_token_life.unwrap_or(defaults.access_life),
            refresh_life: self.refresh_token_life.unwrap_or(defaults.refresh_life),
            rotate_after: self.rotate_signing_keys.unwrap_or(defaults.rotate_after),
            admin_password: admin_password.map(Zeroizing::new),
            oidc: self.oidc.map(Oidc::resolve),
        }
    }
}

/// Longest lifetime of a token; later instants could not be represented.
const LONGEST: Span = Span(3650 * 24 * 3_600_000);

impl AuthSection {
    /// Returns the settings that make no sense, and values that do.
    pub(super) fn nonsense(&self) -> Vec<Nonsense> {
        let oidc = self.oidc.as_ref();
        let lives = [
            ("access_token_life", self.access_token_life),
            ("refresh_token_life", self.refresh_token_life),
            ("rotate_signing_keys", self.rotate_signing_keys),
            ("oidc.session_life", oidc.and_then(|oidc| oidc.session_life)),
        ];
        let is_wrong = |life: Span| life.0 == 0 || life > LONGEST;
        let lives = lives.into_iter().filter(|(_, life)| life.is_some_and(is_wrong));
        let lives = lives.map(|(key, _)| (key, "write more than 0 and at most 3650d, such as \"1h\""));
        let empty = |text: &String| text.is_empty();
        let missing = oidc.into_iter().flat_map(|oidc| {
            let claim = oidc.roles_claim.as_ref().is_some_and(empty);
            [
                (oidc.issuer.is_empty(), "oidc.issuer", "write the issuer's address as its tokens have it"),
                // Without one, a token for any other service of that issuer would do.
                (
                    oidc.audiences.iter().all(String::is_empty),
                    "oidc.audiences",
                    "write what tokens must be for",
                ),
                (claim, "oidc.roles_claim", "write the name of the claim that holds the roles"),
            ]
        });
        let missing = missing.filter(|(is_missing, ..)| *is_missing).map(|(_, key, remedy)| (key, remedy));
        lives.chain(missing).map(|(key, remedy)| Nonsense::of(format!("auth.{key}"), remedy)).collect()
    }
}

impl Oidc {
    fn resolve(self) -> OidcConfig {
        let usual = OidcConfig::new(self.issuer, String::new());
        OidcConfig {
            audiences: self.audiences,
            jwks_uri: self.jwks_uri,
            roles_claim: self.roles_claim.unwrap_or_else(|| usual.roles_claim.clone()),
            roles: self.roles,
            session_life: self.session_life.unwrap_or(usual.session_life),
            ca_file: self.ca_file,
            ..usual
        }
    }
}

/// Section `limits`: limits of callers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsSection {
    pub(super) in_flight: Option<u32>,
    pub(super) waits: Option<u32>,
    pub(super) rate: Option<u32>,
    pub(super) connections: Option<usize>,
    pub(super) connections_per_address: Option<usize>,
    pub(super) queues: Option<usize>,
    pub(super) workers: Option<usize>,
}

impl LimitsSection {
    /// Returns for each limit whether it is 0, which would let nobody in.
    pub(super) fn zeros(&self) -> [(&'static str, bool); 7] {
        [
            ("in_flight", self.in_flight == Some(0)),
            ("waits", self.waits == Some(0)),
            ("rate", self.rate == Some(0)),
            ("connections", self.connections == Some(0)),
            ("connections_per_address", self.connections_per_address == Some(0)),
            ("queues", self.queues == Some(0)),
            ("workers", self.workers == Some(0)),
        ]
    }

    /// Bounds of an account's workers.
    pub(super) fn workers(&self) -> WorkerBounds {
        let defaults = WorkerBounds::default();
        WorkerBounds {
            queues: self.queues.unwrap_or(defaults.queues),
            workers: self.workers.unwrap_or(defaults.workers),
        }
    }

    pub(super) fn resolve(self) -> Limits {
        let defaults = Limits::default();
        Limits {
            in_flight: self.in_flight.unwrap_or(defaults.in_flight),
            waits: self.waits.unwrap_or(defaults.waits),
            rate: self.rate.or(defaults.rate),
            connections: self.connections.unwrap_or(defaults.connections),
            per_address: self.connections_per_address.or(defaults.per_address),
            ..defaults
        }
    }
}
