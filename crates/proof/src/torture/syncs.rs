//! F2: the server is killed at every sync and at every write of a small fixed run: while it makes its
//! database, while it takes in its workflows, and while tasks run.

use std::path::Path;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::heal;
use super::integrity;
use super::kills::STRAGGLERS;
use super::place::{Place, copy_data};
use super::scenario;
use super::strace::{self, SYNCS, WRITES};
use crate::check::{self, Evidence};
use crate::clock;
use crate::effects::Effects;
use crate::history::Life;
use crate::load::Shared;
use crate::report::{Report, say};
use crate::server::{Program, Server, Start};

/// Upper bound on such calls of one thread in a run.
const MOST: u32 = 2000;

/// Start of the run from which syncs are counted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    /// No data directory.
    Nothing,
    /// A database without workflows.
    Empty,
    /// A server with its workflows is ready.
    Ready,
}

pub(super) async fn run(place: &Place, quick: bool, report: &mut Report) -> Result<()> {
    strace::check().await?;
    let effects = Effects::start().await?;
    let base = prepare(place, &effects).await?;
    for (from, calls, name, what) in [
        (From::Nothing, SYNCS, "create", "killed at every sync from nothing on"),
        (From::Empty, SYNCS, "load", "killed at every sync from an empty database on"),
        (From::Ready, SYNCS, "run", "killed at every sync of the tasks"),
        (From::Nothing, WRITES, "create-w", "killed at every write from nothing on"),
        (From::Ready, WRITES, "run-w", "killed at every write of the tasks"),
    ] {
        let step = if quick { 10 } else { 1 };
        let begun = Instant::now();
        let (mut runs, mut fired, mut notes, mut last) = (0, 0, Vec::new(), Vec::new());
        let mut k = 1;
        while k <= MOST {
            let run = one(place, &base, &effects, from, calls, k).await?;
            runs += 1;
            notes.extend(run.faults.into_iter().map(|fault| format!("at call {k}: {fault}")));
            if !run.fired {
                last = run.counts;
                break;
            }
            fired += 1;
            k += step;
        }
        if fired == 0 || k > MOST {
            notes.push(format!("{fired} of {runs} kills fired"));
        }
        say(&format!("F2 {name}: {runs} runs, {fired} kills, {:.0?}", begun.elapsed()));
        let figure = format!(
            "{fired} kills at calls 1 to {k} by {step}; without a kill its threads make {last:?} of them"
        );
        report.add_noted("F2", name, what, figure, notes);
    }
    Ok(())
}

/// A database that no workflow was loaded into.
async fn prepare(place: &Place, effects: &Effects) -> Result<std::path::PathBuf> {
    let base = place.fresh("f2-empty")?;
    let (program, _) = place.program(&base, effects)?;
    let without = place.path("no-workflows");
    std::fs::create_dir_all(&without)?;
    let program = Program { workflows: without, ..program };
    let mut server = program.start(&[])?;
    server.up().await?;
    server.stop().await?;
    Ok(base)
}

struct Run {
    fired: bool,
    faults: Vec<String>,
    counts: Vec<usize>,
}

async fn one(place: &Place, base: &Path, effects: &Effects, from: From, calls: &str, k: u32) -> Result<Run> {
    let data = place.fresh("f2")?;
    if from != From::Nothing {
        copy_data(base, &data)?;
    }
    effects.take();
    effects.new_life(0);
    let (program, catalog) = place.program(&data, effects)?;
    let shared = Shared::new(catalog);
    let trace = place.path("strace.txt");
    // Its end is that of the server it is attached to.
    let mut tracer = None;
    let mut server = match from {
        From::Nothing | From::Empty => program.start(&strace::under(calls, k, &trace))?,
        From::Ready => program.start(&[])?,
    };
    let mut ready = None;
    if let Start::Ready(peer) = server.up().await? {
        ready = Some(clock::now());
        if from == From::Ready {
            tracer = Some(strace::attach(calls, k, &trace, server.pid()?).await?);
        }
        shared.is_up(&peer);
        // At any moment, from here on.
        shared.dying.set(true);
        scenario::run(&shared).await;
    }
    let spawned = server.spawned;
    // Its end is part of the run: closing syncs too.
    let fired = ended(server).await?;
    drop(tracer);
    shared.is_gone();
    sleep(STRAGGLERS).await;
    let life = Life {
        spawned,
        ready,
        dead: Some(clock::now()),
        killed: fired,
        acked: shared.acked.get(),
        in_flight: 0,
        ..Life::default()
    };
    shared.recorder.borrow_mut().history.lives.push(life);

    let mut faults = integrity::faults(&data, &place.path("scratch"))?;
    effects.new_life(1);
    let mut server = program.start(&[])?;
    let healed = heal::heal(&mut server, &shared, Vec::new()).await?;
    server.stop().await?;
    faults.extend(integrity::faults(&data, &place.path("scratch"))?);
    faults.extend(healed.faults());
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects = effects.take();
    let verdicts = check::all(&Evidence::new(&recorder.history, &healed.dump, &shared.catalog));
    for verdict in verdicts {
        faults.extend(verdict.broken.into_iter().map(|broken| format!("{}: {broken}", verdict.name)));
    }
    faults.extend(healed.oddities);
    let counts = if fired { Vec::new() } else { strace::counts(&trace)? };
    Ok(Run { fired, faults, counts })
}

/// Ends it in order; true if it was or is killed.
async fn ended(mut server: Server) -> Result<bool> {
    sleep(std::time::Duration::from_millis(10)).await;
    if server.is_dead()? {
        return Ok(true);
    }
    server.stop_or_killed().await
}
