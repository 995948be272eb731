//! Workers of each kind side by side on one workflow: the library in Rust, the package in Python, and
//! `longhaul worker exec`; they and the server are killed at random. No effect may be lost or recorded twice.

mod crew;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::place::Place;
use super::site::Site;
use super::workers::{call, submit};
use crate::access::key_file;
use crate::check::plant::Outcome;
use crate::dump;
use crate::effects::Effects;
use crate::http::{Client, Peer};
use crate::report::{Report, say};
use crate::work::Evidence;
use crate::work::side::{self, KINDS, SHARED};
use crew::{Crew, Tools};

/// Workers of each kind at once.
const EACH: usize = 2;
/// Tasks that are kept under way.
const UNDER_WAY: u64 = 16;
/// Longest time for the rest once the faults are over: a lease, and work.
const QUIET: Duration = Duration::from_secs(60);
/// The workflow.
const WORKFLOW: &str = "proof-mixed";

/// Numbers of kills of workers and of the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Faults {
    pub(super) workers: usize,
    pub(super) servers: usize,
}

impl Faults {
    pub(super) fn of(quick: bool) -> Faults {
        if quick { Faults { workers: 24, servers: 2 } } else { Faults { workers: 200, servers: 20 } }
    }
}

pub(super) async fn run(
    place: &Place,
    nodes: usize,
    faults: Faults,
    python: &Path,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    let part = if nodes == 1 { "mixed" } else { "mixedN" };
    say(&format!("{part}: {faults:?}, {EACH} workers of each kind, {nodes} nodes"));
    let effects = Effects::start().await?;
    let site = Site::start(place, part, nodes, &effects).await?;
    let (program, peer) = (site.program(), site.peer.clone());
    put_workflow(&peer).await?;
    let crew = Crew::new(Tools {
        binary: program.binary.clone(),
        python: with_package(python)?,
        script: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/workers/mixed.py")),
        log: place.path("mixed-workers.log"),
        key: std::fs::read_to_string(key_file(&program.data)).context("the key of the data directory")?,
        server: site.address(),
        effects: effects.address,
    });
    let mut run =
        Run { site, peer, crew, client: Client::default(), tasks: Vec::new(), killed: HashMap::new() };
    for kind in KINDS.into_iter().cycle().take(EACH * KINDS.len()) {
        run.crew.hire(kind)?;
    }
    run.kills(faults, &mut Rng::with_seed(seed)).await?;
    let took = dump::quiet(&run.peer, QUIET).await?;
    let figure = took.map_or("not quiet".to_owned(), |took| format!("quiet after {took:.1?}"));
    report.add(
        part,
        "I14",
        "all is quiet within a lease and the work, after the last fault",
        figure,
        took.is_some(),
    );
    run.crew.dismiss().await?;
    let evidence = Evidence {
        tasks: run.tasks,
        events: Vec::new(),
        effects: effects.take(),
        dump: dump::take(&run.peer).await?,
    };
    run.site.stop().await?;
    coverage(part, &evidence, faults, &run.killed, report);
    report.verdicts(part, side::all(&evidence));
    for (plant, outcome) in side::all_planted(&evidence) {
        let caught = outcome == Outcome::Caught;
        report.add(
            part,
            plant.invariant,
            &format!("planted: {}", plant.name),
            format!("{outcome:?}"),
            caught,
        );
    }
    Ok(())
}

struct Run {
    site: Site,
    peer: Peer,
    crew: Crew,
    client: Client,
    tasks: Vec<uuid::Uuid>,
    killed: HashMap<&'static str, usize>,
}

