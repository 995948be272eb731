//! Check of a data directory: finds nothing in a sound one, names what was tampered with, rebuilds derived
//! data, and misses no flipped byte that changes what is read.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::Path;

use longhaul_model::{Env, Record, TaskId};
use longhaul_store::conformance::damage::fill;
use longhaul_store::conformance::support::START;
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{
    Finding, Inspector, Location, LogQuery, Remedy, Store, StoreError, Stored, TaskQuery, check, repair,
};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

#[derive(Default)]
struct Found(Vec<Finding>);

impl Inspector for Found {
    fn found(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

fn checked(directory: &Path) -> Result<Vec<Finding>, StoreError> {
    let mut found = Found::default();
    check(&Location::Directory(directory.to_owned()), &mut found)?;
    Ok(found.0)
}

fn database(directory: &Path) -> Connection {
    Connection::open(directory.join("longhaul.db")).unwrap()
}

/// Reads all that a reader gets, by task; `None` where the store is refused or a list cannot be read.
fn read(directory: &Path, env: &Env) -> Option<BTreeMap<TaskId, String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Sqlite::open(directory, env.clone()).ok()?;
        let query = TaskQuery { limit: 100, ..TaskQuery::default() };
        let page = store.list(&query).ok();
        let shown = |id: TaskId| {
            let log = store.log(id, &LogQuery { limit: 100, ..LogQuery::default() });
            let task = match store.get(id) {
                Ok(Stored::Own(record)) => {
                    let Record { id, name, workflow, state, sub_tasks } = *record;
                    json!([id, name, workflow.definition, state, sub_tasks]).to_string()
                }
                other => format!("{other:?}"),
            };
            format!("{task} {:?} {log:?}", store.attempts(id))
        };
        let all = page.map(|page| page.tasks.iter().map(|task| (task.id(), shown(task.id()))).collect());
        store.close().await;
        all
    })
}

/// Fills a data directory with a bit of everything; its changes are in the write-ahead log if `is_open`.
fn filled(env: &Env, is_open: bool) -> TempDir {
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Sqlite::open(directory.path(), env.clone()).unwrap();
        fill(&*store, &*store, env).await;
        if is_open {
            copied(directory.path(), copy.path());
        }
        store.close().await;
    });
    if is_open {
        return copy;
    }
    seal(directory.path());
    directory
}

/// Moves ended tasks to history, as sealing does once there are many.
fn seal(directory: &Path) {
    database(directory)
        .execute_batch(
            "INSERT INTO history SELECT seq, id, name, kind, status, created_at, completed_at, due_at, 0, resources, doc
             FROM hot WHERE name IN ('old', 'ended');
             INSERT INTO history_names (rowid, name) SELECT seq, name FROM history WHERE name IN ('old', 'ended');
             INSERT INTO history_resources SELECT 'host-' || name, seq, 'HOST', 1, 1, created_at FROM hot
               WHERE name IN ('old', 'ended');
             INSERT INTO history_resources SELECT 'd1', seq, 'Domain', 1, 1, created_at FROM hot
               WHERE name IN ('old', 'ended');
             DELETE FROM hot WHERE name IN ('old', 'ended')",
        )
        .unwrap();
}

