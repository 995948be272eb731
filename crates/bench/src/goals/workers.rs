//! P3: tasks whose sub-tasks external workers run, over HTTP.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, Result};

use crate::bench::{Bench, SMALL, bodies_of, median};
use crate::data;
use crate::load::{Connection, Figures, Who, on_one_thread, post, posts};
use crate::report::{Row, Target, short};
use crate::say;

/// Worker processes, each with one connection.
const WORKERS: usize = 4;

/// Attempts that one worker has at the most.
const BATCH: usize = 64;

/// What another product reached on this kind of machine (docs/performance.md): tasks of five steps in a second.
const RESTATE_TUNED: f64 = 1_138.0;

impl Bench {
    /// P3: tasks of five sub-tasks, run by workers that complete and lease in one call.
    pub(crate) fn workers(&mut self) -> Result<()> {
        let (mut many, mut alone) = (Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            say(&format!("P3 tasks of five sub-tasks at workers, round {round}"));
            many.push(self.with_workers("64 at once", 64, WORKERS)?);
            alone.push(self.with_workers("alone", 1, 1)?);
        }
        let (many, alone) = (median(&many), median(&alone));
        self.rows.push(Row {
            goal: "P3",
            what: "5-step tasks/s with workers over HTTP, 64 at once".into(),
            ours: format!("{}/s, p99 {} ms", short(many.rate), short(many.p99)),
            other: format!("Restate, tuned, measured elsewhere: {RESTATE_TUNED}/s"),
            measure: many.rate / RESTATE_TUNED,
            target: Target::AtLeast(3.0),
        });
        self.rows.push(Row {
            goal: "P3",
            what: "  a task alone, p50 (ms)".into(),
            ours: format!("{} ms", short(alone.p50)),
            other: String::new(),
            measure: alone.p50,
            target: Target::AtMost(6.0),
        });
        Ok(())
    }

    fn with_workers(&self, what: &str, connections: usize, workers: usize) -> Result<Figures> {
        let server = self.places.longhaul(&self.store(SMALL, "small")?)?;
        let (at, who) = (server.at, server.who.clone());
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let ended = stop.clone();
        let working = std::thread::spawn(move || on_one_thread(work(at, who, workers, ended)));
        let request = posts(&server.who, "/v1/tasks?wait=30s", bodies_of(data::WORKED));
        let figures = self.load(&format!("Longhaul, {what}"), server.at, connections, &request);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let worked = working.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
        // The server is ended first: a worker may wait in a call.
        let stopped = server.stop();
        worked?;
        stopped?;
        figures
    }
}

/// Workers that do nothing but report, as fast as they can.
async fn work(
    at: SocketAddr,
    who: Who,
    workers: usize,
    ended: std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> Result<()> {
    let mut running = Vec::new();
    let calls = Rc::new(Cell::new(0_u64));
    for n in 0..workers {
        let mut connection = Connection::open(at).await?;
        let (who, ended, calls) = (who.clone(), ended.clone(), calls.clone());
        running.push(tokio::task::spawn_local(async move {
            let next = format!(r#"{{"queues":["{}"],"max":{BATCH},"wait":"1s"}}"#, data::QUEUE);
            let (mut leases, mut bytes) = (Vec::<String>::new(), Vec::new());
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                bytes.clear();
                let completed: Vec<String> = leases
                    .iter()
                    .map(|lease| format!(r#"{{"lease":"{lease}","output":{{"done":true}}}}"#))
                    .collect();
                let body = format!(
                    r#"{{"worker":"bench-worker-{n:04}","completed":[{}],"next":{next}}}"#,
                    completed.join(",")
                );
                post(&who, "/v1/workers/complete", body.as_bytes(), &mut bytes);
                let answer = connection.ask(&bytes).await?;
                leases = leased(answer)?;
                calls.set(calls.get() + 1);
            }
            anyhow::Ok(())
        }));
    }
    for one in running {
        one.await??;
    }
    Ok(())
}

/// The leases of an answer; read by hand, as the reader shares the machine with the server.
fn leased(answer: &[u8]) -> Result<Vec<String>> {
    let text = std::str::from_utf8(answer)?;
    let (_, leases) = text.split_once(r#""leases":["#).context("an answer without leases")?;
    let ids = leases.split(r#"{"lease":""#).skip(1).filter_map(|one| one.split('"').next());
    Ok(ids.map(str::to_owned).collect())
}
