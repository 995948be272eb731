//! The servers of a database: the proof's own, of which it does with each what it wants, or two that Patroni
//! looks after.

use std::io::{Error, Result};
use std::time::Duration;

use longhaul_testbed::{Cluster, Patroni, Stop};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::NAME;

/// Way in which a primary is lost.
#[derive(Clone, Copy)]
pub(super) enum Loss {
    /// The server is gone, as with its machine.
    Gone,
    /// The server is gone, and its standby received nothing for so long before.
    Behind(Duration),
    /// The server is stopped: it takes connections, and answers nobody.
    Still,
}

pub(super) enum Servers {
    Own(Pair),
    Managed(Patroni),
}

/// A server, and its standby if it has one.
pub(super) struct Pair {
    pub(super) primary: Cluster,
    pub(super) standby: Option<Cluster>,
}

impl Servers {
    /// Runs statements where writes are taken.
    pub(super) fn sql(&self, statements: &str) -> Result<String> {
        match self {
            Servers::Own(pair) => pair.primary.sql(NAME, statements),
            Servers::Managed(patroni) => patroni.sql(NAME, statements),
        }
    }

    /// The primary is lost, and the standby takes its place. To Patroni all losses are alike.
    pub(super) fn fail_over(&mut self, how: Loss) -> Result<()> {
        match self {
            Servers::Own(pair) => pair.fail_over(how),
            Servers::Managed(patroni) => patroni.lose_primary(),
        }
    }

    /// Brings the lost server back as a standby; with `synchronous`, commits wait for it.
    pub(super) fn mend(&mut self, synchronous: bool) -> Result<()> {
        match self {
            Servers::Own(pair) => pair.mend(synchronous),
            Servers::Managed(patroni) => patroni.mend(),
        }
    }

    /// The server crashes, and comes back.
    pub(super) fn crash(&mut self) -> Result<()> {
        match self {
            Servers::Own(pair) => {
                pair.primary.stop(Stop::Immediate)?;
                pair.primary.resume()
            }
            Servers::Managed(_) => Err(Error::other("Patroni starts what crashes")),
        }
    }

    /// Every connection is cut, ten times in a row.
    pub(super) fn cut_all(&self) -> Result<()> {
        for _ in 0..10 {
            self.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )?;
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }
}

impl Pair {
    fn fail_over(&mut self, how: Loss) -> Result<()> {
        let Some(standby) = self.standby.take() else { return Ok(()) };
        match how {
            Loss::Gone => self.primary.stop(Stop::Immediate)?,
            Loss::Behind(behind) => self.stop_behind(behind)?,
            Loss::Still => self.primary.hang()?,
        }
        standby.promote()?;
        self.standby = Some(std::mem::replace(&mut self.primary, standby));
        Ok(())
    }

    /// The primary is gone, and has told its standby nothing for so long.
    fn stop_behind(&mut self, behind: Duration) -> Result<()> {
        let told_by = self.primary.sql(NAME, "SELECT pid FROM pg_stat_replication")?;
        let told_by = Pid::from_raw(told_by.parse().map_err(Error::other)?);
        kill(told_by, Signal::SIGSTOP)?;
        std::thread::sleep(behind);
        // It can end only once it goes on, which it does not do before it is told to end.
        let ending = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            kill(told_by, Signal::SIGCONT)
        });
        self.primary.stop(Stop::Immediate)?;
        // Gone already, if the server did not wait for it.
        drop(ending.join());
        Ok(())
    }

    /// The one that was lost follows the one that took its place.
    fn mend(&mut self, synchronous: bool) -> Result<()> {
        let Some(standby) = &mut self.standby else { return Ok(()) };
        standby.follow(&self.primary)?;
        if synchronous { self.primary.wait_for_standby() } else { self.primary.wait_for_no_standby() }
    }
}
