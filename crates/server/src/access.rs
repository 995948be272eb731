//! Authentication and authorization: one layer before every handler of the table.

mod role;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use longhaul_auth::{Auth, Denied, Principal};
use longhaul_engine::Audit;

use crate::api::App;
use crate::config::{Client, WireConfig};
use crate::cookie;
use crate::error::ApiError;
use crate::origin::Site;
use crate::share::Place;

pub use role::Role;

/// Header by which a program that acts for a caller says its name.
pub(crate) const AGENT: HeaderName = HeaderName::from_static("longhaul-agent");

/// Facts about the connection that a request came by, and about the page that sent it; an extension of every
/// request.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    /// Address of the other end, which may be a proxy's.
    pub(crate) address: SocketAddr,
    /// True if the request came over TLS, here or to a trusted proxy.
    pub(crate) secure: bool,
    pub(crate) site: Site,
}

/// Requirements of a route, as its layer knows them.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) app: App,
    /// The `operationId`.
    pub(crate) action: &'static str,
    pub(crate) role: Role,
    /// True if a request counts against the caller's share: the reads that pollers live on do only while they
    /// wait.
    pub(crate) counts: bool,
}

/// The caller of a request, and the call.
#[derive(Clone)]
pub(crate) struct Caller {
    /// `None` if the call needs no credential.
    who: Option<Principal>,
    from: IpAddr,
    action: &'static str,
    /// Share of the caller that the request holds; `None` if the call needs no credential.
    place: Option<Arc<Place>>,
    /// Settings of the Tasks API for this caller.
    wire: Arc<WireConfig>,
    /// Credential of the call, for answers that go on for long.
    credential: Option<KeptCredential>,
    /// Requirement of the call.
    role: Role,
    /// Program that acts for the caller, by its own word.
    agent: Option<Arc<str>>,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("who", &self.who).field("action", &self.action).finish_non_exhaustive()
    }
}

impl Caller {
    /// Lets the answer wait up to `limit` for something to happen; such requests have a share of their own.
    pub(crate) fn waits(&self, limit: Duration) -> Result<(), ApiError> {
        match &self.place {
            Some(place) if !limit.is_zero() => place.wait(),
            _ => Ok(()),
        }
    }

    /// Returns true if the call would still be allowed: an answer that goes on for hours ends with the
    /// session or the role that allowed it.
    pub(crate) async fn is_admitted_still(&self, app: &App) -> bool {
        let Some(credential) = &self.credential else { return self.role == Role::Public };
        let decided = credential.borrowed().authenticate(&app.auth).await;
        decided.is_ok_and(|who| self.role.admits(who.role) && who.may_call(self.action))
    }

    /// Returns the principal; the table of routes makes sure that there is one.
    pub(crate) fn principal(&self) -> Result<&Principal, ApiError> {
        self.who.as_ref().ok_or_else(ApiError::no_credential)
    }

    /// Refuses queues that the account is not bound to; the first of them is named.
    pub(crate) fn check_queues<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<(), ApiError> {
        let who = self.principal()?;
        let refused = names.into_iter().find(|name| !who.may_work_on(name));
        refused.map_or(Ok(()), |name| Err(ApiError::out_of_bounds(who, "queue", name)))
    }

    /// Returns true for administrators, who may write the workflows that they read.
    pub(crate) fn is_admin(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.role == longhaul_auth::Role::Admin)
    }

    /// Returns the settings of the Tasks API for this caller.
    pub(crate) fn wire(&self) -> &WireConfig {
        &self.wire
    }

    /// The principal's name.
    pub(crate) fn name(&self) -> &str {
        self.who.as_ref().map_or("anonymous", |who| &who.name)
    }

    /// Returns the address of the caller.
    pub(crate) fn address(&self) -> IpAddr {
        self.from
    }

    /// Returns the note for the audit log about the call.
    pub(crate) fn audit(&self) -> Audit {
        let by = self.who.as_ref().map_or_else(|| Arc::from("anonymous"), |who| who.name.clone());
        let audit = Audit::new(by, Some(self.from), self.action);
        match &self.agent {
            Some(agent) => audit.detail(format!("by the agent {agent}")),
            None => audit,
        }
    }
}

