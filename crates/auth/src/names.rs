//! Names: which an account may have, which somebody whom another issuer knows, and which look like others.

use unicode_normalization::UnicodeNormalization;
use unicode_security::{GeneralSecurityProfile, MixedScript, skeleton};

/// Names by which the server itself, or nobody, is known in the audit log and in paths.
const RESERVED: [&str; 9] =
    ["me", "server", "anonymous", "system", "longhaul", "nobody", "(no name)", "(API key)", "(ID token)"];

/// Returns true if an account may have this name: 1 to 64 letters, digits and `. _ @ \ - +`, and none that
/// would mean something else in a path.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || br"._@\-+".contains(&c);
    (1..=64).contains(&name.len())
        && name.bytes().all(plain)
        && !matches!(name, "." | "..")
        && !name.eq_ignore_ascii_case("me")
}

/// Returns true if a foreign issuer's user may have this name: one line of visible characters, each in its
/// usual form, and all letters of scripts that are written together.
pub(crate) fn is_external_name(name: &str) -> bool {
    (1..=128).contains(&name.chars().count())
        && name.trim() == name
        && name.chars().all(|c| matches!(c, ' '..='~') || c.identifier_allowed())
        && name.nfkc().eq(name.chars())
        && name.is_single_script()
}

/// Appearance of a name, in two ways of writing it; two names that share one can be taken for each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Looks {
    as_written: Box<str>,
    in_lower_case: Box<str>,
}

impl Looks {
    /// Returns the appearance of a name.
    pub(crate) fn of(name: &str) -> Looks {
        // Some small letters and digits look like large letters.
        let look = |text: &str| skeleton(text).collect::<String>().to_lowercase().into_boxed_str();
        Looks { as_written: look(name), in_lower_case: look(&name.to_lowercase()) }
    }

    /// Returns both forms, each with a flag that tells them apart.
    pub(crate) fn each(self) -> [(bool, Box<str>); 2] {
        [(false, self.as_written), (true, self.in_lower_case)]
    }
}

/// Returns true if a name is the server's own, or looks like it.
pub(crate) fn is_reserved(name: &str) -> bool {
    let looks = Looks::of(name);
    RESERVED.iter().map(|reserved| Looks::of(reserved)).any(|reserved| {
        reserved.in_lower_case == looks.in_lower_case || reserved.as_written == looks.as_written
    })
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
    fn external_names_are_one_line_in_its_usual_form() {
        for good in ["Ünal Öz", "a@b.c", "CN=anna,O=lab", "Анна", "田中さん", "O'Brien (ops)"] {
            assert!(is_external_name(good), "{good}");
        }
        for bad in ["", " a", "a ", "a\nb", "a\u{7f}", "\u{a0}a", &"x".repeat(129)] {
            assert!(!is_external_name(bad), "{bad:?}");
        }
    }

    /// Invisible characters and other forms of the same letter are refused at every place of a name.
    #[test]
    fn external_names_with_what_cannot_be_seen_are_refused() {
        let unseen = [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{e0001}',
            '\u{e0061}',
            '\u{85}',
            '\u{0}',
        ];
        for c in unseen {
            for place in 0..=5 {
                let mut name = "admin".to_owned();
                name.insert(place, c);
                assert!(!is_external_name(&name), "{name:?}");
            }
        }
        for other_form in
            ["ａｄｍｉｎ", "ﬁnn", "u\u{308}nal", "𝐚dmin", "ⅳan", "admi\u{306}n", "аdmin", "admіn", "αdmin"]
        {
            assert!(!is_external_name(other_form), "{other_form}");
        }
    }

    #[test]
    fn names_of_the_server_are_reserved_however_they_are_written() {
        for name in
            ["server", "Server", "SERVER", "anonymous", "An0nymous", "system", "systern", "1onghaul", "me"]
        {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["anna", "observer", "server2", "systems", "admin"] {
            assert!(!is_reserved(name), "{name}");
        }
        // All of one script, and yet the same to the eye.
        assert_eq!(Looks::of("ѕсоре").as_written, Looks::of("scope").as_written);
    }
}
