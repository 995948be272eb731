//! Keeper of a node's session: it counts a beat every other second, and looks every second at the beats of
//! others. A node that cannot do so gives up by its own clock, before others take over its work.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::Timestamp;
use longhaul_model::liveness::SILENT;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, Statement};

use super::connect::{ATTENTIVE, Place};
use super::nodes::{self, Begun, Company, Heard, Occupant};
use super::sql::{column, failed};
use super::timeline;
use super::turn::{Standing, Turn};
use super::watch::{Beat, Watch};
use crate::error::StoreError;
use crate::nodes::Node;

/// Interval between two looks at the database.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Looks from one beat to the next. A beat writes, a look only reads: others see within one look that a beat
/// was counted, however rarely that happens.
const LOOKS_PER_BEAT: u32 = 2;
/// Longest time of one beat or look.
const PATIENCE: Duration = Duration::from_secs(3);
/// Maximum time that a node goes on without a successful beat: less than [`SILENT`], so that it stops before
/// others take over.
const ALONE: Duration = Duration::from_secs(7);

/// Refuses a node whose keys are not those that seal the secrets in the database.
pub(super) async fn check_keys(place: &Place, keys: &str) -> Result<(), StoreError> {
    let (client, _driver) = place.connect().await?;
    let first = "UPDATE installation SET keys = $1 WHERE keys IS NULL";
    client.execute(first, &[&keys]).await.map_err(failed)?;
    let row = client.query_one("SELECT keys FROM installation", &[]).await.map_err(failed)?;
    if column::<&str>(&row, 0)? == keys {
        return Ok(());
    }
    Err(StoreError::Open(format!(
        "the secrets in the database {} are sealed with other keys: give this node the key file of the node that was the \
        first on it (--key-file)",
        place.shown()
    )))
}

/// Connection of the keeper's own, and the Tokio task that drives it.
type Session = (Client, JoinHandle<()>);

/// Listener that hears the reply to each beat.
pub(super) type Listener = Box<dyn Fn(&Heard) + Send>;

/// Session that was registered and is not kept yet.
pub(super) struct Beginning {
    pub(super) turn: Arc<Turn>,
    place: Place,
    session: Session,
    heard: Instant,
    /// The clock of the database.
    pub(super) clock: Timestamp,
}

