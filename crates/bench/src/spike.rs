//! The spike: how fast this machine can be at most. HTTP with axum, SQLite with group commit, nothing else:
//! no checks, no leases, no recovery, no lists. What Longhaul reaches is given as a ratio of what this
//! reaches in the same minutes.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use longhaul_model::Env;
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::data;

/// Changes in one transaction at the most.
const BATCH: usize = 1024;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks(
        seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, status INTEGER NOT NULL, type TEXT NOT NULL,
        name TEXT NOT NULL, created_at INTEGER NOT NULL, doc TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS tasks_by_created ON tasks(created_at);
    CREATE INDEX IF NOT EXISTS tasks_by_status ON tasks(status, created_at);
    CREATE INDEX IF NOT EXISTS tasks_by_type ON tasks(type, created_at);
    CREATE INDEX IF NOT EXISTS tasks_by_type_status ON tasks(type, status, created_at);";

enum Change {
    Insert { id: [u8; 16], kind: String, name: String, created_at: i64, doc: String },
    Step { id: [u8; 16], status: i64, doc: String },
}

type Queued = (Change, oneshot::Sender<()>);

struct App {
    writer: mpsc::Sender<Queued>,
    env: Env,
    count: AtomicU64,
    database: PathBuf,
}

/// Serves until it is told to end by a signal.
pub(crate) fn serve(listen: SocketAddr, database: &Path) -> Result<()> {
    let (writer, queue) = mpsc::channel(4096);
    let connection = open(database)?;
    connection.execute_batch(SCHEMA)?;
    let thread = std::thread::spawn(move || write(&connection, queue));
    let app =
        Arc::new(App { writer, env: Env::real(), count: AtomicU64::new(0), database: database.to_owned() });
    let routes = Router::new()
        .route("/ready", get(async || "ready"))
        .route("/tasks", post(submit))
        .route("/run/{changes}", post(run))
        .route("/db/{seq}", get(by_seq))
        .with_state(app);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(listen).await?.tap_io(|stream| {
            // Without it a small answer may wait for an acknowledgement; nothing breaks when it cannot be
            // set.
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, routes).await
    })?;
    match thread.join() {
        Ok(written) => written,
        Err(_) => bail!("the writer thread of the spike panicked"),
    }
}

/// Opens the database with the durability that Longhaul has.
fn open(database: &Path) -> Result<Connection> {
    let connection = Connection::open(database).context("opening the spike's database")?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000;
         PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY; PRAGMA busy_timeout = 5000;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Writes all waiting requests in one transaction, then answers them.
fn write(connection: &Connection, mut queue: mpsc::Receiver<Queued>) -> Result<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for (change, _) in &batch {
            apply(connection, change)?;
        }
        connection.execute_batch("COMMIT")?;
        for (_, answer) in batch.drain(..) {
            // Who asked may have gone; the change is durable all the same.
            let _ = answer.send(());
        }
    }
    Ok(())
}

fn apply(connection: &Connection, change: &Change) -> Result<()> {
    match change {
        Change::Insert { id, kind, name, created_at, doc } => connection
            .prepare_cached(
                "INSERT INTO tasks(id, status, type, name, created_at, doc) VALUES (?, 0, ?, ?, ?, ?)",
            )?
            .execute(params![id, kind, name, created_at, doc])?,
        Change::Step { id, status, doc } => connection
            .prepare_cached("UPDATE tasks SET status = ?2, doc = ?3 WHERE id = ?1")?
            .execute(params![id, status, doc])?,
    };
    Ok(())
}

/// Error that becomes a 500 with its text, at which the load stops.
struct Wrong(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Wrong {
    fn from(e: E) -> Self {
        Wrong(e.into())
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}

impl App {
    async fn durable(&self, change: Change) -> Result<()> {
        let (answer, durable) = oneshot::channel();
        if self.writer.send((change, answer)).await.is_err() {
            bail!("the writer has ended");
        }
        durable.await.context("the writer dropped a change")
    }

    fn insert(&self, body: &[u8]) -> Result<([u8; 16], String, Change)> {
        // Read and written again, as a server that looks at its requests does.
        let doc = serde_json::from_slice::<serde_json::Value>(body)?.to_string();
        let n = self.count.fetch_add(1, Ordering::Relaxed);
        let id = *self.env.new_task_id().0.as_bytes();
        let created_at = self.env.now().0;
        let change =
            Change::Insert { id, kind: data::kind(n), name: data::name(n), created_at, doc: doc.clone() };
        Ok((id, doc, change))
    }
}

async fn submit(State(app): State<Arc<App>>, body: Bytes) -> Result<impl IntoResponse, Wrong> {
    let (id, _, change) = app.insert(&body)?;
    app.durable(change).await?;
    Ok((StatusCode::CREATED, answer(id, "pending")))
}

async fn run(
    State(app): State<Arc<App>>,
    UrlPath(changes): UrlPath<usize>,
    body: Bytes,
) -> Result<impl IntoResponse, Wrong> {
    let (id, doc, change) = app.insert(&body)?;
    app.durable(change).await?;
    for k in 1..changes {
        let status = if k + 1 == changes { 2 } else { 1 };
        let doc = doc.replacen("pending", "done", k / 2 + 1);
        app.durable(Change::Step { id, status, doc }).await?;
    }
    Ok(answer(id, "succeeded"))
}

fn answer(id: [u8; 16], status: &str) -> String {
    format!("{{\"id\":\"{}\",\"status\":\"{status}\"}}", uuid::Uuid::from_bytes(id))
}

thread_local!(static READER: RefCell<Option<Connection>> = const { RefCell::new(None) });

async fn by_seq(State(app): State<Arc<App>>, UrlPath(seq): UrlPath<i64>) -> Result<impl IntoResponse, Wrong> {
    let doc = READER.with(|reader| -> Result<String> {
        let mut reader = reader.borrow_mut();
        let connection = match &mut *reader {
            Some(connection) => connection,
            none => none.insert(open(&app.database)?),
        };
        let mut query = connection.prepare_cached("SELECT doc FROM tasks WHERE seq = ?")?;
        Ok(query.query_row([seq], |row| row.get(0))?)
    })?;
    Ok(([(header::CONTENT_TYPE, "application/json")], doc))
}
