//! Two processes with one set of signing keys.

use std::path::Path;

use super::*;
use crate::keyring::Rotation;

const HOUR: i64 = 3_600_000;
const ROTATION: Rotation = Rotation { after: 720 * HOUR as u64, keep: 2 * HOUR as u64 };
const NOW: i64 = 1_700_000_000_000;

/// Two rings of copies of one file, the second long out of date.
fn two(directory: &Path) -> (Keyring, Keyring) {
    let (path, copy) = (directory.join("a"), directory.join("b"));
    drop(Keyring::open(&path, ROTATION, NOW - 2000 * HOUR).expect("a ring"));
    std::fs::copy(&path, &copy).expect("copied");
    let open = |path: &Path| Keyring::open_to_share(path, ROTATION, NOW).expect("a ring");
    (open(&path), open(&copy))
}

#[test]
fn what_one_signs_the_other_knows_at_every_moment() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, second) = two(directory.path());
    let mut kept = first.shared_keys().expect("sealed");
    second.adopt(&kept).expect("adopted");
    let mut now = NOW;
    let known = |signer: &Keyring, verifier: &Keyring, now: i64| {
        let key = signer.signer(now);
        verifier.verify(key.id(), b"message", &key.sign(b"message"), now)
    };
    let mut ids = std::collections::HashSet::new();
    for minute in 0..3000 {
        now += 60_000;
        // One of them looks first; the other one half a minute later.
        let (early, late) = if minute % 2 == 0 { (&first, &second) } else { (&second, &first) };
        if let Some(newer) = early.renewed(&kept, now, minute == 1500).expect("opened") {
            kept = newer;
        }
        early.adopt(&kept).expect("adopted");
        assert!(known(early, late, now) && known(late, early, now), "minute {minute}");
        late.adopt(&kept).expect("adopted");
        ids.insert(first.signer(now).id().to_owned());
        assert_eq!(first.signer(now).id(), second.signer(now).id());
    }
    // The old one, its replacement, and the one that was wished for.
    assert_eq!(ids.len(), 3);
}

#[test]
fn replaced_key_verifies_until_what_it_signed_is_over() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, _) = two(directory.path());
    let old = first.signer(NOW);
    let kept =
        first.renewed(&first.shared_keys().expect("sealed"), NOW, true).expect("opened").expect("renewed");
    first.adopt(&kept).expect("adopted");
    assert_eq!(first.signer(NOW + LEAD - 1).id(), old.id());
    assert_ne!(first.signer(NOW + LEAD).id(), old.id());
    let last = NOW + LEAD + 2 * HOUR - 1;
    let verifies = |at| first.verify(old.id(), b"m", &old.sign(b"m"), at);
    assert!(verifies(last) && !verifies(last + 1));
    assert!(first.renewed(&kept, last, false).expect("opened").is_none());
    assert!(first.renewed(&kept, last + 1, false).expect("opened").is_some());
}

#[test]
fn keys_of_another_ring_are_refused_and_change_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, _) = two(directory.path());
    let other = Keyring::open(&directory.path().join("c"), ROTATION, NOW).expect("a ring");
    let before = first.signer(NOW).id().to_owned();
    for kept in [other.shared_keys().expect("sealed"), "nonsense".to_owned()] {
        let refused = first.adopt(&kept).expect_err("it is taken").to_string();
        assert!(refused.contains("signing keys"), "{refused}");
    }
    assert_eq!(first.signer(NOW).id(), before);
}
