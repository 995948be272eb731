//! The SQLite engine passes the suite, and keeps a second server off its files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use longhaul_model::{Command, Env, Span, Spec, Task, TaskStatus, Token};
use longhaul_store::conformance::support::{
    Fixture, START, complete, definition, put, record, start, submit,
};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Accounts, Store, StoreError};
use serde_json::json;

struct Files {
    directory: tempfile::TempDir,
    env: Env,
}

#[async_trait::async_trait]
impl Fixture for Files {
    fn new() -> Self {
        Files { directory: tempfile::tempdir().unwrap(), env: Env::manual(START) }
    }

    fn env(&self) -> Env {
        self.env.clone()
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        Sqlite::open(self.directory.path(), self.env.clone()).unwrap()
    }

    async fn open_accounts(&mut self) -> (Arc<dyn Store>, Arc<dyn Accounts>) {
        let store = Sqlite::open(self.directory.path(), self.env.clone()).unwrap();
        (store.clone(), store)
    }
}

longhaul_store::store_conformance!(Files);

#[tokio::test]
async fn second_server_on_the_same_directory_is_refused() {
    let mut files = Files::new();
    let _first = files.open().await;
    let Err(StoreError::Open(message)) = Sqlite::open(files.directory.path(), files.env()) else {
        panic!("a second server got in")
    };
    assert!(message.contains("in use by process") && message.contains("--data-dir"), "{message}");
}

#[tokio::test]
async fn schema_of_the_future_is_refused() {
    let mut files = Files::new();
    files.open().await.close().await;
    let database = rusqlite::Connection::open(files.directory.path().join("longhaul.db")).unwrap();
    database.execute("INSERT INTO schema_migrations VALUES (999, 'future', '', 0)", []).unwrap();
    drop(database);
    let Err(StoreError::Open(message)) = Sqlite::open(files.directory.path(), files.env()) else { panic!() };
    assert!(message.contains("schema 999"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_is_a_store_of_its_own() {
    use longhaul_store::conformance::support::{definition, put, record, start};
    let mut files = Files::new();
    let store = files.open().await;
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let id = start(&*store, &files.env(), &workflow, "kept").await;
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("longhaul.db");
    longhaul_store::sqlite::backup(files.directory.path(), &file, |_, _| {}).unwrap();
    assert!(longhaul_store::sqlite::backup(files.directory.path(), &file, |_, _| {}).is_err());
    let copy = Sqlite::open(target.path(), files.env()).unwrap();
    assert_eq!(record(&*copy, id).name, "kept");
    copy.close().await;
    store.close().await;
}

/// A backup can be read by its owner only from its first byte on, whatever the process's file mode mask.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backup_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let mut files = Files::new();
    let store = files.open().await;
    let target = tempfile::tempdir().unwrap();
    let file = target.path().join("copy.db");
    let modes = || {
        let found = std::fs::read_dir(target.path()).unwrap().map(|entry| entry.unwrap());
        found.map(|entry| entry.metadata().unwrap().permissions().mode() & 0o777).collect::<Vec<_>>()
    };
    let mut seen = 0;
    longhaul_store::sqlite::backup(files.directory.path(), &file, |_, _| {
        seen += 1;
        assert!(modes().iter().all(|mode| *mode == 0o600), "{:?}", modes());
    })
    .unwrap();
    assert!(seen > 0);
    assert_eq!(modes(), [0o600; 2], "the copy and its checksum");
    let own = std::fs::read_dir(files.directory.path()).unwrap().map(|entry| entry.unwrap());
    for entry in own {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    store.close().await;
}

/// A directory that others may write is refused: they would decide what the server reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directory_that_others_may_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let files = Files::new();
    let directory = files.directory.path();
    let set = |mode| std::fs::set_permissions(directory, PermissionsExt::from_mode(mode)).unwrap();
    for mode in [0o720, 0o702, 0o770, 0o777, 0o1777, 0o2775] {
        set(mode);
        let refused = Sqlite::open(directory, files.env());
        let Err(StoreError::Open(message)) = refused else { panic!("{mode:o} was let in") };
        assert!(message.contains(&format!("its mode is {mode:o}): chmod go-w /")), "{message}");
        assert_eq!(message.contains("fsGroup"), mode == 0o2775, "{message}");
        assert_eq!(std::fs::read_dir(directory).unwrap().count(), 0, "nothing is made there");
    }
    // A folder that the server makes in one that is shared is its own, though it takes over the mark of the
    // group.
    set(0o2775);
    let inside = directory.join("longhaul");
    for _ in 0..2 {
        Sqlite::open(&inside, files.env()).unwrap().close().await;
        assert_eq!(std::fs::metadata(&inside).unwrap().permissions().mode() & 0o777, 0o700);
    }
    std::fs::remove_dir_all(&inside).unwrap();
    for mode in [0o755, 0o750, 0o700] {
        set(mode);
        Sqlite::open(directory, files.env()).unwrap().close().await;
    }
}

/// Documents written before outputs were measured are read: up to 128 levels, plus those that rows wrap
/// around them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_documents_of_before_are_read() {
    let mut files = Files::new();
    let store = files.open().await;
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &files.env(), &workflow, "deep").await;
    complete(&*store, id, 0, Some(serde_json::json!("here"))).await;
    store.close().await;
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let database = rusqlite::Connection::open(files.directory.path().join("longhaul.db")).unwrap();
    database.execute("UPDATE outputs SET doc = ?", [deep(128)]).unwrap();
    let title = format!(
        "\"e\":[{{\"errorCode\":\"E\",\"message\":\"m\",\"context\":{{\"deep\":{}}}}}],\"c\":",
        deep(128)
    );
    // Documents of before have no checksum, which is white space behind them.
    let statement = "UPDATE hot SET doc = replace(rtrim(doc, char(9, 10, 13, 32)), '\"c\":', ?)";
    let changed = database.execute(statement, [title]).unwrap();
    assert_eq!(changed, 1);
    drop(database);
    let store = files.open().await;
    assert!(store.outputs(id).unwrap()[0].1.is_array());
    assert_eq!(record(&*store, id).state.errors[0].error_code, "E");
    let cancel = Command::Cancel { by: "ada".into(), grace: Span(0) };
    store.command(id, cancel, None).await.unwrap();
    assert_eq!(
        record(&*store, id).state.stopping.is_some(),
        record(&*store, id).state.status == TaskStatus::InProgress
    );
    store.close().await;
}

