//! Principals: identities that were authenticated.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use longhaul_store::SessionId;

use crate::bounds::Bounds;
use crate::role::Role;

/// Authenticated identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the principal.
    pub name: Arc<str>,
    /// Current role.
    pub role: Role,
    /// Kind of the principal.
    pub kind: Kind,
    /// Bounds that narrow the role of a worker.
    pub bounds: Option<Arc<Bounds>>,
    /// The session that it came with; none with an API key, or with a token of another issuer.
    pub session: Option<SessionId>,
}

impl Principal {
    /// Creates a principal with a whole role and no session.
    pub fn new(name: impl Into<Arc<str>>, role: Role, kind: Kind) -> Self {
        Principal { name: name.into(), role, kind, bounds: None, session: None }
    }

    /// Returns true unless bounds keep the principal from a queue; the role is checked elsewhere.
    pub fn may_work_on(&self, queue: &str) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.allow_queue(queue))
    }

    /// Returns true unless bounds keep the principal from a call; the role is checked elsewhere.
    pub fn may_call(&self, action: &str) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.allow_action(action))
    }
}

/// Kind of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person with an account here.
    User,
    /// A program with an account here, which comes in with API keys.
    Service,
    /// User of the foreign issuer.
    External,
}

impl Kind {
    /// Name of the kind on the wire and in the store.
    pub fn code(self) -> &'static str {
        match self {
            Kind::User => "USER",
            Kind::Service => "SERVICE",
            Kind::External => "EXTERNAL",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Kind::User, Kind::Service, Kind::External];
        all.into_iter().find(|kind| kind.code().eq_ignore_ascii_case(text)).ok_or(())
    }
}
