//! P10: what one node costs beside three on the same machine: statements, round trips, log and processor time
//! for each task, of the nodes and of their database.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use longhaul_testbed::{Cluster, Durability};

use super::postgres::{ALL, Asked, Counted, ROUND_TRIPS};
use crate::bench::{Bench, middle};
use crate::child::Server;
use crate::load::{Figures, Load};
use crate::report::{Row, Target, short};
use crate::say;

/// Numbers of nodes that are compared.
const NODES: [usize; 2] = [1, 3];

/// Result of one measurement.
#[derive(Clone, Copy)]
struct Cost {
    rate: f64,
    statements: f64,
    round_trips: f64,
    /// Milliseconds of processor time.
    nodes: f64,
    database: f64,
    /// KiB.
    log: f64,
}

impl Bench {
    /// Compares one node with three.
    pub(crate) fn nodes(&mut self) -> Result<()> {
        for asked in ALL {
            let mut one = None;
            for nodes in NODES {
                let mut costs = Vec::new();
                for round in 1..=self.rounds {
                    say(&format!("P10 {}, {nodes} nodes, round {round}", asked.what));
                    costs.push(self.with_nodes(&asked, nodes)?);
                }
                let of = |get: fn(&Cost) -> f64| middle(costs.iter().map(get));
                let rate = of(|cost| cost.rate);
                let alone = *one.get_or_insert(rate);
                self.rows.push(Row {
                    goal: "P10",
                    what: format!("{}, {nodes} nodes", asked.what),
                    ours: format!("{rate:.0}/s"),
                    other: format!(
                        "each: {} statements, {} round trips, {} ms of nodes, {} ms of PostgreSQL, {} KiB of log",
                        short(of(|cost| cost.statements)),
                        short(of(|cost| cost.round_trips)),
                        short(of(|cost| cost.nodes)),
                        short(of(|cost| cost.database)),
                        short(of(|cost| cost.log)),
                    ),
                    measure: rate / alone,
                    target: Target::None,
                });
            }
        }
        Ok(())
    }

    fn with_nodes(&self, asked: &Asked, count: usize) -> Result<Cost> {
        let cluster = Cluster::with(Durability::Full, &["shared_preload_libraries=pg_stat_statements"])?;
        let url = cluster.create("tasks")?;
        cluster.sql("tasks", "CREATE EXTENSION pg_stat_statements")?;
        let servers = self.nodes_on(&url, count)?;
        let request = (asked.request)(&servers[0].who);
        let addresses: Vec<_> = servers.iter().map(|server| server.at).collect();
        let before = Spent::of(&cluster, &servers)?;
        let figures = Load { connections: 64, time: self.time }.run_on(&addresses, &request)?;
        let cost = before.until(Spent::of(&cluster, &servers)?, figures, self.time.as_secs_f64() * 1.1);
        say(&format!("  {:.0}/s, p50 {:.2} ms, p99 {:.2} ms", figures.rate, figures.p50, figures.p99));
        for server in servers {
            server.stop()?;
        }
        Ok(cost)
    }

    /// Several nodes on a database.
    pub(super) fn nodes_on(&self, url: &str, count: usize) -> Result<Vec<Server>> {
        let keys = self.places.fresh("node-0")?;
        let mut servers = vec![self.places.longhaul_on(url, &keys, &keys)?];
        for n in 1..count {
            let data = self.places.fresh(&format!("node-{n}"))?;
            servers.push(self.places.longhaul_on(url, &data, &keys)?);
        }
        Ok(servers)
    }
}

/// Resources spent so far.
struct Spent {
    counted: Counted,
    nodes: f64,
    database: f64,
    log: f64,
}

impl Spent {
    fn of(cluster: &Cluster, servers: &[Server]) -> Result<Spent> {
        let counted = Counted::of(cluster)?;
        let log =
            cluster.sql("tasks", "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")?.parse::<f64>()? / 1024.0;
        let postmaster = std::fs::read_to_string(cluster.home().join("data/postmaster.pid"))?;
        let postmaster: u32 = postmaster.lines().next().context("a pid")?.trim().parse()?;
        let nodes =
            servers.iter().map(|server| Ok(times(&process(server.pid()))?.sum())).sum::<Result<f64>>()?;
        Ok(Spent { counted, nodes, database: of_database(postmaster)?, log })
    }

    /// Returns the resources spent for each unit of work done within so many seconds.
    fn until(&self, after: Spent, figures: Figures, seconds: f64) -> Cost {
        let done = figures.rate * seconds;
        Cost {
            rate: figures.rate,
            statements: (after.counted.statements - self.counted.statements) / done,
            round_trips: (after.counted.transactions - self.counted.transactions) * ROUND_TRIPS / done,
            nodes: (after.nodes - self.nodes) / done,
            database: (after.database - self.database) / done,
            log: (after.log - self.log) / done,
        }
    }
}

fn process(pid: u32) -> PathBuf {
    format!("/proc/{pid}/stat").into()
}

/// Processor time of a process.
struct Times {
    parent: u32,
    /// Milliseconds: its own, and of children that ended.
    own: f64,
    ended: f64,
}

impl Times {
    fn sum(&self) -> f64 {
        self.own + self.ended
    }
}

fn times(stat: &Path) -> Result<Times> {
    /// Clock ticks a second on every Linux machine.
    const TICKS_A_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(stat)?;
    // The name before may have anything in it.
    let (_, fields) = text.rsplit_once(')').context("a process without a name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> {
        Ok(fields.get(at).context("a short line")?.parse::<f64>()? * 1000.0 / TICKS_A_SECOND)
    };
    let parent = fields.get(1).context("a short line")?.parse()?;
    Ok(Times { parent, own: ticks(11)? + ticks(12)?, ended: ticks(13)? + ticks(14)? })
}

/// A server's first process and all that it started.
fn of_database(postmaster: u32) -> Result<f64> {
    let mut sum = times(&process(postmaster))?.sum();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // Others come and go.
        if let Ok(found) = times(&entry.path().join("stat"))
            && found.parent == postmaster
        {
            sum += found.own;
        }
    }
    Ok(sum)
}
