//! Sessions as people see them: listed, and ended.

use longhaul_model::Timestamp;
use longhaul_store::{Audit, Basis, RefreshToken, SessionId, SessionQuery, StoreError, Whose};

use crate::auth::Auth;
use crate::oidc::Vouched;
use crate::principal::{Kind, Principal};
use crate::role::Role;

/// Number of sessions that are read at once when those of one name are looked through.
const SLICE: u32 = 100;

/// A session, without what would give access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Public identity of the session.
    pub id: SessionId,
    /// Name of the account or external user that the session belongs to.
    pub user: String,
    /// Kind of the owner.
    pub kind: Kind,
    /// Role that the owner has now; `None` if the owner has none any more.
    pub role: Option<Role>,
    /// The code of the kind of credential that was shown.
    pub means: Option<String>,
    /// The address where the login came from.
    pub from: Option<String>,
    /// Time at which the session began.
    pub created_at: Timestamp,
    /// Time at which the session expires.
    pub expires_at: Timestamp,
}

impl Auth {
    /// A page of sessions that last, newest first, and their exact number.
    pub fn sessions(
        &self,
        whose: Whose,
        offset: u64,
        limit: u32,
    ) -> Result<(Vec<SessionView>, u64), StoreError> {
        self.directory.look()?;
        let query = SessionQuery { whose, now: self.env.now(), offset, limit };
        let page = self.accounts.sessions(&query)?;
        Ok((page.sessions.into_iter().map(|token| self.shown(token)).collect(), page.total))
    }

    /// Ends a session for its owner or an administrator. Returns false if there is no such session that the
    /// caller may know of. After Ok: durable, and its access tokens are refused here at once.
    pub async fn end_session(&self, who: &Principal, id: SessionId, note: Audit) -> Result<bool, StoreError> {
        let found = self.accounts.session(id)?.filter(|token| token.expires_at > self.env.now());
        let Some(token) = found.filter(|token| who.role == Role::Admin || is_of(token, who)) else {
            return Ok(false);
        };
        self.end(&token, note.target(&token.user)).await
    }

    /// Ends a session; says whether it lasted until then.
    pub(crate) async fn end(&self, token: &RefreshToken, note: Audit) -> Result<bool, StoreError> {
        let id = token.session();
        let note = note.detail(format!("session {id}"));
        let ended = self.accounts.revoke_refresh_token(token.hash, Some(note)).await?;
        self.live.ended(id);
        Ok(ended)
    }

    /// Ends the sessions of an external user that rest on more than the issuer grants now. A token that was
    /// issued before a session began says nothing about it.
    pub(crate) async fn end_outranked(
        &self,
        now: &Vouched,
        note: impl Fn() -> Audit,
    ) -> Result<(), StoreError> {
        let mut offset = 0;
        loop {
            let whose = Whose::Of { name: now.name.to_string(), external: true };
            let query = SessionQuery { whose, now: self.env.now(), offset, limit: SLICE };
            let page = self.accounts.sessions(&query)?;
            for token in &page.sessions {
                let outranked = match (self.external_role(&token.basis), now.role) {
                    (None, _) => true,
                    (Some(held), Some(role)) => !role.covers(held),
                    (Some(_), None) => true,
                };
                if outranked && now.is_news_after(token.created_at) {
                    self.end(token, note()).await?;
                } else {
                    offset += 1;
                }
            }
            if page.sessions.len() < SLICE as usize {
                return Ok(());
            }
        }
    }

    /// Returns the role that an external session stands for by today's configuration: none if another issuer
    /// is configured, or if the issuer's roles no longer mean anything here.
    pub(crate) fn external_role(&self, basis: &Basis) -> Option<Role> {
        let Basis::External { issuer: Some(issuer), granted, .. } = basis else { return None };
        self.oidc.as_ref()?.role_of(issuer, granted)
    }

    fn shown(&self, token: RefreshToken) -> SessionView {
        let id = token.session();
        let (kind, role) = match &token.basis {
            Basis::External { .. } => (Kind::External, self.external_role(&token.basis)),
            Basis::Account { .. } => match self.directory.by_name(&token.user) {
                Some(account) => (account.principal.kind, Some(account.principal.role)),
                None => (Kind::User, None),
            },
        };
        let RefreshToken { user, means, origin: from, created_at, expires_at, .. } = token;
        SessionView { id, user, kind, role, means, from, created_at, expires_at }
    }
}

/// Returns true if a session belongs to a principal: an account, or exactly that external name.
fn is_of(token: &RefreshToken, who: &Principal) -> bool {
    let external = matches!(token.basis, Basis::External { .. });
    token.user == *who.name && external == (who.kind == Kind::External)
}

impl Principal {
    /// The sessions that are its own.
    pub fn own_sessions(&self) -> Whose {
        Whose::Of { name: self.name.to_string(), external: self.kind == Kind::External }
    }
}