impl Run {
    /// Kills a worker in each round, and the server in some of them; what was killed is started again.
    async fn kills(&mut self, faults: Faults, rng: &mut Rng) -> Result<()> {
        // An interpreter takes its time to start: what has not begun is not worth a kill.
        self.feed().await?;
        sleep(Duration::from_secs(1)).await;
        let every = faults.workers / faults.servers;
        for round in 1..=faults.workers {
            self.feed().await?;
            sleep(Duration::from_millis(rng.u64(100..500))).await;
            // The longest there are the most at work.
            let kind = self.crew.kill(rng.usize(..KINDS.len() * EACH / 2)).await?;
            *self.killed.entry(kind.word()).or_default() += 1;
            self.crew.hire(kind)?;
            if round % every == 0 {
                sleep(Duration::from_millis(rng.u64(..200))).await;
                self.site.kill(round / every % self.site.len()).await?;
                self.client = Client::default();
            }
            if round % 50 == 0 {
                say(&format!("  kill {round}: {} tasks, {:?}", self.tasks.len(), self.killed));
            }
        }
        Ok(())
    }

    /// Keeps tasks under way.
    async fn feed(&mut self) -> Result<()> {
        let waiting = dump::total(&mut self.client, &self.peer, "&taskStatus=PENDING,IN_PROGRESS").await?;
        for _ in waiting..UNDER_WAY {
            self.tasks.push(submit(&mut self.client, &self.peer, WORKFLOW).await?);
        }
        Ok(())
    }
}

/// A check of what never happened proves nothing.
fn coverage(
    part: &'static str,
    evidence: &Evidence,
    faults: Faults,
    killed: &HashMap<&str, usize>,
    report: &mut Report,
) {
    let lost = side::lost_by_kind(evidence);
    let of = |figures: &HashMap<&str, usize>| {
        KINDS
            .map(|kind| format!("{} {}", figures.get(kind.word()).copied().unwrap_or(0), kind.word()))
            .join(", ")
    };
    let figure = format!(
        "killed: {}; {} tasks, {} effects; effects whose attempt was lost: {}",
        of(killed),
        evidence.tasks.len(),
        evidence.effects.len(),
        of(&lost)
    );
    let enough = KINDS.iter().all(|kind| faults.workers < 100 || lost.contains_key(kind.word()));
    report.add(part, "kills", "workers of each kind were killed at work", figure, enough);
    let shared = side::kinds_on_shared(evidence);
    let figure = shared.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    report.add(
        part,
        "side",
        "each kind had its part of the queue that all serve",
        figure,
        shared.len() == KINDS.len(),
    );
}

/// An interpreter that has the package.
fn with_package(python: &Path) -> Result<PathBuf> {
    let found = std::process::Command::new(python).args(["-c", "import longhaul"]).output();
    let found = found.with_context(|| python.display().to_string())?;
    ensure!(
        found.status.success(),
        "{} has no package longhaul: name the one that scripts/python-env.sh makes with --python",
        python.display()
    );
    Ok(python.to_owned())
}

/// A step for each kind, and between them steps that any may do.
async fn put_workflow(peer: &Peer) -> Result<()> {
    let step = |name: &str, queue: &str| json!({ "name": name, "description": name, "action": { "worker": { "queue": queue, "input": {} } } });
    let mut steps: Vec<Value> = Vec::new();
    for kind in KINDS {
        steps.push(step(kind.step(), &kind.queue()));
        steps.push(step(&format!("Any{}", kind.step()), SHARED));
    }
    let definition = json!({
        "name": WORKFLOW, "type": "PROOF_MIXED", "title": "Side by side", "input": { "type": "object" },
        "subTasks": steps
    });
    let path = format!("/v1/workflows/{WORKFLOW}");
    call(&mut Client::default(), peer, "PUT", &path, &definition, &[200, 201]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kill_of_a_server_has_its_workers() {
        for quick in [true, false] {
            let Faults { workers, servers } = Faults::of(quick);
            assert_eq!(workers % servers, 0);
        }
    }

    #[test]
    fn an_interpreter_without_the_package_is_refused() {
        let e = with_package(Path::new("/bin/false")).unwrap_err();
        assert!(e.to_string().contains("--python"), "{e}");
    }
}