/// Registers a node's session, once no transfer is under way; a session that its process had before is ended.
pub(super) async fn begin(place: &Place, node: &Node, before: Option<i64>) -> Result<Beginning, StoreError> {
    let (watch, mut told) = (Arc::new(Watch::new()), false);
    loop {
        match try_begin(place, node, Company::Any, before, &watch).await? {
            Ok(begun) => return Ok(begun),
            Err(by) if !told => {
                tracing::info!(by = by.name, "the database is being moved: this node waits");
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Registers the session of a transfer; refused while nodes are active. Nodes that left no trace of their end
/// are observed first, until one beats or all have been silent for long enough.
pub(super) async fn begin_alone(place: &Place) -> Result<Beginning, StoreError> {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let name = format!("longhaul migrate at {host}:{}", std::process::id());
    let node = Node { name, version: env!("CARGO_PKG_VERSION").to_owned(), ..Node::default() };
    let (watch, until) = (Arc::new(Watch::new()), Instant::now() + SILENT + ALONE);
    let mut before: Option<(i64, Beat)> = None;
    loop {
        let by = match try_begin(place, &node, Company::None, None, &watch).await? {
            Ok(begun) => return Ok(begun),
            Err(by) => by,
        };
        let lives = before.is_some_and(|(turn, beat)| turn == by.turn && beat != by.beat);
        if lives || Instant::now() >= until {
            return Err(StoreError::Open(format!(
                "{} is in use by {}: stop all of its nodes, and try again",
                place.shown(),
                by.name
            )));
        }
        if before.is_none() {
            tracing::info!(by = by.name, "looking whether anybody is at work on the database");
        }
        before = Some((by.turn, by.beat));
        tokio::time::sleep(LOOK).await;
    }
}

async fn try_begin(
    place: &Place,
    node: &Node,
    company: Company,
    before: Option<i64>,
    watch: &Arc<Watch>,
) -> Result<Result<Beginning, Occupant>, StoreError> {
    let (mut client, driver) = session(place).await?;
    if let Some(turn) = before {
        nodes::end_own(&client, turn).await?;
    }
    nodes::end_dead(&client, -1, watch).await?;
    // Before the session begins, so that nothing may fail behind it.
    let (clock, heard) = (nodes::clock(&client).await?, Instant::now());
    Ok(match nodes::begin(&mut client, node, place.application(), company, watch).await? {
        Begun::Taken(by) => Err(by),
        Begun::Turn(number, node) => {
            tracing::info!(database = place.shown(), node = node.0, turn = number, "this node's turn began");
            let turn = Arc::new(Turn::new(number, node, watch.clone()));
            let clock = Timestamp(clock.0 + heard.elapsed().as_millis() as i64);
            Ok(Beginning { turn, place: place.clone(), session: (client, driver), heard, clock })
        }
    })
}

impl Beginning {
    /// Keeps the session until it is closed or over.
    pub(super) fn keep(self, listener: Listener) -> JoinHandle<()> {
        let Beginning { turn, place, session, heard, clock: _ } = self;
        let unkept = Unkept(turn.clone());
        let session = Some(session);
        let keeper =
            Keeper { place, turn, session, look: None, looks: 0, timeline: None, hangs: false, listener };
        tokio::spawn(async move {
            let _unkept = unkept;
            keeper.run(heard).await;
        })
    }
}

/// Ends the session when its keeper ends, for whatever reason.
struct Unkept(Arc<Turn>);

impl Drop for Unkept {
    fn drop(&mut self) {
        // A session that was closed stays so.
        self.0.set(Standing::Over);
    }
}

/// Ends a session in order, so that the others need not wait.
pub(super) async fn end(turn: &Turn, keeper: JoinHandle<()>) {
    turn.set(Standing::Closed);
    // The keeper ends by itself, or was ended.
    let _ = keeper.await;
}

fn silent() -> StoreError {
    StoreError::Unavailable(format!("the database does not answer within {} s", PATIENCE.as_secs()))
}

/// Opens a connection whose server notices soon when this host is gone.
async fn session(place: &Place) -> Result<Session, StoreError> {
    let (client, driver) = place.connect().await?;
    client.batch_execute(ATTENTIVE).await.map_err(failed)?;
    Ok((client, driver))
}

/// Setting for beats, which count when they are seen. They need not wait for a disk that is busy: after a
/// crash of the database the last of them is a second older.
const HASTY: &str = "SET synchronous_commit = off";

/// Prepares a connection for beats; returns the timeline of its server.
async fn made_hasty(client: &Client) -> Result<Option<i64>, StoreError> {
    client.batch_execute(HASTY).await.map_err(failed)?;
    Ok(timeline::read(client).await)
}

struct Keeper {
    place: Place,
    turn: Arc<Turn>,
    session: Option<Session>,
    /// Statement of the session's looks, once it is prepared.
    look: Option<Statement>,
    /// Looks since the last beat.
    looks: u32,
    /// Timeline of the session's server.
    timeline: Option<i64>,
    /// True if the last session was not answered, and nobody closed it.
    hangs: bool,
    listener: Listener,
}

/// Time for which a node may go on that was heard of last at that instant.
fn left(heard: Instant) -> Duration {
    (heard + ALONE).saturating_duration_since(Instant::now())
}

impl Keeper {
    async fn run(mut self, mut heard: Instant) {
        if let Some((client, _)) = &self.session {
            match timeout(PATIENCE, made_hasty(client)).await {
                Ok(Ok(timeline)) => self.timeline = timeline,
                Ok(Err(_)) | Err(_) => self.session = None,
            }
        }
        loop {
            let asked = Instant::now();
            let open = self.session.is_some();
            let signed = timeout(PATIENCE.min(left(heard)), self.sign()).await;
            self.hangs |= open && signed.is_err();
            match signed.unwrap_or_else(|_| Err(silent())) {
                Ok(beaten) => {
                    heard = if beaten { asked } else { heard };
                    self.hangs = false;
                }
                Err(e) => {
                    if self.turn.standing() == Standing::Active {
                        tracing::warn!(error = %e, "the database is not reached");
                    }
                    self.turn.set(Standing::CutOff);
                    (self.session, self.look) = (None, None);
                }
            }
            if left(heard).is_zero() {
                tracing::error!("this node cannot say that it lives, and others may take over");
                self.turn.set(Standing::Over);
            }
            match self.turn.standing() {
                Standing::Active | Standing::CutOff => {}
                Standing::Over => return,
                Standing::Closed => return self.leave().await,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK.min(left(heard))) => {}
                () = self.turn.closed.notified() => {}
            }
        }
    }

    /// Looks at the database, on a new connection after an interruption. Returns true if a beat was counted:
    /// every other time, and whenever the look before failed.
    async fn sign(&mut self) -> Result<bool, StoreError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let session = session(&self.place).await?;
                let before = std::mem::replace(&mut self.timeline, made_hasty(&session.0).await?);
                let elsewhere = matches!((before, self.timeline), (Some(before), Some(now)) if before != now);
                if self.hangs && elsewhere {
                    tracing::error!(
                        "another server took over from one that hangs, and all that waits for that one does"
                    );
                    self.turn.set(Standing::Over);
                    return Ok(false);
                }
                session
            }
        };
        let statement = match self.look.take() {
            Some(statement) => statement,
            None => {
                self.looks = 0;
                nodes::prepare_look(&session.0).await?
            }
        };
        let beats = self.looks == 0;
        let mut heard = nodes::look(&session.0, &statement, &self.turn, beats).await?;
        self.looks = (self.looks + 1) % LOOKS_PER_BEAT;
        self.look = Some(statement);
        heard.timeline = self.timeline;
        self.session = Some(session);
        let Some(living) = heard.living.take() else {
            tracing::error!("others took over from this node");
            self.turn.set(Standing::Over);
            return Ok(false);
        };
        self.turn.set_living(living, heard.left);
        if self.turn.standing() == Standing::CutOff {
            tracing::info!("the database is reached again");
            self.turn.set(Standing::Active);
        }
        (self.listener)(&heard);
        Ok(beats)
    }

    /// Ends the session in order, so that nobody waits for a beat.
    async fn leave(self) {
        let Some((client, _driver)) = self.session else { return };
        match timeout(PATIENCE, nodes::leave(&client, self.turn.number)).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::warn!(error = %e, "the turn was not let go of"),
            Err(_) => tracing::warn!("the turn was not let go of: the database does not answer"),
        }
    }
}
