//! PostgreSQL engine: for data that must outlive a machine. Any number of nodes work on it at once. Every
//! transaction of a node locks the tasks it changes and checks their version, so cached data is never trusted
//! blindly.

mod accounts;
mod again;
mod agenda;
mod assumptions;
mod audit;
mod batch;
mod changes;
pub(crate) mod check;
mod claims;
mod commit;
mod compare;
mod connect;
mod errand;
mod held;
mod import;
mod job;
mod jobs;
mod keeper;
mod keys;
mod list;
mod logs;
mod migrations;
mod nodes;
mod opening;
mod outcome;
mod outputs;
mod own;
mod patience;
mod process;
mod purge;
mod reads;
mod relay;
mod rows;
mod settings;
mod shared;
mod shown;
mod sql;
mod store;
mod takeover;
mod tally;
mod timeline;
mod together;
mod totals;
mod transaction;
pub(crate) mod transfer;
mod turn;
mod upkeep;
mod vitals;
mod watch;
mod workflows;
mod writer;
mod writes;

use std::sync::Arc;

use longhaul_model::{Env, TaskId};
use parking_lot::Mutex;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::error::StoreError;
use crate::nodes::Node;
use job::Job;
use shared::Shared;
use turn::Standing;
use writer::Writer;

/// Jobs that may wait for the writer; beyond, callers wait.
const QUEUE: usize = 16_384;
/// Shards of tasks.
const SHARDS: u8 = 64;

/// Returns the shard of a task, from the random part of its ID.
fn shard(id: TaskId) -> i16 {
    i16::from(id.as_bytes()[15] % SHARDS)
}

/// Options for the use of a database.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host1,host2:port/database?sslmode=verify-full&sslrootcert=ca.pem`
    pub url: String,
    /// Maximum number of connections, beside the two that keep the session and listen to other nodes; 3 at
    /// least, of which the writer takes 2.
    pub connections: usize,
    /// Name of the key ring that seals secrets: every node of a database has the same. `None` skips the
    /// check.
    pub keys: Option<String>,
    /// Identity that this node shows to the others.
    pub node: Node,
    /// True to accept a server that may lose confirmed commits (`fsync = off`): for tests.
    pub allow_unsafe: bool,
    /// Session that this process had before, if any: it is over, and nobody need wait until it was silent for
    /// long enough.
    pub before: Option<i64>,
}

/// A store in a PostgreSQL database.
pub struct Postgres {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    /// Runtime that drives the connections: the store's own, so that callers may block on an answer in any
    /// thread.
    runtime: Mutex<Option<Runtime>>,
    handle: Handle,
    place: String,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Progress of the claim sweep.
    claims: Mutex<claims::Cursor>,
    /// Progress of the sweep of outputs.
    lost: Mutex<outputs::Cursor>,
}

impl Postgres {
    /// Opens the store of a database, once it is reached: migrates its schema, and registers a session beside
    /// those of other nodes. To be called on a runtime, whose threads answer callers. After Ok: on the newest
    /// schema. Crash in the middle: each migration happened whole or not at all.
    pub async fn open(options: &PostgresOptions, env: Env) -> Result<Arc<Postgres>, StoreError> {
        let place = connect::Place::new(&options.url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| StoreError::Open(format!("no threads for the database: {e}")))?;
        let handle = runtime.handle().clone();
        // The runtime is dropped in the background from here on, as it must not end inside of another one.
        let runtime = Ending(Some(runtime));
        let (at, now, own_env) = (place.clone(), env.now(), env.clone());
        let options = PostgresOptions { connections: options.connections.max(3), ..options.clone() };
        let opened = handle.spawn(async move { opening::opened(&at, &options, &own_env, now).await });
        let opening::Opened { shared, keeper, outgoing } =
            opened.await.map_err(|e| StoreError::Open(format!("the database was not opened: {e}")))??;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (told, mut finished) = mpsc::unbounded_channel::<job::Finished>();
        let telling = shared.clone();
        tokio::spawn(async move {
            while let Some(batch) = finished.recv().await {
                batch.tell(&telling);
            }
        });
        let writer = Writer::new(shared.clone(), queue, told);
        let watch = takeover::watch(shared.clone(), jobs.downgrade(), shared.lost.clone());
        let tasks = vec![
            handle.spawn(writer.run()),
            keeper,
            handle.spawn(watch),
            handle.spawn(upkeep::run(shared.clone())),
            handle.spawn(relay::run(
                place.called(&opening::called(&place, &shared.turn)),
                shared.clone(),
                outgoing,
            )),
        ];
        let runtime = Mutex::new(runtime.kept());
        let (place, tasks) = (place.shown(), Mutex::new(tasks));
        let claims = Mutex::new(claims::Cursor::default());
        let lost = Mutex::new(outputs::Cursor::default());
        Ok(Arc::new(Postgres { shared, jobs, runtime, handle, place, tasks, claims, lost }))
    }

    /// Returns the location of the data, without the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Returns the number of this node's session.
    pub fn turn(&self) -> i64 {
        self.shared.turn.number
    }

    /// Rebuilds those indexes of active tasks that are much larger than what they index, as the store does
    /// every ten minutes; returns their number. Err: the table is in use, and nothing has happened.
    pub async fn shrink_indexes(&self) -> Result<usize, StoreError> {
        upkeep::shrink(&self.shared).await
    }

    /// Calls `act` when others took over from this node, or may: everything that runs here must stop at once.
    /// The call is on a thread of the store's own, so that nothing which waits for the database holds it up.
    pub fn when_over(&self, act: impl FnOnce() + Send + 'static) {
        let turn = self.shared.turn.clone();
        self.handle.spawn(async move {
            turn.over().await;
            act();
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.shared.turn.set(Standing::Closed);
        drop(Ending(self.runtime.lock().take()));
    }
}

/// A runtime that ends in the background.
struct Ending(Option<Runtime>);

impl Ending {
    fn kept(mut self) -> Option<Runtime> {
        self.0.take()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
