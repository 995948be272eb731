//! Which node is active. One is; others stand by, and the next takes over when it ends or is not heard of any more. The
//! database decides: an advisory lock says who may be, and a number in a row, the turn, which every transaction of a node checks
//! before it commits. So a node that was thought dead and was not changes nothing any more. What it runs ends with it: a node
//! that cannot say that it lives gives up by its own clock before another one takes over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::Client;

use super::connect::Place;
use super::sql::{column, failed};
use super::{nodes, process};
use crate::error::StoreError;
use crate::nodes::Node;

/// The advisory lock of the active node.
const ACTIVE: i64 = 0x6c6f_6e67_6861_756c;
/// How often a node that stands by asks, and the active one is heard of.
const BEAT: Duration = Duration::from_secs(1);
/// How long one sign of life may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the active node goes on without a sign of life: less than `SILENT`, so that nobody has taken over yet.
const ALONE: Duration = Duration::from_secs(6);
/// How long the active node may be silent, in seconds, until another one takes over.
pub(super) const SILENT: f64 = 10.0;

/// Whether a node may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the active one.
    Active,
    /// It cannot reach the database just now.
    CutOff,
    /// Another one took over, or may: this one is over.
    Over,
    /// It closed.
    Closed,
}

/// A node's turn.
pub(super) struct Turn {
    pub(super) number: i64,
    standing: AtomicU8,
    over: tokio::sync::Notify,
    closed: tokio::sync::Notify,
}

impl Turn {
    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::SeqCst) {
            0 => Standing::Active,
            1 => Standing::CutOff,
            2 => Standing::Over,
            _ => Standing::Closed,
        }
    }

    /// What ended does not begin again.
    pub(super) fn set(&self, standing: Standing) {
        let to = standing as u8;
        let set = |now: u8| (now < 2 || to > now).then_some(to);
        let before = self.standing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, set);
        match standing {
            Standing::Over if before.is_ok_and(|before| before < 2) => {
                tracing::error!("the turn of this node is over");
                self.over.notify_waiters();
            }
            Standing::Closed => self.closed.notify_one(),
            _ => {}
        }
    }

    /// Comes back when another node took over.
    pub(super) async fn over(&self) {
        let told = self.over.notified();
        if self.standing() != Standing::Over {
            told.await;
        }
    }
}

/// Refuses a node whose keys are not those that seal what is in the database.
pub(super) async fn check_keys(place: &Place, keys: &str) -> Result<(), StoreError> {
    let (client, _driver) = place.connect().await?;
    client.execute("UPDATE activity SET keys = $1 WHERE keys IS NULL", &[&keys]).await.map_err(failed)?;
    let row = client.query_one("SELECT keys FROM activity", &[]).await.map_err(failed)?;
    if column::<&str>(&row, 0)? == keys {
        return Ok(());
    }
    Err(StoreError::Open(format!(
        "the secrets in the database {} are sealed with other keys: give this node the key file of the node that was the \
        first on it (--key-file)",
        place.shown()
    )))
}

/// A connection of the keeper's own, and the task that drives it.
type Session = (Client, JoinHandle<()>);

/// Waits until this node may be the active one, and begins its turn; the task keeps it.
pub(super) async fn begin(place: &Place, node: Node) -> Result<(Arc<Turn>, JoinHandle<()>), StoreError> {
    let first = session(place).await?;
    let session = stand_by(place, &node, first).await;
    nodes::forget(&session.0).await?;
    nodes::present(&session.0, &node).await?;
    let name = node.name.clone();
    start(place, session, &name, Some(node)).await
}

/// The same, refused when another node is active or was so a moment ago.
pub(super) async fn begin_at_once(place: &Place) -> Result<(Arc<Turn>, JoinHandle<()>), StoreError> {
    let first = session(place).await?;
    if lock(&first.0, None).await? {
        return start(place, first, &format!("longhaul migrate at {}:{}", host(), std::process::id()), None)
            .await;
    }
    let row = first.0.query_one("SELECT node FROM activity", &[]).await.map_err(failed)?;
    Err(StoreError::Open(format!(
        "{} is in use by {}: stop all of its nodes, and try again after 10 seconds",
        place.shown(),
        column::<&str>(&row, 0)?
    )))
}

