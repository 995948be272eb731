//! Identity from the environment. Half of one is an error: a command that a script means for one account must
//! not run with the rights of the account that logged in last.

use crate::exit::Failure;

/// Identity that a command presents to the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The owner of an access token or API key.
    Token(String),
    /// An account with its password.
    Password {
        /// Name of the account.
        user: String,
        /// Password of the account.
        password: String,
    },
    /// The account that logged in last.
    Session,
}

impl Identity {
    /// Returns the identity that `LONGHAUL_TOKEN`, `LONGHAUL_USER` and `LONGHAUL_PASSWORD` give, or an error
    /// if they are incomplete or unusable.
    pub(crate) fn given() -> Result<Self, Failure> {
        Self::of(|name| std::env::var_os(name)).map_err(Failure::Usage)
    }

    fn of(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, String> {
        let text = |name: &str| match variable(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Err(_)) => Err(format!("{name} is not UTF-8")),
            Some(Ok(text)) if text.trim().is_empty() => {
                Err(format!("{name} is set, but empty: give it a value, or unset it"))
            }
            Some(Ok(text)) => Ok(Some(text)),
        };
        match (text("LONGHAUL_TOKEN")?, text("LONGHAUL_USER")?, text("LONGHAUL_PASSWORD")?) {
            (_, Some(_), None) => {
                Err("LONGHAUL_USER is set without LONGHAUL_PASSWORD: set both, or neither".to_owned())
            }
            (_, None, Some(_)) => {
                Err("LONGHAUL_PASSWORD is set without LONGHAUL_USER: set both, or neither".to_owned())
            }
            (Some(token), ..) => Ok(Identity::Token(token)),
            (None, Some(user), Some(password)) => Ok(Identity::Password { user, password }),
            (None, None, None) => Ok(Identity::Session),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    /// Every combination of the three variables, each unset, blank, not UTF-8 or given.
    #[test]
    fn half_an_identity_is_an_error() {
        let states = [
            None,
            Some(OsString::new()),
            Some(" \t".into()),
            Some(OsString::from_vec(vec![0xff])),
            Some("x".into()),
        ];
        let index = |name: &str| {
            ["LONGHAUL_TOKEN", "LONGHAUL_USER", "LONGHAUL_PASSWORD"].iter().position(|n| *n == name)
        };
        for n in 0..states.len().pow(3) {
            let of = |k: usize| &states[n / states.len().pow(k as u32) % states.len()];
            let given = Identity::of(|name| of(index(name).unwrap()).clone());
            let readable = (0..3).all(|k| of(k).as_ref().is_none_or(|text| text == "x"));
            let whole = of(1).is_some() == of(2).is_some();
            assert_eq!(given.is_ok(), readable && whole, "{n}: {given:?}");
            if let Ok(identity) = given {
                let wanted = match (of(0), of(1)) {
                    (Some(_), _) => Identity::Token("x".to_owned()),
                    (None, Some(_)) => Identity::Password { user: "x".to_owned(), password: "x".to_owned() },
                    (None, None) => Identity::Session,
                };
                assert_eq!(identity, wanted, "{n}");
            }
        }
    }
}
