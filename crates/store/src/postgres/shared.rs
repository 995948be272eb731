//! State that the writer, errands, readers and the traffic with other nodes share; and this node's memory of
//! what others change.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use deadpool_postgres::GenericClient;
use longhaul_model::{Effect, Env, NodeId, Timestamp};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_postgres::Row;

use super::connect::Connections;
use super::relay::{self, Outgoing};
use super::sql::execute;
use super::turn::{Standing, Turn};
use super::vitals::Vitals;
use crate::error::StoreError;
use crate::known::{Damages, Workflows};
use crate::meters::Meters;
use crate::peers::{News, Rare, To};
use crate::store::{Commit, CommitSink};

/// Interval in milliseconds at which old logs of changes are cut.
const LOGS_CUT: i64 = 3_600_000;

pub(super) struct Shared {
    pub(super) pool: Connections,
    pub(super) env: Env,
    pub(super) turn: Arc<Turn>,
    pub(super) workflows: Workflows,
    /// Tasks that commands found damaged: the sweep skips them.
    pub(super) damaged: Damages,
    pub(super) sink: RwLock<Option<Arc<dyn CommitSink>>>,
    pub(super) errands: tokio::sync::Mutex<()>,
    /// Lock held by a round of the takeover ([`super::takeover::round`]).
    pub(super) takeover: tokio::sync::Mutex<()>,
    /// Semaphore of callers that wait for a read.
    pub(super) waiting: Semaphore,
    /// Events on their way to other nodes.
    pub(super) outgoing: mpsc::Sender<Outgoing>,
    /// Notified when the node's session may be over.
    pub(super) lost: Arc<Notify>,
    /// Latest known revisions of workflows, settings and accounts.
    pub(super) revisions: [AtomicI64; 3],
    /// True if events reach the other nodes, and theirs reach this one.
    pub(super) in_touch: AtomicBool,
    /// Rises when the accounts may not be as they were.
    pub(super) account_changes: AtomicU64,
    /// Newest known timeline of the database; 0 before any was known.
    pub(super) timeline: Mutex<i64>,
    /// Count of the times that everything was forgotten because the database continued on another timeline.
    pub(super) forgotten: AtomicU64,
    /// Notified when the store closes: the writer ends, whatever still waits for it.
    pub(super) closing: Notify,
    /// Health of the writing side.
    pub(super) vitals: Vitals,
    pub(super) meters: Meters,
    /// Time at which the logs of changes were last cut, in milliseconds.
    pub(super) logs_cut: AtomicI64,
    /// Identity of the database, once it is known.
    pub(super) storage: OnceLock<String>,
}

impl Shared {
    /// Returns true once an hour: old logs of changes are to be cut.
    pub(super) fn cuts_logs(&self, now: Timestamp) -> bool {
        let last = self.logs_cut.load(Ordering::Relaxed);
        let is_time = now.0.saturating_sub(last) > LOGS_CUT;
        is_time && self.logs_cut.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Refuses changes that cannot be written any more.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let why = match self.turn.standing() {
            Standing::Active | Standing::CutOff => return Ok(()),
            Standing::Over => "others took over from this node",
            Standing::Closed => "the server is stopping",
        };
        Err(StoreError::Unavailable(why.to_owned()))
    }

    /// Refuses a transaction whose first statement found that the session is over.
    pub(super) fn opened(&self, rows: &[Row]) -> Result<(), StoreError> {
        let revision = self.turn.opened(rows)?;
        self.compare(0, revision);
        Ok(())
    }

    /// Notes the revisions of workflows, settings and accounts, and acts where one has changed.
    pub(super) fn compare_all(&self, revisions: [i64; 3]) {
        for (n, revision) in revisions.into_iter().enumerate() {
            self.compare(n, revision);
        }
    }

