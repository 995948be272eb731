//! F26: the server in a control group of 256 MiB, under demands that cost memory: programs that flood their
//! output, hundreds of tasks that wait with large inputs, pages of wide tasks for many clients at once, and
//! slow readers. The server must survive all of it, and keep answering meanwhile.

mod demands;
mod workflows;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

use super::place::Place;
use crate::cgroup::Cage;
use crate::effects::Effects;
use crate::http::{Client, Peer, Request};
use crate::report::{Report, say};
use crate::server::{Server, Start};

/// The fault's name on the command line.
pub(super) const NAME: &str = "f26";
const PART: &str = "F26";

/// Memory limit in bytes of the server and its programs.
const LIMIT: u64 = 256 << 20;
/// Interval at which the watch checks that the server answers.
const ASK: Duration = Duration::from_millis(100);
/// Longest time that such an answer may take, whatever else the server and the machine are asked to do.
const LONGEST: Duration = Duration::from_secs(10);

pub(super) async fn run(place: &Place, quick: bool, report: &mut Report) -> Result<()> {
    say(&format!("{PART}: the server has {} MiB of memory", LIMIT >> 20));
    let cage = match Cage::new(LIMIT) {
        Ok(cage) => cage,
        Err(e) => {
            // Reported as a failure, not skipped: nothing would be proven.
            report.add(PART, "cage", "a control group limits the server", format!("{e:#}"), false);
            return Ok(());
        }
    };
    let effects = Effects::start().await?;
    let (mut program, _) = place.program(&place.fresh(PART)?, &effects)?;
    program.workflows = place.path("workflows-f26");
    workflows::write(&program.workflows)?;
    program.config = place.path("longhaul-f26.toml");
    std::fs::write(&program.config, "[actions.command]\nallow = [\"/bin/sh\"]\n")?;
    let mut server = program.start(&cage.under())?;
    let Start::Ready(peer) = server.up().await? else { bail!("somebody else killed the server") };
    let watch = Watch::start(peer.clone());
    let sizes = demands::Sizes::of(quick);
    for demand in demands::ALL {
        let begun = Instant::now();
        let done = (demand.make)(peer.clone(), sizes).await;
        alive(&mut server, demand.name)?;
        let figure = match &done {
            Ok(said) => {
                format!("{said}, {:.1?}, {} MiB at the most so far", begun.elapsed(), cage.most()? >> 20)
            }
            Err(e) => format!("{e:#}"),
        };
        say(&format!("  {}: {figure}", demand.name));
        report.add(PART, demand.name, demand.what, figure, done.is_ok());
    }
    let (asked, failed, longest) = watch.stop().await?;
    let figure = format!("{asked} asked, {failed} failed, the longest took {longest:.1?}");
    report.add(
        PART,
        "answers",
        "others are answered all the while",
        figure,
        failed == 0 && asked > 0 && longest <= LONGEST,
    );
    let kills = cage.kills()?;
    report.add(PART, "kills", "nothing was killed for its memory", format!("{kills} killed"), kills == 0);
    server.stop().await
}

/// Fails with the name of the demand if the server was killed at its limit, which this part is about.
fn alive(server: &mut Server, demand: &str) -> Result<()> {
    match server.is_dead() {
        Ok(false) => Ok(()),
        Ok(true) => bail!("the server was killed at its limit of memory ({demand})"),
        Err(e) => Err(e.context(format!("at {demand}"))),
    }
}

/// A client that makes small requests all the while.
struct Watch {
    stop: Rc<Cell<bool>>,
    task: tokio::task::JoinHandle<(u64, u64, Duration)>,
}

impl Watch {
    fn start(peer: Peer) -> Watch {
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let task = tokio::task::spawn_local(async move {
            let (mut asked, mut failed, mut longest) = (0, 0, Duration::ZERO);
            let mut client = Client::default();
            while !stopped.get() {
                for path in ["/health/ready", "/v1/tasks?pageSize=1"] {
                    let begun = Instant::now();
                    let answer = client.ask(&peer, &Request::get(path)).await;
                    asked += 1;
                    failed += u64::from(!answer.is_ok_and(|answer| answer.status == 200));
                    longest = longest.max(begun.elapsed());
                }
                sleep(ASK).await;
            }
            (asked, failed, longest)
        });
        Watch { stop, task }
    }

    async fn stop(self) -> Result<(u64, u64, Duration)> {
        self.stop.set(true);
        self.task.await.context("who asks whether the server answers")
    }
}