/// Lets a request through that may be answered.
pub(crate) async fn check(
    State(gate): State<Gate>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let peer = request.extensions().get::<Peer>().copied();
    let caller = gate.admit(request.method(), request.headers(), peer).await?;
    // The share is held until the handler is done, whatever it does with its request.
    let _place = caller.place.clone();
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

impl Gate {
    /// Refuses a call that the role does not allow, with an entry in the audit log.
    async fn forbid(&self, who: &Principal, from: IpAddr, needed: Role) -> ApiError {
        self.app.auth.note_forbidden(who, from, self.action, needed.name()).await;
        ApiError::forbidden(who, needed)
    }

    /// Refuses an authenticated caller that does not have a role.
    pub(crate) async fn require(&self, caller: &Caller, role: Role) -> Result<(), ApiError> {
        let who = caller.principal()?;
        if role.admits(who.role) { Ok(()) } else { Err(self.forbid(who, caller.from, role).await) }
    }

    /// Returns the caller if the call is allowed, with its share of the requests in flight.
    pub(crate) async fn admit(
        &self,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<Peer>,
    ) -> Result<Caller, ApiError> {
        let proxies = &self.app.config.trusted_proxies;
        let from =
            peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| proxies.client(peer.address.ip(), headers));
        if self.role == Role::Public {
            let wire = self.app.dialects.of(&Client { who: None, credential: None, headers }, &self.app.auth);
            return Ok(Caller {
                who: None,
                from,
                action: self.action,
                place: None,
                wire,
                credential: None,
                role: self.role,
                agent: None,
            });
        }
        let credential = Credential::of(method, headers, peer)?;
        let who = credential.authenticate(&self.app.auth).await?;
        if !self.role.admits(who.role) {
            return Err(self.forbid(&who, from, self.role).await);
        }
        if !who.may_call(self.action) {
            self.app.auth.note_forbidden(&who, from, self.action, "bound to this call").await;
            return Err(ApiError::out_of_bounds(&who, "call", self.action));
        }
        let shares = &self.app.shares;
        let place = if self.counts { shares.enter(&who.name)? } else { shares.uncounted(&who.name) };
        let client = Client { who: Some(&who), credential: credential.bearer(), headers };
        let wire = self.app.dialects.of(&client, &self.app.auth);
        let (place, credential) = (Some(Arc::new(place)), Some(credential.kept()));
        let agent = agent(headers)?;
        Ok(Caller {
            who: Some(who),
            from,
            action: self.action,
            place,
            wire,
            credential,
            role: self.role,
            agent,
        })
    }
}

/// Credential of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// Access token or API key of the header `Authorization`.
    Bearer(&'a str),
    /// Secret of the page's session.
    Cookie(&'a str),
}

impl<'a> Credential<'a> {
    /// Returns the credential of a request. The cookie counts only where there is no other, and a change by
    /// it must come from the page.
    pub(crate) fn of(method: &Method, headers: &'a HeaderMap, peer: Option<Peer>) -> Result<Self, ApiError> {
        if headers.contains_key(header::AUTHORIZATION) {
            return bearer(headers).map(Credential::Bearer);
        }
        let peer = peer.ok_or_else(ApiError::no_credential)?;
        let secret = cookie::read(headers, peer.secure).ok_or_else(ApiError::no_credential)?;
        if !method.is_safe() {
            peer.site.must_be_own()?;
        }
        Ok(Credential::Cookie(secret))
    }

    /// Finds the principal that the credential belongs to now.
    pub(crate) async fn authenticate(self, auth: &Auth) -> Result<Principal, Denied> {
        match self {
            Credential::Bearer(credential) => auth.authenticate_fetching(credential).await,
            Credential::Cookie(secret) => auth.authenticate_page(secret).await,
        }
    }

    /// Keeps the credential beyond its request.
    fn kept(self) -> KeptCredential {
        match self {
            Credential::Bearer(credential) => KeptCredential::Bearer(credential.into()),
            Credential::Cookie(secret) => KeptCredential::Cookie(secret.into()),
        }
    }

    /// Returns the token or key, if it is one.
    fn bearer(self) -> Option<&'a str> {
        match self {
            Credential::Bearer(credential) => Some(credential),
            Credential::Cookie(_) => None,
        }
    }
}

/// Credential that outlives its request.
#[derive(Clone)]
enum KeptCredential {
    Bearer(Arc<str>),
    Cookie(Arc<str>),
}

impl KeptCredential {
    fn borrowed(&self) -> Credential<'_> {
        match self {
            KeptCredential::Bearer(credential) => Credential::Bearer(credential),
            KeptCredential::Cookie(secret) => Credential::Cookie(secret),
        }
    }
}

/// Returns the agent that the header `Longhaul-Agent` names: a program that decides by itself what it asks
/// for, such as a language model. The audit log tells its changes from those of the person whose credential
/// it has.
fn agent(headers: &HeaderMap) -> Result<Option<Arc<str>>, ApiError> {
    let Some(value) = headers.get(AGENT) else { return Ok(None) };
    let name = value.to_str().ok().map(str::trim).filter(|name| !name.is_empty() && name.len() <= 100);
    let wrong = || {
        ApiError::bad("INVALID_AGENT", "the header Longhaul-Agent takes 1 to 100 visible ASCII characters")
            .remedy("Send the name and version of the agent's program")
    };
    name.map(|name| Some(name.into())).ok_or_else(wrong)
}

/// The credential of the header. One header, one scheme, in any case (wire contract, 8.1).
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (given.next(), given.next()) else { return Err(ApiError::no_credential()) };
    let text = value.to_str().map_err(|_| ApiError::no_credential())?;
    let (scheme, credential) = text.trim().split_once(' ').ok_or_else(ApiError::no_credential)?;
    let credential = credential.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") && !credential.is_empty() {
        Ok(credential)
    } else {
        Err(ApiError::no_credential())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.ok_or_else(|| ApiError::internal("a handler without its layer of access"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_is_one_of_one_scheme() {
        let read = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(str::to_owned).ok()
        };
        for good in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(read(&[good]).as_deref(), Some("abc"), "{good}");
        }
        for bad in [&["Basic abc"][..], &["Bearer"], &["Bearer "], &["abc"], &[], &["Bearer a", "Bearer b"]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