    /// Notes the timeline of the database. On a new one, everything learned on the one before is forgotten,
    /// as it may be lost; revisions, too, which will be assigned again to other changes.
    pub(super) fn on_timeline(&self, found: Option<i64>) {
        let Some(found) = found else { return };
        // The lock is held to the end: a second caller finds all of it forgotten.
        let mut timeline = self.timeline.lock();
        let before = *timeline;
        // The timeline never goes back: an answer of the old server may be late.
        *timeline = before.max(found);
        if before == 0 || found <= before {
            return;
        }
        tracing::warn!(
            timeline = found,
            "another server of the database took over: what is remembered is read anew"
        );
        self.revisions.iter().for_each(|revision| revision.store(0, Ordering::SeqCst));
        self.workflows.forget_all();
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        for what in [Rare::Workflows, Rare::Settings, Rare::Accounts] {
            self.hear(NodeId::default(), News::Changed(what));
        }
    }

    /// Count of the times that everything was forgotten.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Returns the latest known revision of the workflows.
    pub(super) fn revision_of_workflows(&self) -> i64 {
        self.revisions[0].load(Ordering::SeqCst)
    }

    fn compare(&self, n: usize, revision: i64) {
        // The revision never goes back: a slow look may bring an old one.
        if self.revisions[n].fetch_max(revision, Ordering::SeqCst) < revision {
            let what = [Rare::Workflows, Rare::Settings, Rare::Accounts][n];
            self.hear(NodeId::default(), News::Changed(what));
        }
    }

    /// Handles an event of another node, or of the database.
    pub(super) fn hear(&self, from: NodeId, news: News) {
        match &news {
            News::Changed(Rare::Workflows) => self.workflows.forget(),
            News::Changed(Rare::Accounts) => drop(self.account_changes.fetch_add(1, Ordering::SeqCst)),
            News::Over => self.lost.notify_one(),
            _ => {}
        }
        let sink = self.sink.read().clone();
        if let Some(sink) = sink {
            sink.heard(from, news);
        }
    }

    /// Sends an event to other nodes, unless too many wait to be sent.
    pub(super) fn say(&self, to: To, news: News) {
        // A named node exists, though this node may not have heard of it yet.
        if matches!(to, To::Node(_)) || self.turn.peers() > 0 {
            let _ = self.outgoing.try_send((to, news));
        }
    }

    /// Carries out effects that are durable, each at the node that owns its sub-task.
    pub(super) fn carry_out(&self, mut commits: Vec<Commit>) {
        let own = self.turn.node;
        for commit in &mut commits {
            let id = commit.id;
            if self.turn.peers() > 0 && commit.effects.iter().any(|effect| matches!(effect, Effect::Ended(_)))
            {
                self.say(To::All, News::Ended(id));
            }
            let foreign = |effect: &Effect| effect.node().is_some_and(|node| node != own);
            if !commit.effects.iter().any(foreign) {
                continue;
            }
            let (theirs, ours): (Vec<Effect>, Vec<Effect>) =
                std::mem::take(&mut commit.effects).into_iter().partition(foreign);
            commit.effects = ours;
            for effect in theirs {
                let to = effect.node().unwrap_or_default();
                if let Some(news) = relay::news_of(id, commit.revision, effect) {
                    self.say(To::Node(to), news);
                }
            }
        }
        let sink = self.sink.read().clone();
        if let Some(sink) = sink
            && !commits.is_empty()
        {
            sink.committed(commits);
        }
    }

    /// Notifies this node and the others that tasks changed.
    pub(super) fn tasks_changed(&self) {
        self.say(To::All, News::Tasks);
        if let Some(sink) = self.sink.read().clone() {
            sink.changed();
        }
    }
}

/// Notes a change inside a transaction: all nodes hear of it the moment it is committed.
pub(super) async fn changed(db: &impl GenericClient, what: Rare) -> Result<(), StoreError> {
    let name = match what {
        Rare::Workflows => Some("workflows"),
        Rare::Settings => Some("settings"),
        // Accounts have a revision of their own.
        Rare::Accounts => None,
    };
    if let Some(name) = name {
        execute(db, "UPDATE revisions SET n = n + 1 WHERE name = $1", &[&name]).await?;
    }
    relay::announce(db, what).await
}
