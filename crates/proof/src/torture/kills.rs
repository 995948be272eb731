//! F1: the server is killed again and again while clients work, on one data directory.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fastrand::Rng;
use tokio::time::{Instant, sleep, timeout};

use super::heal::{self, Healed};
use super::integrity;
use super::place::Place;
use crate::check::{self, Evidence};
use crate::clock;
use crate::dump::Dump;
use crate::effects::Effects;
use crate::history::{DecisionAnswer, History, Life, SubmitAnswer, Verb};
use crate::load::{Recorder, Shared};
use crate::report::{Report, say};
use crate::server::{Program, Start};

/// Longest time for calls of a dead server to reach the effect counter.
pub(super) const STRAGGLERS: Duration = Duration::from_millis(25);
/// Longest time for a start.
const START: Duration = Duration::from_secs(2);
/// Longest time until a submission is accepted again.
const HEALED: Duration = Duration::from_secs(20);

/// Time of a kill.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// Delay after the server was started, ready or not.
    AfterSpawn(Duration),
    /// Delay after the first submission of this life was answered.
    IntoLoad(Duration),
}

/// Settings of the part: target, number of kills, load.
#[derive(Clone, Copy)]
pub(super) struct Kills {
    /// The fault's name in the report.
    pub(super) part: &'static str,
    pub(super) kills: usize,
    pub(super) clients: u64,
    pub(super) seed: u64,
}

pub(super) async fn run(place: &Place, what: Kills, report: &mut Report) -> Result<()> {
    let Kills { part, kills, clients, seed } = what;
    let effects = Effects::start().await?;
    let (program, catalog) = place.program(&place.fresh(part)?, &effects)?;
    let shared = Shared::new(catalog);
    let mut rng = Rng::with_seed(seed);
    let callers = shared.start(clients, seed);
    say(&format!("{part}: {kills} kills under the load of {clients} clients"));
    let begun = Instant::now();
    for round in 0..kills {
        // Calm and storm in turn; the budget bounds what the end has to check.
        shared.think.set(Duration::from_secs_f64(log_uniform(&mut rng, 0.0002, 0.02)));
        shared.budget.set(300);
        let moment = moment(&mut rng, round);
        let life = one_life(&program, &shared, &effects, round, moment).await?;
        if (round + 1) % 20 == 0 || round + 1 == kills {
            let tasks = shared.recorder.borrow().history.submits.len();
            let up = life.ready.map_or("killed before it was ready".to_owned(), |at| {
                format!("up in {} ms", (at - life.spawned) / 1000)
            });
            say(&format!(
                "  kill {}: {moment:?}, {up}, {} acknowledged in this life, {} requests under way, {tasks} submissions so far, {:.0?}",
                round + 1,
                life.acked,
                life.in_flight,
                begun.elapsed()
            ));
        }
        shared.recorder.borrow_mut().history.lives.push(life);
        if rng.u32(0..5) == 0 {
            sleep(Duration::from_millis(rng.u64(0..400))).await;
        }
    }
    effects.new_life(kills);
    let mut server = program.start(&[])?;
    let healed = heal::heal(&mut server, &shared, callers).await?;
    server.stop().await?;
    let faults = integrity::faults(&program.data, &place.path("scratch"))?;
    let mut recorder = shared.recorder.borrow_mut();
    recorder.history.effects = effects.take();
    summary(&recorder.history, part, kills, report);
    odd_and_unknown(&recorder, &healed, part, false, report);
    report.add_noted(part, "db", "PRAGMA integrity_check", format!("{} faults", faults.len()), faults);
    coverage(&recorder.history, &healed.dump, part, kills, report);
    let evidence = Evidence::new(&recorder.history, &healed.dump, &shared.catalog);
    report.verdicts(part, check::all(&evidence));
    report.planted(part, check::plant::all_planted(&recorder.history, &healed.dump, &shared.catalog));
    Ok(())
}

