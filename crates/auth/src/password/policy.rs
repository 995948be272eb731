//! Policy for passwords: long ones that are not among the first to be guessed. No rules of composition, which
//! make passwords worse.

use thiserror::Error;

/// Characters, at the least.
const SHORTEST: usize = 12;
/// Bytes, at the most: longer ones only cost time.
pub(crate) const LONGEST: usize = 1024;

/// Reason for which a password is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Weak {
    /// Too few characters.
    #[error("a password has at least {SHORTEST} characters")]
    Short,
    /// Too many bytes.
    #[error("a password has at most {LONGEST} bytes")]
    Long,
    /// The password is among the first to be guessed.
    #[error("this password is among the first that anybody tries: choose another")]
    Common,
    /// The password is the account's name.
    #[error("a password is not the account's name")]
    Name,
}

/// The usual ones of twelve characters and more, in lower case; shorter ones are refused anyway.
const COMMON: &str = include_str!("common.txt");

/// Returns an error unless the account may have this password.
pub(crate) fn check(name: &str, password: &str) -> Result<(), Weak> {
    if password.len() > LONGEST {
        return Err(Weak::Long);
    }
    if password.chars().count() < SHORTEST {
        return Err(Weak::Short);
    }
    let lower = password.to_lowercase();
    if lower == name.to_lowercase() {
        return Err(Weak::Name);
    }
    if COMMON.lines().any(|common| common == lower) || repeats(&lower) {
        return Err(Weak::Common);
    }
    Ok(())
}

/// Returns true for one to four characters over and over, such as `abcabcabcabc`.
fn repeats(password: &str) -> bool {
    let characters: Vec<char> = password.chars().collect();
    (1..=4).any(|unit| characters.iter().skip(unit).eq(characters[..characters.len() - unit].iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_unusual_passwords_are_allowed() {
        let longest = "x1".repeat(100) + "y" + &"z!".repeat(411);
        for good in
            ["a horse of 12", "ÄÖÜäöüß€µ§%&", "Tr0ub4dor&3x", "not-the-administrator", longest.as_str()]
        {
            assert_eq!(check("administrator", good), Ok(()), "{good}");
        }
    }

    #[test]
    fn others_are_refused_with_the_reason() {
        let over = "x".repeat(LONGEST + 1);
        for (bad, why) in [
            ("", Weak::Short),
            ("eleven char", Weak::Short),
            ("ÄÖÜäöüß€µ§%", Weak::Short),
            (over.as_str(), Weak::Long),
            ("Anna.Becker-2", Weak::Name),
            ("anna.becker-2", Weak::Name),
            ("Password1234", Weak::Common),
            ("VMware1!VMware1!", Weak::Common),
            ("aaaaaaaaaaaa", Weak::Common),
            ("abcabcabcabca", Weak::Common),
            ("Ab1!ab1!AB1!", Weak::Common),
        ] {
            assert_eq!(check("anna.becker-2", bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn list_has_only_what_the_length_lets_through() {
        for common in COMMON.lines() {
            assert_eq!(common.to_lowercase(), common);
            assert!(common.chars().count() >= SHORTEST, "{common}");
            assert_eq!(check("", common), Err(Weak::Common), "{common}");
        }
        assert!(COMMON.lines().count() > 80);
    }
}