fn copied(from: &Path, to: &Path) {
    for name in ["longhaul.db", "longhaul.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[test]
fn sound_store_has_no_findings_and_a_repair_changes_nothing_of_it() {
    let env = Env::manual(START);
    for is_open in [false, true] {
        let directory = filled(&env, is_open);
        assert_eq!(checked(directory.path()).unwrap(), []);
        let before = read(directory.path(), &env).unwrap();
        assert!(before.len() >= 9, "{}", before.len());
        let done = repair(&Location::Directory(directory.path().to_owned()), &env).unwrap();
        assert!(done.iter().any(|line| line.contains("0 tasks had others")), "{done:?}");
        assert_eq!(checked(directory.path()).unwrap(), []);
        assert_eq!(read(directory.path(), &env).unwrap(), before);
    }
}

/// Cases of tampering with a store: the change, the table of the finding, and a word of its message.
const DERIVED: [(&str, &str, &str); 25] = [
    ("UPDATE counters SET n = n + 1 WHERE resource_kind = ''", "counters", "wrong by 1"),
    ("DELETE FROM counters WHERE resource_kind = 'HOST'", "counters", "wrong by -"),
    ("INSERT INTO counters VALUES ('T_RUN', 5, 'NOTHING', 3)", "counters", "wrong by 3"),
    (
        "UPDATE counters SET kind = X'00FF' WHERE (kind, status, resource_kind)
           IN (SELECT kind, status, resource_kind FROM counters LIMIT 1)",
        "counters",
        "cannot be read",
    ),
    ("UPDATE completions SET n = n + 1 WHERE width = 1000", "completions", "second"),
    ("DELETE FROM completions WHERE width = 86400000", "completions", "day"),
    ("DELETE FROM ids WHERE seq = (SELECT min(seq) FROM hot)", "ids", "nobody finds it"),
    ("UPDATE ids SET seq = 9999 WHERE seq = (SELECT max(seq) FROM history)", "ids", "leads to no task"),
    ("DELETE FROM history_resources WHERE resource_id = 'd1'", "history_resources", "not what history says"),
    ("UPDATE history_resources SET first = 0", "history_resources", "not what history says"),
    ("UPDATE history_resources SET leads = 'x'", "history_resources", "not what history says"),
    ("INSERT INTO history_resources VALUES ('more', 1, 'HOST', 0, 1, 0)", "history_resources", "not what"),
    (
        "INSERT INTO history_names (history_names, rowid, name) SELECT 'delete', seq, name FROM history WHERE name = 'old'",
        "history_names",
        "not what history says",
    ),
    (
        "INSERT INTO history_names (rowid, name) VALUES (77, 'another')",
        "history_names",
        "not what history says",
    ),
    ("INSERT INTO doomed SELECT seq FROM history WHERE name = 'old'", "doomed", "about to be deleted"),
    ("DELETE FROM claims WHERE held = 1", "claims", "has no such claim"),
    ("UPDATE claims SET held = 1", "claims", "its document says that it waits for it"),
    ("UPDATE claims SET held = 0", "claims", "its document says that it holds it"),
    ("UPDATE claims SET mode = 0", "claims", "in another way"),
    ("UPDATE claims SET clear = 1", "claims", "others stand before it"),
    ("UPDATE claims SET seq = 9999 WHERE held = 0", "claims", "its task is not there"),
    (
        "INSERT INTO claims SELECT 'r HOST more', 99, seq, 'HOST', 'more', 1, 0, 1, 0, 1 FROM hot WHERE name = 'running'",
        "claims",
        "its document does not say",
    ),
    ("INSERT INTO places VALUES ('s w x', 2)", "places", "number of tasks that have a place"),
    ("DROP INDEX hot_created", "hot_created", "not there"),
    ("DROP TRIGGER places_left", "places_left", "not there"),
];

#[test]
fn what_is_derived_is_found_named_and_made_anew() {
    let env = Env::manual(START);
    let whole = filled(&env, false);
    let before = read(whole.path(), &env).unwrap();
    for (tampering, table, word) in DERIVED {
        let copy = tempfile::tempdir().unwrap();
        copied(whole.path(), copy.path());
        assert!(database(copy.path()).execute_batch(tampering).is_ok(), "{tampering}");
        let found = checked(copy.path()).unwrap();
        let named = |finding: &Finding| finding.table == table && finding.what.contains(word);
        assert!(found.iter().any(named), "{tampering}: {found:#?}");
        assert!(found.iter().all(|finding| finding.remedy == Remedy::Repair), "{tampering}: {found:#?}");
        repair(&Location::Directory(copy.path().to_owned()), &env).unwrap();
        assert_eq!(checked(copy.path()).unwrap(), [], "{tampering}");
        assert_eq!(read(copy.path(), &env).unwrap(), before, "{tampering}");
    }
}

/// Tamperings with tables that only a backup has.
const ORIGINAL: [(&str, &str, &str); 19] = [
    ("UPDATE hot SET doc = 'nonsense' WHERE name = 'running'", "hot", "cannot be read"),
    ("UPDATE hot SET doc = X'00' WHERE name = 'running'", "hot", "`doc`"),
    ("UPDATE hot SET status = 6 WHERE name = 'running'", "hot", "its row says"),
    ("UPDATE hot SET created_at = 7 WHERE name = 'running'", "hot", "`created_at`"),
    ("UPDATE hot SET due_at = 7 WHERE name = 'running'", "hot", "`due_at`"),
    ("UPDATE hot SET resources = '' WHERE name = 'running'", "hot", "`resources`"),
    ("UPDATE history SET completed_at = 1 WHERE name = 'old'", "history", "`completed_at`"),
    ("UPDATE history SET doc = '[]' WHERE origin = 1", "history", "no JSON object"),
    (
        "UPDATE history SET doc = rtrim(replace(doc, '\"z\":', '\"zz\":'), char(32, 9, 10, 13)) WHERE name = 'old'",
        "history",
        "completion time",
    ),
    ("DELETE FROM specs WHERE seq = (SELECT seq FROM hot WHERE name = 'running')", "hot", "no spec"),
    ("DELETE FROM chunks", "hot", "sub-tasks"),
    ("UPDATE outputs SET doc = '{'", "outputs", "cannot be read"),
    (
        "UPDATE outputs SET sub_task = 99 WHERE seq = (SELECT seq FROM hot WHERE name = 'many')",
        "outputs",
        "I3",
    ),
    ("UPDATE attempts SET number = 9", "attempts", "another attempt"),
    ("UPDATE attempts SET doc = ''", "attempts", "cannot be read"),
    ("UPDATE logs SET lines = 9", "logs", "says 9"),
    ("DELETE FROM hot WHERE name = 'running'", "specs", "its task is not there"),
    ("UPDATE api_keys SET hash = X'00'", "api_keys", "instead of 32"),
    ("UPDATE workflows SET doc = '{}'", "workflows", "cannot be read"),
];

#[test]
fn what_only_a_backup_has_is_found_and_named() {
    let env = Env::manual(START);
    let whole = filled(&env, false);
    for (tampering, table, word) in ORIGINAL {
        let copy = tempfile::tempdir().unwrap();
        copied(whole.path(), copy.path());
        assert!(database(copy.path()).execute_batch(tampering).is_ok(), "{tampering}");
        let found = checked(copy.path()).unwrap();
        let named = |finding: &Finding| {
            let known = finding.task.is_some() || finding.row.is_some();
            finding.table == table && finding.what.contains(word) && known && finding.remedy != Remedy::Repair
        };
        assert!(found.iter().any(named), "{tampering}: {found:#?}");
    }
}

/// Numbers that only look random.
fn scattered(seed: u64) -> usize {
    let mut x = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 27)) as usize
}

