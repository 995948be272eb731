//! Events between nodes, by the database's notifications: gathered, and sent ten times a second at the most,
//! as each notification makes commits wait for each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deadpool_postgres::GenericClient;
use longhaul_model::{Effect, NodeId, TaskId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_postgres::{Client, Notification};

use super::Shared;
use super::connect::ATTENTIVE;
use super::connect::Place;
use super::sql::{failed, late, query};
use crate::doc;
use crate::error::StoreError;
use crate::peers::{News, Rare, To};

/// The channel of all nodes of a database.
const CHANNEL: &str = "longhaul";
/// Channel on which a node says that tasks changed. Nodes of earlier versions, which do not know that event,
/// do not listen to it.
const TASKS: &str = "longhaul_tasks";
/// Pause between two sends.
const PAUSE: Duration = Duration::from_millis(100);
/// Pause before the connection is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// Largest payload of a notification, in bytes, less than the database takes.
const LARGEST: usize = 7_800;
/// Maximum bytes of an envelope besides its events.
const ENVELOPE: usize = 64;
/// Maximum time for sending.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum number of events that wait to be sent; beyond it they are lost, which is allowed.
pub(super) const WAITING: usize = 65_536;

/// Envelope with the events of one node.
#[derive(Serialize, Deserialize)]
struct Letter<N> {
    /// Sending node; 0 for events that all must hear, the sender too.
    #[serde(rename = "f")]
    from: NodeId,
    /// Recipient; 0 for all nodes.
    #[serde(rename = "t", default)]
    to: NodeId,
    #[serde(rename = "n")]
    news: N,
}

/// Event on its way to other nodes.
pub(super) type Outgoing = (To, News);

/// Notifies all nodes of a change, this one too, the moment it is committed.
pub(super) async fn announce(db: &impl GenericClient, what: Rare) -> Result<(), StoreError> {
    let letter = Letter { from: NodeId::default(), to: NodeId::default(), news: [News::Changed(what)] };
    query(db, "SELECT pg_notify($1, $2)", &[&CHANNEL, &doc::json(&letter)?]).await.map(drop)
}

/// Converts an effect into the event for the node that is to carry it out.
pub(super) fn news_of(id: TaskId, revision: u64, effect: Effect) -> Option<News> {
    match effect {
        Effect::Stop { sub_task, token, .. } => Some(News::Stop(id, sub_task, token)),
        Effect::Unqueued { sub_task, queue, .. } => {
            Some(News::Unqueued(id, sub_task, queue.to_string(), revision))
        }
        Effect::LeaseEnded { sub_task, token, .. } => Some(News::LeaseEnded(id, sub_task, token)),
        // An entry that is out of line is refused when its turn comes.
        Effect::OutOfLine { .. }
        | Effect::Start(_)
        | Effect::InLine { .. }
        | Effect::Queued { .. }
        | Effect::Leased(_)
        | Effect::Timer(_)
        | Effect::Ended(_)
        | Effect::Measured(_) => None,
    }
}

/// Sends and receives events for as long as the store is open.
pub(super) async fn run(place: Place, shared: Arc<Shared>, mut outgoing: mpsc::Receiver<Outgoing>) {
    loop {
        let carried = carry(&place, &shared, &mut outgoing).await;
        // Logged only once per outage: on the change from connected to disconnected.
        let on_air = shared.in_touch.swap(false, Ordering::SeqCst);
        match carried {
            Ok(()) => return,
            Err(e) if on_air => {
                shared.vitals.statement_failed("the other nodes are neither told nor heard", &e)
            }
            Err(e) => tracing::debug!(error = %e, "the other nodes are not heard of"),
        }
        // Also while it lasts: nobody is held to what was not heard.
        shared.hear(NodeId::default(), News::Gap);
        sleep(AGAIN).await;
    }
}

/// Carries notifications over one connection, until it fails.
async fn carry(
    place: &Place,
    shared: &Shared,
    outgoing: &mut mpsc::Receiver<Outgoing>,
) -> Result<(), StoreError> {
    let (client, mut heard) = place.listen().await?;
    client.batch_execute(&format!("{ATTENTIVE}; LISTEN {CHANNEL}; LISTEN {TASKS}")).await.map_err(failed)?;
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
                send(&client, shared, std::mem::take(&mut waiting)).await?;
                next = Instant::now() + PAUSE;
            }
        }
    }
}

fn open(shared: &Shared, letter: &Notification) {
    if letter.channel() == TASKS {
        let from = letter.payload().parse().map(NodeId).unwrap_or_default();
        if from != shared.turn.node {
            shared.hear(from, News::Tasks);
        }
        return;
    }
    let Ok(Letter { from, to, news }) = serde_json::from_str::<Letter<Vec<News>>>(letter.payload()) else {
        // The sender has a newer version, which knows that it may not be understood.
        return tracing::debug!("news from another node are not understood");
    };
    let own = shared.turn.node;
    if from != own && (to.is_only() || to == own) {
        for news in news {
            shared.hear(from, news);
        }
    }
}

