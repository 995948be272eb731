//! News between nodes, by the database's notifications: gathered, and sent ten times a second at the most, as each notification
//! makes commits wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::GenericClient;
use longhaul_model::{Effect, NodeId, TaskId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::{Client, Notification};

use super::connect::Place;
use super::keeper::ATTENTIVE;
use super::rows::query;
use super::sql::failed;
use super::{Shared, sql};
use crate::doc;
use crate::error::StoreError;
use crate::peers::{News, Rare, To};

/// The channel of all nodes of a database.
const CHANNEL: &str = "longhaul";
/// Between two sends.
const PAUSE: Duration = Duration::from_millis(100);
/// Before the connection is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// What one notification holds, in bytes, less than the database takes.
const LARGEST: usize = 7_800;
/// News that may wait to be sent; beyond, they are lost, as they may be.
pub(super) const WAITING: usize = 65_536;

/// News from one node.
#[derive(Serialize, Deserialize)]
struct Letter<N> {
    /// From whom; 0 for what all must hear, the sender too.
    #[serde(rename = "f")]
    from: NodeId,
    /// To whom; 0 for all.
    #[serde(rename = "t", default)]
    to: NodeId,
    #[serde(rename = "n")]
    news: N,
}

/// What is on its way to other nodes.
pub(super) type Outgoing = (To, News);

/// Tells all nodes of a change, this one too, the moment it is committed.
pub(super) async fn announce(db: &impl GenericClient, what: Rare) -> Result<(), StoreError> {
    let letter = Letter { from: NodeId::default(), to: NodeId::default(), news: [News::Changed(what)] };
    query(db, "SELECT pg_notify($1, $2)", &[&CHANNEL, &doc::json(&letter)?]).await.map(drop)
}

/// What an effect is to the node whose it is to carry out.
pub(super) fn news_of(id: TaskId, effect: Effect) -> Option<News> {
    match effect {
        Effect::Stop { sub_task, token, .. } => Some(News::Stop(id, sub_task, token)),
        Effect::Unqueued { sub_task, queue, .. } => Some(News::Unqueued(id, sub_task, queue.to_string())),
        Effect::LeaseEnded { sub_task, token, .. } => Some(News::LeaseEnded(id, sub_task, token)),
        Effect::Start(_)
        | Effect::Queued { .. }
        | Effect::Leased(_)
        | Effect::Timer(_)
        | Effect::Ended(_) => None,
    }
}

/// Carries news to and fro for as long as the store is open.
pub(super) async fn run(place: Place, shared: Arc<Shared>, mut outgoing: mpsc::Receiver<Outgoing>) {
    loop {
        let carried = carry(&place, &shared, &mut outgoing).await;
        shared.in_touch.store(false, Ordering::SeqCst);
        match carried {
            Ok(()) => return,
            Err(e) => tracing::debug!(error = %e, "the other nodes are not heard of"),
        }
        // Also while it lasts: nobody is held to what was not heard.
        shared.hear(NodeId::default(), News::Gap);
        sleep(AGAIN).await;
    }
}

/// The same with one connection.
async fn carry(
    place: &Place,
    shared: &Shared,
    outgoing: &mut mpsc::Receiver<Outgoing>,
) -> Result<(), StoreError> {
    let (client, mut heard) = place.listen().await?;
    client.batch_execute(&format!("{ATTENTIVE}; LISTEN {CHANNEL}")).await.map_err(failed)?;
    shared.hear(NodeId::default(), News::Gap);
    shared.in_touch.store(true, Ordering::SeqCst);
    let (mut waiting, mut next) = (Vec::new(), Instant::now());
    loop {
        tokio::select! {
            letter = heard.recv() => match letter {
                Some(letter) => open(shared, &letter),
                None => return Err(StoreError::Unavailable("the connection ended".to_owned())),
            },
            more = outgoing.recv_many(&mut waiting, WAITING), if waiting.len() < WAITING => {
                if more == 0 {
                    return Ok(());
                }
            }
            () = sleep_until(next), if !waiting.is_empty() => {
                send(&client, shared.turn.node, std::mem::take(&mut waiting)).await?;
                next = Instant::now() + PAUSE;
            }
        }
    }
}

fn open(shared: &Shared, letter: &Notification) {
    let Ok(Letter { from, to, news }) = serde_json::from_str::<Letter<Vec<News>>>(letter.payload()) else {
        // Of a newer version, which knows that it may not be understood.
        return tracing::debug!("news from another node are not understood");
    };
    let own = shared.turn.node;
    if from != own && (to.is_only() || to == own) {
        for news in news {
            shared.hear(from, news);
        }
    }
}

/// Sends news in as few notifications as they take.
async fn send(client: &Client, own: NodeId, news: Vec<Outgoing>) -> Result<(), StoreError> {
    let mut by_node: BTreeMap<NodeId, Vec<News>> = BTreeMap::new();
    for (to, news) in news {
        let to = match to {
            To::Node(node) => node,
            To::All => NodeId::default(),
        };
        by_node.entry(to).or_default().push(news);
    }
    let mut letters = Vec::new();
    for (to, news) in by_node {
        let (mut page, mut size) = (Vec::new(), 0);
        for one in news {
            let text = doc::json(&one)?;
            if size + text.len() > LARGEST - 64 {
                letters.push(letter(own, to, std::mem::take(&mut page)));
                size = 0;
            }
            size += text.len() + 1;
            page.push(text);
        }
        letters.push(letter(own, to, page));
    }
    let statement = "SELECT pg_notify($1, letter) FROM unnest($2::text[]) AS letter";
    let statement = client.prepare(statement).await.map_err(failed)?;
    client.query(&statement, &[&CHANNEL, &letters]).await.map_err(sql::failed).map(drop)
}

fn letter(from: NodeId, to: NodeId, news: Vec<String>) -> String {
    format!(r#"{{"f":{},"t":{},"n":[{}]}}"#, from.0, to.0, news.join(","))
}
