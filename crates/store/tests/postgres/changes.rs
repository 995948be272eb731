//! Logs of changes of several nodes.

use std::collections::BTreeSet;

use longhaul_model::{Span, TaskId};
use longhaul_store::conformance::support::{Fixture, complete, definition, put, start};
use longhaul_store::{Position, Store};

use super::Database;

/// Reads all that follows a position, in pages of about so many; returns the sizes of the pages, too.
fn read(store: &dyn Store, from: &Position, limit: u32) -> (BTreeSet<TaskId>, Vec<usize>) {
    let (mut found, mut sizes, mut position) = (BTreeSet::new(), Vec::new(), from.clone());
    loop {
        let page = store.changes(&position, limit).unwrap().expect("the logs have them");
        assert!(page.position != position || !page.more, "a page goes on");
        sizes.push(page.tasks.len());
        found.extend(page.tasks);
        position = page.position;
        if !page.more {
            return (found, sizes);
        }
    }
}

/// Pages of any size find the changes of both nodes at either node, and none is much larger than asked for,
/// however many changes one of the nodes has made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_of_several_nodes_are_read_whole_in_pages_of_any_size() {
    let database = Database::new();
    let (one, other) = (database.node().await.unwrap(), database.node().await.unwrap());
    let workflow = put(&*one, definition("w", "LOGGED", 1)).await;
    let from = one.change_position().unwrap();
    let mut ids = BTreeSet::new();
    for n in 0..60 {
        let node = if n % 10 == 0 { &other } else { &one };
        ids.insert(start(&**node, &database.env, &workflow, &n.to_string()).await);
    }
    for reader in [&one, &other] {
        for limit in [1, 2, 3, 7, 20, 1_000] {
            let (found, sizes) = read(&**reader, &from, limit);
            assert_eq!(found, ids, "in pages of {limit}");
            // Each commit here has one task; each log gives one at the least.
            assert!(sizes.iter().all(|size| *size <= limit as usize + 2), "{sizes:?} of {limit}");
        }
    }
    for node in [one, other] {
        node.close().await;
    }
}

/// Changes older than a day are cut with the history, and a position before it is refused; the newest row of
/// each log stays, so that later positions are good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_changes_are_cut_and_positions_before_them_are_refused() {
    let database = Database::new();
    let store = database.node().await.unwrap();
    let workflow = put(&*store, definition("w", "LOGGED", 1)).await;
    let first = store.change_position().unwrap();
    for n in 0..20 {
        let id = start(&*store, &database.env, &workflow, &n.to_string()).await;
        complete(&*store, id, 0, None).await;
    }
    let last = store.change_position().unwrap();
    database.env.advance(Span(25 * 3_600_000));
    store.purge(longhaul_model::Timestamp(0), None, 10).await.unwrap();
    assert_eq!(database.operator_says("SELECT count(*)::text FROM changes"), "1");
    assert!(store.changes(&first, 100).unwrap().is_none(), "what followed is cut");
    let id = start(&*store, &database.env, &workflow, "later").await;
    assert_eq!(store.changes(&last, 100).unwrap().expect("nothing is cut").tasks, [id]);
    store.close().await;
}
