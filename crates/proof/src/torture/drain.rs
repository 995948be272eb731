//! F21: nodes behind a balancer are stopped in order, one after the other, under load. Nobody notices.

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

const PART: &str = "F21";
const NODES: usize = 2;
/// The longest that a node may take to end in order.
const ENDS: Duration = Duration::from_secs(30);

pub(super) async fn run(
    place: &Place,
    stops: usize,
    clients: u64,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    say(&format!(
        "{PART}: {stops} nodes of {NODES} behind a balancer are stopped under the load of {clients} clients"
    ));
    let (database, effects) = (Database::start(PART)?, Effects::start().await?);
    let homes = database.homes();
    let (program, catalog) = place.program(&place.fresh(PART)?, &effects)?;
    let environment = database.environment_by(homes.iter().map(AsRef::as_ref).collect());
    let (mut servers, mut addresses) = (Vec::new(), Vec::new());
    for n in 1..=NODES {
        let (port, log) = (free_address()?.port(), place.path(&format!("{PART}-{n}.log")));
        let program = Program { port, log, environment: environment.clone(), ..program.clone() };
        let mut server = program.start(&[])?;
        let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed a node") };
        addresses.push(peer.address);
        servers.push((program, Some(server)));
    }
    let balancer = Balancer::start(&place.path("F21-balancer"), &addresses).await?;
    let peer = access::enter(balancer.address, &program.data).await?.context("nobody answers")?;
    let shared = Shared::new(catalog);
    shared.is_up(&peer);
    // Nothing was killed: the whole run is one life.
    let life = Life { spawned: clock::now(), ready: Some(clock::now()), shared: true, ..Life::default() };
    shared.recorder.borrow_mut().history.lives.push(life);
    shared.recorder.borrow_mut().history.stopped = true;
    let callers = shared.start(clients, seed);
    let (mut longest, begun) = (Duration::ZERO, Instant::now());
    let mut acked = 0;
    for round in 0..stops {
        shared.budget.set(300);
        sleep(Duration::from_millis(500)).await;
        let (program, server) = &mut servers[round % NODES];
        let stopping = Instant::now();
        server.take().context("it runs")?.stop().await?;
        longest = longest.max(stopping.elapsed());
        let mut next = program.start(&[])?;
        let Start::Ready(_) = next.up().await? else { bail!("somebody else killed a node") };
        *server = Some(next);
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
    report.add(PART, "stops", "each ended in order within 30 s", figure, longest <= ENDS);
    report.add(PART, "load", "at least 100 acknowledged submissions", format!("{acked}"), acked >= 100);
    // All who log in wrongly, as the load does now and then, come from the balancer's one address.
    let failed =
        healed.oddities.iter().filter(|odd| !odd.contains("429 {\"errorCode\":\"TOO_MANY_FAILED_LOGINS"));
    report.add_noted(
        PART,
        "failed",
        "no request failed",
        format!("{} of {} calls", recorder.ambiguous, recorder.sent),
        failed.cloned().collect(),
    );
    let lost = healed.dump.tasks.values().flat_map(|task| &task.attempts);
    let lost = lost.filter(|attempt| attempt.status == "LOST").count();
    report.add(
        PART,
        "lost",
        "what ran was brought to its end, or had not begun",
        format!("{lost} attempts were lost"),
        lost == 0,
    );
    report.add_noted(PART, "heal", "everything ends and a write succeeds", healed.figure(), healed.faults());
    let evidence = Evidence::new(&recorder.history, &healed.dump, &shared.catalog);
    report.verdicts(PART, check::all(&evidence));
    Ok(())
}
