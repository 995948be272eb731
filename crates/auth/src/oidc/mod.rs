//! Single sign-on with tokens of a foreign issuer. Its public keys are fetched; a token that one of them
//! signed, of that issuer and for us, stands for a principal with the roles that a claim names.

mod claims;
mod fetch;
mod keys;

use std::sync::Arc;

use longhaul_model::{Env, Span};

pub(crate) use claims::Vouched;
pub use fetch::{Fetch, FetchError, HttpFetch};

use crate::compact::Compact;
use crate::config::OidcConfig;
use crate::denied::{Denied, Reason};
use crate::role::Role;
use keys::Keys;

/// Use of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Access token, with a request.
    Request,
    /// ID token, at login.
    Login,
}

pub(crate) struct Oidc {
    config: OidcConfig,
    keys: Arc<Keys>,
    env: Env,
}

impl Oidc {
    pub(crate) fn new(config: OidcConfig, fetch: Arc<dyn Fetch>, env: Env) -> Self {
        let keys = Keys::new(config.issuer.clone(), config.jwks_uri.clone(), fetch, env.clone());
        Oidc { keys: Arc::new(keys), config, env }
    }

    /// Checks that a token is the issuer's, whole, for us and in time; returns the identity that it vouches
    /// for.
    pub(crate) fn verify(&self, token: &Compact, shown: Shown) -> Result<Vouched, Denied> {
        // What other tokens of an issuer call themselves, such as `logout+jwt`, gets nobody in.
        let typ = token.header.typ.as_deref().map(str::to_ascii_lowercase);
        match (typ.as_deref(), shown) {
            (None | Some("jwt"), _) => {}
            (Some("at+jwt" | "application/at+jwt"), Shown::Request) => {}
            _ => return Err(Reason::Type.into()),
        }
        let now = self.env.wall();
        let key = self.keys.find(token.header.kid.as_deref(), &token.header.alg, now)?;
        if !key.verify(token.message, token.signature) {
            return Err(Reason::Signature.into());
        }
        claims::check(&self.config, &token.claims, shown, now)
    }

    /// The address of the issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// The role here of somebody to whom an issuer gave roles of its own.
    pub(crate) fn role_of(&self, issuer: &str, granted: &[String]) -> Option<Role> {
        if issuer == self.config.issuer { claims::highest(&self.config, granted) } else { None }
    }

    /// Longest life of a session.
    pub(crate) fn session_life(&self) -> Span {
        self.config.session_life
    }

    /// Fetches the keys, unless that was tried a moment ago.
    pub(crate) async fn fetch(&self) {
        self.keys.fetch().await;
    }

    /// Fetches the keys if they are older than an hour.
    pub(crate) async fn tidy(&self) {
        if self.keys.are_old(self.env.wall()) {
            self.fetch().await;
        }
    }
}
