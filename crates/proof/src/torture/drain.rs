//! F21: nodes behind a balancer are stopped in order, one after the other, under load. Nobody notices. F22:
//! each comes back as another release, and later as the first again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

use super::balancer::{Balancer, CHECK, free_address};
use super::database::Database;
use super::heal;
use super::place::Place;
use crate::access;
use crate::check::{self, Evidence};
use crate::clock;
use crate::effects::Effects;
use crate::history::Life;
use crate::load::Shared;
use crate::report::{Report, say};
use crate::server::{Program, Start};

const NODES: usize = 2;
/// The longest that a node may take to end in order.
const ENDS: Duration = Duration::from_secs(30);

pub(super) async fn run(
    place: &Place,
    next: Option<&Path>,
    stops: usize,
    clients: u64,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    let part = if next.is_some() { "F22" } else { "F21" };
    say(&format!(
        "{part}: {stops} nodes of {NODES} behind a balancer are stopped under the load of {clients} clients"
    ));
    let (database, effects) = (Database::start(part)?, Effects::start().await?);
    let homes = database.homes();
    let (program, catalog) = place.program(&place.fresh(part)?, &effects)?;
    let environment = database.environment_by(homes.iter().map(AsRef::as_ref).collect());
    let (mut servers, mut addresses) = (Vec::new(), Vec::new());
    for n in 1..=NODES {
        let (port, log) = (free_address()?.port(), place.path(&format!("{part}-{n}.log")));
        let program = Program { port, log, environment: environment.clone(), ..program.clone() };
        let mut server = program.start(&[])?;
        let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed a node") };
        addresses.push(peer.address);
        servers.push((program, Some(server)));
    }
    let balancer = Balancer::start(&place.path(&format!("{part}-balancer")), &addresses).await?;
    let peer = access::enter(balancer.address, &program.data).await?.context("nobody answers")?;
    let shared = Shared::new(catalog);
    shared.balanced.set(true);
    shared.is_up(&peer);
    // Nothing was killed: the whole run is one life.
    let life = Life { spawned: clock::now(), ready: Some(clock::now()), shared: true, ..Life::default() };
    shared.recorder.borrow_mut().history.lives.push(life);
    shared.recorder.borrow_mut().history.stopped = true;
    let callers = shared.start(clients, seed);
    let first = program.binary.clone();
    let (mut longest, begun) = (Duration::ZERO, Instant::now());
    let mut acked = 0;
    for round in 0..stops {
        shared.budget.set(300);
        sleep(Duration::from_millis(500)).await;
        let (program, server) = &mut servers[round % NODES];
        let stopping = Instant::now();
        server.take().context("it runs")?.stop().await?;
        longest = longest.max(stopping.elapsed());
        if let Some(other) = next {
            // All to the other release, then all back.
            let up = (round / NODES).is_multiple_of(2);
            program.binary = if up { other.to_owned() } else { first.clone() };
        }
        let mut successor = program.start(&[])?;
        let Start::Ready(_) = successor.up().await? else { bail!("somebody else killed a node") };
        *server = Some(successor);
        // The balancer has to notice it, or nobody is left when the other one stops.
        sleep(CHECK * 4).await;
        acked = shared.acked.get();
        if (round + 1) % 20 == 0 || round + 1 == stops {
            say(&format!("  stop {}: {acked} submissions acknowledged, {:.0?}", round + 1, begun.elapsed()));
        }
    }
    let healed = heal::ended(&peer, &shared, callers).await?;
    for server in servers.into_iter().filter_map(|(_, server)| server) {
        server.stop().await?;
    }
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects = effects.take();
    let figure = format!("{stops} stops, longest {longest:.1?}");
    report.add(part, "stops", "each ended in order within 30 s", figure, longest <= ENDS);
    report.add(part, "load", "at least 100 acknowledged submissions", format!("{acked}"), acked >= 100);
    // All who log in wrongly, as the load does now and then, come from the balancer's one address.
    let failed =
        healed.oddities.iter().filter(|odd| !odd.contains("429 {\"errorCode\":\"TOO_MANY_FAILED_LOGINS"));
    report.add_noted(
        part,
        "failed",
        "no request failed",
        format!("{} of {} calls", recorder.ambiguous, recorder.sent),
        failed.cloned().collect(),
    );
    let lost = healed.dump.tasks.values().flat_map(|task| &task.attempts);
    let lost = lost.filter(|attempt| attempt.status == "LOST").count();
    report.add(
        part,
        "lost",
        "what ran was brought to its end, or had not begun",
        format!("{lost} attempts were lost"),
        lost == 0,
    );
    report.add_noted(part, "heal", "everything ends and a write succeeds", healed.figure(), healed.faults());
    let evidence = Evidence::new(&recorder.history, &healed.dump, &shared.catalog);
    report.verdicts(part, check::all(&evidence));
    Ok(())
}