/// A report of an attempt of an earlier process is refused, though its task has not recovered yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_reports_are_refused_before_the_recovery() {
    let mut files = Files::new();
    let (store, env) = (files.open().await, files.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let id = start(&*store, &env, &workflow, "late").await;
    store.close().await;
    let store = files.open().await;
    let late = Command::Complete { sub_task: 0, token: Token(1), output: None, by: None, next: None };
    let done = store.command(id, late, None).await;
    assert!(matches!(done, Err(StoreError::Refused(_))), "{done:?}");
    assert_eq!(record(&*store, id).sub_tasks[0].attempt, 2);
    store.close().await;
}

/// Tasks that wait with large inputs are evicted from memory and read again when they continue; nothing is
/// lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_with_large_inputs_go_on_after_they_were_put_out_of_memory() {
    let mut files = Files::new();
    let (store, env) = (files.open().await, files.env());
    let workflow = put(&*store, definition("w", "T_RUN", 2)).await;
    let mut tasks = Vec::new();
    for n in 0..60 {
        // 5 MB in memory; some are too large to be kept at all.
        let numbers = if n % 20 == 0 { 250_000 } else { 30_000 };
        let input = json!({ "title": n.to_string(), "host": "h", "numbers": vec![n; numbers] });
        let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
        let task = Task::new(env.new_task_id(), workflow.clone(), spec, None, None, env.now()).unwrap();
        tasks.push(submit(&*store, Box::new(task), None).await.task.id());
    }
    for sub_task in 0..2 {
        for id in &tasks {
            complete(&*store, *id, sub_task, Some(json!({ "of": sub_task }))).await;
        }
    }
    for id in &tasks {
        assert_eq!(record(&*store, *id).state.status, TaskStatus::Successful);
        assert_eq!(store.outputs(*id).unwrap().len(), 2);
    }
    store.close().await;
}

/// Buckets of completions accumulate over time: a bucket that has dropped to zero is deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_that_count_nothing_are_deleted() {
    let mut files = Files::new();
    let (store, env) = (files.open().await, files.env());
    let workflow = put(&*store, definition("w", "T_RUN", 1)).await;
    let mut tasks = Vec::new();
    for n in 0..3 {
        let id = start(&*store, &env, &workflow, &n.to_string()).await;
        complete(&*store, id, 0, None).await;
        tasks.push(id);
        env.advance(Span(1_000));
    }
    store.delete_history(vec![tasks[0], tasks[1]], None).await.unwrap();
    store.close().await;
    let database = rusqlite::Connection::open(files.directory.path().join("longhaul.db")).unwrap();
    let count = |condition: &str| -> i64 {
        let statement = format!("SELECT count(*) FROM completions WHERE {condition}");
        database.query_row(&statement, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("n = 0"), count("n > 0") > 0), (0, true));
    // Each task completed in a second of its own, and only the last one's buckets remain: for all tasks, by
    // HOST and by Domain.
    assert_eq!(count("width = 1000"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lines_follow_the_plain_rules() {
    longhaul_store::conformance::line::long_lines_follow_the_plain_rules(&mut Files::new(), 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_wake_ups_are_made_good() {
    let mut files = Files::new();
    let path = files.directory.path().join("longhaul.db");
    let operator = move |statements: &str| {
        let database = rusqlite::Connection::open(&path).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        database.execute_batch(statements).unwrap();
    };
    longhaul_store::conformance::line::lost_wake_ups_are_made_good(&mut files, operator).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_successes_are_made_good() {
    let mut files = Files::new();
    let path = files.directory.path().join("longhaul.db");
    let plant = move |outputs: &[(longhaul_model::TaskId, u32, serde_json::Value)]| {
        let database = rusqlite::Connection::open(&path).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        let statement = "INSERT INTO outputs SELECT seq, ?2, ?3 FROM ids WHERE id = ?1";
        for (id, sub_task, output) in outputs {
            let of = rusqlite::params![id.as_bytes(), sub_task, output.to_string()];
            assert_eq!(database.execute(statement, of).unwrap(), 1);
        }
    };
    longhaul_store::conformance::lost::lost_successes_are_made_good(&mut files, plant).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_before_go_on() {
    let mut files = Files::new();
    let path = files.directory.path().join("longhaul.db");
    let before = move || {
        let database = rusqlite::Connection::open(&path).unwrap();
        let statements = "DROP TRIGGER places_taken; DROP TRIGGER places_changed; DROP TRIGGER places_left; DROP TABLE places;
             DROP INDEX claims_alone; DROP INDEX claims_behind; DROP INDEX claims_ready; DROP INDEX claims_held;
             DROP INDEX claims_near; ALTER TABLE claims DROP COLUMN clear; DELETE FROM schema_migrations WHERE number = 7";
        database.execute_batch(statements).unwrap();
    };
    longhaul_store::conformance::line::claims_of_before_go_on(&mut files, before).await;
}
