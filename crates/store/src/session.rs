//! Login sessions: each login creates a refresh token, and the session lasts as long as that token does. Only
//! the token's digest is stored; its first half is the public identity of the session, from which nobody can
//! compute the token.

use std::fmt;
use std::str::FromStr;

use longhaul_model::Timestamp;

/// The public identity of a session: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Returns the session whose refresh token has that digest.
    pub fn of(hash: &[u8; 32]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        SessionId(half)
    }

    /// Returns the least and the greatest digest of a session's refresh token.
    pub(crate) fn range(self) -> ([u8; 32], [u8; 32]) {
        let with = |rest: u8| {
            let mut hash = [rest; 32];
            hash[..16].copy_from_slice(&self.0);
            hash
        };
        (with(0), with(u8::MAX))
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for SessionId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(digits) {
            return Err(());
        }
        u128::from_str_radix(text, 16).map(|number| SessionId(number.to_be_bytes())).map_err(drop)
    }
}

/// A refresh token, of which only the digest is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// SHA-256 of the token's identity.
    pub hash: [u8; 32],
    /// Name of the account or external user that the token belongs to.
    pub user: String,
    /// Basis of the session.
    pub basis: Basis,
    /// Code of the kind of credential that was shown for it, unless an earlier version created it.
    pub means: Option<String>,
    /// Address where the login came from, unless an earlier version created it.
    pub origin: Option<String>,
    /// Time at which the token was created.
    pub created_at: Timestamp,
    /// Time at which the token expires.
    pub expires_at: Timestamp,
}

impl RefreshToken {
    /// Returns the session that the token belongs to.
    pub fn session(&self) -> SessionId {
        SessionId::of(&self.hash)
    }
}

/// Basis that a session rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// An account, in one of its epochs.
    Account {
        /// The epoch.
        epoch: i64,
    },
    /// A foreign issuer.
    External {
        /// Code of the role that the issuer granted.
        role: String,
        /// The issuer, unless an earlier version wrote this.
        issuer: Option<String>,
        /// Roles of the issuer that counted, by its own names.
        granted: Vec<String>,
    },
}

/// Columns of a [`Basis`]: epoch, role, issuer, granted roles in JSON.
pub(crate) type Columns = (Option<i64>, Option<String>, Option<String>, Option<String>);

impl Basis {
    pub(crate) fn columns(&self) -> Columns {
        match self {
            Basis::Account { epoch } => (Some(*epoch), None, None, None),
            Basis::External { role, issuer, granted } => {
                let granted = serde_json::Value::from(granted.as_slice()).to_string();
                (None, Some(role.clone()), issuer.clone(), Some(granted))
            }
        }
    }

    /// Reads the basis of a row; the error describes the mistake in the row.
    pub(crate) fn read((epoch, role, issuer, granted): Columns) -> Result<Self, String> {
        match (epoch, role) {
            (Some(epoch), None) => Ok(Basis::Account { epoch }),
            (None, Some(role)) => {
                let granted = granted.map_or(Ok(Vec::new()), |text| serde_json::from_str(&text));
                let granted = granted.map_err(|e| format!("the granted roles of a session: {e}"))?;
                Ok(Basis::External { role, issuer, granted })
            }
            _ => Err("a session of `refresh_tokens` rests on nothing".to_owned()),
        }
    }
}

/// Owner by which sessions are selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Any owner.
    #[default]
    Anybody,
    /// Owners of that name, in any case: an account, or a user of a foreign issuer.
    Named(String),
    /// Exactly one principal.
    Of {
        /// Name as it is written.
        name: String,
        /// True if another issuer vouches for the name.
        external: bool,
    },
}

/// A query for sessions, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// Owner of the sessions.
    pub whose: Whose,
    /// Selects sessions that last beyond this time.
    pub now: Timestamp,
    /// Number of sessions to skip.
    pub offset: u64,
    /// Maximum number of sessions.
    pub limit: u32,
}

/// Sessions and the exact total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionPage {
    /// Refresh tokens of the sessions.
    pub sessions: Vec<RefreshToken>,
    /// Number of sessions that match.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_is_read_as_it_is_written() {
        for hash in [[0; 32], [0xff; 32], std::array::from_fn(|n| n as u8 * 7)] {
            let id = SessionId::of(&hash);
            assert_eq!((id.to_string().len(), id.to_string().parse()), (32, Ok(id)));
            let (least, greatest) = id.range();
            assert!((least..=greatest).contains(&hash));
        }
        for bad in ["", "0", "+0000000000000000000000000000000", "0000000000000000000000000000000G"] {
            assert_eq!(bad.parse::<SessionId>(), Err(()), "{bad}");
        }
        assert!("ABCDEF00000000000000000000000000".parse::<SessionId>().is_err(), "one form only");
    }

    #[test]
    fn basis_is_read_as_it_is_written() {
        let external = |issuer: Option<&str>, granted: &[&str]| Basis::External {
            role: "VIEWER".to_owned(),
            issuer: issuer.map(str::to_owned),
            granted: granted.iter().map(|&role| role.to_owned()).collect(),
        };
        for basis in [
            Basis::Account { epoch: -1 },
            external(None, &[]),
            external(Some("https://a"), &["\"quoted\"", "b, c"]),
        ] {
            assert_eq!(Basis::read(basis.columns()), Ok(basis));
        }
        for nothing in [(None, None), (Some(1), Some("ADMIN".to_owned()))] {
            assert!(Basis::read((nothing.0, nothing.1, None, None)).is_err());
        }
        assert!(Basis::read((None, Some("ADMIN".to_owned()), None, Some("{".to_owned()))).is_err());
    }
}
