//! F12: the machine's clock is set by hours and days, in both directions, while work is under way. Leases,
//! timers and pauses go on as if nothing had happened, nothing ends before it began, and tokens follow the
//! wall.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::place::Place;
use super::workers::crew::Crew;
use super::workers::{call, submit};
use crate::access;
use crate::check::Verdict;
use crate::dump::{self, Dump};
use crate::effects::Effects;
use crate::http::{Client, Peer, Request};
use crate::report::{Report, say};
use crate::server::{Program, Start};
use crate::wire::{AttemptView, TaskStatus};

/// Tasks under way at each leap.
const TASKS: usize = 6;
/// Durations of each timer, and of the pause before a second attempt, in milliseconds.
const WAIT: i64 = 1_500;
const PAUSE: i64 = 1_000;
/// Time by which either may be longer: the sweep, the machine.
const LATE: i64 = 1_200;
/// Longest time for one round: far more than the work, far less than a jump.
const ROUND: Duration = Duration::from_secs(30);
/// Offsets that the clock is set to, in seconds from the machine's.
pub(super) const LEAPS: [i64; 5] = [7_200, -7_200, 86_400, -86_400, 0];
/// The workflow.
const WORKFLOW: &str = "proof-leap";

pub(super) fn rounds(quick: bool) -> usize {
    if quick { 3 } else { 50 }
}

pub(super) async fn run(place: &Place, leaps: usize, seed: u64, report: &mut Report) -> Result<()> {
    say(&format!("F12: the clock is set {leaps} times"));
    let effects = Effects::start().await?;
    let (program, _) = place.program(&place.fresh("leaps")?, &effects)?;
    let clock = place.path("clock");
    set(&clock, 0)?;
    let program = Program { environment: faked(&clock)?, ..program };
    let mut server = program.start(&[])?;
    let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed the server") };
    put_workflow(&peer).await?;
    let mut crew = Crew::new(&program.data, peer.address, effects.address, seed)?;
    for _ in 0..3 {
        crew.hire()?;
    }
    let mut rng = Rng::with_seed(seed);
    let mut found = Found::default();
    for round in 0..leaps {
        let to = LEAPS[round % LEAPS.len()];
        found.round(&peer, &clock, to, &mut rng).await?;
        if (round + 1) % 10 == 0 {
            say(&format!("  leap {}", round + 1));
        }
    }
    found.refused = crew.refused();
    crew.dismiss().await?;
    let dump = dump::take(&peer).await?;
    server.stop().await?;
    found.tell(report);
    report.verdicts("F12", vec![ended(&dump), kept(&dump), timers(&dump), order(&dump)]);
    Ok(())
}

/// Jumps as seen from outside.
#[derive(Default)]
struct Found {
    leaps: usize,
    /// Number of jumps that the server's own answers showed.
    shown: usize,
    /// Rounds that did not end in time.
    slow: usize,
    /// Reports of workers that were refused.
    refused: usize,
    /// Tokens that were let in and should not have been, or the other way round.
    wrong: Vec<String>,
}

impl Found {
    /// Tasks are begun, the clock is set in their middle, they end.
    async fn round(&mut self, peer: &Peer, clock: &Path, to: i64, rng: &mut Rng) -> Result<()> {
        let mut client = Client::default();
        let (token, before) = log_in(&mut client, peer).await?;
        for _ in 0..TASKS {
            submit(&mut client, peer, WORKFLOW).await?;
        }
        sleep(Duration::from_millis(rng.u64(100..2_500))).await;
        set(clock, to)?;
        sleep(Duration::from_millis(50)).await;
        self.leaps += 1;
        let (new, after) = log_in(&mut client, peer).await?;
        self.shown += usize::from((after - to).abs() <= 2);
        let old = let_in(&mut client, peer, &token).await?;
        // A token lasts an hour, and none is taken from the future but for a minute.
        let wanted = (-60..3_600).contains(&(after - before));
        if old != wanted {
            self.wrong.push(format!("a token of before a leap by {} s: let in: {old}", after - before));
        }
        if !let_in(&mut client, peer, &new).await? {
            self.wrong.push(format!("a new token after a leap by {} s was refused", after - before));
        }
        let begun = Instant::now();
        let quiet = dump::quiet(peer, ROUND).await?;
        self.slow += usize::from(quiet.is_none() || begun.elapsed() > ROUND);
        Ok(())
    }

    fn tell(&self, report: &mut Report) {
        let Found { leaps, shown, slow, refused, wrong } = self;
        report.add(
            "F12",
            "leaps",
            "the server's own clock was set",
            format!("{shown} of {leaps} seen"),
            shown == leaps,
        );
        report.add(
            "F12",
            "I14",
            "all tasks under way at a leap ended within the work",
            format!("{slow} rounds did not"),
            *slow == 0,
        );
        report.add(
            "F12",
            "leases",
            "no lease was lost by a leap",
            format!("{refused} reports refused"),
            *refused == 0,
        );
        let figure = wrong.first().cloned().unwrap_or_else(|| format!("{} looked at", 2 * leaps));
        report.add("F12", "tokens", "tokens follow the wall", figure, wrong.is_empty());
    }
}

/// Sets the server's clock, by so many seconds off the machine's.
pub(super) fn set(clock: &Path, seconds: i64) -> Result<()> {
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}s\n"))?;
    std::fs::rename(&new, clock).with_context(|| clock.display().to_string())
}

