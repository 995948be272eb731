//! F4, F5, F11, F20: workers that die, sleep past their leases and report twice, and a server that stands
//! still.

pub(super) mod crew;
mod reports;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::place::Place;
use super::site::Site;
use crate::dump;
use crate::effects::Effects;
use crate::http::{Client, Peer, Request};
use crate::report::{Report, say};
use crate::work::{Deed, Evidence, check, plant};
use crew::Crew;

/// Workers at once.
const WORKERS: usize = 6;
/// Tasks that are kept under way.
const UNDER_WAY: usize = 24;
/// Past a lease of a second, and the look for those that are over.
const PAST_LEASE: Duration = Duration::from_millis(2_300);
/// Longest time for the rest once the faults are over: a lease, and work.
const QUIET: Duration = Duration::from_secs(40);

/// Numbers of faults of the workers and the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) kills: usize,
    pub(super) sleeps: usize,
    pub(super) stops: usize,
    pub(super) reports: usize,
}

impl Faults {
    pub(super) fn of(quick: bool) -> Faults {
        if quick {
            Faults { kills: 20, sleeps: 20, stops: 1, reports: 100 }
        } else {
            Faults { kills: 200, sleeps: 200, stops: 10, reports: 1_000 }
        }
    }
}

pub(super) async fn run(
    place: &Place,
    nodes: usize,
    faults: Faults,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    let effects = Effects::start().await?;
    let site = Site::start(place, if nodes == 1 { "workers" } else { "F4N" }, nodes, &effects).await?;
    let peer = site.peer.clone();
    put_workflow(&peer).await?;
    reports::run(&peer, faults.reports, report).await?;

    say(&format!("F4, F5, F20: {faults:?} with {WORKERS} workers and {nodes} nodes"));
    let mut crew = Crew::new(&site.program().data, peer.address, effects.address, seed)?;
    let mut run = Run {
        peer: peer.clone(),
        client: Client::default(),
        evidence: Evidence::default(),
        points: HashMap::new(),
    };
    for _ in 0..WORKERS {
        crew.hire()?;
    }
    let mut rng = Rng::with_seed(seed);
    run.kills(&mut crew, faults.kills, &mut rng).await?;
    run.sleeps(&mut crew, faults.sleeps, &mut rng).await?;
    run.stops(&mut crew, &site, faults.stops).await?;
    let took = dump::quiet(&peer, QUIET).await?;
    report.add(
        "F4",
        "I14",
        "all is quiet within a lease and the work, after the last fault",
        took.map_or("not quiet".to_owned(), |took| format!("quiet after {took:.1?}")),
        took.is_some(),
    );
    crew.dismiss().await?;
    run.evidence.events = crew.events();
    run.evidence.effects = effects.take();
    run.evidence.dump = dump::take(&peer).await?;
    // Those of the reports before were no task of this run.
    let known: std::collections::HashSet<_> = run.evidence.tasks.iter().copied().collect();
    run.evidence.dump.tasks.retain(|id, _| known.contains(id));
    site.stop().await?;
    run.coverage(nodes, faults, report);
    report.verdicts("F4", check::all(&run.evidence));
    for (plant, outcome) in plant::all_planted(&run.evidence) {
        let caught = outcome == crate::check::plant::Outcome::Caught;
        report.add(
            "F4",
            plant.invariant,
            &format!("planted: {}", plant.name),
            format!("{outcome:?}"),
            caught,
        );
    }
    Ok(())
}

struct Run {
    peer: Peer,
    client: Client,
    evidence: Evidence,
    /// States of workers when they were killed, counted.
    points: HashMap<&'static str, usize>,
}

impl Run {
    /// F4: killed after a lease, after the effect, before and after the report.
    async fn kills(&mut self, crew: &mut Crew, kills: usize, rng: &mut Rng) -> Result<()> {
        for round in 0..kills {
            let which = if round % 10 == 9 {
                // Rare while there is work: nothing is added until one of them has reported all that it had.
                done_with_all(crew).await
            } else {
                self.feed().await?;
                sleep(Duration::from_millis(rng.u64(5..120))).await;
                None
            };
            let point = crew.kill(which.unwrap_or_else(|| rng.usize(..WORKERS))).await?;
            *self.points.entry(point).or_default() += 1;
            crew.hire()?;
            if (round + 1) % 50 == 0 {
                say(&format!("  kill {}: {} tasks, {:?}", round + 1, self.evidence.tasks.len(), self.points));
            }
        }
        Ok(())
    }

    /// F5: stopped past its lease, then let go on: its report is one of a lease that another has.
    async fn sleeps(&mut self, crew: &mut Crew, sleeps: usize, rng: &mut Rng) -> Result<()> {
        let mut done = 0;
        while done < sleeps {
            self.feed().await?;
            sleep(Duration::from_millis(rng.u64(20..150))).await;
            // Half of them at once: the others take over.
            let half: Vec<usize> = (0..WORKERS / 2).collect();
            for worker in &half {
                crew.signal(*worker, Signal::SIGSTOP)?;
            }
            let until = Instant::now() + PAST_LEASE;
            while Instant::now() < until {
                self.feed().await?;
                sleep(Duration::from_millis(50)).await;
            }
            for worker in &half {
                crew.signal(*worker, Signal::SIGCONT)?;
            }
            done += half.len();
        }
        Ok(())
    }

