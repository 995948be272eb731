//! P3, P11: tasks whose sub-tasks external workers run, over HTTP.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::{Bench, SMALL, bodies_of, median, middle};
use crate::child::Server;
use crate::data;
use crate::load::{Connection, Figures, Who, get, on_one_thread, post, posts};
use crate::report::{Row, Target, short};
use crate::say;

/// Worker processes, each with one connection.
const WORKERS: usize = 4;

/// Attempts that one worker has at the most.
const BATCH: usize = 64;

/// Connections that submit side by side.
const SUBMITTERS: usize = 16;

/// Rate of another product, tuned, on this kind of machine: tasks of five steps in a second.
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

    /// P11: a task with ten thousand children, against as many children of tasks that have ten each.
    pub(crate) fn children(&mut self) -> Result<()> {
        const MANY: usize = 10_000;
        let (mut few, mut many, mut read) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.rounds {
            say(&format!("P11 children, round {round}"));
            let server = self.places.longhaul(&self.store(SMALL, "small")?)?;
            few.push(children_in(&server, MANY / 10, 10)?.0);
            let (time, get) = children_in(&server, 1, MANY)?;
            many.push(time);
            read.push(get);
            server.stop()?;
        }
        let each = |times: Vec<f64>| middle(times.into_iter()) / MANY as f64 * 1e6;
        let (few, many) = (each(few), each(many));
        self.rows.push(Row {
            goal: "P11",
            what: "a child among 10,000".into(),
            ours: format!("{} us", short(many)),
            other: format!("among 10: {} us", short(few)),
            measure: many / few,
            target: Target::AtMost(1.5),
        });
        let get = middle(read.into_iter());
        self.rows.push(Row {
            goal: "P11",
            what: "  GET of that task (ms)".into(),
            ours: format!("{} ms", short(get)),
            other: String::new(),
            measure: get,
            target: Target::AtMost(50.0),
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

/// Runs tasks of so many children each with one worker; gives the seconds until the last child is done, and
/// the milliseconds of a GET of the last task.
fn children_in(server: &Server, tasks: usize, children: usize) -> Result<(f64, f64)> {
    let hosts: Vec<String> = (0..children).map(|n| format!("host-{n:05}")).collect();
    let body = serde_json::json!({ "workflow": data::EACH, "input": { "hosts": hosts } }).to_string();
    on_one_thread(async {
        let mut bytes = Vec::new();
        post(&server.who, "/v1/tasks", body.as_bytes(), &mut bytes);
        let request = Rc::new(bytes);
        let begun = Instant::now();
        // Side by side, so that the submissions of the many small tasks share their commits like those of
        // many callers.
        let lanes = tasks.min(SUBMITTERS);
        let mut submitting = Vec::new();
        for lane in 0..lanes {
            let (at, request) = (server.at, request.clone());
            submitting.push(tokio::task::spawn_local(async move {
                let mut connection = Connection::open(at).await?;
                let mut last = String::new();
                for _ in (lane..tasks).step_by(lanes) {
                    let task: serde_json::Value = serde_json::from_slice(connection.ask(&request).await?)?;
                    last = task["id"].as_str().context("a task without id")?.to_owned();
                }
                anyhow::Ok(last)
            }));
        }
        let mut id = String::new();
        for one in submitting {
            id = one.await??;
        }
        let mut connection = Connection::open(server.at).await?;
        let mut bytes = Vec::new();
        let (mut leases, mut done) = (Vec::new(), 0);
        while done < tasks * children {
            done += leases.len();
            bytes.clear();
            post(&server.who, "/v1/workers/complete", report(0, &leases, BATCH).as_bytes(), &mut bytes);
            leases = leased(connection.ask(&bytes).await?)?;
        }
        let time = begun.elapsed().as_secs_f64();
        bytes.clear();
        get(&server.who, &format!("/v1/tasks/{id}"), &mut bytes);
        let asked = Instant::now();
        let length = connection.ask(&bytes).await?.len();
        let took = asked.elapsed().as_secs_f64() * 1e3;
        say(&format!("  {tasks} tasks of {children}: {time:.2} s; GET {took:.1} ms, {length} bytes"));
        Ok((time, took))
    })
}

/// Returns the body of a worker's call: completed attempts, and a request for more.
fn report(worker: usize, leases: &[String], most: usize) -> String {
    let completed: Vec<String> =
        leases.iter().map(|lease| format!(r#"{{"lease":"{lease}","output":{{"done":true}}}}"#)).collect();
    let next = format!(r#"{{"queues":["{}"],"max":{most},"wait":"1s"}}"#, data::QUEUE);
    let completed = completed.join(",");
    format!(r#"{{"worker":"bench-worker-{worker:04}","completed":[{completed}],"next":{next}}}"#)
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
            let (mut leases, mut bytes) = (Vec::<String>::new(), Vec::new());
            while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                bytes.clear();
                let body = report(n, &leases, BATCH);
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