/// Lets go of a turn, so that nodes that stand by need not wait.
pub(super) async fn end(turn: &Turn, keeper: JoinHandle<()>) {
    turn.set(Standing::Closed);
    // It ends by itself, or was ended.
    let _ = keeper.await;
}

async fn start(
    place: &Place,
    (client, driver): Session,
    name: &str,
    node: Option<Node>,
) -> Result<(Arc<Turn>, JoinHandle<()>), StoreError> {
    // By the clock, too: a standby of the database that was promoted may not have heard of the last turns.
    let statement = "UPDATE activity SET node = $1, process = $2, since = now(),
             turn = greatest(turn + 1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
         RETURNING turn";
    let row = client.query_one(statement, &[&name, &process::own()]).await.map_err(failed)?;
    let turn = Arc::new(Turn {
        number: column(&row, 0)?,
        standing: AtomicU8::new(Standing::Active as u8),
        over: tokio::sync::Notify::new(),
        closed: tokio::sync::Notify::new(),
    });
    tracing::info!(database = place.shown(), turn = turn.number, "this node is active");
    let keeper = Keeper { place: place.clone(), node, turn: turn.clone(), session: Some((client, driver)) };
    Ok((turn, tokio::spawn(keeper.run())))
}

/// Comes back with the lock. A database that is away for a while ends no node that stands by.
async fn stand_by(place: &Place, node: &Node, first: Session) -> Session {
    let (mut session, mut told) = (Some(first), false);
    loop {
        let asked = match session.take() {
            Some(kept) => asked(kept, node, &mut told).await,
            None => match self::session(place).await {
                Ok(new) => asked(new, node, &mut told).await,
                Err(e) => Err(e),
            },
        };
        match asked {
            Ok((kept, true)) => return kept,
            Ok((kept, false)) => session = Some(kept),
            Err(e) => tracing::warn!(error = %e, "the database is not reached"),
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// Whether the node may be active now; says once for whom it waits.
async fn asked(session: Session, node: &Node, told: &mut bool) -> Result<(Session, bool), StoreError> {
    let asking = async {
        nodes::present(&session.0, node).await?;
        lock(&session.0, None).await
    };
    let taken = timeout(PATIENCE, asking).await.map_err(|_| silent())??;
    if !taken && !*told {
        let row = session.0.query_one("SELECT node FROM activity", &[]).await.map_err(failed)?;
        tracing::info!(active = column::<&str>(&row, 0)?, "another node is active: this one stands by");
        *told = true;
    }
    Ok((session, taken))
}

fn host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn silent() -> StoreError {
    StoreError::Unavailable(format!("the database does not answer within {} s", PATIENCE.as_secs()))
}

/// A connection whose server notices soon when this host is gone.
async fn session(place: &Place) -> Result<Session, StoreError> {
    let (client, driver) = place.connect().await?;
    client
        .batch_execute(
            "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
             SET tcp_user_timeout = 10000; SET idle_session_timeout = 0",
        )
        .await
        .map_err(failed)?;
    Ok((client, driver))
}

/// Takes the lock if it is free and nobody who had it may still be at work: it was let go of, or not heard of for so long that
/// its node gave up, or had by this very turn, or by a process of this machine that is no more. Cuts off an active node that is silent for too long.
async fn lock(client: &Client, mine: Option<i64>) -> Result<bool, StoreError> {
    let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&ACTIVE]).await.map_err(failed)?;
    if column(&row, 0)? {
        // In both directions: a sign of life from the future is one of a clock that was wrong.
        let free = "SELECT pid IS NULL OR turn = $2
             OR abs(extract(epoch FROM clock_timestamp() - seen_at)) > $1::float8, process FROM heartbeat, activity";
        let row = client.query_one(free, &[&SILENT, &mine.unwrap_or(-1)]).await.map_err(failed)?;
        if column(&row, 0)? || column::<Option<&str>>(&row, 1)?.is_some_and(process::is_gone) {
            beat(client).await?;
            return Ok(true);
        }
        client.query("SELECT pg_advisory_unlock($1)", &[&ACTIVE]).await.map_err(failed)?;
        return Ok(false);
    }
    let silent =
        "SELECT pid FROM heartbeat WHERE abs(extract(epoch FROM clock_timestamp() - seen_at)) > $1::float8
         AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";
    for row in client.query(silent, &[&SILENT]).await.map_err(failed)? {
        let pid: i32 = column(&row, 0)?;
        tracing::warn!(pid, "the active node is silent: it is cut off");
        client.query("SELECT pg_terminate_backend($1)", &[&pid]).await.map_err(failed)?;
    }
    Ok(false)
}

async fn beat(client: &Client) -> Result<(), StoreError> {
    let statement = "UPDATE heartbeat SET pid = pg_backend_pid(), seen_at = clock_timestamp()";
    client.execute(statement, &[]).await.map_err(failed).map(drop)
}

/// Says that the node lives, until it closes or its turn is over; after an interruption it goes on if nobody took over.
struct Keeper {
    place: Place,
    /// As it introduces itself; a transfer does not.
    node: Option<Node>,
    turn: Arc<Turn>,
    session: Option<Session>,
}

/// How long a node may go on that was heard of last at that instant.
fn left(heard: Instant) -> Duration {
    (heard + ALONE).saturating_duration_since(Instant::now())
}

impl Keeper {
    async fn run(mut self) {
        let mut heard = Instant::now();
        loop {
            let asked = Instant::now();
            match timeout(PATIENCE.min(left(heard)), self.sign()).await.unwrap_or_else(|_| Err(silent())) {
                Ok(true) => heard = asked,
                Ok(false) => {}
                Err(e) => {
                    if self.turn.standing() == Standing::Active {
                        tracing::warn!(error = %e, "the database is not reached");
                    }
                    self.turn.set(Standing::CutOff);
                    self.session = None;
                }
            }
            if left(heard).is_zero() {
                tracing::error!("this node cannot say that it lives, and another one may take over");
                self.turn.set(Standing::Over);
            }
            match self.turn.standing() {
                Standing::Active | Standing::CutOff => {}
                Standing::Over => return,
                Standing::Closed => return self.leave().await,
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT.min(left(heard))) => {}
                () = self.turn.closed.notified() => {}
            }
        }
    }

    /// A sign of life, on a new connection after an interruption; false while the lock is not had back.
    async fn sign(&mut self) -> Result<bool, StoreError> {
        if let Some((client, _)) = &self.session {
            // Together, so that both cost one round trip.
            let present = async {
                match &self.node {
                    Some(node) => nodes::present(client, node).await,
                    None => Ok(()),
                }
            };
            return tokio::try_join!(beat(client), present).map(|_| true);
        }
        let (client, driver) = session(&self.place).await?;
        let row = client.query_one("SELECT turn FROM activity", &[]).await.map_err(failed)?;
        if column::<i64>(&row, 0)? != self.turn.number {
            tracing::error!("another node took over");
            self.turn.set(Standing::Over);
            return Ok(false);
        }
        if !lock(&client, Some(self.turn.number)).await? {
            return Ok(false);
        }
        tracing::info!("the database is reached again");
        self.session = Some((client, driver));
        self.turn.set(Standing::Active);
        Ok(true)
    }

    /// Lets go of the turn, so that nobody waits for a sign of life.
    async fn leave(self) {
        let Some((client, _driver)) = self.session else { return };
        let statement = "UPDATE heartbeat SET pid = NULL FROM activity WHERE turn = $1";
        let leaving = async {
            client.execute(statement, &[&self.turn.number]).await.map_err(failed)?;
            match &self.node {
                Some(node) => nodes::leave(&client, node).await,
                None => Ok(()),
            }
        };
        match timeout(PATIENCE, leaving).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(error = %e, "the turn was not let go of"),
            Err(_) => tracing::warn!("the turn was not let go of: the database does not answer"),
        }
    }
}
