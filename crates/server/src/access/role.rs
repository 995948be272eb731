//! Roles that calls require.

/// Requirement of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Any caller, without a token.
    Public,
    /// Any caller with a token, of any role.
    Known,
    /// Callers who may read.
    Viewer,
    /// Callers who may start, retry, cancel and decide.
    Operator,
    /// Callers who may change workflows, settings and accounts.
    Admin,
    /// Callers who do the work of sub-tasks.
    Worker,
}

impl Role {
    /// Name of the requirement, as messages and the document have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Public => "PUBLIC",
            Role::Known => "KNOWN",
            Role::Viewer => "VIEWER",
            Role::Operator => "OPERATOR",
            Role::Admin => "ADMIN",
            Role::Worker => "WORKER",
        }
    }

    /// Returns true if a caller of that role may call the route.
    pub fn admits(self, who: longhaul_auth::Role) -> bool {
        use longhaul_auth::Role as Held;
        match self {
            Role::Public | Role::Known => true,
            Role::Viewer => who.covers(Held::Viewer),
            Role::Operator => who.covers(Held::Operator),
            Role::Admin => who.covers(Held::Admin),
            Role::Worker => who.covers(Held::Worker),
        }
    }
}
