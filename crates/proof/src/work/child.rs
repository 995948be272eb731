//! A worker process of the proof: it leases, changes the world, reports, and says each of it on standard
//! output before it goes on, so that whoever kills it knows what it had done.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Deed, Lease};
use crate::http::{Client, NoAnswer, Peer, Request};

/// Environment variable with the key.
pub const KEY: &str = "LONGHAUL_PROOF_KEY";

/// The worker.
#[derive(Clone, Debug, Args)]
pub struct Child {
    /// The server.
    #[arg(long)]
    pub server: SocketAddr,
    /// The effect counter.
    #[arg(long)]
    pub effects: SocketAddr,
    /// Name of the worker.
    #[arg(long)]
    pub name: String,
    /// Seed of its pauses.
    #[arg(long)]
    pub seed: u64,
    /// Attempts at once.
    #[arg(long, default_value_t = 4)]
    pub slots: usize,
}

struct Worker {
    child: Child,
    rng: Rng,
    server: Peer,
    calls: Client,
    beats: Client,
    /// Leases by name, with what is to be called.
    running: BTreeMap<String, Work>,
    beaten: Instant,
}

struct Work {
    lease: Lease,
    task: String,
    sub_task: String,
    key: String,
}

/// Works until it is killed.
pub async fn run(child: Child) -> Result<()> {
    let key = std::env::var(KEY).context("the key is in the environment")?;
    let (rng, server) = (Rng::with_seed(child.seed), Peer::stranger(child.server).with(&key));
    let (calls, beats, running) = (Client::default(), Client::default(), BTreeMap::new());
    Worker { child, rng, server, calls, beats, running, beaten: Instant::now() }.work().await
}

impl Worker {
    async fn work(mut self) -> Result<()> {
        let mut completed: Vec<Value> = Vec::new();
        loop {
            let next = json!({ "queues": ["proof"], "max": self.child.slots, "wait": "2s", "lease": "1s" });
            let body = json!({ "worker": self.child.name, "completed": completed, "next": next });
            let Some(answer) = self.ask("complete", &body).await? else { continue };
            for (result, sent) in answer["results"].as_array().into_iter().flatten().zip(&completed) {
                let status = result["status"].as_u64().unwrap_or_default() as u16;
                let name = sent["lease"].as_str().unwrap_or_default();
                if let Some(work) = self.running.remove(name) {
                    say(work.lease, Deed::Completed(status));
                }
            }
            completed.clear();
            for one in answer["leases"].as_array().into_iter().flatten() {
                self.granted(one)?;
            }
            for name in self.running.keys().cloned().collect::<Vec<_>>() {
                self.change_the_world(&name).await?;
                completed.push(json!({ "lease": name, "output": { "by": self.child.name } }));
            }
        }
    }

    fn granted(&mut self, one: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().map(str::to_owned).context("a lease as documented");
        let name = text(&one["lease"])?;
        let lease = Lease::parse(&name).context("a lease's name")?;
        let (task, sub_task) = (text(&one["task"]["id"])?, text(&one["subTask"])?);
        say(lease, Deed::Granted);
        self.running.insert(name, Work { lease, task, sub_task, key: text(&one["idempotencyKey"])? });
        Ok(())
    }

    /// Pauses before and after, in which kills fall.
    async fn change_the_world(&mut self, name: &str) -> Result<()> {
        self.pause().await?;
        let Some(work) = self.running.get(name) else { return Ok(()) };
        let path = format!("/effect/{}/{}", work.task, work.sub_task);
        let headers = [("idempotency-key", work.key.as_str())];
        let request = Request { method: "POST", path: &path, headers: &headers, body: Some(b"{}") };
        let lease = work.lease;
        match Client::default().ask(&Peer::stranger(self.child.effects), &request).await {
            Ok(_) => say(lease, Deed::Did),
            Err(e) => bail!("the effect counter: {e:?}"),
        }
        self.pause().await
    }

    async fn pause(&mut self) -> Result<()> {
        sleep(Duration::from_micros(self.rng.u64(0..15_000))).await;
        if self.beaten.elapsed() > Duration::from_millis(300) {
            self.beaten = Instant::now();
            let leases: Vec<Value> = self.running.keys().map(|name| json!({ "lease": name })).collect();
            let body = json!({ "worker": self.child.name, "leases": leases }).to_string();
            let path = "/v1/workers/heartbeat";
            let request = Request { method: "POST", path, headers: &[], body: Some(body.as_bytes()) };
            // What it missed shows in the next report.
            let _ = self.beats.ask(&self.server, &request).await;
        }
        Ok(())
    }

    /// A call, again and again until it is answered; `None` where all its results were refused.
    async fn ask(&mut self, verb: &str, body: &Value) -> Result<Option<Value>> {
        let (path, text) = (format!("/v1/workers/{verb}"), body.to_string());
        let request = Request { method: "POST", path: &path, headers: &[], body: Some(text.as_bytes()) };
        loop {
            match self.calls.ask(&self.server, &request).await {
                Ok(answer) if answer.status == 200 => return Ok(answer.json()),
                Ok(answer) if matches!(answer.status, 429 | 503) => sleep(Duration::from_millis(50)).await,
                Ok(answer) => bail!("{verb}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(NoAnswer::Garbled(what)) => bail!("{verb}: {what}"),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Prints a line in one write: a kill leaves no half of it.
fn say(lease: Lease, deed: Deed) {
    let word = match deed {
        Deed::Granted => "granted 0".to_owned(),
        Deed::Did => "did 0".to_owned(),
        Deed::Completed(status) => format!("completed {status}"),
        Deed::Failed(status) => format!("failed {status}"),
    };
    let line = format!("{}.{}.{} {word}\n", lease.task, lease.sub, lease.token);
    let mut out = std::io::stdout().lock();
    // Nobody listens any more: whoever did has ended, and so will this.
    if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Reads what [`say`] wrote.
pub fn heard(line: &str) -> Option<(Lease, Deed)> {
    let mut words = line.split(' ');
    let lease = Lease::parse(words.next()?)?;
    let (word, status) = (words.next()?, words.next()?.parse().ok()?);
    let deed = match word {
        "granted" => Deed::Granted,
        "did" => Deed::Did,
        "completed" => Deed::Completed(status),
        "failed" => Deed::Failed(status),
        _ => return None,
    };
    Some((lease, deed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_said() {
        let lease = Lease { task: uuid::Uuid::from_bytes([7; 16]), sub: 2, token: 9 };
        let text = format!("{}.2.9", lease.task);
        assert_eq!(heard(&format!("{text} completed 409")), Some((lease, Deed::Completed(409))));
        assert_eq!(heard(&format!("{text} granted 0")), Some((lease, Deed::Granted)));
        assert_eq!(heard("nonsense"), None);
    }
}
