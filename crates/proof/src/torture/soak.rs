//! F32: hours of steady load with a kill each minute, on one data directory. The peak usage of a life
//! (memory, descriptors, write-ahead log) must not grow from life to life, except by SQLite's page caches
//! while the database is smaller than they are, and in the end everything that was promised must be there.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::heal;
use super::integrity;
use super::kills::{self, STRAGGLERS};
use super::place::Place;
use crate::check::{self, Evidence};
use crate::clock;
use crate::effects::Effects;
use crate::history::Life;
use crate::load::Shared;
use crate::report::{Report, say};
use crate::server::{Program, Start};

/// The fault's name on the command line and in the report.
pub(super) const NAME: &str = "f32";
const PART: &str = "F32";

/// Number of submissions in one life, which determines the work of the checks at the end.
const BUDGET: u32 = 300;
/// Interval at which the server's usage is sampled.
const LOOK: Duration = Duration::from_millis(500);
/// Maximum bytes of the write-ahead log (reliability, F32).
const LARGEST_LOG: u64 = 64 << 20;
/// Memory in bytes that the second half of the lives may use beyond the first half, unless one percent per
/// hour is more: the pages that the allocator keeps differ by as much from life to life.
const MEMORY_NOISE: u64 = 8 << 20;
const DESCRIPTOR_NOISE: u64 = 8;
/// Bytes of SQLite's page cache of the connection that writes, and of each connection that reads, as the
/// server sets them. A cache never holds more than the database has, so these fill from life to life while
/// the database grows from nothing.
const WRITER_CACHE: u64 = 32 << 20;
const READER_CACHE: u64 = 8 << 20;
const READERS: u64 = 4;

/// Length of the soak, and of the lives between kills.
#[derive(Clone, Copy)]
pub(super) struct Soak {
    pub(super) length: Duration,
    pub(super) life: Duration,
    pub(super) clients: u64,
    pub(super) seed: u64,
}

/// Peak usage within one life.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// Resident memory, in bytes.
    memory: u64,
    descriptors: u64,
    /// The write-ahead log, in bytes.
    log: u64,
    /// The database's file, in bytes.
    database: u64,
}

impl Usage {
    fn most(self, other: Usage) -> Usage {
        Usage {
            memory: self.memory.max(other.memory),
            descriptors: self.descriptors.max(other.descriptors),
            log: self.log.max(other.log),
            database: self.database.max(other.database),
        }
    }
}

/// Returns the bytes that SQLite's caches may hold of a database of a size.
fn cached(database: u64) -> u64 {
    database.min(WRITER_CACHE) + READERS * database.min(READER_CACHE)
}

pub(super) async fn run(place: &Place, soak: Soak, report: &mut Report) -> Result<()> {
    let effects = Effects::start().await?;
    let (program, catalog) = place.program(&place.fresh(PART)?, &effects)?;
    let shared = Shared::new(catalog);
    let mut rng = Rng::with_seed(soak.seed);
    let callers = shared.start(soak.clients, soak.seed);
    let minutes = soak.length.as_secs() / 60;
    say(&format!(
        "{PART}: {minutes} minutes under the load of {} clients, a kill each {:?}",
        soak.clients, soak.life
    ));
    let begun = Instant::now();
    // Spread over the whole life: half of the calls are submissions.
    shared.think.set(soak.life.mul_f64(soak.clients as f64 / f64::from(BUDGET) / 2.0));
    let mut usage = Vec::new();
    while begun.elapsed() < soak.length {
        shared.budget.set(BUDGET);
        let length = soak.life.mul_f64(0.8 + 0.4 * rng.f64());
        let (life, most) = one_life(&program, &shared, &effects, usage.len(), length).await?;
        usage.push(most);
        if usage.len() % 10 == 0 {
            tell(&usage, begun);
        }
        shared.recorder.borrow_mut().history.lives.push(life);
    }
    effects.new_life(usage.len());
    let mut server = program.start(&[])?;
    let healed = heal::heal(&mut server, &shared, callers).await?;
    server.stop().await?;
    let faults = integrity::faults(&program.data, &place.path("scratch"))?;
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects = effects.take();
    flat(&usage, soak, report);
    kills::odd_and_unknown(&recorder, &healed, PART, false, report);
    report.add_noted(PART, "db", "PRAGMA integrity_check", format!("{} faults", faults.len()), faults);
    let evidence = Evidence::new(&recorder.history, &healed.dump, &shared.catalog);
    report.verdicts(PART, check::all(&evidence));
    Ok(())
}

/// Runs one life of the server, watched from its first answer to its kill.
async fn one_life(
    program: &Program,
    shared: &Shared,
    effects: &Effects,
    number: usize,
    length: Duration,
) -> Result<(Life, Usage)> {
    effects.new_life(number);
    shared.acked.set(0);
    let mut server = program.start(&[])?;
    let spawned = server.spawned;
    let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed the server") };
    let ready = Some(clock::now());
    shared.is_up(&peer);
    let (until, mut most) = (Instant::now() + length, Usage::default());
    while Instant::now() < until {
        sleep(LOOK).await;
        if server.is_dead()? {
            bail!("the server was killed by somebody else");
        }
        most = most.most(look(server.pid()?, &program.data)?);
    }
    let (acked, in_flight) = (shared.acked.get(), shared.in_flight.get());
    shared.dying.set(true);
    server.kill().await?;
    shared.is_gone();
    sleep(STRAGGLERS).await;
    let life =
        Life { spawned, ready, dead: Some(clock::now()), killed: true, acked, in_flight, ..Life::default() };
    Ok((life, most))
}

