//! PostgreSQL: for data that must outlive a machine. Any number of nodes work on it at once. Every
//! transaction of a node locks the tasks it changes and checks their version, so what a node remembers is
//! never trusted blindly.

mod accounts;
mod again;
mod agenda;
mod assumptions;
mod audit;
mod batch;
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
mod sessions;
mod settings;
mod shared;
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

/// The shard of a task: from the part of its id that is random.
fn shard(id: TaskId) -> i16 {
    i16::from(id.as_bytes()[15] % SHARDS)
}

/// How a database is used.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host1,host2:port/database?sslmode=verify-full&sslrootcert=ca.pem`
    pub url: String,
    /// Connections at the most, beside the two that keep the turn and listen to other nodes; 3 at least, of
    /// which the writer takes 2.
    pub connections: usize,
    /// The name of the key ring that seals secrets: every node of a database has the same. `None` does not
    /// ask.
    pub keys: Option<String>,
    /// How this node introduces itself to the others.
    pub node: Node,
    /// Accepts a server that may lose what it has confirmed (`fsync = off`): for tests.
    pub allow_unsafe: bool,
    /// A turn that this process had before, if any: it is over, and nobody need wait until it was silent for
    /// long enough.
    pub before: Option<i64>,
}

/// A store in a PostgreSQL database.
pub struct Postgres {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
    /// Drives the connections: its own, so that callers may wait for an answer wherever they stand.
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
    /// Opens the store of a database, once it is reached: brings its schema up to date, and begins a turn
    /// beside those of other nodes. To be called on a runtime, whose threads tell callers of their changes.
    /// After Ok: on the newest schema. Crash in the middle: each migration happened whole or not at all.
    pub async fn open(options: &PostgresOptions, env: Env) -> Result<Arc<Postgres>, StoreError> {
        let place = connect::Place::new(&options.url)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("postgres")
            .enable_all()
            .build()
            .map_err(|e| StoreError::Open(format!("no threads for the database: {e}")))?;
        let handle = runtime.handle().clone();
        // From here on dropped in the background, as a runtime must not end inside of another one.
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

    /// Where the data is, without the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The number of this node's turn.
    pub fn turn(&self) -> i64 {
        self.shared.turn.number
    }

    /// Builds those indexes of active tasks anew that are much larger than what they index, as the store does
    /// every ten minutes; returns their number. Err: somebody is at work on the table, and nothing has
    /// happened.
    pub async fn shrink_indexes(&self) -> Result<usize, StoreError> {
        upkeep::shrink(&self.shared).await
    }

    /// Acts when others took over from this node, or may: whatever this one runs must stop at once. On a
    /// thread of the store's own, so that nothing which waits for the database holds it up.
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
