//! Opening of a database: from a URL to a session on the newest schema.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use longhaul_model::{Env, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::connect::{Connections, Place};
use super::shared::Shared;
use super::sql::{column, failed};
use super::turn::Turn;
use super::vitals::Vitals;
use super::{PostgresOptions, assumptions, keeper, migrations, nodes, reads, relay};
use crate::error::StoreError;
use crate::known::Workflows;

/// Opens a database, once it is reached.
pub(super) async fn opened(
    place: &Place,
    options: &PostgresOptions,
    env: &Env,
    now: Timestamp,
) -> Result<Opened, StoreError> {
    let mut waiting = Waiting::default();
    loop {
        match reached(place, options, env, now).await {
            Err(failure) => waiting.on(failure).await?,
            Ok(opened) => return Ok(opened),
        }
    }
}

/// Wait for a database that is not reached: it may be started at the same time as the nodes, or be about to
/// be replaced by its standby.
#[derive(Default)]
struct Waiting {
    told: Option<Instant>,
    /// Count of failures in a row although the database was reached.
    failed: usize,
}

/// Reason why a database was not opened.
struct Unopened {
    why: StoreError,
    /// True if the database was reached at all.
    reached: bool,
}

impl Waiting {
    /// Interval between log lines about the wait for the database.
    const TOLD: Duration = Duration::from_secs(30);
    /// Number of tries at a database that is reached and fails: it may be about to stop, or to start.
    const TRIES: usize = 10;

    /// Waits a moment; returns the error where a wait would be in vain.
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
        tokio::time::sleep(keeper::LOOK).await;
        Ok(())
    }
}

/// Tries once to open the database.
async fn reached(
    place: &Place,
    options: &PostgresOptions,
    env: &Env,
    now: Timestamp,
) -> Result<Opened, Unopened> {
    place.connect().await.map_err(|why| Unopened { why, reached: false })?;
    let opened = async {
        assumptions::check(place, options).await?;
        migrations::run(place, now).await?;
        if let Some(keys) = &options.keys {
            keeper::check_keys(place, keys).await?;
        }
        begin(place, options, env.clone()).await
    };
    opened.await.map_err(|why| Unopened { why, reached: true })
}

/// Registered session, with the state that depends on it.
pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    pub(super) keeper: JoinHandle<()>,
    pub(super) outgoing: mpsc::Receiver<relay::Outgoing>,
}

/// Registers a session on a database with the newest schema.
async fn begin(place: &Place, options: &PostgresOptions, env: Env) -> Result<Opened, StoreError> {
    let beginning = keeper::begin(place, &options.node, options.before).await?;
    let turn = beginning.turn.clone();
    follow(&env, beginning.clock);
    // The check comes only now: a transfer changes the database while there is no node.
    let pool = match whole(place).await {
        Ok(()) => Connections::new(&place.called(&called(place, &turn)), options.connections),
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
        damaged: Default::default(),
        workflows: Workflows::default(),
        sink: RwLock::new(None),
        errands: tokio::sync::Mutex::new(()),
        takeover: tokio::sync::Mutex::new(()),
        waiting: Semaphore::new(reads::WAITING),
        outgoing: sender,
        lost: Arc::new(Notify::new()),
        revisions: Default::default(),
        in_touch: AtomicBool::new(false),
        account_changes: AtomicU64::new(0),
        timeline: Mutex::new(0),
        forgotten: AtomicU64::new(0),
        closing: Notify::new(),
        vitals: Vitals::default(),
        meters: Default::default(),
        logs_cut: Default::default(),
        storage: Default::default(),
    });
    let listening = Arc::downgrade(&shared);
    let listener = move |heard: &nodes::Heard| {
        if let Some(shared) = listening.upgrade() {
            shared.on_timeline(heard.timeline);
            shared.compare_all(heard.revisions);
            if let Some(right) = heard.clock.and_then(|clock| clock.corrected(shared.env.wall())) {
                shared.env.refer(right);
            }
        }
    };
    let keeper = beginning.keep(Box::new(listener));
    Ok(Opened { shared, keeper, outgoing })
}

/// Follows the clock of the database from here on, as it is the same for all nodes.
fn follow(env: &Env, clock: Timestamp) {
    /// Largest difference of a machine's clock that is not logged, in milliseconds.
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

/// Returns the name of a session's connections, by which they can be cut when it is over.
pub(super) fn called(place: &Place, turn: &Turn) -> String {
    format!("{} {}", place.application(), turn.number)
}

/// Refuses a database in the middle of a transfer, or whose content has been moved.
async fn whole(place: &Place) -> Result<(), StoreError> {
    let (client, _driver) = place.connect().await?;
    let rows = client.query("SELECT name, doc FROM settings", &[]).await.map_err(failed)?;
    let settings = rows
        .iter()
        .map(|row| Ok((column(row, 0)?, column(row, 1)?)))
        .collect::<Result<Vec<(String, String)>, StoreError>>()?;
    crate::transfer::check_whole(&format!("the database {}", place.shown()), |name| {
        Ok(settings.iter().find(|(known, _)| known == name).map(|(_, doc)| doc.clone()))
    })
}
