//! The worker processes: started, listened to, killed, stopped and let go on, by their ids.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::access::key_file;
use crate::work::{Deed, Event, Lease, child};

/// States of a worker, for counting kills.
pub(in crate::torture) const IDLE: &str = "without work";
pub(in crate::torture) const LEASED: &str = "after a lease";
pub(in crate::torture) const DONE: &str = "after the effect";
pub(in crate::torture) const REPORTED: &str = "after a report";

pub(in crate::torture) struct Crew {
    key: String,
    server: SocketAddr,
    effects: SocketAddr,
    seed: u64,
    workers: Vec<Worker>,
    hired: usize,
    events: Rc<RefCell<Vec<Event>>>,
    refused: Rc<Cell<usize>>,
}

struct Worker {
    number: usize,
    child: Child,
    listener: JoinHandle<()>,
}

impl Crew {
    pub(in crate::torture) fn new(
        data: &Path,
        server: SocketAddr,
        effects: SocketAddr,
        seed: u64,
    ) -> Result<Crew> {
        let key = std::fs::read_to_string(key_file(data)).context("the key of the data directory")?;
        Ok(Crew {
            key,
            server,
            effects,
            seed,
            workers: Vec::new(),
            hired: 0,
            events: Rc::default(),
            refused: Rc::default(),
        })
    }

    /// Starts one more worker.
    pub(in crate::torture) fn hire(&mut self) -> Result<()> {
        let number = self.hired;
        self.hired += 1;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker").arg("--server").arg(self.server.to_string());
        command.arg("--effects").arg(self.effects.to_string());
        command.arg("--name").arg(format!("proof-{number:06}-{:08x}", self.seed));
        command.arg("--seed").arg((self.seed + number as u64).to_string());
        command.env(child::KEY, self.key.trim());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().context("starting a worker")?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout")?).lines();
        let (events, refused) = (self.events.clone(), self.refused.clone());
        let listener = tokio::task::spawn_local(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((lease, deed)) = child::heard(&line) {
                    refused.set(refused.get() + usize::from(deed == Deed::Completed(409)));
                    events.borrow_mut().push(Event { worker: number, lease, deed });
                }
            }
        });
        self.workers.push(Worker { number, child, listener });
        Ok(())
    }

    /// Kills one; says where it stood.
    pub(in crate::torture) async fn kill(&mut self, which: usize) -> Result<&'static str> {
        let mut worker = self.workers.remove(which);
        if let Some(status) = worker.child.try_wait()? {
            bail!("a worker ended by itself: {status}");
        }
        worker.child.start_kill()?;
        worker.child.wait().await?;
        // What it had said is heard to the end.
        worker.listener.await?;
        Ok(self.stood(worker.number))
    }

    /// Returns the state of a worker, as far as it said.
    pub(in crate::torture) fn stands(&self, which: usize) -> &'static str {
        self.stood(self.workers[which].number)
    }

    fn stood(&self, number: usize) -> &'static str {
        let mut last: HashMap<Lease, Deed> = HashMap::new();
        let events = self.events.borrow();
        last.extend(
            events.iter().filter(|event| event.worker == number).map(|event| (event.lease, event.deed)),
        );
        let any = |deed| last.values().any(|one| *one == deed);
        if any(Deed::Did) {
            DONE
        } else if any(Deed::Granted) {
            LEASED
        } else if last.is_empty() {
            IDLE
        } else {
            REPORTED
        }
    }

    pub(in crate::torture) fn signal(&self, which: usize, signal: Signal) -> Result<()> {
        let id = self.workers[which].child.id().context("the worker has ended")?;
        Ok(kill(Pid::from_raw(id.try_into()?), signal)?)
    }

    /// Reports that were refused so far.
    pub(in crate::torture) fn refused(&self) -> usize {
        self.refused.get()
    }

    /// Ends them all.
    pub(in crate::torture) async fn dismiss(&mut self) -> Result<()> {
        while !self.workers.is_empty() {
            self.kill(0).await?;
        }
        Ok(())
    }

    pub(in crate::torture) fn events(&self) -> Vec<Event> {
        self.events.borrow().clone()
    }
}