/// Sends events in as few notifications as possible.
async fn send(client: &Client, shared: &Shared, news: Vec<Outgoing>) -> Result<(), StoreError> {
    let mut by_node: BTreeMap<NodeId, Vec<News>> = BTreeMap::new();
    let tasks_changed = news.iter().any(|(_, news)| *news == News::Tasks);
    for (to, news) in news.into_iter().filter(|(_, news)| *news != News::Tasks) {
        let to = match to {
            To::Node(node) => node,
            To::All => NodeId::default(),
        };
        by_node.entry(to).or_default().push(news);
    }
    let mut letters = Vec::new();
    for (to, news) in by_node {
        for page in pages(news, |e| shared.vitals.statement_failed("news are not told", &e)) {
            letters.push(letter(shared.turn.node, to, page));
        }
    }
    let mut channels = vec![CHANNEL; letters.len()];
    if tasks_changed {
        channels.push(TASKS);
        letters.push(shared.turn.node.0.to_string());
    }
    let statement =
        "SELECT pg_notify(channel, letter) FROM unnest($1::text[], $2::text[]) AS news (channel, letter)";
    let told = async {
        let statement = client.prepare(statement).await?;
        client.query(&statement, &[&channels, &letters]).await
    };
    // The connection may hang.
    match timeout(PATIENCE, told).await {
        Ok(told) => told.map(drop).map_err(failed),
        Err(_) => Err(late("the database does not answer")),
    }
}

/// Serializes events in order, on as few pages as hold them. Events too long for a page are split; those that
/// cannot be split or serialized are left out.
fn pages(news: Vec<News>, mut left_out: impl FnMut(StoreError)) -> Vec<Vec<String>> {
    let (mut pages, mut page, mut size) = (Vec::new(), Vec::new(), 0);
    let mut rest: Vec<News> = news.into_iter().rev().collect();
    while let Some(one) = rest.pop() {
        let text = match doc::json(&one) {
            Ok(text) => text,
            Err(e) => {
                left_out(e);
                continue;
            }
        };
        if text.len() > LARGEST - ENVELOPE {
            match one.halves() {
                Some((first, second)) => rest.extend([second, first]),
                None => left_out(StoreError::Unavailable(format!("{} bytes in one", text.len()))),
            }
            continue;
        }
        if size + text.len() > LARGEST - ENVELOPE {
            pages.push(std::mem::take(&mut page));
            size = 0;
        }
        // Includes the comma.
        size += text.len() + 1;
        page.push(text);
    }
    if !page.is_empty() {
        pages.push(page);
    }
    pages
}

fn letter(from: NodeId, to: NodeId, news: Vec<String>) -> String {
    format!(r#"{{"f":{},"t":{},"n":[{}]}}"#, from.0, to.0, news.join(","))
}

#[cfg(test)]
mod tests {
    use longhaul_model::{Token, WorkerId};

    use super::*;

    fn id(n: u32) -> TaskId {
        TaskId(uuid::Uuid::from_u128(u128::from(n)))
    }

    /// Checks that every envelope fits into a notification, and that all events arrive in order.
    #[test]
    fn every_letter_fits_and_nothing_is_lost() {
        let queue = "q".repeat(200);
        for count in [0, 1, 2, 74, 75, 76, 77, 1_000, 20_000] {
            let items: Vec<_> = (0..count).map(|n| (id(n), n, (n % 200) as i8)).collect();
            let leases: Vec<_> = (0..count).map(|n| (id(n), n, Token(u64::MAX - u64::from(n)))).collect();
            let news = vec![
                News::Ended(id(7)),
                News::Given(queue.clone(), items.clone()),
                News::Beat(WorkerId("a/w".into()), leases.clone()),
                News::Ended(id(8)),
            ];
            let (mut given, mut beats, mut ended) = (Vec::new(), Vec::new(), Vec::new());
            for page in pages(news, |e| panic!("{e}")) {
                let text = letter(NodeId(u16::MAX), NodeId(u16::MAX), page);
                assert!(text.len() <= LARGEST, "{count}: {} bytes", text.len());
                let letter: Letter<Vec<News>> = serde_json::from_str(&text).expect("a letter");
                for news in letter.news {
                    match news {
                        News::Given(name, items) => {
                            assert_eq!(name, queue);
                            given.extend(items);
                        }
                        News::Beat(_, leases) => beats.extend(leases),
                        News::Ended(id) => ended.push(id),
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert!(given == items && beats == leases && ended == [id(7), id(8)], "{count}");
        }
    }

    /// Checks that only events that cannot be split are left out.
    #[test]
    fn what_is_too_long_takes_nothing_with_it() {
        let mut left_out = 0;
        let news = vec![
            News::Ended(id(1)),
            News::Unqueued(id(2), 0, "q".repeat(9_000), 1),
            News::Given("q".repeat(9_000), vec![(id(3), 0, 0), (id(4), 0, 0)]),
            News::Ended(id(5)),
        ];
        let pages = pages(news, |_| left_out += 1);
        assert_eq!((pages.len(), pages[0].len(), left_out), (1, 2, 3));
    }
}
