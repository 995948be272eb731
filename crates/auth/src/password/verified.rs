//! Passwords that were right a moment ago: a client that logs in before every call does not pay for a hash
//! each time. What is kept is a keyed digest of name, password and address, together with the hash that the
//! password matched. The entry is worth nothing once the account has another hash; and nobody from elsewhere
//! profits from it.

use std::collections::HashMap;
use std::net::IpAddr;

use longhaul_crypto::digest::HmacKey;
use longhaul_model::Timestamp;
use parking_lot::Mutex;

use crate::throttle::network;

/// Time for which a proof is remembered, in milliseconds.
const LIFE: i64 = 300_000;
/// Entries, at the most.
const MOST: usize = 10_000;

pub(crate) struct Verified {
    /// Key of this process: the remembered proofs are of no use elsewhere.
    key: HmacKey,
    entries: Mutex<HashMap<[u8; 32], Entry>>,
}

struct Entry {
    name: Box<str>,
    hash: Box<str>,
    until: i64,
}

/// Key of an entry.
pub(crate) struct Proof([u8; 32]);

impl Verified {
    pub(crate) fn new() -> Self {
        Verified { key: HmacKey::random(), entries: Mutex::new(HashMap::new()) }
    }

    /// Returns the proof of a name, a password and an address.
    pub(crate) fn proof(&self, name: &str, password: &str, from: IpAddr) -> Proof {
        let (name, from) = (name.to_ascii_lowercase(), network(from).to_string());
        Proof(self.key.sign_parts(&[name.as_bytes(), password.as_bytes(), from.as_bytes()]))
    }

    /// Returns true if the password was right lately, for the account's present hash.
    pub(crate) fn holds(&self, proof: &Proof, hash: &str, now: Timestamp) -> bool {
        let entries = self.entries.lock();
        entries.get(&proof.0).is_some_and(|entry| *entry.hash == *hash && now.0 < entry.until)
    }

    /// Remembers that the password was right for this hash.
    pub(crate) fn remember(&self, proof: Proof, name: &str, hash: &str, now: Timestamp) {
        let mut entries = self.entries.lock();
        if entries.len() >= MOST {
            entries.retain(|_, entry| now.0 < entry.until);
        }
        if entries.len() >= MOST {
            // Thousands of pairs within minutes: they pay for their hashes again.
            entries.clear();
        }
        let entry = Entry { name: name.to_ascii_lowercase().into(), hash: hash.into(), until: now.0 + LIFE };
        entries.insert(proof.0, entry);
    }

    /// Forgets all of one account.
    pub(crate) fn forget(&self, name: &str) {
        self.entries.lock().retain(|_, entry| !entry.name.eq_ignore_ascii_case(name));
    }

    /// Forgets what is over.
    pub(crate) fn tidy(&self, now: Timestamp) {
        self.entries.lock().retain(|_, entry| now.0 < entry.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn at(ms: i64) -> Timestamp {
        Timestamp(NOW.0 + ms)
    }

    #[test]
    fn holds_for_the_same_name_password_address_and_hash() {
        let verified = Verified::new();
        verified.remember(verified.proof("Anna", "secret", HERE), "Anna", "hash", NOW);
        let holds = |name, password, from, hash, now| {
            verified.holds(&verified.proof(name, password, from), hash, now)
        };
        assert!(holds("anna", "secret", HERE, "hash", at(LIFE - 1)));
        assert!(!holds("anna", "secret", HERE, "hash", at(LIFE)));
        assert!(!holds("anna", "secret", HERE, "other", NOW));
        assert!(!holds("anna", "secret", THERE, "hash", NOW));
        assert!(!holds("anna", "Secret", HERE, "hash", NOW));
        assert!(!holds("bert", "secret", HERE, "hash", NOW));
    }

    #[test]
    fn accounts_are_forgotten_alone() {
        let verified = Verified::new();
        for name in ["anna", "bert"] {
            verified.remember(verified.proof(name, "secret", HERE), name, "hash", NOW);
        }
        verified.forget("ANNA");
        assert!(!verified.holds(&verified.proof("anna", "secret", HERE), "hash", NOW));
        assert!(verified.holds(&verified.proof("bert", "secret", HERE), "hash", NOW));
        verified.tidy(at(LIFE));
        assert_eq!(verified.entries.lock().len(), 0);
    }

    #[test]
    fn memory_is_bounded() {
        let verified = Verified::new();
        for n in 0..MOST + 10 {
            verified.remember(verified.proof("anna", &n.to_string(), HERE), "anna", "hash", NOW);
        }
        assert!(verified.entries.lock().len() <= MOST);
        assert!(verified.holds(&verified.proof("anna", &(MOST + 9).to_string(), HERE), "hash", NOW));
    }
}
