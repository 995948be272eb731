//! F1, F12, F16 to F20 over three nodes of one database: any of them is asked anything, while nodes are
//! killed, cut off and stand still, while their clocks differ, and while their database has faults of its
//! own.

mod blows;
mod fleet;
mod link;
pub(super) mod loss;

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::database::Database;
use super::heal;
use super::kills::{coverage, log_uniform, odd_and_unknown};
use super::place::Place;
use crate::check::{self, Evidence};
use crate::effects::Effects;
use crate::load::Shared;
use crate::report::{Report, say};
use blows::{Blow, Tally, strike};
use fleet::{Fleet, NODES};

/// Longest time from a node's start until it is at work, on a machine that the others keep busy.
const START: Duration = Duration::from_secs(5);
/// A cut-off node has given up before others take over.
const GIVEN_UP: Duration = Duration::from_secs(10);

/// A part of the proof.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    full: usize,
    quick: usize,
    blow: Blow,
}

/// Parts with their rounds: in a full run, and in a quick one.
pub(super) const PARTS: [Part; 8] = [
    Part { name: "F1N", full: 150, quick: 6, blow: Blow::Kill },
    Part { name: "F12N", full: 50, quick: 3, blow: Blow::Leap },
    Part { name: "F16", full: 90, quick: 6, blow: Blow::Trouble },
    Part { name: "F17", full: 150, quick: 6, blow: Blow::Trouble },
    Part { name: "F17P", full: 15, quick: 3, blow: Blow::Trouble },
    Part { name: "F18", full: 150, quick: 6, blow: Blow::Trouble },
    Part { name: "F19", full: 100, quick: 4, blow: Blow::Partition },
    Part { name: "F20", full: 100, quick: 3, blow: Blow::Pause },
];

/// Settings of a part: rounds, and load.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) rounds: Option<usize>,
    pub(super) quick: bool,
    pub(super) clients: u64,
    pub(super) seed: u64,
}

pub(super) async fn run(place: &Place, part: Part, run: Run, report: &mut Report) -> Result<()> {
    let name = part.name;
    let rounds = run.rounds.unwrap_or(if run.quick { part.quick } else { part.full });
    let database = Database::start(name)?;
    let effects = Effects::start().await?;
    let (program, catalog) = place.program(&place.fresh(name)?, &effects)?;
    let shared = Shared::new(catalog);
    let mut rng = Rng::with_seed(run.seed);
    say(&format!("{name}: {rounds} rounds with {NODES} nodes under the load of {} clients", run.clients));
    let clocks = (part.blow == Blow::Leap).then(|| place.path("clocks"));
    let mut fleet =
        Fleet::start(&program, &database, shared.clone(), effects.clone(), clocks.as_deref()).await?;
    let callers = shared.start(run.clients, run.seed);
    let (begun, mut tally) = (Instant::now(), Tally::default());
    for round in 0..rounds {
        // Calm and storm in turn; the budget bounds what the end has to check.
        shared.think.set(Duration::from_secs_f64(log_uniform(&mut rng, 0.0002, 0.02)));
        shared.budget.set(300);
        fleet.accepts(Duration::from_secs(20)).await?;
        sleep(Duration::from_secs_f64(2.0 * rng.f64() * rng.f64())).await;
        strike(part.blow, &mut fleet, &database, round, &mut rng, &mut tally).await?;
        if (round + 1) % 20 == 0 || round + 1 == rounds {
            let tasks = shared.recorder.borrow().history.submits.len();
            let figure = tally.figure();
            say(&format!(
                "  round {}: {figure}, {tasks} submissions so far, {:.0?}",
                round + 1,
                begun.elapsed()
            ));
        }
    }
    if part.blow == Blow::Trouble {
        // The last fault may have brought a node close to giving up, which it must have done before the end
        // is judged.
        sleep(GIVEN_UP).await;
        fleet.revived().await?;
    }
    fleet.begin_life(false, false);
    let healed = heal::ended(&fleet.peer(0)?, &shared, callers).await?;
    for node in 0..NODES {
        fleet.stop(node).await?;
    }
    let faults = database.faults().await?;
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects = effects.take();
    report.add(name, "blows", "every blow had its effect", tally.figure(), !tally.counts.is_empty());
    let acked = recorder.history.acked().len();
    let busy = recorder.history.lives.iter().filter(|life| life.killed && life.in_flight > 0).count();
    report.add(
        name,
        "load",
        "at least 100 acknowledged submissions, and load at the blows",
        format!("{acked}, {busy} with requests under way"),
        acked >= 100 && busy > 0,
    );
    report.add(
        name,
        "ready",
        "a node is at work within 5 s of its start",
        format!("longest {:.0?}", fleet.longest_start),
        fleet.longest_start <= START,
    );
    if tally.longest_give_up > Duration::ZERO {
        let figure = format!("longest {:.1?}", tally.longest_give_up);
        report.add(
            name,
            "over",
            "a node that is over gives up before others take over",
            figure,
            tally.longest_give_up < GIVEN_UP,
        );
    }
    odd_and_unknown(&recorder, &healed, name, true, report);
    report.add_noted(name, "db", "amcheck", format!("{} faults", faults.len()), faults);
    database.report(name, report);
    // Where clocks are set, every third round kills a node.
    let kills = if part.blow == Blow::Leap { rounds / 3 } else { rounds };
    coverage(&recorder.history, &healed.dump, name, kills, report);
    let evidence = Evidence::new(&recorder.history, &healed.dump, &shared.catalog);
    report.verdicts(name, check::all(&evidence));
    report.planted(name, check::plant::all_planted(&recorder.history, &healed.dump, &shared.catalog));
    Ok(())
}
