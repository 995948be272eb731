//! P15: the cost of nodes without work to their database.

use std::time::{Duration, Instant};

use anyhow::Result;
use longhaul_testbed::{Cluster, Durability};

use super::postgres::Counted;
use crate::bench::Bench;
use crate::report::{Row, Target};
use crate::say;

/// Number of nodes.
const NODES: usize = 20;
/// Rest before the measurement: a start is busy, and so is the first round of retention.
const REST: Duration = Duration::from_secs(90);
/// Length of the measurement, in measurements of ordinary length.
const MEASURED: u32 = 15;

impl Bench {
    /// P15.
    pub(crate) fn idle(&mut self) -> Result<()> {
        say(&format!("P15 {NODES} idle nodes"));
        let cluster = Cluster::with(Durability::Full, &["shared_preload_libraries=pg_stat_statements"])?;
        let url = cluster.create("tasks")?;
        cluster.sql("tasks", "CREATE EXTENSION pg_stat_statements")?;
        let servers = self.nodes_on(&url, NODES)?;
        std::thread::sleep(REST);
        let log = || -> Result<f64> {
            Ok(cluster.sql("tasks", "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")?.parse()?)
        };
        let (begun, statements, bytes) = (Instant::now(), Counted::of(&cluster)?.statements, log()?);
        std::thread::sleep(self.time * MEASURED);
        let (statements, bytes) = (Counted::of(&cluster)?.statements - statements, log()? - bytes);
        let seconds = begun.elapsed().as_secs_f64();
        for server in servers {
            server.stop()?;
        }
        let figures =
            [("statements/s", statements / seconds, 40.0), ("bytes of WAL/s", bytes / seconds, 2_000.0)];
        for (what, measure, most) in figures {
            self.rows.push(Row {
                goal: "P15",
                what: format!("{NODES} idle nodes on PostgreSQL, {what} in all"),
                ours: format!("{measure:.0}"),
                other: String::new(),
                measure,
                target: Target::AtMost(most),
            });
        }
        Ok(())
    }
}
