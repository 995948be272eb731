//! End of the faults: the server comes up, ambiguous calls are repeated, every credential is tried, a write
//! succeeds, all tasks end.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock;
use crate::dump::{self, Dump};
use crate::history::Life;
use crate::http::Peer;
use crate::load::{Caller, Sending, Shared};
use crate::server::{Server, Start};
use crate::wire::TaskStatus;

/// Longest time for the tasks to end.
const QUIET: Duration = Duration::from_secs(60);

/// State after the faults.
pub(super) struct Healed {
    /// The time until nothing moved any more.
    took: Option<Duration>,
    /// A new task ran to its end.
    wrote: bool,
    /// The server's word in the end.
    pub(super) dump: Dump,
    /// Answers that no server may give.
    pub(super) oddities: Vec<String>,
}

/// Brings a server that was started back to work; the callers of the load end after a last second.
pub(super) async fn heal(
    server: &mut Server,
    shared: &Rc<Shared>,
    callers: Vec<JoinHandle<()>>,
) -> Result<Healed> {
    let Start::Ready(peer) = server.up().await? else { bail!("the server was killed by somebody else") };
    let ready = Some(clock::now());
    shared.is_up(&peer);
    let life = Life {
        spawned: server.spawned,
        ready,
        dead: None,
        killed: false,
        acked: 0,
        in_flight: 0,
        ..Life::default()
    };
    shared.recorder.borrow_mut().history.lives.push(life);
    ended(&peer, shared, callers).await
}

/// Ends a load on servers that are at work.
pub(super) async fn ended(peer: &Peer, shared: &Rc<Shared>, callers: Vec<JoinHandle<()>>) -> Result<Healed> {
    if !callers.is_empty() {
        sleep(Duration::from_secs(1)).await;
    }
    shared.stop.set(true);
    for caller in callers {
        caller.await?;
    }
    let mut caller = Caller::new(shared.clone());
    caller.settle_owed().await;
    caller.try_all_grants().await;
    let wrote = write(&mut caller).await;
    let took = dump::quiet(peer, QUIET).await?;
    let dump = dump::take(peer).await?;
    let told = shared.followed().await;
    shared.recorder.borrow_mut().history.told = told;
    let oddities = std::mem::take(&mut shared.recorder.borrow_mut().history.oddities);
    Ok(Healed { took, wrote, dump, oddities })
}

async fn write(caller: &mut Caller) -> bool {
    let sending = sending(caller, "three", None);
    match caller.submit(sending).await {
        Some(id) => caller.look(id, Some("20s")).await == Some(TaskStatus::Successful),
        None => false,
    }
}

/// A submission of a workflow.
pub(super) fn sending(caller: &Caller, workflow: &str, key: Option<&str>) -> Sending {
    let mark = caller.new_mark();
    let input = json!({ "mark": mark, "pause": "1ms", "note": "fixed" });
    Sending { workflow: workflow.to_owned(), input, mark, key: key.map(str::to_owned), wait: None }
}

impl Healed {
    /// Returns everything that is not as it should be.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.took.is_none() {
            faults.push(format!("tasks still run {} s after the last fault", QUIET.as_secs()));
        }
        if !self.wrote {
            faults.push("a new task did not run to its end".to_owned());
        }
        faults
    }

    /// Returns the state in words.
    pub(super) fn figure(&self) -> String {
        self.took.map_or_else(|| "not quiet".to_owned(), |took| format!("quiet after {took:.1?}"))
    }
}
