//! P8, P9: how soon a large store answers, how much memory is used, how much disk a task takes.

use std::time::Duration;

use anyhow::Result;

use crate::bench::{Bench, middle, run_tasks};
use crate::child::bytes_in;
use crate::load::{Connection, Who, get, on_one_thread};
use crate::report::{Row, Target, short};
use crate::say;

/// Keep-alive connections that do nothing.
const IDLE: usize = 10_000;

impl Bench {
    /// P8.
    pub(crate) fn start_and_memory(&mut self) -> Result<()> {
        say("P8 start and memory");
        let data = self.store(self.tasks, "large")?;
        // The first start finds a directory just copied; the page cache is warm either way, so all count
        // alike.
        let (mut starts, mut idles, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.rounds.max(3) {
            let server = self.places.longhaul(&data)?;
            starts.push(server.started_in.as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_secs(1));
            let idle = server.resident_mib()?;
            idles.push(idle);
            held.push(
                on_one_thread(async {
                    let mut request = Vec::new();
                    get(&Who::nobody(), "/health/live", &mut request);
                    let mut connections = Vec::with_capacity(IDLE);
                    for _ in 0..IDLE {
                        let mut connection = Connection::open(server.at).await?;
                        connection.ask(&request).await?;
                        connections.push(connection);
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    server.resident_mib()
                })? - idle,
            );
            say(&format!("  {starts:.1?} ms, {idles:.1?} MiB idle, {held:.1?} MiB more"));
            server.stop()?;
        }
        let mut row = |what: String, figure: f64, unit: &str, most: f64| {
            self.rows.push(Row {
                goal: "P8",
                what,
                ours: format!("{} {unit}", short(figure)),
                other: String::new(),
                measure: figure,
                target: Target::AtMost(most),
            });
        };
        row(
            format!("start with {} tasks, to first list", self.tasks),
            middle(starts.into_iter()),
            "ms",
            100.0,
        );
        row("memory, idle".into(), middle(idles.into_iter()), "MiB", 30.0);
        row(format!("  more with {IDLE} idle connections"), middle(held.into_iter()), "MiB", 200.0);
        Ok(())
    }

    /// P9.
    pub(crate) fn bytes_a_task(&mut self) -> Result<()> {
        say("P9 bytes a task");
        let data = self.places.fresh("bytes")?;
        self.places.longhaul(&data)?.stop()?;
        let empty = bytes_in(&data)?;
        let server = self.places.longhaul(&data)?;
        let count = (self.tasks / 10).clamp(1_000, 50_000);
        run_tasks(&server, count)?;
        server.stop()?;
        let each = (bytes_in(&data)? - empty) as f64 / count as f64;
        self.rows.push(Row {
            goal: "P9",
            what: format!("bytes on disk per finished 5-step task (of {count})"),
            ours: format!("{each:.0} B"),
            other: String::new(),
            measure: each,
            target: Target::AtMost(2048.0),
        });
        Ok(())
    }
}
