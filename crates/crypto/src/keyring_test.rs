//! The key file is private, survives, and rotates without anybody noticing.

use std::os::unix::fs::PermissionsExt;

use super::*;

const DAY: i64 = 86_400_000;
const ROTATION: Rotation = Rotation { after: 30 * DAY as u64, keep: 2 * 3_600_000 };
const NOW: i64 = 1_700_000_000_000;

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("data").join("keys.json");
    (directory, path)
}

fn open(path: &Path, now: i64) -> Keyring {
    Keyring::open(path, ROTATION, now).expect("a ring")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}

#[test]
fn file_is_made_once_and_for_its_owner_only() {
    let (_directory, path) = place();
    let first = open(&path, NOW);
    assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
    let signature = first.signer(NOW).sign(b"message");
    let sealed = first.sealer().seal(b"secret", b"here");
    let fingerprint = first.sealer().fingerprint(&[b"a"]);
    let again = open(&path, NOW + 1);
    assert!(again.verify(first.signer(NOW).id(), b"message", &signature, NOW));
    assert_eq!(again.sealer().open(&sealed, b"here").expect("opens").as_slice(), b"secret");
    assert_eq!(again.sealer().fingerprint(&[b"a"]), fingerprint);
    let text = std::fs::read_to_string(&path).expect("readable");
    let ids: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(ids["format"], 1);
    assert_eq!(ids["signing"][0]["id"], first.signer(NOW).id());
    assert_eq!(std::fs::read_dir(path.parent().expect("a folder")).expect("readable").count(), 1);
}

#[test]
fn file_is_made_once_by_many_at_once() {
    let (_directory, path) = place();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path, NOW).id())).collect();
        all.into_iter().map(|one| one.join().expect("a ring")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(std::fs::read_dir(path.parent().expect("a folder")).expect("readable").count(), 1);
}

#[test]
fn file_that_others_may_read_is_refused() {
    let (_directory, path) = place();
    drop(open(&path, NOW));
    for exposed in [0o640, 0o604, 0o660, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(exposed)).expect("set");
        let Err(refusal) = Keyring::open(&path, ROTATION, NOW) else { panic!("mode {exposed:o} was let in") };
        let text = refusal.to_string();
        assert!(text.contains(&format!("{exposed:04o}")) && text.contains("chmod 600"), "{text}");
    }
    let folder = path.parent().expect("a folder");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("set");
    for open in [0o720, 0o702, 0o777] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(open)).expect("set");
        let Err(refusal) = Keyring::open(&path, ROTATION, NOW) else { panic!("folder {open:o} was let in") };
        assert!(refusal.to_string().contains(&format!("chmod go-w {}", folder.display())), "{refusal}");
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).expect("set");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).expect("set");
    drop(open(&path, NOW));
}

#[test]
fn damaged_file_is_refused_and_left_alone() {
    let (_directory, path) = place();
    drop(open(&path, NOW));
    let sound = std::fs::read_to_string(&path).expect("readable");
    let short = sound.replacen("\"secret\": \"", "\"secret\": \"A", 1);
    let future = sound.replace("\"format\": 1", "\"format\": 2");
    for (damaged, why) in [
        (String::new(), "EOF"),
        ("{}".into(), "missing field"),
        (sound[..sound.len() / 2].to_owned(), "EOF"),
        (short, "32 bytes"),
        (future, "format 2"),
        (
            r#"{"format":1,"signing":[],"sealing":[],"fingerprint":{"id":"f","createdAt":0,"secret":""}}"#
                .into(),
            "no key",
        ),
    ] {
        std::fs::write(&path, &damaged).expect("written");
        let Err(refusal) = Keyring::open(&path, ROTATION, NOW) else { panic!("{damaged} was taken") };
        let text = refusal.to_string();
        assert!(text.contains(why) && text.contains("keys.json"), "{text}");
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), damaged);
    }
}

#[test]
fn replaced_key_verifies_until_what_it_signed_is_over() {
    let (_directory, path) = place();
    let ring = open(&path, NOW);
    let old = ring.signer(NOW);
    let signature = old.sign(b"message");
    ring.rotate(NOW + DAY).expect("rotated");
    assert_ne!(ring.signer(NOW).id(), old.id());
    let verifies = |ring: &Keyring, at| ring.verify(old.id(), b"message", &signature, at);
    let last = NOW + DAY + ROTATION.keep as i64 - 1;
    assert!(verifies(&ring, NOW + DAY) && verifies(&ring, last));
    assert!(!verifies(&ring, last + 1), "it counts no more, though it is in the file still");
    // Also by a process that started later, and gone for good once it is taken out.
    assert!(verifies(&open(&path, last), last));
    assert!(!ring.rotate_if_due(last + 1).expect("checked"), "nothing new is made for that");
    assert!(!std::fs::read_to_string(&path).expect("readable").contains(old.id()));
    assert!(!verifies(&ring, last));
}

#[test]
fn keys_rotate_when_they_are_old_enough() {
    let (_directory, path) = place();
    let ring = open(&path, NOW);
    let first = ring.signer(NOW);
    assert!(!ring.rotate_if_due(NOW + 30 * DAY - 1).expect("checked"));
    assert_eq!(ring.signer(NOW).id(), first.id());
    assert!(ring.rotate_if_due(NOW + 30 * DAY).expect("checked"));
    assert_ne!(ring.signer(NOW).id(), first.id());
    // At start too; and a key of a clock that was wrong does not sign for ever.
    let second = ring.signer(NOW);
    let late = open(&path, NOW + 61 * DAY);
    assert_ne!(late.signer(NOW).id(), second.id());
    let early = open(&path, NOW);
    assert_ne!(early.signer(NOW).id(), late.signer(NOW).id());
}

#[test]
fn ring_goes_on_when_the_disk_does_not() {
    let (_directory, path) = place();
    let ring = open(&path, NOW);
    let old = ring.signer(NOW);
    let folder = path.parent().expect("a folder").to_owned();
    std::fs::remove_dir_all(&folder).expect("removed");
    std::fs::write(&folder, "a file in the way").expect("written");
    let refusal = ring.rotate(NOW + DAY).expect_err("nothing was written");
    assert!(refusal.to_string().contains("cannot be written"), "{refusal}");
    assert_eq!(ring.signer(NOW).id(), old.id());
    assert!(ring.verify(old.id(), b"m", &old.sign(b"m"), NOW + 365 * DAY));
}

#[test]
fn only_known_keys_verify() {
    let (_directory, path) = place();
    let ring = open(&path, NOW);
    let key = ring.signer(NOW);
    let signature = key.sign(b"message");
    assert!(ring.verify(key.id(), b"message", &signature, NOW));
    assert!(!ring.verify("", b"message", &signature, NOW));
    assert!(!ring.verify("../keys.json", b"message", &signature, NOW));
    assert!(!ring.verify(key.id(), b"message", b"", NOW));
    assert!(!ring.verify(key.id(), b"massage", &signature, NOW));
}
