//! P13: tasks that wait for each other. What work that has nothing to do with them costs beside them, against
//! the same server without them; and how fast they go on once they can, against as many tasks at once without
//! a limit.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use longhaul_testbed::{Cluster, Durability};

use crate::bench::{Bench, SMALL, bodies, bodies_of, median};
use crate::child::Server;
use crate::data;
use crate::load::{Connection, Figures, delete, get, on_one_thread, posts};
use crate::report::{Row, Target, short};
use crate::say;

/// Connections of the work beside them.
const BESIDE: usize = 4;
/// Longest time for a line of tasks to be done.
const PATIENCE: Duration = Duration::from_secs(120);

impl Bench {
    /// P13 on both engines.
    pub(crate) fn waiting(&mut self) -> Result<()> {
        let (plain, crowded) = (self.store(SMALL, "plain")?, self.store(SMALL, "crowded")?);
        self.wait_on("SQLite", self.places.longhaul(&plain)?, self.places.longhaul(&crowded)?)?;
        let cluster = Cluster::start(Durability::Full)?;
        let mut servers = Vec::new();
        for name in ["plain", "crowded"] {
            let data = self.places.fresh(&format!("postgres-{name}"))?;
            servers.push(self.places.longhaul_on(&cluster.create(name)?, &data, &data)?);
        }
        let crowded = servers.pop().context("two servers")?;
        let plain = servers.pop().context("two servers")?;
        self.wait_on("PostgreSQL", plain, crowded)
    }

    fn wait_on(&mut self, engine: &str, plain: Server, crowded: Server) -> Result<()> {
        say(&format!("P13 {engine}: {} tasks wait", self.waiting));
        let before = pending(&crowded)?;
        let holders = submit(&crowded, data::LIMIT, true)?;
        let submitting = Instant::now();
        submit(&crowded, self.waiting, false)?;
        let took = submitting.elapsed().as_secs_f64();
        say(&format!("  submitted at {:.0}/s", self.waiting as f64 / took));
        let (mut without, mut beside) = (Vec::new(), Vec::new());
        let request = |server: &Server| posts(&server.who, "/v1/tasks?wait=30s", bodies(false));
        for _ in 0..self.rounds {
            without.push(self.load("nobody waits", plain.at, BESIDE, &request(&plain))?);
            beside.push(self.load("they wait", crowded.at, BESIDE, &request(&crowded))?);
        }
        let free = posts(&plain.who, "/v1/tasks?wait=30s", bodies_of(data::FREE));
        let free = self.load("without a limit", plain.at, data::LIMIT as usize, &free)?;
        let drained = drain(&crowded, &holders, self.waiting, before)?;
        say(&format!("  drained at {drained:.0}/s"));
        self.waiting_rows(engine, median(&without), median(&beside), drained / free.rate);
        plain.stop()?;
        crowded.stop()
    }

    fn waiting_rows(&mut self, engine: &str, without: Figures, beside: Figures, drained: f64) {
        for (what, ours, other) in [("p50", beside.p50, without.p50), ("p99", beside.p99, without.p99)] {
            self.rows.push(Row {
                goal: "P13",
                what: format!("{engine}: {what} of 5-step tasks beside {} that wait", self.waiting),
                ours: format!("{} ms", short(ours)),
                other: format!("alone {} ms", short(other)),
                measure: ours / other,
                target: Target::AtMost(1.1),
            });
        }
        self.rows.push(Row {
            goal: "P13",
            what: format!(
                "{engine}: those that waited, {} at once, against tasks without a limit",
                data::LIMIT
            ),
            ours: String::new(),
            other: String::new(),
            measure: drained,
            target: Target::AtLeast(0.5),
        });
    }
}

/// Submits tasks of the workflow with a limit; those that hold wait for a worker that never comes. Gives
/// their ids.
fn submit(server: &Server, count: u64, hold: bool) -> Result<Vec<String>> {
    let body = serde_json::json!({ "workflow": data::LIMITED, "input": { "hold": hold } }).to_string();
    let request = posts(&server.who, "/v1/tasks", vec![body.into_bytes()]);
    on_one_thread(async {
        let next = Rc::new(Cell::new(0));
        let mut submitting = Vec::new();
        for _ in 0..64 {
            let mut connection = Connection::open(server.at).await?;
            let (next, request) = (next.clone(), request.clone());
            submitting.push(tokio::task::spawn_local(async move {
                let (mut bytes, mut ids) = (Vec::new(), Vec::new());
                while next.get() < count {
                    bytes.clear();
                    request(next.replace(next.get() + 1), &mut bytes);
                    let task: serde_json::Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
                    if hold {
                        ids.push(task["id"].as_str().context("a task without id")?.to_owned());
                    }
                }
                anyhow::Ok(ids)
            }));
        }
        let mut ids = Vec::new();
        for submitting in submitting {
            ids.extend(submitting.await??);
        }
        Ok(ids)
    })
}

/// Lets those that wait go on, until no more are PENDING than the store had before; how many were done in a
/// second.
fn drain(server: &Server, holders: &[String], waiting: u64, before: u64) -> Result<f64> {
    on_one_thread(async {
        let mut connection = Connection::open(server.at).await?;
        let mut bytes = Vec::new();
        let begun = Instant::now();
        for id in holders {
            bytes.clear();
            delete(&server.who, &format!("/v1/tasks/{id}"), &mut bytes);
            connection.ask(&bytes).await?;
        }
        loop {
            let left = pending_by(server, &mut connection).await?.saturating_sub(before);
            if left == 0 {
                return Ok(waiting as f64 / begun.elapsed().as_secs_f64());
            }
            ensure!(begun.elapsed() < PATIENCE, "{left} tasks wait still");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

/// Tasks that are PENDING: a filled store has some that nobody lets go on.
fn pending(server: &Server) -> Result<u64> {
    on_one_thread(async { pending_by(server, &mut Connection::open(server.at).await?).await })
}

async fn pending_by(server: &Server, connection: &mut Connection) -> Result<u64> {
    let mut bytes = Vec::new();
    get(&server.who, "/v1/tasks?taskStatus=PENDING&pageSize=1", &mut bytes);
    let page: serde_json::Value = serde_json::from_slice(connection.ask(&bytes).await?)?;
    page["pageMetadata"]["totalElements"].as_u64().context("a page without a total")
}
