//! F17 where the standby is asynchronous: what it did not receive is lost with the primary. How much that is,
//! that it is the last moments only, and that what is left is whole, whatever nodes remember of the rest.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::Run;
use super::fleet::{Fleet, NODES};
use crate::check::{self, Evidence};
use crate::clock;
use crate::effects::Effects;
use crate::history::{Submit, SubmitAnswer};
use crate::load::Shared;
use crate::report::{Report, say};
use crate::torture::database::Database;
use crate::torture::heal;
use crate::torture::place::Place;

/// The part's name.
pub(in crate::torture) const NAME: &str = "F17A";
/// Failovers in a release, and in a quick run.
const FULL: usize = 20;
const QUICK: usize = 2;
/// Time before the loss of a primary up to which acknowledged tasks may be gone.
const LAST: Duration = Duration::from_secs(1);
/// Longest time until a submission is accepted again.
const HEALED: Duration = Duration::from_secs(30);
/// Invariants that a loss does not touch: remaining tasks are counted right, and come to their end.
const WHOLE: [&str; 2] = ["I12", "I14"];

pub(in crate::torture) async fn run(place: &Place, run: Run, report: &mut Report) -> Result<()> {
    let rounds = run.rounds.unwrap_or(if run.quick { QUICK } else { FULL });
    say(&format!("{NAME}: {rounds} losses of a primary whose standby is asynchronous, {NODES} nodes"));
    let database = Database::start(NAME)?;
    let effects = Effects::start().await?;
    let (program, catalog) = place.program(&place.fresh(NAME)?, &effects)?;
    let shared = Shared::new(catalog);
    let mut rng = Rng::with_seed(run.seed);
    let mut fleet = Fleet::start(&program, &database, shared.clone(), effects, None).await?;
    let callers = shared.start(run.clients, run.seed);
    let (mut losses, mut over) = (Vec::with_capacity(rounds), 0);
    for round in 0..rounds {
        shared.budget.set(300);
        over += fleet.accepts(HEALED).await?;
        sleep(Duration::from_secs_f64(0.3 + rng.f64())).await;
        let (begun, before) = (Instant::now(), clock::now());
        database.trouble(round).await?;
        losses.push((before, clock::now()));
        over += fleet.accepts(HEALED).await?;
        database.healed(begun.elapsed()).await?;
    }
    // Whoever remembers what is lost notices when it writes again.
    shared.budget.set(300);
    sleep(Duration::from_secs(2)).await;
    over += fleet.accepts(HEALED).await?;
    let healed = heal::ended(&fleet.peer(0)?, &shared, callers).await?;
    over += fleet.revived().await?;
    for node in 0..NODES {
        fleet.stop(node).await?;
    }
    let recorder = shared.recorder.borrow();
    let acked = recorder.history.acked();
    let lost: Vec<_> = acked.iter().filter(|(id, _)| !healed.dump.tasks.contains_key(id)).collect();
    // How long before the fault began its answer was there, if any fault is near enough.
    let before = |submit: &Submit| {
        let of = losses
            .iter()
            .filter(|(_, end)| submit.ret <= *end)
            .map(|(begin, _)| begin.saturating_sub(submit.ret));
        of.min().map_or(Duration::MAX, Duration::from_micros)
    };
    let earliest = lost.iter().map(|(_, submit)| before(submit)).max().unwrap_or_default();
    let figure = format!(
        "{} of {} acknowledged tasks in {rounds} losses, up to {earliest:.1?} before a standby fell behind",
        lost.len(),
        acked.len()
    );
    report.add(NAME, "lost", "what is lost was confirmed at the end", figure, earliest <= LAST);
    report.add(
        NAME,
        "load",
        "at least 100 acknowledged submissions",
        acked.len().to_string(),
        acked.len() >= 100,
    );
    report.add(
        NAME,
        "over",
        "nodes that remember what is lost begin anew",
        format!("{over} did"),
        lost.is_empty() || over > 0,
    );
    report.add_noted(NAME, "heal", "everything ends and a write succeeds", healed.figure(), healed.faults());
    database.report(NAME, report);
    // What is there is to be counted, not what was acknowledged.
    let (dump, mut history) = (healed.dump, recorder.history.clone());
    history.submits.retain(|submit| match &submit.answer {
        SubmitAnswer::Acked { id, .. } => dump.tasks.contains_key(id),
        _ => true,
    });
    let verdicts = check::all(&Evidence::new(&history, &dump, &shared.catalog));
    report.verdicts(NAME, verdicts.into_iter().filter(|verdict| WHOLE.contains(&verdict.name)).collect());
    Ok(())
}