/// Reports the share of ambiguous calls, the end of the tasks, and answers that no server may give. A server
/// whose database is `away` at times says so.
pub(super) fn odd_and_unknown(
    recorder: &Recorder,
    healed: &Healed,
    part: &'static str,
    away: bool,
    report: &mut Report,
) {
    let unknown = recorder.ambiguous as f64 * 100.0 / recorder.sent.max(1) as f64;
    report.add(
        part,
        "ops",
        "fewer than 5 % of all calls ended unknown",
        format!("{unknown:.2} % of {}", recorder.sent),
        unknown < 5.0,
    );
    report.add_noted(
        part,
        "heal",
        "everything ends and a write succeeds after the last fault",
        healed.figure(),
        healed.faults(),
    );
    let (said, odd): (Vec<_>, Vec<_>) = healed
        .oddities
        .iter()
        .cloned()
        .partition(|odd| away && odd.contains(r#": 503 {"errorCode":"SERVICE_UNAVAILABLE""#));
    let figure = if away { format!("{} times 503", said.len()) } else { String::new() };
    report.add_noted(part, "odd", "no answer that no server may give", figure, odd);
}

/// Half of the kills come uniformly within 3 s of load, most others with each ten-fold of time from 1 ms on
/// equally often; every tenth while the server starts.
fn moment(rng: &mut Rng, round: usize) -> Moment {
    if round % 10 == 4 {
        return Moment::AfterSpawn(Duration::from_secs_f64(log_uniform(rng, 0.001, 0.1)));
    }
    Moment::IntoLoad(Duration::from_secs_f64(match rng.u32(0..9) {
        0..5 => 3.0 * rng.f64(),
        _ => log_uniform(rng, 0.001, 3.0),
    }))
}

pub(super) fn log_uniform(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from * (to / from).powf(rng.f64())
}

async fn one_life(
    program: &Program,
    shared: &Rc<Shared>,
    effects: &Effects,
    number: usize,
    moment: Moment,
) -> Result<Life> {
    effects.new_life(number);
    shared.acked.set(0);
    let mut server = program.start(&[])?;
    let spawned = server.spawned;
    let mut ready = None;
    match moment {
        Moment::AfterSpawn(delay) => {
            // Whatever it does then.
            let up = async {
                let start = server.up().await?;
                if let Start::Ready(peer) = start {
                    ready = Some(clock::now());
                    shared.is_up(&peer);
                }
                std::future::pending::<Result<()>>().await
            };
            if let Ok(Err(e)) = timeout(delay, up).await {
                return Err(e);
            }
        }
        Moment::IntoLoad(delay) => {
            let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed the server") };
            ready = Some(clock::now());
            shared.is_up(&peer);
            timeout(HEALED, first_ack(shared)).await.context("no submission was answered for 20 s")?;
            sleep(delay).await;
        }
    }
    if server.is_dead()? {
        bail!("the server was killed by somebody else");
    }
    let (acked, in_flight) = (shared.acked.get(), shared.in_flight.get());
    shared.dying.set(true);
    server.kill().await?;
    shared.is_gone();
    sleep(STRAGGLERS).await;
    Ok(Life { spawned, ready, dead: Some(clock::now()), killed: true, acked, in_flight, ..Life::default() })
}

async fn first_ack(shared: &Shared) {
    while shared.acked.get() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
}

fn summary(history: &History, part: &'static str, kills: usize, report: &mut Report) {
    let fired = history.lives.iter().filter(|life| life.killed).count();
    report.add(part, "kills", "every kill ended the process", format!("{fired} of {kills}"), fired == kills);
    let lives: Vec<_> = history.lives.iter().filter(|life| life.killed && life.ready.is_some()).collect();
    let loaded = lives.iter().filter(|life| life.acked > 0).count();
    let busy = lives.iter().filter(|life| life.in_flight > 0).count();
    let early = fired - lives.len();
    report.add(part, "load", "load was running at the kills", format!("{loaded} with answers before, {busy} with requests under way, {early} before the server was ready"),
        loaded * 10 >= fired * 8 && busy * 2 >= loaded);
    let acked = history.acked().len();
    report.add(part, "acked", "at least 100 acknowledged submissions", format!("{acked}"), acked >= 100);
    let mut starts: Vec<u64> =
        history.lives.iter().filter_map(|life| Some((life.ready? - life.spawned) / 1000)).collect();
    starts.sort_unstable();
    let (half, most) =
        (starts.get(starts.len() / 2).copied().unwrap_or(0), starts.last().copied().unwrap_or(0));
    report.add(
        part,
        "ready",
        "ready again within 2 s",
        format!("p50 {half} ms, longest {most} ms, with {acked} tasks"),
        most <= START.as_millis() as u64,
    );
    let unknown = history.submits.iter().filter(|submit| submit.answer == SubmitAnswer::Ambiguous).count();
    report.add(part, "unknown", "submissions of which nobody knew", format!("{unknown}"), true);
}

/// Reports the events that the run went through: a check of events that never happened proves nothing. A few
/// kills need not meet all of them.
pub(super) fn coverage(
    history: &History,
    dump: &Dump,
    part: &'static str,
    kills: usize,
    report: &mut Report,
) {
    let attempts = |status: &str| {
        dump.tasks.values().flat_map(|task| &task.attempts).filter(|a| a.status == status).count()
    };
    let unknown = history.polls.iter().flat_map(|poll| &poll.view.subs);
    let unknown = unknown.filter(|sub| sub.error.as_deref() == Some("OUTCOME_UNKNOWN")).count();
    let told = |what: Verb| {
        let told = history.decisions.iter().filter(|decision| decision.what == what);
        told.filter(|decision| decision.answer == DecisionAnswer::Acked).count()
    };
    let replays = history
        .submits
        .iter()
        .filter(|submit| matches!(submit.answer, SubmitAnswer::Acked { replayed: true, .. }));
    let reused = history.submits.iter().filter(|submit| submit.answer == SubmitAnswer::KeyReused);
    let parts = [
        ("attempts lost", attempts("LOST")),
        ("failed", attempts("FAILED")),
        ("stopped", attempts("STOPPED")),
        ("looks at an unknown outcome", unknown),
        ("verdicts done", told(Verb::Done)),
        ("not done", told(Verb::NotDone)),
        ("retries", told(Verb::Retry)),
        ("cancels", told(Verb::Cancel)),
        ("replays", replays.count()),
        ("keys refused", reused.count()),
        ("effects", history.effects.len()),
        ("logins and keys", history.grants.given.len()),
        ("taken back", history.grants.withdrawals.iter().filter(|one| one.acked).count()),
        ("tries of those over a kill", history.grants.uses_over_a_kill(&history.lives)),
    ];
    let figure = parts.map(|(name, count)| format!("{count} {name}")).join(", ");
    report.add(
        part,
        "seen",
        "every path was taken",
        figure,
        kills < 20 || parts.iter().all(|(_, count)| *count > 0),
    );
}
