//! Several nodes on one database: each known by its process, and by its own way to the database.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::link::Link;
use crate::clock;
use crate::effects::Effects;
use crate::history::Life;
use crate::http::Peer;
use crate::load::Shared;
use crate::server::{Program, Server, Start};
use crate::torture::database::Database;
use crate::torture::kills::STRAGGLERS;
use crate::torture::leaps::{self, LEAPS};

/// Number of nodes.
pub(super) const NODES: usize = 3;
/// Longest time until a node whose session is over begins anew.
const GIVES_UP: Duration = Duration::from_secs(20);

/// A node, which runs or does not.
struct Node {
    program: Program,
    link: Link,
    /// File that sets the node's clock, if it has one of its own.
    clock: Option<PathBuf>,
    /// Server with its address, which changes when its process begins anew.
    running: Option<(Server, Rc<RefCell<Peer>>)>,
    /// True while the node's process has begun anew and is not at work yet.
    away: watch::Sender<bool>,
}

/// The lives of the whole, one after the other.
struct Lives {
    shared: Rc<Shared>,
    effects: Effects,
    count: Cell<usize>,
}

impl Lives {
    fn begin(&self, killed: bool, returned: bool) {
        let (now, lives) = (clock::now(), &mut self.shared.recorder.borrow_mut().history.lives);
        if let Some(last) = lives.last_mut() {
            (last.dead, last.killed) = (Some(now), killed);
            (last.acked, last.in_flight) = (self.shared.acked.get(), self.shared.in_flight.get());
        }
        let life = Life { spawned: now, ready: Some(now), shared: true, returned, ..Life::default() };
        lives.push(life);
        self.effects.new_life(self.count.replace(self.count.get() + 1));
        self.shared.acked.set(0);
    }
}

pub(super) struct Fleet {
    nodes: Vec<Node>,
    shared: Rc<Shared>,
    lives: Rc<Lives>,
    /// The longest from the start of a process until it is ready.
    pub(super) longest_start: Duration,
}

impl Fleet {
    /// Starts them all: the first makes the schema and the account of the proof, which are the others', too.
    /// With `clocks`, a directory, each has a clock of its own, which none of the others has.
    pub(super) async fn start(
        program: &Program,
        database: &Database,
        shared: Rc<Shared>,
        effects: Effects,
        clocks: Option<&Path>,
    ) -> Result<Fleet> {
        let mut nodes = Vec::with_capacity(NODES);
        for number in 1..=NODES {
            let link = Link::start(&database.homes())?;
            let log = program.log.with_file_name(format!("node-{number}.log"));
            let mut environment = database.environment_by(link.directories());
            let clock = clocks.map(|clocks| clocks.join(number.to_string()));
            if let Some(clock) = &clock {
                std::fs::create_dir_all(clock.parent().context("a directory")?)?;
                leaps::set(clock, LEAPS[number - 1])?;
                environment.extend(leaps::faked(clock)?);
            }
            let program = Program { environment, log, ..program.clone() };
            nodes.push(Node { program, link, clock, running: None, away: watch::Sender::new(false) });
        }
        let lives = Rc::new(Lives { shared: shared.clone(), effects, count: Cell::new(0) });
        let mut fleet = Fleet { nodes, shared, lives, longest_start: Duration::ZERO };
        fleet.begin_life(false, false);
        for node in 0..NODES {
            fleet.up(node).await?;
        }
        Ok(fleet)
    }

    /// From here on what is heard is of a new life of the whole: a fault lies between. `returned`: a node
    /// came back from which others have taken over.
    pub(super) fn begin_life(&self, killed: bool, returned: bool) {
        self.lives.begin(killed, returned);
    }

    /// Starts a node and waits until it is at work.
    pub(super) async fn up(&mut self, node: usize) -> Result<()> {
        let of = &mut self.nodes[node];
        let begun = Instant::now();
        let mut server = of.program.start(&[])?;
        let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed a node") };
        self.longest_start = self.longest_start.max(begun.elapsed());
        self.shared.is_up(&peer);
        of.away.send_replace(false);
        // At once, before it can be at work again.
        let (lives, away, mut renewals) = (self.lives.clone(), of.away.clone(), server.renewals());
        let peer = Rc::new(RefCell::new(peer));
        let gone = peer.clone();
        tokio::task::spawn_local(async move {
            while renewals.next().await {
                lives.shared.is_gone_from(&gone.borrow());
                away.send_replace(true);
                sleep(STRAGGLERS).await;
                lives.begin(true, false);
            }
        });
        of.running = Some((server, peer));
        Ok(())
    }

