//! Backups that share nothing and leave nothing, and restores that accept only complete ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, and says why")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longhaul_model::Env;
use longhaul_store::conformance::support::{START, definition, put, record, start};
use longhaul_store::sqlite::{Restored, Sqlite, backup, restore};
use longhaul_store::{KEYS, STORAGE_ID, Store, StoreError};
use serde_json::json;
use tempfile::TempDir;

/// Fills a store with some tasks; returns the name of its keys, too.
async fn filled(folder: &Path, tasks: usize) -> (Arc<Sqlite>, Env) {
    let env = Env::manual(START);
    let store = Sqlite::open(folder, env.clone()).unwrap();
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    for n in 0..tasks {
        start(&*store, &env, &workflow, &format!("task {n}")).await;
    }
    store.put_setting(KEYS, json!(["ours"]), None).await.unwrap();
    (store, env)
}

fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    all
}

fn refusal<T>(done: Result<T, StoreError>) -> String {
    match done {
        Err(StoreError::Open(why)) => why,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is taken"),
    }
}

fn restored(file: &Path, folder: &Path) -> Result<Restored, StoreError> {
    restore(file, folder, Some("ours"), || Ok(()), |_, _| {})
}

/// One of several backups to one name at once succeeds, and the file under the name is whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_at_once_share_no_file() {
    let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, _) = filled(data.path(), 200).await;
    let file = target.path().join("copy.db");
    let all: Vec<_> = (0..4)
        .map(|_| {
            let (from, to) = (data.path().to_owned(), file.clone());
            std::thread::spawn(move || backup(&from, &to, |_, _| {}))
        })
        .collect();
    let done: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
    assert_eq!(done.iter().filter(|one| one.is_ok()).count(), 1, "{done:?}");
    assert_eq!(names(target.path()), ["copy.db", "copy.db.sha256"]);
    let place = target.path().join("restored");
    restored(&file, &place).unwrap();
    store.close().await;
}

/// Failed backups leave nothing under any name; files of a killed process are removed by the next backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_backups_leave_nothing() {
    let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, _) = filled(data.path(), 200).await;
    let file = target.path().join("copy.db");
    for at in [0, 1] {
        let (from, to, mut calls) = (data.path().to_owned(), file.clone(), 0);
        let failed = std::thread::spawn(move || {
            backup(&from, &to, |_, _| {
                calls += 1;
                assert!(calls <= at, "as a disk that fails");
            })
        });
        assert!(failed.join().is_err());
        assert_eq!(names(target.path()), [""; 0], "{at}");
    }
    let left = target.path().join("copy.db.k1ll3d.partial");
    let old = std::time::UNIX_EPOCH;
    File::create(&left).unwrap().set_modified(old).unwrap();
    File::create(target.path().join("other.db.k1ll3d.partial")).unwrap().set_modified(old).unwrap();
    backup(data.path(), &file, |_, _| {}).unwrap();
    assert_eq!(names(target.path()), ["copy.db", "copy.db.sha256", "other.db.k1ll3d.partial"]);
    let why = refusal(backup(data.path(), &file, |_, _| {}));
    assert!(why.contains("exists already"), "{why}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_store_has_everything_in_another_storage() {
    let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, env) = filled(data.path(), 20).await;
    store.put_setting(STORAGE_ID, json!(store.storage_id()), None).await.unwrap();
    // Characters that mean something in a URI.
    let file = target.path().join("a %41?b#c.db");
    backup(data.path(), &file, |_, _| {}).unwrap();
    let place = target.path().join("restored");
    assert!(restored(&file, &place).unwrap().is_summed);
    let copy = Sqlite::open(&place, env).unwrap();
    let all = store.list(&Default::default()).unwrap();
    let copied = copy.list(&Default::default()).unwrap();
    assert_eq!((all.total, copied.total), (20, 20));
    for task in &all.tasks {
        assert_eq!(record(&*copy, task.id()).name, record(&*store, task.id()).name);
    }
    assert_ne!(copy.setting(STORAGE_ID).unwrap(), Some(json!(copy.storage_id())));
    assert_ne!(copy.storage_id(), store.storage_id());
    copy.close().await;
    store.close().await;
}

