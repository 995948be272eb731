//! PostgreSQL: for data that must outlive a machine. Any number of nodes work on it at once. Every transaction of a node locks the
//! tasks it changes and checks their version, so what a node remembers is never trusted blindly.

mod accounts;
mod audit;
mod batch;
mod claims;
mod commit;
mod compare;
mod connect;
mod errand;
mod held;
mod import;
mod jobs;
mod keeper;
mod keys;
mod list;
mod logs;
mod migrations;
mod nodes;
mod outcome;
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
pub(crate) mod transfer;
mod turn;
mod workflows;
mod writer;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use longhaul_model::{Env, TaskId, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::known::Workflows;
use crate::nodes::Node;
use shared::Shared;
use turn::Standing;
use writer::{Job, Writer};

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
    /// Connections at the most, beside the two that keep the turn and listen to other nodes; 3 at least, of which the writer takes 2.
    pub connections: usize,
    /// The name of the key ring that seals secrets: every node of a database has the same. `None` does not ask.
    pub keys: Option<String>,
    /// How this node introduces itself to the others.
    pub node: Node,
    /// A turn that this process had before, if any: it is over, and nobody need wait until it was silent for long enough.
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
}

impl Postgres {
    /// Opens the store of a database, once it is reached: brings its schema up to date, and begins a turn beside those of other nodes. To
    /// be called on a runtime, whose threads tell callers of their changes.
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
        let opened = handle.spawn(async move {
            let mut waiting = Waiting::default();
            loop {
                match reached(&at, &options, &own_env, now).await {
                    Err(failure) => waiting.on(failure).await?,
                    Ok(opened) => return Ok::<_, StoreError>(opened),
                }
            }
        });
        let Opened { shared, keeper, outgoing } =
            opened.await.map_err(|e| StoreError::Open(format!("the database was not opened: {e}")))??;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let (told, mut finished) = mpsc::unbounded_channel::<writer::Finished>();
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
            handle.spawn(relay::run(place.called(&called(&place, &shared.turn)), shared.clone(), outgoing)),
        ];
        let runtime = Mutex::new(runtime.kept());
        let (place, tasks) = (place.shown(), Mutex::new(tasks));
        Ok(Arc::new(Postgres { shared, jobs, runtime, handle, place, tasks }))
    }

    /// Where the data is, without the password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The number of this node's turn.
    pub fn turn(&self) -> i64 {
        self.shared.turn.number
    }

    /// Acts when others took over from this node, or may: whatever this one runs must stop at once. On a thread of the store's own, so
    /// that nothing which waits for the database holds it up.
    pub fn when_over(&self, act: impl FnOnce() + Send + 'static) {
        let turn = self.shared.turn.clone();
        self.handle.spawn(async move {
            turn.over().await;
            act();
        });
    }
}

/// A database that is not there yet, or not again, is waited for: it may be started at the same time as the nodes, or be about to be
/// replaced by its standby.
#[derive(Default)]
struct Waiting {
    told: Option<Instant>,
    /// How often in a row it was reached, and failed all the same.
    failed: usize,
}

/// Why a database was not opened.
struct Unopened {
    why: StoreError,
    /// Whether it was reached at all.
    reached: bool,
}

impl Waiting {
    /// How often is said that it is waited for.
    const TOLD: Duration = Duration::from_secs(30);
    /// A database that is there is tried so often: it may be about to end, or to begin.
    const TRIES: usize = 10;

    /// Waits a moment; refused where that would be in vain.
    async fn on(&mut self, Unopened { why, reached }: Unopened) -> Result<(), StoreError> {
        self.failed = if reached { self.failed + 1 } else { 0 };
        let said = match &why {
            StoreError::Unavailable(said) | StoreError::Conflict(said) if self.failed <= Waiting::TRIES => {
                said
            }
            _ => return Err(why),
        };
        if self.told.is_none_or(|told| told.elapsed() >= Waiting::TOLD) {
            tracing::warn!("{said}; this node waits for it");
            self.told = Some(Instant::now());
        }
        tokio::time::sleep(keeper::BEAT).await;
        Ok(())
    }
}

