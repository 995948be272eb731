//! Sessions of the web page. A browser keeps the secret of its session in a cookie and shows it with every
//! request. There is no access token beside it, so nothing outlives the session's end, and a session that is
//! in use lasts on.

use std::net::IpAddr;
use std::sync::Arc;

use longhaul_crypto::{Zeroizing, digest};
use longhaul_model::{Span, Timestamp};
use longhaul_store::{Basis, RefreshToken, SessionId};
use uuid::Uuid;

use crate::auth::Auth;
use crate::denied::{Denied, Reason};
use crate::error::LoginError;
use crate::login::{PASSWORD, TokenPair};
use crate::noted;
use crate::principal::Principal;
use crate::role::Role;

/// Longest life of a session that is always in use: then its owner shows the password again.
const LONGEST: Span = Span(30 * 24 * 3_600_000);

impl Auth {
    /// Lets a person in to the page. The refresh token is the secret of the session.
    /// After Ok: the session is durable.
    pub async fn sign_in(
        &self,
        username: &str,
        password: Zeroizing<String>,
        from: IpAddr,
    ) -> Result<TokenPair, LoginError> {
        let outcome = self.let_in_to_page(username, password, from).await;
        if let Err(why) = &outcome {
            self.note_refused(noted::login(&noted::claimed_name(username), from), why).await;
        }
        outcome
    }

    async fn let_in_to_page(
        &self,
        username: &str,
        password: Zeroizing<String>,
        from: IpAddr,
    ) -> Result<TokenPair, LoginError> {
        self.directory.look()?;
        let account = self.check_password(username, password, from).await?;
        if account.principal.role == Role::Worker {
            return Err(LoginError::Worker);
        }
        self.open(&account, PASSWORD, from).await
    }

    /// Finds the principal of a session by its secret, as the account is now. A session that is in use lasts
    /// longer: once half its time is over it begins anew, for 30 days at the most.
    pub async fn authenticate_page(&self, secret: &str) -> Result<Principal, Denied> {
        let id = Uuid::try_parse(secret).map_err(|_| Reason::Form)?;
        let hash = digest::sha256(id.as_bytes());
        let (who, token) = self.decided(|| self.of_page(&hash))?;
        self.prolong(&token).await;
        Ok(who)
    }

    /// Returns when a session ends if nobody uses it; `None` if it is over.
    pub fn session_end(&self, id: SessionId) -> Option<Timestamp> {
        let token = self.live.find(id).ok().flatten()?;
        Some(token.expires_at).filter(|end| *end > self.env.now())
    }

    fn of_page(&self, hash: &[u8; 32]) -> Result<(Principal, Arc<RefreshToken>), Denied> {
        let found = self.live.with_digest(hash).map_err(|e| {
            tracing::warn!(error = %e, "a session is not known here, and the store cannot be read");
            Denied::Unavailable
        })?;
        let token = found.ok_or(Reason::Session)?;
        if token.expires_at <= self.env.now() {
            return Err(Denied::Expired);
        }
        let who = Principal { session: Some(token.session()), ..self.holder(&token)? };
        // The account was another one's when the session began, or the secret was not given by the page.
        if who.role == Role::Worker {
            return Err(Reason::Page.into());
        }
        Ok((who, token))
    }

    /// Lets a session last longer, if it is time to. That it cannot be written is no reason to refuse a
    /// request: the session lasts on for half its time.
    async fn prolong(&self, token: &RefreshToken) {
        let Some(until) = self.longer(token) else { return };
        let id = token.session();
        if !self.live.is_first_to_prolong(id) {
            return;
        }
        match self.accounts.prolong_refresh_token(token.hash, until).await {
            Ok(true) => {
                self.live.learn(id, Some(RefreshToken { expires_at: until, ..token.clone() }));
            }
            // It was ended meanwhile, or another node did this.
            Ok(false) => {}
            Err(e) => tracing::warn!(error = %e, "a session in use could not be made to last longer"),
        }
    }

    /// Returns the end that a session in use is to have; `None` if it stays as it is. One by an ID token
    /// does: its issuer is asked again.
    fn longer(&self, token: &RefreshToken) -> Option<Timestamp> {
        let (life, now) = (self.config.refresh_life, self.env.now());
        let is_due = token.expires_at < now.after(Span(life.0 / 2));
        let until = now.after(life).min(token.created_at.after(LONGEST));
        let lasts = matches!(token.basis, Basis::Account { .. });
        (lasts && is_due && until > token.expires_at).then_some(until)
    }
}
