//! F33: three nodes while somebody keeps a transaction open in the same database: dead rows cannot be
//! removed, and the load must not notice.

use std::time::Duration;

use anyhow::{Result, anyhow};
use longhaul_testbed::{Cluster, Durability};

use super::postgres::ALL;
use crate::bench::Bench;
use crate::load::{Figures, Load};
use crate::report::{Row, Target};
use crate::say;

/// Number of nodes.
const NODES: usize = 3;
/// Measurements of ordinary length that the load lasts, before and after, and while the transaction is open.
const AROUND: u32 = 5;
const HELD: u32 = 15;

impl Bench {
    /// F33.
    pub(crate) fn horizon(&mut self) -> Result<()> {
        let [_, tasks] = &ALL;
        let cluster = Cluster::with(Durability::Full, &["autovacuum_naptime=5s"])?;
        let url = cluster.create("tasks")?;
        let servers = self.nodes_on(&url, NODES)?;
        let request = (tasks.request)(&servers[0].who);
        let addresses: Vec<_> = servers.iter().map(|server| server.at).collect();
        let run = |what: &str, time: Duration| -> Result<(Figures, String)> {
            let figures = Load { connections: 64, time }.run_on(&addresses, &request)?;
            let state = active_tasks(&cluster)?;
            say(&format!(
                "  {what}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {state}",
                figures.rate, figures.p50, figures.p99
            ));
            Ok((figures, state))
        };
        say(&format!("F33 {}, {NODES} nodes", tasks.what));
        let (before, _) = run("before", self.time * AROUND)?;
        let (held, state) = held_open(&cluster, || run("a transaction is open", self.time * HELD))?;
        let (after, recovered) = run("after", self.time * AROUND)?;
        for server in servers {
            server.stop()?;
        }
        let around = f64::midpoint(before.rate, after.rate);
        self.rows.push(Row {
            goal: "F33",
            what: format!("{}, {NODES} nodes, a transaction open", tasks.what),
            ours: format!("{:.0}/s, {state}", held.rate),
            other: format!("before {:.0}/s, after {:.0}/s, {recovered}", before.rate, after.rate),
            measure: held.rate / around,
            target: Target::AtLeast(0.9),
        });
        Ok(())
    }
}

/// Runs something while a transaction is open that sees the database as it was.
fn held_open<T>(cluster: &Cluster, run: impl FnOnce() -> Result<T>) -> Result<T> {
    const HELD_BY: &str = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT txid_current()%'
         AND pid <> pg_backend_pid()";
    std::thread::scope(|scope| {
        let open =
            scope.spawn(|| cluster.sql("tasks", "BEGIN; SELECT txid_current(); SELECT pg_sleep(86400)"));
        while cluster.sql("tasks", HELD_BY)?.is_empty() {
            if open.is_finished() {
                return Err(anyhow!("a transaction could not be held open"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let done = run();
        cluster.sql("tasks", &format!("SELECT pg_terminate_backend(pid) FROM ({HELD_BY}) AS open"))?;
        let ended = open.join().map_err(|_| anyhow!("the thread of the open transaction panicked"))?;
        if ended.is_ok() {
            return Err(anyhow!("the transaction did not stay open"));
        }
        done
    })
}

/// Returns the size of the table of active tasks, and its dead rows.
fn active_tasks(cluster: &Cluster) -> Result<String> {
    let asked =
        "SELECT (pg_total_relation_size('hot') / 1048576) || ' MiB with ' || n_dead_tup || ' dead rows'
         FROM pg_stat_user_tables WHERE relname = 'hot'";
    // What a session counted is told a second later.
    std::thread::sleep(Duration::from_millis(1500));
    Ok(cluster.sql("tasks", asked)?)
}
