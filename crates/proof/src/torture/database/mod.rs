//! The PostgreSQL that nodes work on, and its faults (F16, F17, F18): commits that are cut off on their way,
//! a primary that is lost and whose standby takes over, with Patroni or without, a server that crashes and
//! comes back, connections that are cut.

mod proxy;
mod servers;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use longhaul_testbed::{Cluster, Durability, Patroni};

use crate::report::Report;
use proxy::Proxy;
use servers::{Loss, Pair, Servers};

/// The database's name.
const NAME: &str = "tasks";
/// Commits that are cut in a row.
const CUTS: usize = 10;
/// Time for which a standby that fell behind receives nothing before the primary is lost.
const BEHIND: Duration = Duration::from_millis(300);
/// Longest time until a node accepts a submission after its primary was lost.
const FAILOVER: Duration = Duration::from_secs(15);

/// Fault of the database.
enum Fault {
    /// F16: the connection is cut around commits.
    Commits(Proxy),
    /// F17: the primary is lost, every other time by standing still, and its synchronous standby is promoted.
    Failover,
    /// F17P: the same, and Patroni does it.
    Managed,
    /// F17A: the same with an asynchronous one, which every other time has fallen behind.
    Loss,
    /// F18: a crash of the server, and in turn ten rounds in which every connection is cut.
    Crash,
    /// No fault of its own.
    None,
}

/// A database that can be troubled.
pub(super) struct Database {
    servers: Arc<Mutex<Servers>>,
    homes: Vec<PathBuf>,
    fault: Fault,
    /// Time until another server replaced the primary that was lost last.
    took: Cell<Duration>,
    /// Times until a submission was accepted again.
    healed: RefCell<Vec<Duration>>,
}

impl Database {
    /// A new one with the faults of that part, whose commits are worth what they are in production.
    pub(super) fn start(part: &str) -> Result<Database> {
        if part == "F17P" {
            let patroni = Patroni::start()
                .context("Patroni, for which the packages patroni and etcd-server are needed")?;
            patroni.sql("postgres", &format!("CREATE DATABASE {NAME}"))?;
            let homes = patroni.homes().map(Path::to_owned).to_vec();
            return Ok(Database::new(Servers::Managed(patroni), homes, Fault::Managed));
        }
        let primary = Cluster::start(Durability::Full)?;
        primary.create(NAME)?;
        let mut homes = vec![primary.home().to_owned()];
        let mut standby = None;
        let fault = match part {
            "F16" => {
                let proxy = Proxy::start(primary.home())?;
                homes = vec![proxy.directory()];
                Fault::Commits(proxy)
            }
            "F17" | "F17A" => {
                let second = Cluster::standby_of(&primary)?;
                primary.wait_for_standby()?;
                homes.push(second.home().to_owned());
                standby = Some(second);
                if part == "F17" {
                    Fault::Failover
                } else {
                    primary.wait_for_no_standby()?;
                    Fault::Loss
                }
            }
            "F18" => Fault::Crash,
            _ => Fault::None,
        };
        Ok(Database::new(Servers::Own(Pair { primary, standby }), homes, fault))
    }

    fn new(servers: Servers, homes: Vec<PathBuf>, fault: Fault) -> Database {
        let servers = Arc::new(Mutex::new(servers));
        Database { servers, homes, fault, took: Cell::default(), healed: RefCell::default() }
    }

    /// Directories of the servers' sockets.
    pub(super) fn homes(&self) -> Vec<PathBuf> {
        self.homes.clone()
    }

    /// Environment of a node that reaches the servers there.
    pub(super) fn environment_by(&self, homes: Vec<&Path>) -> Vec<(String, String)> {
        let allowed = ("LONGHAUL_ALLOW_UNSAFE_DATABASE".to_owned(), "true".to_owned());
        vec![("LONGHAUL_DATABASE_URL".to_owned(), longhaul_testbed::url(&homes, NAME)), allowed]
    }

    /// Injects one fault.
    pub(super) async fn trouble(&self, number: usize) -> Result<()> {
        match &self.fault {
            Fault::Commits(proxy) => proxy.cut(CUTS).await,
            // There is trouble in every third round.
            Fault::Failover if number % 6 == 5 => self.with(|servers| servers.fail_over(Loss::Still)).await,
            Fault::Failover => self.with(|servers| servers.fail_over(Loss::Gone)).await,
            Fault::Managed => {
                let begun = Instant::now();
                self.with(|servers| servers.fail_over(Loss::Gone)).await?;
                self.took.set(begun.elapsed());
                Ok(())
            }
            Fault::Loss => {
                let how = if number.is_multiple_of(2) { Loss::Gone } else { Loss::Behind(BEHIND) };
                self.with(move |servers| servers.fail_over(how)).await
            }
            Fault::Crash if number.is_multiple_of(2) => self.with(Servers::crash).await,
            Fault::Crash => self.with(|servers| servers.cut_all()).await,
            Fault::None => Ok(()),
        }
    }

    /// Notes that a submission was accepted again, so long after the fault began, and repairs what the fault
    /// left broken.
    pub(super) async fn healed(&self, after: Duration) -> Result<()> {
        // What Patroni takes is its own: it waits until whoever is silent must be gone.
        self.healed.borrow_mut().push(after.saturating_sub(self.took.take()));
        let synchronous = !matches!(self.fault, Fault::Loss);
        self.with(move |servers| servers.mend(synchronous)).await
    }

    /// Reports what the fault shows beside the load's own checks.
    pub(super) fn report(&self, part: &'static str, report: &mut Report) {
        let longest = self.healed.borrow().iter().max().copied().unwrap_or_default();
        let times = self.healed.borrow().len();
        match &self.fault {
            Fault::Commits(proxy) => {
                let counts = proxy.counts();
                let figure = counts.map(|(how, count)| format!("{count} {how}")).join(", ");
                let all = counts.iter().all(|(_, count)| *count > 0);
                report.add(part, "cuts", "commits were cut in each way", figure, all);
            }
            Fault::Managed => report.add(
                part,
                "takeover",
                "a write succeeds within 15 s once Patroni has another primary",
                format!("{times} failovers, longest {longest:.1?}"),
                times > 0 && longest <= FAILOVER,
            ),
            Fault::Failover | Fault::Loss => report.add(
                part,
                "takeover",
                "a write succeeds within 15 s of the loss of the primary",
                format!("{times} failovers, longest {longest:.1?}"),
                times > 0 && longest <= FAILOVER,
            ),
            Fault::Crash => report.add(
                part,
                "troubles",
                "a write succeeds after each",
                format!("{times}, longest {longest:.1?}"),
                times > 0,
            ),
            Fault::None => {}
        }
    }

    /// Returns the findings of the server's own checks: indexes that do not match their tables.
    pub(super) async fn faults(&self) -> Result<Vec<String>> {
        self.with(|servers| {
            servers.sql("CREATE EXTENSION IF NOT EXISTS amcheck")?;
            let indexes = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                 JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE a.amname = 'btree' AND n.nspname = 'public'";
            let mut faults = Vec::new();
            for index in servers.sql(indexes)?.lines() {
                if let Err(e) = servers.sql(&format!("SELECT bt_index_check('{index}', true)")) {
                    faults.push(e.to_string());
                }
            }
            Ok(faults)
        })
        .await
    }

    /// Aside, as it takes its time, in which the load goes on.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Servers) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let servers = self.servers.clone();
        let work = move || work(&mut servers.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await?.context("PostgreSQL")
    }
}
