//! The log of changes: every change of a task is in it, in order, also after a restart.

use std::collections::HashMap;

use longhaul_model::{Command, Span, TaskId};

use super::support::*;
use crate::{Position, Store};

/// Reads everything after a position, in pages of so many.
async fn read(store: &dyn Store, from: &Position, limit: u32) -> (Vec<TaskId>, Position) {
    let (mut all, mut position) = (Vec::new(), from.clone());
    loop {
        let page = store.changes(&position, limit).expect("read").expect("the log has them");
        all.extend(page.tasks);
        let is_end = !page.more;
        position = page.position;
        if is_end {
            return (all, position);
        }
    }
}

/// Each change is in the log once its caller was answered; reads in pages of any size find the same.
pub async fn every_change_is_in_the_log(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("logged", "LOGGED", 1)).await;
    let begin = store.change_position().expect("a position");
    assert_eq!(read(&*store, &begin, 100).await.0, [], "nothing has changed yet");
    let one = start(&*store, &env, &workflow, "one").await;
    let two = start(&*store, &env, &workflow, "two").await;
    let (found, middle) = read(&*store, &begin, 100).await;
    assert_eq!(found, [one, two]);
    complete(&*store, one, 0, None).await;
    fail(&*store, two, 0).await;
    store.command(two, Command::Retry { by: "ops".to_owned() }, None).await.expect("retried");
    // A refused command changes nothing.
    store.command(one, Command::Retry { by: "ops".to_owned() }, None).await.expect_err("refused");
    let found = read(&*store, &middle, 100).await.0;
    assert_eq!(found, [one, two, two]);
    env.advance(Span(1_000));
    let position = store.change_position().expect("a position");
    store.delete_history(vec![one, two], None).await.expect("deleted");
    assert_eq!(read(&*store, &position, 100).await.0, [one]);
    for limit in 1..8 {
        // An engine may keep several logs, in no order between them.
        let mut all = read(&*store, &begin, limit).await.0;
        all.sort_unstable();
        assert_eq!(all, [one, one, one, two, two, two], "in pages of {limit}");
    }
    store.close().await;
}

/// A position lasts beyond a restart, and what another store has given is refused.
pub async fn positions_outlive_a_restart_and_not_their_store(fixture: &mut impl Fixture) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("logged", "LOGGED", 1)).await;
    let first = start(&*store, &env, &workflow, "first").await;
    let position = store.change_position().expect("a position");
    let second = start(&*store, &env, &workflow, "second").await;
    store.close().await;
    let store = fixture.open().await;
    let third = start(&*store, &env, &workflow, "third").await;
    let now = store.change_position().expect("a position");
    if now.lineage != position.lineage {
        // The store was moved to another place, whose log begins anew.
        assert!(store.changes(&position, 100).expect("read").is_none());
        return store.close().await;
    }
    let mut seen: HashMap<TaskId, u32> = HashMap::new();
    for one in read(&*store, &position, 100).await.0 {
        *seen.entry(one).or_insert(0) += 1;
    }
    assert!(seen.contains_key(&second) && seen.contains_key(&third), "{seen:?}");
    // The new process may have taken the first task over, which is a change, too.
    assert!(seen.keys().all(|id| [first, second, third].contains(id)));
    for foreign in [
        Position { lineage: "another".to_owned(), ..position.clone() },
        Position {
            rows: position.rows.iter().map(|(place, (number, at))| (*place, (number + 1_000, *at))).collect(),
            ..position.clone()
        },
        Position {
            rows: position.rows.iter().map(|(place, (number, at))| (*place, (*number, at + 1))).collect(),
            ..position.clone()
        },
    ] {
        assert!(store.changes(&foreign, 100).expect("read").is_none(), "{foreign:?}");
    }
    store.close().await;
}
