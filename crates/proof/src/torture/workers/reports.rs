//! F11: the same report many times at once, and another one against it.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{call, submit};
use crate::http::{Client, Peer};
use crate::report::{Report, say};

/// Reports of each kind at once.
const AT_ONCE: usize = 10;
const WORKER: &str = "proof-reporter-0001";

pub(super) async fn run(peer: &Peer, rounds: usize, report: &mut Report) -> Result<()> {
    say(&format!(
        "F11: {rounds} attempts, each reported {AT_ONCE} times done and {AT_ONCE} times failed at once"
    ));
    let mut clients: Vec<Client> = (0..2 * AT_ONCE).map(|_| Client::default()).collect();
    let (mut broken, mut done, mut asker) = (Vec::new(), 0, Client::default());
    for round in 0..rounds {
        let id = submit(&mut asker, peer, "proof-work").await?;
        let body = json!({ "worker": WORKER, "queues": ["proof"], "wait": "5s" });
        let (_, leased) = call(&mut asker, peer, "POST", "/v1/workers/lease", &body, &[200]).await?;
        let lease = leased["leases"][0]["lease"].as_str().context("a lease")?.to_owned();
        let answers = at_once(&mut clients, peer, &lease, round).await?;
        let accepted =
            |from: usize| answers[from..from + AT_ONCE].iter().filter(|status| **status == 200).count();
        let counts = (accepted(0), accepted(AT_ONCE));
        if counts != (AT_ONCE, 0) && counts != (0, AT_ONCE) {
            broken.push(format!(
                "{lease}: {} reports of success and {} of failure accepted",
                counts.0, counts.1
            ));
        }
        done += usize::from(counts.0 > 0);
        let path = format!("/v1/tasks/{id}/attempts");
        let page: Value = crate::dump::get(&mut asker, peer, &path).await?.json().context("JSON")?;
        let attempts = page["elements"].as_array().context("elements")?;
        let wanted = if counts.0 > 0 { "SUCCESSFUL" } else { "FAILED" };
        if attempts.len() != 1 || attempts[0]["status"] != wanted {
            broken.push(format!("{lease}: {wanted} was accepted, the server has {page}"));
        }
        // What is left of it is nobody's.
        let _ = call(&mut asker, peer, "DELETE", &format!("/v1/tasks/{id}"), &json!({}), &[200, 409]).await?;
    }
    let figure = format!("{rounds} attempts, {done} times the success came first");
    report.add_noted(
        "F11",
        "I8",
        "of reports at once exactly one kind is accepted, each of it alike",
        figure,
        broken,
    );
    Ok(())
}

/// Sends all reports at once; returns their statuses, those of `complete` first.
async fn at_once(clients: &mut [Client], peer: &Peer, lease: &str, round: usize) -> Result<Vec<u16>> {
    let success =
        json!({ "worker": WORKER, "completed": [{ "lease": lease, "output": { "round": round } }] });
    let error = json!({ "code": "BROKEN", "message": "it broke" });
    let failure =
        json!({ "worker": WORKER, "failed": [{ "lease": lease, "error": error, "retryable": false }] });
    let mut order: Vec<usize> = (0..clients.len()).collect();
    fastrand::shuffle(&mut order);
    let mut sending = Vec::new();
    for (place, client) in clients.iter_mut().enumerate() {
        let (peer, body) = (peer.clone(), if place < AT_ONCE { success.clone() } else { failure.clone() });
        let mut client = std::mem::take(client);
        sending.push(async move {
            let verb = if place < AT_ONCE { "complete" } else { "fail" };
            let sent =
                call(&mut client, &peer, "POST", &format!("/v1/workers/{verb}"), &body, &[200, 409]).await;
            (place, client, sent)
        });
    }
    let tasks: Vec<_> = {
        let mut by_place: Vec<_> = sending.into_iter().map(Some).collect();
        order.iter().filter_map(|place| by_place[*place].take()).map(tokio::task::spawn_local).collect()
    };
    let mut statuses = vec![0; clients.len()];
    for task in tasks {
        let (place, client, sent) = task.await?;
        clients[place] = client;
        statuses[place] = sent?.0;
    }
    Ok(statuses)
}
