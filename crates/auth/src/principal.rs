//! Who it is, once that is known; and which names accounts may have.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

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

/// May an account have this name? 1 to 64 letters, digits and `. _ @ \ - +`; not what would mean something else in a
/// path.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || br"._@\-+".contains(&c);
    (1..=64).contains(&name.len())
        && name.bytes().all(plain)
        && !matches!(name, "." | "..")
        && !name.eq_ignore_ascii_case("me")
}

/// May somebody whom another issuer knows have this name? Anything readable on one line.
pub(crate) fn is_external_name(name: &str) -> bool {
    (1..=128).contains(&name.chars().count()) && !name.chars().any(char::is_control) && name.trim() == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let longest = "x".repeat(64);
        for good in ["a", "admin", "Anna.B-2_x+y@lab.local", r"LAB\anna", "...", longest.as_str()] {
            assert!(is_name(good), "{good}");
        }
        let too_long = "x".repeat(65);
        for bad in [
            "",
            ".",
            "..",
            "me",
            "ME",
            "a b",
            "a/b",
            "a%20",
            "ünal",
            "a\n",
            "a\0",
            "<b>",
            "a:b",
            too_long.as_str(),
        ] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn external_names_are_one_line() {
        for good in ["Ünal Öz", "a@b.c", "CN=anna,O=lab"] {
            assert!(is_external_name(good), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{7f}", &"x".repeat(129)] {
            assert!(!is_external_name(bad), "{bad:?}");
        }
    }
}
