//! Faults of a round on a fleet of nodes, and the results that must follow.

use std::time::Duration;

use anyhow::{Result, ensure};
use fastrand::Rng;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::fleet::{Fleet, NODES};
use super::link::Held;
use crate::torture::database::Database;
use crate::torture::kills::STRAGGLERS;
use crate::torture::leaps::LEAPS;

/// Longest time until a submission is accepted again, whatever happened to the database.
const HEALED: Duration = Duration::from_secs(20);
/// Time after which others may have taken over: ten seconds of silence, and the look that finds it.
const TAKEN_OVER: Duration = Duration::from_millis(12_500);
/// An interruption that a node outlives, as it may not have been missed.
const SHORT: Duration = Duration::from_millis(2_500);
/// A node that does not reach its database begins anew after seven seconds; others take over after ten.
const GIVES_UP: Duration = Duration::from_millis(9_500);

/// Fault that a part injects into nodes and their database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// A node is killed, at times two, and started again at once or after others took over.
    Kill,
    /// A kill, with a fault of the database in every third round.
    Trouble,
    /// A node and its database do not reach each other, in one direction or both.
    Partition,
    /// A node stands still.
    Pause,
    /// The clock of a node is set, and in every third round one is started by a clock that is wrong.
    Leap,
}

/// Results of all rounds.
#[derive(Default)]
pub(super) struct Tally {
    /// Kinds of rounds in words, with their counts.
    pub(super) counts: Vec<(&'static str, usize)>,
    /// Longest time until a node that was cut off gave up.
    pub(super) longest_give_up: Duration,
}

impl Tally {
    fn count(&mut self, what: &'static str) {
        match self.counts.iter_mut().find(|(name, _)| *name == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }

    pub(super) fn figure(&self) -> String {
        self.counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
    }
}

/// Runs one round.
pub(super) async fn strike(
    blow: Blow,
    fleet: &mut Fleet,
    database: &Database,
    round: usize,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<()> {
    let node = rng.usize(..NODES);
    match blow {
        Blow::Kill => {
            let late = round % 10 == 9;
            let other = (node + 1 + rng.usize(..NODES - 1)) % NODES;
            let both = rng.u8(..4) == 0;
            kill(fleet, node).await?;
            if both {
                kill(fleet, other).await?;
                tally.count("times two at once");
            }
            if late {
                tally.count("times not started until others had taken over");
                sleep(TAKEN_OVER).await;
            }
            fleet.up(node).await?;
            if both {
                fleet.up(other).await?;
            }
            tally.count("nodes killed");
        }
        Blow::Trouble => {
            if round % 3 == 2 {
                let begun = Instant::now();
                database.trouble(round).await?;
                // Nodes give up a database that is away for seven seconds, as they must.
                let over = fleet.accepts(HEALED).await?;
                database.healed(begun.elapsed()).await?;
                for _ in 0..over {
                    tally.count("nodes that gave up as the database was away for long");
                }
                tally.count("faults of the database");
            }
            kill(fleet, node).await?;
            fleet.up(node).await?;
            tally.count("nodes killed");
        }
        Blow::Partition => partition(fleet, node, round, rng, tally).await?,
        Blow::Pause => pause(fleet, node, round, rng, tally).await?,
        Blow::Leap => {
            fleet.set_clock(node, LEAPS[round % LEAPS.len()])?;
            sleep(Duration::from_secs(2)).await;
            ensure!(!fleet.gave_up(node), "a node gave up as its clock was set");
            tally.count("clocks set");
            if round % 3 == 2 {
                kill(fleet, node).await?;
                fleet.up(node).await?;
                tally.count("nodes started by it");
            }
        }
    }
    Ok(())
}

async fn kill(fleet: &mut Fleet, node: usize) -> Result<()> {
    fleet.kill(node).await?;
    sleep(STRAGGLERS).await;
    fleet.begin_life(true, false);
    Ok(())
}

async fn partition(
    fleet: &mut Fleet,
    node: usize,
    round: usize,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<()> {
    let (held, how) = match rng.u8(..3) {
        0 => (Held { out: true, back: true }, "both ways"),
        1 => (Held { out: true, back: false }, "from the node"),
        _ => (Held { out: false, back: true }, "to the node"),
    };
    tally.count(how);
    fleet.link(node).hold(held);
    if round.is_multiple_of(3) {
        // Too short to be missed: it goes on.
        sleep(SHORT).await;
        fleet.link(node).hold(Held::default());
        sleep(Duration::from_secs(1)).await;
        ensure!(!fleet.gave_up(node), "a node gave up that was cut off for {SHORT:?} only");
        tally.count("short");
        return Ok(());
    }
    sleep(Duration::from_secs(1)).await;
    fleet.withdraw(node)?;
    let took = fleet.gives_up(node).await? + Duration::from_secs(1);
    ensure!(took < GIVES_UP, "a node that was cut off gave up after {took:?}");
    tally.longest_give_up = tally.longest_give_up.max(took);
    fleet.begin_life(true, false);
    // Half of them come back before others took over, on a way that is open again.
    if rng.bool() {
        sleep(TAKEN_OVER - GIVES_UP).await;
        tally.count("taken over from");
    }
    fleet.link(node).hold(Held::default());
    fleet.back(node).await
}

async fn pause(fleet: &mut Fleet, node: usize, round: usize, rng: &mut Rng, tally: &mut Tally) -> Result<()> {
    fleet.signal(node, Signal::SIGSTOP)?;
    if round.is_multiple_of(3) {
        sleep(SHORT).await;
        fleet.signal(node, Signal::SIGCONT)?;
        sleep(Duration::from_secs(1)).await;
        ensure!(!fleet.gave_up(node), "a node gave up that stood still for {SHORT:?} only");
        tally.count("short");
        return Ok(());
    }
    sleep(Duration::from_secs(1)).await;
    fleet.withdraw(node)?;
    fleet.begin_life(true, false);
    sleep(TAKEN_OVER + Duration::from_millis(rng.u64(..2_000))).await;
    fleet.begin_life(false, true);
    fleet.signal(node, Signal::SIGCONT)?;
    let took = fleet.gives_up(node).await?;
    tally.longest_give_up = tally.longest_give_up.max(took);
    tally.count("taken over from");
    sleep(STRAGGLERS).await;
    fleet.begin_life(true, false);
    fleet.back(node).await
}