    /// F20: the server itself stands still past all leases: none of them ends by that.
    async fn stops(&mut self, crew: &mut Crew, site: &Site, stops: usize) -> Result<()> {
        // Those that slept have reported by then.
        sleep(Duration::from_secs(1)).await;
        let (mut before, mut after) = (0, 0);
        for round in 0..stops {
            self.feed().await?;
            sleep(Duration::from_millis(300)).await;
            let server = site.pid(round % site.len())?;
            before += crew.refused();
            nix::sys::signal::kill(server, Signal::SIGSTOP)?;
            sleep(PAST_LEASE).await;
            nix::sys::signal::kill(server, Signal::SIGCONT)?;
            sleep(Duration::from_millis(700)).await;
            after += crew.refused();
        }
        self.points.insert("reports refused after the server stood still", after - before);
        Ok(())
    }

    /// Keeps tasks under way.
    async fn feed(&mut self) -> Result<()> {
        let waiting = dump::total(&mut self.client, &self.peer, "&taskStatus=PENDING,IN_PROGRESS").await?;
        for _ in waiting..UNDER_WAY as u64 {
            self.evidence.tasks.push(submit(&mut self.client, &self.peer, "proof-work").await?);
        }
        Ok(())
    }

    /// A check of what never happened proves nothing.
    fn coverage(&self, nodes: usize, faults: Faults, report: &mut Report) {
        let count = |name| self.points.get(name).copied().unwrap_or(0);
        let points = [crew::IDLE, crew::LEASED, crew::DONE, crew::REPORTED];
        let figure = points.map(|point| format!("{} {point}", count(point))).join(", ");
        let enough = faults.kills < 50 || points.iter().all(|point| count(point) > 0);
        report.add("F4", "kills", "workers were killed at each point of their work", figure, enough);
        let late = self.evidence.events.iter().filter(|event| event.deed == Deed::Completed(409)).count();
        let (tasks, events) = (self.evidence.tasks.len(), self.evidence.events.len());
        let figure = format!(
            "{late} late reports refused; {tasks} tasks, {events} deeds, {} effects",
            self.evidence.effects.len()
        );
        report.add("F5", "late", "workers that slept past their leases were refused", figure, late > 0);
        let refused = count("reports refused after the server stood still");
        report.add(
            "F20",
            "pardon",
            "a server that stood still ended no lease by that",
            format!("{} times, {refused} reports refused", faults.stops),
            // Of several nodes the others do not hear workers whose calls the balancer gave to that one.
            refused == 0 || nodes > 1,
        );
    }
}

/// A worker that has reported all it was given and waits for more, if there is one within the time that the
/// work should take.
async fn done_with_all(crew: &Crew) -> Option<usize> {
    let until = Instant::now() + QUIET;
    while Instant::now() < until {
        let found = (0..WORKERS).find(|which| crew.stands(*which) == crew::REPORTED);
        if found.is_some() {
            return found;
        }
        sleep(Duration::from_millis(5)).await;
    }
    None
}

/// Stores the workflow of three steps that workers do.
async fn put_workflow(peer: &Peer) -> Result<()> {
    let step = |name: &str| {
        json!({ "name": name, "description": name,
            "action": { "worker": { "queue": "proof", "input": { "mark": "{{ input.mark }}" } } } })
    };
    let definition = json!({
        "name": "proof-work", "type": "PROOF_WORK", "title": "Work", "input": { "type": "object" },
        "subTasks": [step("One"), step("Two"), step("Three")]
    });
    call(&mut Client::default(), peer, "PUT", "/v1/workflows/proof-work", &definition, &[200, 201])
        .await
        .map(drop)
}

pub(super) async fn submit(client: &mut Client, peer: &Peer, workflow: &str) -> Result<uuid::Uuid> {
    let body = json!({ "workflow": workflow, "input": { "mark": 1 } });
    let (_, task) = call(client, peer, "POST", "/v1/tasks", &body, &[202]).await?;
    crate::wire::id(&task)
}

/// A call that must be answered in one of these ways.
pub(super) async fn call(
    client: &mut Client,
    peer: &Peer,
    method: &str,
    path: &str,
    body: &Value,
    expected: &[u16],
) -> Result<(u16, Value)> {
    let text = body.to_string();
    let request = Request { method, path, headers: &[], body: Some(text.as_bytes()) };
    let answer = client.ask(peer, &request).await.map_err(|e| anyhow::anyhow!("{method} {path}: {e:?}"))?;
    if !expected.contains(&answer.status) {
        bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
    let status = answer.status;
    Ok((status, answer.json().context("an answer without JSON")?))
}
