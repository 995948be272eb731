//! Bounds of an account: what of its role's calls it may make, and on which queues. They narrow the role
//! WORKER, and no other has any.

use serde::{Deserialize, Serialize};

/// Entries of one list, at the most.
const MOST: usize = 64;
/// Bytes of one entry, at the most.
const LONGEST: usize = 100;

/// Bounds of a worker's account. An absent list bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Names of queues, in which `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<String>>,
    /// Names of calls, each an `operationId` of the API's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<Vec<String>>,
}

impl Bounds {
    /// Returns true if the account may work on a queue.
    pub fn allow_queue(&self, name: &str) -> bool {
        self.queues.as_ref().is_none_or(|all| all.iter().any(|pattern| fits(pattern, name)))
    }

    /// Returns true if the account may make a call.
    pub fn allow_action(&self, name: &str) -> bool {
        self.actions.as_ref().is_none_or(|all| all.iter().any(|action| action == name))
    }

    /// Returns true if nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.queues.is_none() && self.actions.is_none()
    }

    /// Returns these bounds, with the lists that `other` has in place of their own.
    pub(crate) fn with(self, other: Bounds) -> Bounds {
        Bounds { queues: other.queues.or(self.queues), actions: other.actions.or(self.actions) }
    }

    /// The member that cannot be kept, if one cannot, and what is wrong with it.
    pub(crate) fn mistake(&self) -> Option<(&'static str, &'static str)> {
        let sizes = |list: &[String]| {
            (1..=MOST).contains(&list.len()) && list.iter().all(|one| (1..=LONGEST).contains(&one.len()))
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
        let queues = self.queues.as_deref().unwrap_or_default();
        if self.queues.is_some() && (!sizes(queues) || !queues.iter().flat_map(|one| one.chars()).all(plain))
        {
            return Some((
                "queues",
                "name 1 to 64 queues, in which `*` stands for any text; [\"*\"] is every queue",
            ));
        }
        let actions = self.actions.as_deref().unwrap_or_default();
        if self.actions.is_some() && !sizes(actions) {
            return Some(("actions", "name 1 to 64 calls, each an `operationId` of the API's description"));
        }
        None
    }

    /// Returns the stored form; `None` if nothing is bound.
    pub(crate) fn written(&self) -> Option<String> {
        // Lists of texts always have a form in JSON.
        (!self.is_empty()).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads what [`Bounds::written`] wrote; nothing else is taken for bounds, as it would let an account do
    /// more.
    pub(crate) fn read(text: &str) -> Option<Bounds> {
        serde_json::from_str(text).ok().filter(|bounds: &Bounds| !bounds.is_empty())
    }
}

/// Returns true if a name matches a pattern, in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The first place leaves most to those that follow.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compared with the plainest form of the rule, on all short patterns and names.
    #[test]
    fn patterns_mean_what_they_say() {
        fn plainly(pattern: &[u8], name: &[u8]) -> bool {
            match pattern.split_first() {
                None => name.is_empty(),
                Some((b'*', rest)) => (0..=name.len()).any(|n| plainly(rest, &name[n..])),
                Some((c, rest)) => name.first() == Some(c) && plainly(rest, &name[1..]),
            }
        }
        let words = |letters: &[u8], longest: u32| {
            let mut all = vec![String::new()];
            for _ in 0..longest {
                let longer: Vec<String> = all
                    .iter()
                    .flat_map(|word| letters.iter().map(move |c| format!("{word}{}", char::from(*c))))
                    .collect();
                all.extend(longer);
            }
            all
        };
        for pattern in words(b"ab*", 4) {
            for name in words(b"ab", 4) {
                assert_eq!(
                    fits(&pattern, &name),
                    plainly(pattern.as_bytes(), name.as_bytes()),
                    "{pattern} {name}"
                );
            }
        }
    }

    #[test]
    fn bounds_are_read_as_they_are_written() {
        let some = Bounds { queues: Some(vec!["a*".to_owned()]), actions: None };
        assert_eq!(Bounds::read(&some.written().unwrap()), Some(some.clone()));
        assert_eq!(Bounds::default().written(), None);
        for damaged in ["", "{", "{}", "[]", "{\"queue\":[]}", "{\"queues\":7}"] {
            assert_eq!(Bounds::read(damaged), None, "{damaged}");
        }
        assert!(some.allow_queue("ab") && !some.allow_queue("b") && some.allow_action("x"));
    }
}
