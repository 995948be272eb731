//! The embedded engine passes the suite, and keeps a second server off its files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use longhaul_model::Env;
use longhaul_store::conformance::support::{Fixture, START};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Accounts, Store, StoreError};

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

/// What was written before outputs were measured: up to 128 levels, and what rows wrap around them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deep_documents_of_before_are_read() {
    use longhaul_model::{Command, Span, TaskStatus};
    use longhaul_store::conformance::support::{complete, definition, put, record, start};
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
    let changed = database.execute("UPDATE hot SET doc = replace(doc, '\"c\":', ?)", [title]).unwrap();
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