/// Samples the current usage of a process.
fn look(pid: Pid, data: &Path) -> Result<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the server's memory")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let descriptors =
        std::fs::read_dir(format!("/proc/{pid}/fd")).context("the server's descriptors")?.count();
    // The file is absent just after a start.
    let size = |name: &str| std::fs::metadata(data.join(name)).map_or(0, |file| file.len());
    let (database, log) = (size("longhaul.db"), size("longhaul.db-wal"));
    let memory = kilobytes.context("the server's memory is not told")? * 1024;
    Ok(Usage { memory, descriptors: descriptors as u64, log, database })
}

/// Returns the median of one figure over some lives.
fn median(lives: &[Usage], of: impl Fn(&Usage) -> u64) -> u64 {
    let mut all: Vec<u64> = lives.iter().map(of).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or(0)
}

/// Splits the lives into two halves, without the first ones, in which caches fill.
fn halves(usage: &[Usage]) -> (&[Usage], &[Usage]) {
    let settled = &usage[usage.len() / 5..];
    settled.split_at(settled.len() / 2)
}

/// Reports whether usage stays flat from life to life.
fn flat(usage: &[Usage], soak: Soak, report: &mut Report) {
    let (before, after) = halves(usage);
    let (first, second) = (median(before, |one| one.memory), median(after, |one| one.memory));
    let hours = soak.length.as_secs_f64() / 3600.0;
    // A growth of one percent per hour is allowed; the medians of the two halves are half of the run apart.
    let may = MEMORY_NOISE.max((first as f64 * 0.01 * hours / 2.0) as u64);
    let small = median(before, |one| one.database);
    let large = median(after, |one| one.database);
    let caches = cached(large) - cached(small.min(large));
    let lives = usage.len();
    let figure = format!(
        "{lives} lives: {:.1} MiB with a database of {:.1}, then {:.1} MiB with {:.1} (caches: {:.1} more)",
        mib(first),
        mib(small),
        mib(second),
        mib(large),
        mib(caches)
    );
    let wanted = "memory is flat (1 % an hour, or 8 MiB, beside SQLite's caches)";
    report.add(PART, "rss", wanted, figure, second <= first + may + caches);
    let (first, second) = (median(before, |one| one.descriptors), median(after, |one| one.descriptors));
    let figure = format!("{first}, then {second}");
    report.add(PART, "fd", "descriptors are flat", figure, second <= first + DESCRIPTOR_NOISE);
    let largest = usage.iter().map(|one| one.log).max().unwrap_or(0);
    let figure = format!("{:.1} MiB at the most", mib(largest));
    report.add(
        PART,
        "wal",
        "the write-ahead log stays within 64 MiB",
        figure,
        (1..=LARGEST_LOG).contains(&largest),
    );
}

fn tell(usage: &[Usage], begun: Instant) {
    let last = &usage[usage.len() - 10..];
    say(&format!(
        "  life {}: {:.1} MiB, {} descriptors, a log of {:.1} MiB, a database of {:.1} MiB, {:.0?}",
        usage.len(),
        mib(median(last, |one| one.memory)),
        median(last, |one| one.descriptors),
        mib(last.iter().map(|one| one.log).max().unwrap_or(0)),
        mib(median(last, |one| one.database)),
        begun.elapsed()
    ));
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soaked(memory: impl Fn(u64) -> u64, database: impl Fn(u64) -> u64) -> bool {
        let life =
            |life| Usage { memory: memory(life), descriptors: 40, log: 1 << 20, database: database(life) };
        let usage: Vec<Usage> = (0..120).map(life).collect();
        let soak =
            Soak { length: Duration::from_secs(7200), life: Duration::from_secs(60), clients: 12, seed: 1 };
        let mut report = Report::default();
        flat(&usage, soak, &mut report);
        report.all_ok()
    }

    #[test]
    fn a_leak_from_life_to_life_is_noticed() {
        let leak = |life| (60 << 20) + life * (1 << 18);
        assert!(soaked(|life| (60 << 20) + (life % 7) * (1 << 19), |_| 64 << 20), "noise is no leak");
        assert!(!soaked(leak, |_| 64 << 20), "a quarter of a MiB a minute is one");
        assert!(
            !soaked(leak, |life| (64 << 20) + (life << 20)),
            "a database beyond the caches explains nothing"
        );
    }

    #[test]
    fn caches_that_fill_are_no_leak() {
        let small = |life| life << 18;
        assert!(soaked(|life| (60 << 20) + cached(small(life)), small), "caches grow with the database");
        assert!(
            !soaked(|life| (60 << 20) + 3 * cached(small(life)), small),
            "but by no more than their sizes"
        );
    }
}