async fn reached(
    place: &connect::Place,
    options: &PostgresOptions,
    env: &Env,
    now: Timestamp,
) -> Result<Opened, Unopened> {
    place.connect().await.map_err(|why| Unopened { why, reached: false })?;
    let opened = async {
        migrations::run(place, now).await?;
        if let Some(keys) = &options.keys {
            keeper::check_keys(place, keys).await?;
        }
        begin(place, options, env.clone()).await
    };
    opened.await.map_err(|why| Unopened { why, reached: true })
}

/// A turn that was begun, with what rests on it.
struct Opened {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
    outgoing: mpsc::Receiver<relay::Outgoing>,
}

/// Begins a turn on a database whose schema is the newest.
async fn begin(place: &connect::Place, options: &PostgresOptions, env: Env) -> Result<Opened, StoreError> {
    let beginning = keeper::begin(place, &options.node, options.before).await?;
    let turn = beginning.turn.clone();
    follow(&env, beginning.clock);
    // Only now: what a transfer does to it, it does while there is no node.
    let pool = match whole(place).await {
        Ok(()) => place.called(&called(place, &turn)).pool(options.connections),
        Err(e) => Err(e),
    };
    let pool = match pool {
        Ok(pool) => pool,
        Err(e) => {
            keeper::end(&turn, beginning.keep(Box::new(|_| {}))).await;
            return Err(e);
        }
    };
    let (sender, outgoing) = mpsc::channel(relay::WAITING);
    let shared = Arc::new(Shared {
        pool,
        env,
        turn,
        workflows: Workflows::default(),
        sink: RwLock::new(None),
        errands: tokio::sync::Mutex::new(()),
        waiting: Semaphore::new(reads::WAITING),
        outgoing: sender,
        lost: Arc::new(Notify::new()),
        revisions: Default::default(),
        in_touch: AtomicBool::new(false),
        account_changes: AtomicU64::new(0),
        timeline: Mutex::new(0),
        forgotten: AtomicU64::new(0),
    });
    let listening = Arc::downgrade(&shared);
    let listener = move |heard: &nodes::Heard| {
        if let Some(shared) = listening.upgrade() {
            shared.on_timeline(heard.timeline);
            shared.compare_all(heard.revisions);
            // What it shows is right within half the time that the answer took: no news unless it is further off.
            if let Some(clock) = heard.clock
                && (clock.at.0 - shared.env.wall().0).abs() > 1 + clock.took.as_millis() as i64 / 2
            {
                shared.env.refer(clock.at);
            }
        }
    };
    let keeper = beginning.keep(Box::new(listener));
    Ok(Opened { shared, keeper, outgoing })
}

/// From here on the clock of the database is the one that counts, as it is the same for all nodes.
fn follow(env: &Env, clock: Timestamp) {
    /// How far a machine's clock may be off before somebody should know, in milliseconds.
    const NOTABLE: i64 = 2_000;
    env.refer(clock);
    let ahead = env.machine_ahead();
    if ahead.abs() > NOTABLE {
        let seconds = ahead / 1000;
        tracing::warn!(
            seconds,
            "this machine's clock is ahead of the database's by so much: only the database's counts"
        );
    }
}

/// How the connections of a turn are called, so that they can be cut when it is over.
fn called(place: &connect::Place, turn: &turn::Turn) -> String {
    format!("{} {}", place.application(), turn.number)
}

/// Refuses a database in the middle of a transfer, or whose content is elsewhere now.
async fn whole(place: &connect::Place) -> Result<(), StoreError> {
    let (client, _driver) = place.connect().await?;
    let rows = client.query("SELECT name, doc FROM settings", &[]).await.map_err(sql::failed)?;
    let settings = rows
        .iter()
        .map(|row| Ok((sql::column(row, 0)?, sql::column(row, 1)?)))
        .collect::<Result<Vec<(String, String)>, StoreError>>()?;
    crate::transfer::check_whole(&format!("the database {}", place.shown()), |name| {
        Ok(settings.iter().find(|(known, _)| known == name).map(|(_, doc)| doc.clone()))
    })
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
