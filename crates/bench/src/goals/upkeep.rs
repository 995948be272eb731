//! P12: upkeep under load. Compares the p99 of four callers of five-step tasks on a filled store, while the
//! server, its database or an operator runs a large job, with that of the same callers alone in the same
//! minutes.

mod aged;
mod jobs;

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use longhaul_testbed::{Cluster, Durability};

use self::jobs::succeeded_before;
use crate::bench::{Bench, bodies, median, middle};
use crate::child::Server;
use crate::load::{Figures, posts};
use crate::report::{Row, Target, short};
use crate::say;

/// Number of concurrent callers.
const CALLERS: usize = 4;
/// Largest ratio that meets the goal, of a figure under upkeep to the same figure without it.
const MOST: f64 = 3.0;
/// Longest wait for retention to begin; its first round comes a minute after a start.
const PATIENCE: Duration = Duration::from_secs(120);

/// A job that runs beside the load until it is told to stop, and counts what it has done.
pub(super) type Upkeep<'a> = dyn Fn(&AtomicBool, &AtomicU64) -> Result<()> + Sync + 'a;

impl Bench {
    /// P12 on both engines.
    pub(crate) fn upkeep(&mut self) -> Result<()> {
        self.upkeep_of_files()?;
        self.migration()?;
        self.upkeep_of_postgres()
    }

    fn upkeep_of_files(&mut self) -> Result<()> {
        let data = self.store(self.tasks, "upkeep")?;
        let server = self.places.longhaul(&data)?;
        let (longhaul, copy) = (self.places.longhaul.clone(), self.places.work.join("backup"));
        let backup = |stop: &AtomicBool, done: &AtomicU64| {
            jobs::until(stop, done, || backed_up(&longhaul, &data, &copy, stop))
        };
        self.beside("SQLite", "online backups", &server, &backup)?;
        let deleted = jobs::deletion(&server);
        self.beside("SQLite", "deletion of history, 100 at a time", &server, &*deleted)?;
        let sealed = jobs::resting(&server);
        self.beside("SQLite", "sealing of tasks that rest", &server, &*sealed)?;
        let imported = jobs::import(&server);
        self.beside("SQLite", "checkpoints of an import's log", &server, &*imported)?;
        server.stop()?;
        aged::files(&data)?;
        let server = self.places.longhaul(&data)?;
        self.beside_retention("SQLite", &server)?;
        server.stop()
    }

    fn upkeep_of_postgres(&mut self) -> Result<()> {
        let cluster = Cluster::start(Durability::Full)?;
        let url = cluster.create("tasks")?;
        let from = self.store(self.tasks, "upkeep")?;
        moved(&self.places.longhaul, &from, &url)?;
        let data = self.places.fresh("upkeep-postgres")?;
        let server = self.places.longhaul_moved(&url, &data, &from)?;
        let deleted = jobs::deletion(&server);
        self.beside("PostgreSQL", "deletion of history, 100 at a time", &server, &*deleted)?;
        let vacuum = |stop: &AtomicBool, done: &AtomicU64| {
            jobs::until(stop, done, || {
                let tables =
                    "VACUUM (ANALYZE) hot, history, specs, outputs, chunks, attempts, tallies, claims";
                cluster.sql("tasks", tables)?;
                Ok(1)
            })
        };
        self.beside("PostgreSQL", "VACUUM of the tables", &server, &vacuum)?;
        server.stop()?;
        aged::database(&cluster, "tasks")?;
        let server = self.places.longhaul_moved(&url, &data, &from)?;
        self.beside_retention("PostgreSQL", &server)?;
        server.stop()
    }

    /// Measures the callers alone and beside the job, in turn.
    fn beside(&mut self, engine: &str, what: &str, server: &Server, upkeep: &Upkeep<'_>) -> Result<()> {
        say(&format!("P12 {engine}: {what}"));
        let (mut alone, mut beside, done) = (Vec::new(), Vec::new(), AtomicU64::new(0));
        for _ in 0..self.rounds {
            alone.push(self.callers("alone", server)?);
            let stop = AtomicBool::new(false);
            let measured = std::thread::scope(|scope| {
                let at_work = scope.spawn(|| upkeep(&stop, &done));
                let measured = self.callers("beside", server);
                stop.store(true, Ordering::SeqCst);
                let upkeep = at_work.join().map_err(|_| anyhow::anyhow!("what was to go on beside died"));
                upkeep?.with_context(|| what.to_owned()).and(measured)
            });
            beside.push(measured?);
        }
        let done = done.load(Ordering::SeqCst);
        ensure!(done > 0, "{what}: nothing was done beside the load");
        self.upkeep_row(engine, what, done, median(&beside), median(&alone));
        Ok(())
    }