    /// Waits until one that began anew is at work.
    pub(super) async fn back(&mut self, node: usize) -> Result<()> {
        let (server, peer) = self.nodes[node].running.as_mut().context("the node does not run")?;
        let Start::Ready(found) = server.up().await? else { bail!("somebody else killed a node") };
        self.shared.is_up(&found);
        peer.replace(found);
        self.nodes[node].away.send_replace(false);
        Ok(())
    }

    /// Takes the node's address away from callers, as if a balancer had noticed.
    pub(super) fn withdraw(&self, node: usize) -> Result<()> {
        let (_, peer) = self.nodes[node].running.as_ref().context("the node does not run")?;
        self.shared.is_gone_from(&peer.borrow());
        Ok(())
    }

    /// SIGKILL.
    pub(super) async fn kill(&mut self, node: usize) -> Result<()> {
        self.withdraw(node)?;
        let (mut server, _) = self.nodes[node].running.take().context("the node does not run")?;
        if server.is_dead()? {
            bail!("a node was killed by somebody else");
        }
        if let Some(life) = self.shared.recorder.borrow_mut().history.lives.last_mut() {
            life.struck.get_or_insert(clock::now());
        }
        server.kill().await
    }

    /// SIGTERM; it must end in order.
    pub(super) async fn stop(&mut self, node: usize) -> Result<()> {
        let (server, peer) = self.nodes[node].running.take().context("the node does not run")?;
        let stopped = server.stop().await;
        self.shared.is_gone_from(&peer.borrow());
        stopped
    }

    /// Sets its clock, so many seconds off the machine's.
    pub(super) fn set_clock(&self, node: usize, seconds: i64) -> Result<()> {
        leaps::set(self.nodes[node].clock.as_ref().context("it has no clock of its own")?, seconds)
    }

    pub(super) fn signal(&self, node: usize, signal: Signal) -> Result<()> {
        let (server, _) = self.nodes[node].running.as_ref().context("the node does not run")?;
        Ok(kill(server.pid()?, signal)?)
    }

    /// Waits until the node finds that its session is over and begins anew; returns the time that took.
    pub(super) async fn gives_up(&mut self, node: usize) -> Result<Duration> {
        let begun = Instant::now();
        let mut away = self.nodes[node].away.subscribe();
        let told = timeout(GIVES_UP, away.wait_for(|away| *away)).await;
        told.context("a node that is over does not begin anew")??;
        Ok(begun.elapsed())
    }

    /// Waits for those that gave up by themselves to be back; how many.
    pub(super) async fn revived(&mut self) -> Result<usize> {
        let mut revived = 0;
        while let Some(node) = self.nodes.iter().position(|node| *node.away.borrow()) {
            self.back(node).await?;
            revived += 1;
        }
        Ok(revived)
    }

    /// Returns true if the node began anew, and was not at work since.
    pub(super) fn gave_up(&self, node: usize) -> bool {
        *self.nodes[node].away.borrow()
    }

    /// Waits until something is accepted, by those that gave up as well; how many did.
    pub(super) async fn accepts(&mut self, limit: Duration) -> Result<usize> {
        let begun = Instant::now();
        let mut revived = 0;
        loop {
            revived += self.revived().await?;
            if self.first_ack(Duration::from_secs(1)).await.is_ok() {
                // One may have given up in this moment.
                return Ok(revived + self.revived().await?);
            }
            if begun.elapsed() > limit {
                bail!("nothing was accepted for {limit:?}");
            }
        }
    }

    /// Link of the node to its database.
    pub(super) fn link(&self, node: usize) -> &Link {
        &self.nodes[node].link
    }

    /// Returns the node, once it is at work.
    pub(super) fn peer(&self, node: usize) -> Result<Peer> {
        self.nodes[node]
            .running
            .as_ref()
            .map(|(_, peer)| peer.borrow().clone())
            .context("the node does not run")
    }

    /// Waits until somebody's submission is answered.
    async fn first_ack(&self, limit: Duration) -> Result<()> {
        self.shared.acked.set(0);
        let answered = async {
            while self.shared.acked.get() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(limit, answered).await.with_context(|| format!("no submission was answered for {limit:?}"))
    }
}