/// Backups that are damaged or incomplete in each possible way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_whole_backup_is_refused_and_nothing_is_made() {
    let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, _) = filled(data.path(), 300).await;
    let file = target.path().join("good.db");
    backup(data.path(), &file, |_, _| {}).unwrap();
    let good = std::fs::read(&file).unwrap();
    let with = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = target.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let sql = |name: &str, statement: &str| {
        let path = with(name, &good);
        rusqlite::Connection::open(&path).unwrap().execute_batch(statement).unwrap();
        path
    };
    let beside = with("beside.db", &good);
    with("beside.db-wal", b"of another database");
    let cases = [
        (target.path().join("absent.db"), "No such file"),
        (target.path().to_owned(), "is no file"),
        (with("empty.db", b""), "no backup of Longhaul"),
        (
            with("text.db", b"no database at all, but long enough to be taken for one"),
            "no backup of Longhaul",
        ),
        (with("half.db", &good[..good.len() / 2]), "malformed"),
        (beside, "beside.db-wal"),
        (sql("other.db", "DROP TABLE schema_migrations"), "no backup of Longhaul"),
        (sql("future.db", "INSERT INTO schema_migrations VALUES (999, 'x', '', 0)"), "999"),
        (sql("keys.db", "UPDATE settings SET doc = '[\"theirs\"]' WHERE name = 'keys'"), "other keys"),
    ];
    for (file, says) in cases {
        let place = target.path().join("place");
        let why = refusal(restored(&file, &place));
        assert!(why.contains(says), "{}: {why}", file.display());
        let left = names(target.path()).contains(&"place".to_owned()).then(|| names(&place));
        assert!(
            left.is_none_or(|left| left.iter().all(|name| name == "longhaul.lock")),
            "{}",
            file.display()
        );
        let _ = std::fs::remove_dir_all(&place);
    }
    for used in ["longhaul.db-wal", "longhaul.db", "anything"] {
        let place = TempDir::new().unwrap();
        std::fs::write(place.path().join(used), b"").unwrap();
        let why = refusal(restored(&file, place.path()));
        assert!(why.contains("is not empty") && why.contains(used), "{why}");
    }
    store.close().await;
}

/// A byte that flips anywhere in a backup is found by its checksum; without a checksum, the restored database
/// can be opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped_bytes_are_found() {
    let (data, target) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (store, env) = filled(data.path(), 50).await;
    let file = target.path().join("good.db");
    backup(data.path(), &file, |_, _| {}).unwrap();
    let sum = std::fs::read(target.path().join("good.db.sha256")).unwrap();
    let size = std::fs::metadata(&file).unwrap().len();
    for at in (0..size).step_by(size as usize / 40 + 1) {
        let bad = target.path().join("bad.db");
        std::fs::copy(&file, &bad).unwrap();
        let open = File::options().read(true).write(true).open(&bad).unwrap();
        let mut byte = [0];
        open.read_exact_at(&mut byte, at).unwrap();
        open.write_all_at(&[byte[0] ^ 0x41], at).unwrap();
        let place = target.path().join("place");
        std::fs::write(target.path().join("bad.db.sha256"), &sum).unwrap();
        refusal(restored(&bad, &place));
        std::fs::remove_file(target.path().join("bad.db.sha256")).unwrap();
        let _ = std::fs::remove_dir_all(&place);
        if restored(&bad, &place).is_ok_and(|restored| !restored.is_summed) {
            // A migration's own checksum may be what is wrong.
            if let Ok(copy) = Sqlite::open(&place, env.clone()) {
                copy.close().await;
            }
        }
        let _ = std::fs::remove_dir_all(&place);
    }
    store.close().await;
}
