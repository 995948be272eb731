//! Login and sessions: a name and a password, an API key, or another issuer's ID token is exchanged for an
//! access token, which lives for an hour, and a refresh token, which gives new ones for a day. The session
//! lasts as long as that refresh token.

use std::net::IpAddr;
use std::sync::Arc;

use longhaul_crypto::{Zeroizing, digest, password, random};
use longhaul_model::Span;
use longhaul_store::{Basis, RefreshToken, SessionId, StoreError, UserChange};
use uuid::Uuid;

use crate::auth::{Auth, enabled};
use crate::compact::Compact;
use crate::denied::{Denied, Reason};
use crate::directory::Account;
use crate::error::{LoginError, RefreshError};
use crate::names::is_name;
use crate::oidc::{Shown, Vouched};
use crate::password::LONGEST;
use crate::principal::{Kind, Principal};
use crate::{access, api_key, noted};

/// The kinds of credentials that sessions begin with.
pub(crate) const PASSWORD: &str = "PASSWORD";
const API_KEY: &str = "API_KEY";
const ID_TOKEN: &str = "ID_TOKEN";

/// Credential of a login.
pub enum LoginRequest {
    /// A name and its password.
    Password {
        /// The account's name, in any case.
        username: String,
        /// Password.
        password: Zeroizing<String>,
    },
    /// An API key.
    ApiKey(Zeroizing<String>),
    /// ID token of the foreign issuer.
    IdToken(Zeroizing<String>),
}

/// Result of a login.
pub struct TokenPair {
    /// Access token, for requests.
    pub access_token: Zeroizing<String>,
    /// Refresh token, for new access tokens.
    pub refresh_id: Uuid,
    /// Principal of the login.
    pub principal: Principal,
}

impl Auth {
    /// Lets somebody in.
    /// After Ok: the refresh token is durable.
    pub async fn login(&self, request: LoginRequest, from: IpAddr) -> Result<TokenPair, LoginError> {
        let name = noted::claimed(&request);
        let outcome = self.let_in(request, from).await;
        if let Err(why) = &outcome {
            self.note_refused(noted::login(&name, from), why).await;
        }
        outcome
    }

    async fn let_in(&self, request: LoginRequest, from: IpAddr) -> Result<TokenPair, LoginError> {
        self.directory.look()?;
        match request {
            LoginRequest::Password { username, password } => {
                let account = self.check_password(&username, password, from).await?;
                self.open(&account, PASSWORD, from).await
            }
            LoginRequest::ApiKey(key) => match self.directory.by_key(&api_key::digest(&key)) {
                Some(account) if api_key::is_one(&key) && !account.user.disabled => {
                    self.open(&account, API_KEY, from).await
                }
                _ => Err(self.failed(from).await),
            },
            LoginRequest::IdToken(token) => self.open_external(&token, from).await,
        }
    }

    /// A new access token for a refresh token, which may be used again.
    pub fn refresh(&self, id: Uuid) -> Result<Zeroizing<String>, RefreshError> {
        let found =
            self.accounts.refresh_token(&digest::sha256(id.as_bytes())).map_err(RefreshError::Store)?;
        let now = self.env.now();
        let token = found.filter(|token| token.expires_at > now).ok_or(RefreshError::NotFound)?;
        let (session, left) = (token.session(), Span(token.expires_at.0.abs_diff(now.0)));
        let epoch = match token.basis {
            Basis::Account { epoch } => Some(epoch),
            Basis::External { .. } => None,
        };
        self.directory.look().map_err(RefreshError::Store)?;
        let holder = self.holder(&token).map_err(|_| RefreshError::NotFound)?;
        Ok(self.mint(&holder, session, epoch, left))
    }

    /// Returns the principal that a session stands for now.
    pub(crate) fn holder(&self, token: &RefreshToken) -> Result<Principal, Denied> {
        match &token.basis {
            Basis::Account { epoch } => {
                let account = self.directory.by_name(&token.user).ok_or(Reason::NoAccount)?;
                enabled(&account)?;
                if account.user.epoch != *epoch {
                    return Err(Reason::Epoch.into());
                }
                Ok(account.principal.clone())
            }
            Basis::External { .. } => {
                let role = self.external_role(&token.basis).ok_or(Reason::Session)?;
                self.unless_taken(Principal::new(token.user.as_str(), role, Kind::External))
            }
        }
    }

    /// Ends the session of a refresh token; nothing if there is none.
    /// After Ok: durable, neither it nor its access tokens work again.
    pub async fn revoke(&self, id: Uuid, from: Option<IpAddr>) -> Result<(), StoreError> {
        let hash = digest::sha256(id.as_bytes());
        let Some(token) = self.accounts.refresh_token(&hash)? else { return Ok(()) };
        let note = noted::logout(&token.user, from);
        self.end(&token, note).await.map(drop)
    }