    /// Measures the callers beside retention, which starts by itself a minute after the server. Waits for it
    /// to start, and fails if it ends before the load.
    fn beside_retention(&mut self, engine: &str, server: &Server) -> Result<()> {
        say(&format!("P12 {engine}: retention"));
        let mut alone = Vec::new();
        for _ in 0..self.rounds {
            alone.push(self.callers("alone", server)?);
        }
        let old = || succeeded_before(server, aged::border());
        let (all, begun) = (old()?, Instant::now());
        while old()? >= all {
            ensure!(begun.elapsed() < PATIENCE, "retention does not begin");
            std::thread::sleep(Duration::from_millis(100));
        }
        let (mut beside, from) = (Vec::new(), old()?);
        for _ in 0..self.rounds {
            beside.push(self.callers("beside", server)?);
        }
        let left = old()?;
        ensure!(
            0 < left && left < from,
            "retention did not go on beside all of the load: {from}, {left} left"
        );
        self.upkeep_row(engine, "retention", from - left, median(&beside), median(&alone));
        Ok(())
    }

    fn callers(&self, what: &str, server: &Server) -> Result<Figures> {
        self.load(what, server.at, CALLERS, &posts(&server.who, "/v1/tasks?wait=30s", bodies(false)))
    }

    fn upkeep_row(&mut self, engine: &str, what: &str, done: u64, beside: Figures, alone: Figures) {
        self.rows.push(Row {
            goal: "P12",
            what: format!("{engine}: p99 of 5-step tasks beside {what}, {} tasks ({done} done)", self.tasks),
            ours: format!("{} ms, {:.0}/s", short(beside.p99), beside.rate),
            other: format!("alone {} ms, {:.0}/s", short(alone.p99), alone.rate),
            measure: beside.p99 / alone.p99,
            target: Target::AtMost(MOST),
        });
    }

    /// Measures a start with a pending migration against one without.
    fn migration(&mut self) -> Result<()> {
        say("P12 SQLite: a start with a migration");
        let (mut plain, mut migrating) = (Vec::new(), Vec::new());
        let data = self.store(self.tasks, "migrating")?;
        for _ in 0..self.rounds {
            aged::schema(&data)?;
            for starts in [&mut migrating, &mut plain] {
                let server = self.places.longhaul(&data)?;
                starts.push(server.started_in.as_secs_f64() * 1000.0);
                server.stop()?;
            }
        }
        let (plain, migrating) = (middle(plain.into_iter()), middle(migrating.into_iter()));
        self.rows.push(Row {
            goal: "P12",
            what: format!("SQLite: start with a migration pending, {} tasks", self.tasks),
            ours: format!("{} ms", short(migrating)),
            other: format!("without {} ms", short(plain)),
            measure: migrating / plain,
            target: Target::AtMost(MOST),
        });
        Ok(())
    }
}

/// Takes one backup into a directory of its own, which is given up at the end of the load; counts bytes
/// written.
fn backed_up(longhaul: &Path, data: &Path, into: &Path, stop: &AtomicBool) -> Result<u64> {
    if into.exists() {
        std::fs::remove_dir_all(into)?;
    }
    std::fs::create_dir(into)?;
    let mut command = Command::new(longhaul);
    command.arg("backup").arg("--data-dir").arg(data).arg(into.join("longhaul.db"));
    let mut child = command.stdout(std::process::Stdio::null()).spawn().context("starting the backup")?;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the backup ended with {status}");
            return bytes_in(into);
        }
        if stop.load(Ordering::SeqCst) {
            child.kill()?;
            child.wait()?;
            return bytes_in(into);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Bytes of all files of a directory.
fn bytes_in(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in std::fs::read_dir(directory)? {
        bytes += file?.metadata()?.len();
    }
    Ok(bytes)
}

/// Moves a filled data directory into a database.
pub(super) fn moved(longhaul: &Path, from: &Path, url: &str) -> Result<()> {
    let mut command = Command::new(longhaul);
    command.args(["migrate", "--to", url, "--from"]).arg(format!("sqlite:{}", from.display()));
    command.arg("--key-file").arg(from.join("keys.json")).stdout(std::process::Stdio::null());
    let status = command.status().context("starting the migration")?;
    if !status.success() {
        bail!("`longhaul migrate` ended with {status}");
    }
    Ok(())
}