/// Flips bits of one byte of a file of a copy; returns the outcome.
fn flipped(whole: &Path, name: &str, at: usize, before: &BTreeMap<TaskId, String>, env: &Env) -> Outcome {
    let copy = tempfile::tempdir().unwrap();
    copied(whole, copy.path());
    let file = copy.path().join(name);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[at] ^= 0x15;
    std::fs::write(&file, bytes).unwrap();
    match checked(copy.path()) {
        Err(_) => Outcome::Found,
        Ok(found) if !found.is_empty() => Outcome::Found,
        Ok(_) => match read(copy.path(), env) {
            Some(after) if after == *before => Outcome::Harmless,
            after => Outcome::Silent(after.map(|after| {
                let keys = before.keys().chain(after.keys());
                keys.filter(|id| before.get(id) != after.get(id)).copied().collect::<Vec<_>>()
            })),
        },
    }
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Found,
    Harmless,
    /// Tasks that read differently, twice each; `None` if none can be read.
    Silent(Option<Vec<TaskId>>),
}

#[test]
fn flipped_byte_of_the_database_is_found_or_harmless() {
    let env = Env::manual(START);
    let whole = filled(&env, false);
    database(whole.path()).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let before = read(whole.path(), &env).unwrap();
    let size = std::fs::metadata(whole.path().join("longhaul.db")).unwrap().len() as usize;
    let pages = (1..size / 4096).map(|page| {
        let within = if page % 3 == 0 { 12 } else { 4096 };
        page * 4096 + scattered(page as u64) % within
    });
    let header = (0..100).filter(|at| at % 7 == 0 || (16..24).contains(at));
    let (mut found, mut harmless) = (0, 0);
    for at in header.chain(pages) {
        match flipped(whole.path(), "longhaul.db", at, &before, &env) {
            Outcome::Found => found += 1,
            Outcome::Harmless => harmless += 1,
            silent => panic!("byte {at} of {size}: {silent:?}"),
        }
    }
    assert!(found > 30, "{found} found, {harmless} harmless");
}

#[test]
fn flipped_byte_of_the_log_is_found_or_harmless() {
    let env = Env::manual(START);
    let whole = filled(&env, true);
    let before = {
        let copy = tempfile::tempdir().unwrap();
        copied(whole.path(), copy.path());
        read(copy.path(), &env).unwrap()
    };
    let size = std::fs::metadata(whole.path().join("longhaul.db-wal")).unwrap().len() as usize;
    let frames = (size - 32) / (24 + 4096);
    assert!(frames > 30, "{frames}");
    let start = |frame: usize| 32 + frame * (24 + 4096);
    // Each part of the header, of each frame a few bytes, of the last one every part.
    let some = (0..frames).step_by(5).flat_map(|frame| {
        [
            start(frame) + scattered(frame as u64) % 24,
            start(frame) + 24 + scattered(frame as u64 + 9_000) % 4096,
        ]
    });
    let last = (0..24).step_by(2).chain([24, 1_000, 4_000]).map(|at| start(frames - 1) + at);
    let mut found = 0;
    for at in (0..32).step_by(3).chain(some).chain(last) {
        match flipped(whole.path(), "longhaul.db-wal", at, &before, &env) {
            Outcome::Found => found += 1,
            Outcome::Harmless => {}
            silent => panic!("byte {at} of {size}: {silent:?}"),
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn what_cannot_be_checked_is_refused() {
    let env = Env::manual(START);
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(checked(empty.path()), Err(StoreError::Open(_))));
    assert!(matches!(repair(&Location::Directory(empty.path().to_owned()), &env), Err(StoreError::Open(_))));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "something was made");
    let future = filled(&env, false);
    database(future.path())
        .execute("INSERT INTO schema_migrations VALUES (999, 'future', '', 0)", [])
        .unwrap();
    let Err(StoreError::Open(why)) = checked(future.path()) else { panic!("it is checked") };
    assert!(why.contains("999") && why.contains("newer version"), "{why}");
}
