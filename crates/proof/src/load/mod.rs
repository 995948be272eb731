//! The clients. What they do is drawn from a seed; what they are told is recorded, with what they were not
//! told.

mod caller;
mod client;
mod entry;
mod keeper;
mod record;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinHandle;
use uuid::Uuid;

pub use caller::{Caller, Sending};
pub(crate) use keeper::Keeper;
pub use record::Recorder;

use crate::catalog::Catalog;
use crate::clock::{self, Micros};
use crate::followers::{self, Told};
use crate::history::{History, Submit, SubmitAnswer};
use crate::http::Peer;

/// State that the clients of one load share. All run in one thread.
#[derive(Debug)]
pub struct Shared {
    /// The workflows.
    pub catalog: Catalog,
    /// Recorder of their calls.
    pub recorder: RefCell<Recorder>,
    /// The servers, each as good as the others, and since when; none while there is none.
    peers: RefCell<Vec<(Peer, Micros)>>,
    /// Index of the next server to call.
    turn: Cell<usize>,
    /// True while a server is being killed, or just came up: answers may break off.
    pub dying: Cell<bool>,
    /// The clients end after what they are at.
    pub stop: Cell<bool>,
    /// The mean pause between two calls of one client.
    pub think: Cell<Duration>,
    /// Submissions left in this round; then mostly other calls are made.
    pub budget: Cell<u32>,
    /// Requests under way.
    pub in_flight: Cell<u64>,
    /// Submissions answered since the counter was set to 0.
    pub acked: Cell<u64>,
    /// Tasks that were started lately.
    recent: RefCell<VecDeque<Uuid>>,
    /// Failed tasks, with the sub-task that waits for a verdict.
    failed: RefCell<VecDeque<(Uuid, Option<String>)>>,
    /// Submissions with a key whose answer was lost: to be sent again.
    owed: RefCell<VecDeque<usize>>,
    next_mark: Cell<u64>,
    /// Nothing changes any more: readers of the feed end once they have read all there is.
    pub over: Cell<bool>,
    /// True if one address stands for several nodes, as that of a balancer does.
    pub balanced: Cell<bool>,
    /// Number of readers of the feed.
    pub readers: Cell<usize>,
    followers: RefCell<Vec<JoinHandle<Told>>>,
}

/// Number of readers of the feed beside a load.
const READERS: usize = 6;
/// Number of tasks in `recent`: most of them are running.
const RECENT: usize = 300;
/// Number of failed tasks remembered for a decision.
const FAILED: usize = 500;

impl Shared {
    /// Creates the state before the first call.
    pub fn new(catalog: Catalog) -> Rc<Shared> {
        Rc::new(Shared {
            catalog,
            recorder: RefCell::default(),
            peers: RefCell::default(),
            turn: Cell::new(0),
            dying: Cell::new(true),
            stop: Cell::new(false),
            think: Cell::new(Duration::from_millis(5)),
            budget: Cell::new(u32::MAX),
            in_flight: Cell::new(0),
            acked: Cell::new(0),
            recent: RefCell::default(),
            failed: RefCell::default(),
            owed: RefCell::default(),
            next_mark: Cell::new(1),
            over: Cell::new(false),
            balanced: Cell::new(false),
            readers: Cell::new(READERS),
            followers: RefCell::default(),
        })
    }

    /// Creates the state after a load whose history is known: open decisions and the next mark follow from
    /// it.
    pub fn resume(catalog: Catalog, history: History) -> Rc<Shared> {
        let shared = Shared::new(catalog);
        let unknown = |submit: &Submit| submit.answer == SubmitAnswer::Ambiguous && submit.key.is_some();
        let owed =
            history.submits.iter().enumerate().filter(|(_, submit)| unknown(submit)).map(|(index, _)| index);
        shared.owed.borrow_mut().extend(owed);
        shared.next_mark.set(history.submits.iter().map(|submit| submit.mark).max().unwrap_or(0) + 1_000_000);
        shared.recorder.borrow_mut().history = history;
        shared
    }

    /// Starts clients, and one more that keeps accounts.
    pub fn start(self: &Rc<Self>, clients: u64, seed: u64) -> Vec<JoinHandle<()>> {
        self.stop.set(false);
        let rng = |n: u64| fastrand::Rng::with_seed(seed ^ (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let keeper = tokio::task::spawn_local(keeper::run(self.clone(), rng(clients)));
        self.follow();
        (0..clients)
            .map(|n| tokio::task::spawn_local(client::run(Caller::new(self.clone()), rng(n))))
            .chain([keeper])
            .collect()
    }

    /// Starts the readers of the feed: half of them read streams, half pages.
    fn follow(self: &Rc<Self>) {
        let mut followers = self.followers.borrow_mut();
        for n in followers.len()..self.readers.get() {
            followers.push(match n % 2 {
                0 => tokio::task::spawn_local(followers::stream(self.clone(), n)),
                _ => tokio::task::spawn_local(followers::poll(self.clone(), n)),
            });
        }
    }

    /// Ends the readers of the feed; returns what they were told. Nothing may change any more.
    pub async fn followed(&self) -> Vec<Told> {
        self.over.set(true);
        let (mut all, followers) = (Vec::new(), std::mem::take(&mut *self.followers.borrow_mut()));
        for follower in followers {
            all.extend(follower.await);
        }
        self.over.set(false);
        all
    }

    /// A number that no other submission has.
    pub fn new_mark(&self) -> u64 {
        self.next_mark.replace(self.next_mark.get() + 1)
    }

    /// Notes that a server answers from now on.
    pub fn is_up(&self, peer: &Peer) {
        self.is_gone_from(peer);
        self.peers.borrow_mut().push((peer.clone(), clock::now()));
        self.dying.set(false);
        self.acked.set(0);
    }

    /// Notes that there is no server from now on.
    pub fn is_gone(&self) {
        self.peers.borrow_mut().clear();
    }

    /// Notes that a server no longer answers, or not reliably.
    pub fn is_gone_from(&self, peer: &Peer) {
        self.peers.borrow_mut().retain(|(own, _)| own.address != peer.address);
    }

    /// A server, while there is one: each in turn.
    pub fn peer(&self) -> Option<Peer> {
        let peers = self.peers.borrow();
        let turn = self.turn.replace(self.turn.get().wrapping_add(1));
        (!peers.is_empty()).then(|| peers[turn % peers.len()].0.clone())
    }

    /// Returns true if a server is at this address, and was at that time.
    fn is_at(&self, peer: &Peer, then: Micros) -> bool {
        self.peers.borrow().iter().any(|(own, since)| own.address == peer.address && *since <= then)
    }

    fn remember(&self, id: Uuid) {
        let mut recent = self.recent.borrow_mut();
        recent.push_back(id);
        if recent.len() > RECENT {
            recent.pop_front();
        }
    }

    fn remember_failed(&self, id: Uuid, undecided: Option<String>) {
        let mut failed = self.failed.borrow_mut();
        failed.push_back((id, undecided));
        if failed.len() > FAILED {
            failed.pop_front();
        }
    }
}