    /// Checks the password of an enabled account. Every failure takes as long, costs as much and says as
    /// little.
    pub(crate) async fn check_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
        from: IpAddr,
    ) -> Result<Arc<Account>, LoginError> {
        if password.len() > LONGEST {
            return Err(self.failed(from).await);
        }
        let proof = self.verified.proof(name, &password, from);
        let lately = || {
            let account = self.directory.by_name(name).filter(|account| !account.user.disabled)?;
            let hash = account.user.password_hash.as_deref()?;
            self.verified.holds(&proof, hash, self.env.now()).then_some(account.clone())
        };
        if self.throttle.may_guess(from)
            && let Some(account) = lately()
        {
            return Ok(account);
        }
        let _place = self.queue.try_acquire().map_err(|_| LoginError::Busy)?;
        let attempt = self.throttle.enter(Some(name).filter(|name| is_name(name)), from).await?;
        // Others with the same password may have been at work before.
        if let Some(account) = lately() {
            attempt.passed();
            return Ok(account);
        }
        let account = self.directory.by_name(name);
        let hash = account.as_ref().and_then(|account| account.user.password_hash.clone());
        let known = hash.is_some();
        let compared = hash.unwrap_or_else(|| self.decoy.clone());
        let right = match self.hasher.verify(password.clone(), compared.clone()).await {
            Ok(right) => right,
            Err(e) => {
                attempt.void();
                return Err(e.into());
            }
        };
        let Some(account) = account.filter(|account| known && right && !account.user.disabled) else {
            drop(attempt);
            return Err(LoginError::Unauthorized);
        };
        attempt.passed();
        let hash = self.rehash(&account, password, compared).await;
        self.verified.remember(proof, &account.user.name, &hash, self.env.now());
        Ok(account)
    }

    /// Hashes in today's way what was hashed in another; gives the hash that the account has then. Not worth
    /// failing a login for.
    async fn rehash(&self, account: &Account, password: Zeroizing<String>, hash: String) -> String {
        if password::is_current(&hash) {
            return hash;
        }
        let changed = match self.hasher.hash(password).await {
            Ok(to) => {
                let change = UserChange::Rehash { from: hash.clone(), to: to.clone() };
                self.change(&account.user.name, change, None).await.map(|_| to).map_err(|e| e.to_string())
            }
            Err(e) => Err(e.to_string()),
        };
        changed.unwrap_or_else(|e| {
            tracing::warn!(user = account.user.name, error = e, "a password could not be hashed anew");
            hash
        })
    }

    /// A failure without a name to count it for.
    async fn failed(&self, from: IpAddr) -> LoginError {
        match self.throttle.enter(None, from).await {
            Ok(_failed) => LoginError::Unauthorized,
            Err(slow) => slow.into(),
        }
    }

    async fn vouched(&self, token: &str) -> Result<Vouched, Denied> {
        let token = Compact::parse(token)?;
        let oidc = self.oidc.as_ref().ok_or(Reason::Issuer)?;
        match oidc.verify(&token, Shown::Login) {
            Err(Denied::NeedsFetch) => {
                oidc.fetch().await;
                oidc.verify(&token, Shown::Login)
            }
            decided => decided,
        }
    }

    /// Begins a session of an account.
    pub(crate) async fn open(
        &self,
        account: &Account,
        means: &'static str,
        from: IpAddr,
    ) -> Result<TokenPair, LoginError> {
        let epoch = account.user.epoch;
        let life = self.config.refresh_life;
        self.give(&account.principal, Basis::Account { epoch }, means, life, from).await
    }

    /// Sessions of the same name that rest on more than the token gives are ended, also where it gives
    /// nothing.
    async fn open_external(&self, token: &str, from: IpAddr) -> Result<TokenPair, LoginError> {
        let vouched = match self.vouched(token).await {
            Ok(vouched) => vouched,
            Err(why) => return Err(self.not_accepted(&why, from).await),
        };
        self.end_outranked(&vouched, || noted::outranked(&vouched.name, from)).await?;
        let principal = match vouched.principal().and_then(|principal| self.unless_taken(principal)) {
            Ok(principal) => principal,
            Err(why) => return Err(self.not_accepted(&why, from).await),
        };
        let oidc = self.oidc.as_ref().ok_or(LoginError::Unauthorized)?;
        let basis = Basis::External {
            role: principal.role.code().to_owned(),
            issuer: Some(oidc.issuer().to_owned()),
            granted: vouched.granted,
        };
        let life = self.config.refresh_life.min(oidc.session_life());
        self.give(&principal, basis, ID_TOKEN, life, from).await
    }

    async fn not_accepted(&self, why: &Denied, from: IpAddr) -> LoginError {
        tracing::info!(%from, reason = %why, "an ID token was not accepted");
        self.failed(from).await
    }

    async fn give(
        &self,
        who: &Principal,
        basis: Basis,
        means: &'static str,
        life: Span,
        from: IpAddr,
    ) -> Result<TokenPair, LoginError> {
        let (refresh_id, now) = (random::uuid(), self.env.now());
        let epoch = match basis {
            Basis::Account { epoch } => Some(epoch),
            Basis::External { .. } => None,
        };
        let token = RefreshToken {
            hash: digest::sha256(refresh_id.as_bytes()),
            user: who.name.to_string(),
            basis,
            means: Some(means.to_owned()),
            origin: Some(from.to_string()),
            created_at: now,
            expires_at: now.after(life),
        };
        let session = token.session();
        let note = noted::login(&who.name, from).detail(format!("session {session}"));
        match self.accounts.put_refresh_token(token.clone(), Some(note)).await {
            Ok(()) => {}
            // The account changed between the check and now.
            Err(StoreError::NotFound) => return Err(LoginError::Unauthorized),
            Err(e) => return Err(e.into()),
        }
        self.live.learn(session, Some(token));
        let access_token = self.mint(who, session, epoch, life);
        let principal = Principal { session: Some(session), ..who.clone() };
        Ok(TokenPair { access_token, refresh_id, principal })
    }

    /// A new access token, which does not outlive its session.
    fn mint(&self, who: &Principal, session: SessionId, epoch: Option<i64>, left: Span) -> Zeroizing<String> {
        let life = self.config.access_life.min(left);
        Zeroizing::new(access::mint(&self.ring, who, session, epoch, life, self.env.wall()))
    }
}