/// The environment in which a server sees that clock; what the machine counts from its boot stays.
pub(super) fn faked(clock: &Path) -> Result<Vec<(String, String)>> {
    let folders = std::fs::read_dir("/usr/lib")?
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    let found: Option<PathBuf> = folders.filter(|path| path.exists()).min();
    let library = found.context("libfaketime is not installed: `make setup` does it")?;
    let text = |path: &Path| path.display().to_string();
    let all = [
        ("LD_PRELOAD", text(&library)),
        ("FAKETIME_TIMESTAMP_FILE", text(clock)),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    Ok(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A new token, and how far the server's clock is off this one, in seconds: the token says when it was made.
async fn log_in(client: &mut Client, peer: &Peer) -> Result<(String, i64)> {
    let body = json!({ "username": "admin", "password": access::PASSWORD });
    let (_, pair) = call(client, peer, "POST", "/v1/tokens", &body, &[201]).await?;
    let token = pair["accessToken"].as_str().context("a login without accessToken")?;
    let claims = token.split('.').nth(1).context("a token of one part")?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    let made = claims["iat"].as_i64().context("a token without iat")?;
    Ok((token.to_owned(), made - jiff::Timestamp::now().as_second()))
}

async fn let_in(client: &mut Client, peer: &Peer, token: &str) -> Result<bool> {
    let answer = client.ask(&Peer::stranger(peer.address).with(token), &Request::get("/v1/users/me")).await;
    let answer = answer.map_err(|e| anyhow::anyhow!("GET /v1/users/me: {e:?}"))?;
    match answer.status {
        200 => Ok(true),
        401 => Ok(false),
        other => bail!("GET /v1/users/me: {other}"),
    }
}

/// A worker's step, a timer, a step that fails once and is tried again after a pause, and one with a limit
/// that a leap would exceed.
async fn put_workflow(peer: &Peer) -> Result<()> {
    let step = |name: &str, action: Value| json!({ "name": name, "description": name, "action": action });
    let with = |mut step: Value, name: &str, value: Value| {
        step[name] = value;
        step
    };
    let wait = format!("{WAIT}ms");
    let again = step("Again", json!({ "simulate": { "duration": "10ms", "failAttempts": [1] } }));
    let long = step("Limited", json!({ "simulate": { "duration": "1s" } }));
    let definition = json!({
        "name": WORKFLOW, "type": "PROOF_LEAP", "title": "Leap", "input": { "type": "object" },
        "subTasks": [
            step("Worker", json!({ "worker": { "queue": "proof", "input": {} } })),
            step("Timer", json!({ "wait": { "for": wait } })),
            with(again, "retry", json!({ "attempts": 2, "backoff": format!("{PAUSE}ms"), "jitter": false })),
            with(long, "timeout", json!("20s")),
        ]
    });
    let path = format!("/v1/workflows/{WORKFLOW}");
    call(&mut Client::default(), peer, "PUT", &path, &definition, &[200, 201]).await.map(drop)
}

fn attempts<'a>(dump: &'a Dump, name: &'a str) -> impl Iterator<Item = (uuid::Uuid, Vec<&'a AttemptView>)> {
    dump.tasks.iter().filter_map(move |(id, task)| {
        let place = task.names.iter().position(|known| known == name)?;
        Some((*id, task.attempts.iter().filter(|attempt| attempt.sub == place).collect()))
    })
}

fn verdict(name: &'static str, what: &'static str) -> Verdict {
    Verdict { name, what, looked: 0, broken: Vec::new() }
}

fn ended(dump: &Dump) -> Verdict {
    let mut verdict = verdict("I14", "every task ended well");
    for (id, task) in &dump.tasks {
        verdict.looked += 1;
        if task.view.status != TaskStatus::Successful {
            verdict.broken.push(format!("{id}: {:?}", task.view.status));
        }
    }
    verdict
}

/// Checks that nothing was lost or timed out: each sub-task has the attempts that its workflow asks for.
fn kept(dump: &Dump) -> Verdict {
    let mut verdict = verdict("I9", "no attempt ended by a leap");
    for (name, wanted) in [("Worker", 1), ("Timer", 1), ("Again", 2), ("Limited", 1)] {
        for (id, attempts) in attempts(dump, name) {
            verdict.looked += 1;
            if attempts.len() != wanted {
                verdict.broken.push(format!("{id} {name}: {attempts:?}"));
            }
        }
    }
    verdict
}

/// Timers and pauses last as long as they should, by the server's own word.
fn timers(dump: &Dump) -> Verdict {
    let mut verdict = verdict("timers", "timers and pauses lasted their time");
    let mut look = |what: String, lasted: i64, wanted: i64| {
        verdict.looked += 1;
        if !(wanted..=wanted + LATE).contains(&lasted) {
            verdict.broken.push(format!("{what} lasted {lasted} ms instead of {wanted}"));
        }
    };
    for (id, attempts) in attempts(dump, "Timer") {
        if let [AttemptView { started, ended: Some(ended), .. }] = attempts[..] {
            look(format!("{id}: the timer"), ended - started, WAIT);
        }
    }
    for (id, attempts) in attempts(dump, "Again") {
        if let [AttemptView { ended: Some(ended), .. }, AttemptView { started, .. }] = attempts[..] {
            look(format!("{id}: the pause"), started - ended, PAUSE);
        }
    }
    verdict
}

/// Checks that nothing ends before it begins.
fn order(dump: &Dump) -> Verdict {
    let mut verdict = verdict("I13", "nothing ended before it began, nothing began before its task");
    for (id, task) in &dump.tasks {
        for attempt in &task.attempts {
            verdict.looked += 1;
            if attempt.ended.is_some_and(|ended| ended < attempt.started)
                || attempt.started < task.view.created
            {
                verdict.broken.push(format!("{id}: {attempt:?}, the task is of {}", task.view.created));
            }
        }
    }
    verdict
}
