//! Sealed values open with their key and in their place, and nowhere else.

use super::*;
use crate::keyring::{Keyring, Rotation};

const ROTATION: Rotation = Rotation { after: 1_000_000, keep: 1000 };

fn ring() -> (tempfile::TempDir, Keyring) {
    let directory = tempfile::tempdir().expect("a directory");
    let ring = Keyring::open(&directory.path().join("keys.json"), ROTATION, 0).expect("a ring");
    (directory, ring)
}

#[test]
fn opens_in_its_place_only() {
    let (_directory, ring) = ring();
    let sealer = ring.sealer();
    for plain in ["", "s", "a longer secret, with ümlauts and \0 in it"] {
        let sealed = sealer.seal(plain.as_bytes(), b"task 1/password");
        assert_eq!(sealer.open(&sealed, b"task 1/password").expect("opens").as_slice(), plain.as_bytes());
        assert_eq!(sealer.open(&sealed, b"task 2/password"), Err(SealError::Damaged));
        assert!(plain.len() < 2 || !sealed.contains(plain));
    }
    assert_ne!(sealer.seal(b"same", b""), sealer.seal(b"same", b""), "each has its own nonce");
}

#[test]
fn every_changed_bit_is_noticed() {
    let (_directory, ring) = ring();
    let sealer = ring.sealer();
    let sealed = sealer.seal(b"secret", b"here");
    let (id, text) = sealed.split_once('.').expect("two parts");
    let whole = base64url::decode(text).expect("base64url");
    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = format!("{id}.{}", base64url::encode(&changed));
        assert_eq!(sealer.open(&changed, b"here"), Err(SealError::Damaged), "bit {bit}");
    }
    for cut in 0..whole.len() {
        let cut = format!("{id}.{}", base64url::encode(&whole[..cut]));
        assert_eq!(sealer.open(&cut, b"here"), Err(SealError::Damaged));
    }
    for garbled in ["", "secret", &format!("{id}."), &format!("{id}.%%%"), &format!("{sealed}=")] {
        assert_eq!(sealer.open(garbled, b"here"), Err(SealError::Damaged), "{garbled}");
    }
}

#[test]
fn key_of_another_ring_is_named() {
    let ((_one, ring), (_two, other)) = (ring(), ring());
    let sealed = ring.sealer().seal(b"secret", b"");
    let Err(SealError::UnknownKey(id)) = other.sealer().open(&sealed, b"") else { panic!("it opened") };
    assert!(sealed.starts_with(&id));
}

#[test]
fn older_keys_open_and_the_newest_seals() {
    let (directory, ring) = ring();
    let old = ring.sealer().seal(b"secret", b"");
    // As an operator would add one: the last of the list is the one in use.
    let path = directory.path().join("keys.json");
    let mut file: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("readable")).expect("JSON");
    let key = serde_json::json!({ "id": "s-new", "createdAt": 1, "secret": crate::random::token::<32>() });
    file["sealing"].as_array_mut().expect("a list").push(key);
    std::fs::write(&path, file.to_string()).expect("written");
    let sealer = Keyring::open(&path, ROTATION, 1).expect("a ring").sealer();
    assert_eq!(sealer.open(&old, b"").expect("opens").as_slice(), b"secret");
    assert!(sealer.seal(b"secret", b"").starts_with("s-new."));
}
