//! F3: a server that was killed under load is killed again while it recovers, at each of its syncs.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use super::heal;
use super::integrity;
use super::kills::STRAGGLERS;
use super::place::{Place, copy_data};
use super::strace;
use crate::check::{self, Evidence};
use crate::clock;
use crate::dump;
use crate::effects::Effects;
use crate::history::{History, Life};
use crate::load::Shared;
use crate::report::{Report, say};
use crate::server::{Program, Start};

/// Duration of the load before the first kill.
const LOAD: Duration = Duration::from_millis(1500);
/// Syncs of the recovery, and of the work that it sets going, at the most.
const MOST: u32 = 60;

pub(super) async fn run(
    place: &Place,
    quick: bool,
    clients: u64,
    seed: u64,
    report: &mut Report,
) -> Result<()> {
    strace::check().await?;
    let effects = Effects::start().await?;
    let base = place.fresh("f3-crashed")?;
    let (program, _) = place.program(&base, &effects)?;
    let history = crash(&program, place, &effects, clients, seed).await?;
    let begun = Instant::now();
    let numbers: Vec<u32> = if quick { vec![1, 2, 3, 5, 8] } else { (1..=MOST).collect() };
    let (mut fired, mut notes, mut runs) = (0, Vec::new(), 0);
    for k in numbers {
        let run = one(place, &program, &effects, history.clone(), k).await?;
        runs += 1;
        notes.extend(run.1.into_iter().map(|fault| format!("at sync {k}: {fault}")));
        if !run.0 {
            break;
        }
        fired += 1;
    }
    if fired == 0 {
        notes.push("no kill fired".to_owned());
    }
    say(&format!("F3: {runs} recoveries, {fired} kills, {:.0?}", begun.elapsed()));
    let running = history.acked().len();
    let figure = format!("{fired} kills in {runs} recoveries of {running} tasks");
    report.add_noted("F3", "again", "killed again at every sync of the recovery", figure, notes);
    Ok(())
}

/// A load, and a kill in the midst of it.
async fn crash(
    program: &Program,
    place: &Place,
    effects: &Effects,
    clients: u64,
    seed: u64,
) -> Result<History> {
    let (_, catalog) = place.program(&program.data, effects)?;
    let shared = Shared::new(catalog);
    effects.new_life(0);
    let mut server = program.start(&[])?;
    let Start::Ready(peer) = server.up().await? else { bail!("the server was killed by somebody else") };
    let ready = Some(clock::now());
    shared.is_up(&peer);
    shared.think.set(Duration::from_millis(2));
    let callers = shared.start(clients, seed);
    sleep(LOAD).await;
    let (acked, in_flight) = (shared.acked.get(), shared.in_flight.get());
    shared.dying.set(true);
    shared.stop.set(true);
    server.kill().await?;
    shared.is_gone();
    for caller in callers {
        caller.await?;
    }
    sleep(STRAGGLERS).await;
    let life = Life {
        spawned: server.spawned,
        ready,
        dead: Some(clock::now()),
        killed: true,
        acked,
        in_flight,
        ..Life::default()
    };
    let mut history = std::mem::take(&mut shared.recorder.borrow_mut().history);
    history.lives.push(life);
    history.effects = effects.take();
    Ok(history)
}

/// Runs one recovery that is killed at its k-th sync, and one that is not. Returns true if the kill fired,
/// and the faults that were found.
async fn one(
    place: &Place,
    base: &Program,
    effects: &Effects,
    history: History,
    k: u32,
) -> Result<(bool, Vec<String>)> {
    let data = place.fresh("f3")?;
    copy_data(&base.data, &data)?;
    let (program, catalog) = place.program(&data, effects)?;
    let shared = Shared::resume(catalog, history);
    effects.take();
    effects.new_life(1);
    let trace = place.path("strace.txt");
    let mut server = program.start(&strace::under(strace::SYNCS, k, &trace))?;
    let start = server.up().await?;
    let ready = matches!(start, Start::Ready(_)).then(clock::now);
    let fired = match start {
        Start::Killed => true,
        Start::Ready(peer) => {
            // Until all is done, or it is killed on the way.
            let quiet = dump::quiet(&peer, Duration::from_secs(20)).await;
            sleep(Duration::from_millis(10)).await;
            match (server.is_dead()?, quiet) {
                (true, _) => true,
                (false, Ok(_)) => false,
                (false, Err(e)) => return Err(e),
            }
        }
    };
    let spawned = server.spawned;
    let fired = fired || server.stop_or_killed().await?;
    sleep(STRAGGLERS).await;
    let life = Life {
        spawned,
        ready,
        dead: Some(clock::now()),
        killed: fired,
        acked: 0,
        in_flight: 0,
        ..Life::default()
    };
    shared.recorder.borrow_mut().history.lives.push(life);

    let mut faults = integrity::faults(&data, &place.path("scratch"))?;
    effects.new_life(2);
    let mut server = program.start(&[])?;
    let healed = heal::heal(&mut server, &shared, Vec::new()).await?;
    server.stop().await?;
    faults.extend(integrity::faults(&data, &place.path("scratch"))?);
    faults.extend(healed.faults());
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects.extend(effects.take());
    let verdicts = check::all(&Evidence::new(&recorder.history, &healed.dump, &shared.catalog));
    for verdict in verdicts {
        faults.extend(verdict.broken.into_iter().map(|broken| format!("{}: {broken}", verdict.name)));
    }
    faults.extend(healed.oddities);
    Ok((fired, faults))
}
