//! Roles: four sets of rights.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A role. VIEWER, OPERATOR and ADMIN each may do what the one before may; WORKER stands apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sees tasks, with secrets left out.
    Viewer,
    /// Starts, retries, cancels and decides.
    Operator,
    /// All rights.
    Admin,
    /// Leases attempts and reports their results, nothing else.
    Worker,
}

/// A text that names no role.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("this is not a role: use VIEWER, OPERATOR, ADMIN or WORKER")]
pub struct BadRole;

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Operator, Role::Admin, Role::Worker];

    /// Name of the role on the wire and in the store.
    pub fn code(self) -> &'static str {
        match self {
            Role::Viewer => "VIEWER",
            Role::Operator => "OPERATOR",
            Role::Admin => "ADMIN",
            Role::Worker => "WORKER",
        }
    }

    /// Returns true if this role includes the rights of that one.
    pub fn covers(self, needed: Role) -> bool {
        match self {
            Role::Admin => true,
            Role::Operator => matches!(needed, Role::Operator | Role::Viewer),
            Role::Viewer => needed == Role::Viewer,
            Role::Worker => needed == Role::Worker,
        }
    }

    /// The names of what it may do as other programs know them from access tokens. For information: nothing
    /// here decides by them.
    pub fn scopes(self) -> &'static [&'static str] {
        match self {
            Role::Viewer => &["OTHER_READ"],
            Role::Operator => &["OTHER_READ", "OTHER_WRITE", "BACKUP_CONFIG_READ"],
            Role::Admin => &[
                "BACKUP_CONFIG_READ",
                "BACKUP_CONFIG_WRITE",
                "CREDENTIAL_READ",
                "CREDENTIAL_WRITE",
                "USER_READ",
                "USER_WRITE",
                "OTHER_READ",
                "OTHER_WRITE",
            ],
            Role::Worker => &[],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Role::ALL.into_iter().find(|role| role.code().eq_ignore_ascii_case(text));
        found.ok_or(BadRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_what() {
        use Role::*;
        let may =
            |role: Role| Role::ALL.into_iter().filter(|needed| role.covers(*needed)).collect::<Vec<_>>();
        assert_eq!(may(Viewer), [Viewer]);
        assert_eq!(may(Operator), [Viewer, Operator]);
        assert_eq!(may(Admin), [Viewer, Operator, Admin, Worker]);
        assert_eq!(may(Worker), [Worker]);
    }

    #[test]
    fn names_are_read_in_any_case() {
        for role in Role::ALL {
            assert_eq!(role.code().parse(), Ok(role));
            assert_eq!(role.code().to_lowercase().parse(), Ok(role));
        }
        let refusal = "ROOT".parse::<Role>().expect_err("no role");
        assert!(refusal.to_string().contains("VIEWER, OPERATOR, ADMIN or WORKER"));
        assert_eq!(longhaul_store::ADMIN, Role::Admin.code(), "the store keeps one of these");
    }
}
