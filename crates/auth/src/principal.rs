//! Who it is, once that is known.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use longhaul_store::SessionId;

use crate::bounds::Bounds;
use crate::role::Role;

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its name.
    pub name: Arc<str>,
    /// What it may do now.
    pub role: Role,
    /// What it is.
    pub kind: Kind,
    /// What narrows the role of a worker.
    pub bounds: Option<Arc<Bounds>>,
    /// The session that it came with; none with an API key, or with a token of another issuer.
    pub session: Option<SessionId>,
}

impl Principal {
    /// Somebody with all of a role.
    pub fn new(name: impl Into<Arc<str>>, role: Role, kind: Kind) -> Self {
        Principal { name: name.into(), role, kind, bounds: None, session: None }
    }

    /// Whether it may work on a queue, so far as its role lets it work at all.
    pub fn may_work_on(&self, queue: &str) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.allow_queue(queue))
    }

    /// Whether it may make a call, so far as its role lets it.
    pub fn may_call(&self, action: &str) -> bool {
        self.bounds.as_ref().is_none_or(|bounds| bounds.allow_action(action))
    }
}

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person with an account here.
    User,
    /// A program with an account here, which comes in with API keys.
    Service,
    /// Somebody whom another issuer knows.
    External,
}

impl Kind {
    /// Its name on the wire and in the store.
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
