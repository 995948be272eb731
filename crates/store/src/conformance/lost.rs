//! Successes that a later write undid: their outputs are stored, and the sweep finds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use longhaul_model::{SubTaskStatus, TaskId, Terms, WorkerId, time::Span};
use serde_json::{Value, json};

use super::support::*;
use crate::doc::CHUNK;
use crate::{Store, Work};

/// Children of the large task, which take several chunks.
const CHILDREN: u32 = 300;
/// Indexes of the first child, and behind the last.
const FIRST: u32 = 3;
const END: u32 = FIRST + CHILDREN;
/// Number of small tasks, more than one step of the sweep looks at.
const SMALL: usize = 150;

/// Checks that sub-tasks under way whose output is stored end, those of leased attempts and of attempts that
/// wait, and nothing else changes. `plant` stores outputs behind the store's back.
pub async fn lost_successes_are_made_good(
    fixture: &mut impl Fixture,
    plant: impl Fn(&[(TaskId, u32, Value)]),
) {
    let (store, env) = (fixture.open().await, fixture.env());
    let workflow = put(&*store, definition("w", "T_RUN", 3)).await;
    let mut small = Vec::new();
    for n in 0..SMALL {
        small.push(start(&*store, &env, &workflow, &format!("small {n}")).await);
        // Tasks without any output are passed over.
        complete(&*store, small[n], 0, (n % 7 > 0).then(|| json!(n))).await;
    }
    let large = large(&*store, fixture).await;
    assert_eq!(swept(&*store).await, 0, "nothing is lost yet");

    // Behind the sub-tasks of the workflow; chunks are of 16.
    let children = BTreeSet::from([FIRST, 4, 15, 16, 31, 32, 33, 160, END - 2, END - 1]);
    let of_children = children.iter().map(|child| (large, *child, json!({ "of": child })));
    let lost: Vec<TaskId> = small.iter().copied().step_by(4).collect();
    plant(&of_children.chain(lost.iter().map(|id| (*id, 1, json!("lost")))).collect::<Vec<_>>());
    assert_eq!(swept(&*store).await, documents(children.iter().copied()) + lost.len());
    for id in &small {
        let statuses: Vec<SubTaskStatus> =
            record(&*store, *id).sub_tasks.iter().map(|sub| sub.status).collect();
        let third = if lost.contains(id) { SubTaskStatus::InProgress } else { SubTaskStatus::Pending };
        assert_eq!(statuses[2], third, "{statuses:?}");
    }
    let after = record(&*store, large);
    for (index, sub) in (0..).zip(&after.sub_tasks).skip(FIRST as usize) {
        assert_eq!(sub.status == SubTaskStatus::Successful, children.contains(&index), "{index}: {sub:?}");
    }
    assert_eq!(swept(&*store).await, 0, "all is made good");

    // The parent ends with the last of them, and has the outputs that were found in its own.
    let others = (FIRST..END).filter(|child| !children.contains(child));
    plant(&others.map(|child| (large, child, json!(null))).collect::<Vec<_>>());
    assert_eq!(swept(&*store).await, documents(FIRST..END));
    let parent = &record(&*store, large).sub_tasks[1];
    assert_eq!(parent.status, SubTaskStatus::Successful);
    let outputs = store.outputs(large).expect("outputs");
    let all = &outputs.iter().find(|(index, _)| *index == 1).expect("the parent's").1;
    assert_eq!(
        (&all[0], &all[4], all.as_array().map(Vec::len)),
        (&json!({ "of": FIRST }), &Value::Null, Some(300))
    );
    store.close().await;
}

/// Starts a task whose children wait for workers; every third is leased.
async fn large(store: &dyn Store, fixture: &impl Fixture) -> TaskId {
    let definition = serde_json::from_value(json!({
        "name": "fan", "type": "FAN", "title": "Fan", "input": { "type": "object" },
        "subTasks": [
            { "name": "Before", "description": "…", "action": { "simulate": {} } },
            { "name": "Each", "description": "…", "forEach": "{{ subTasks.Before.output }}", "parallel": 1000,
              "action": { "worker": { "queue": "q", "input": "{{ item }}" } } },
            { "name": "Behind", "description": "…", "action": { "simulate": {} } }
        ]
    }));
    let workflow = put(store, definition.expect("a definition")).await;
    let id = start(store, &fixture.env(), &workflow, "one").await;
    complete(store, id, 0, Some(json!((0..CHILDREN).collect::<Vec<u32>>()))).await;
    let terms = Terms {
        worker: WorkerId("a/w".into()),
        queues: vec![("q".into(), -128)],
        span: Span(1_000_000),
        request: None,
    };
    let leases = (FIRST..END).step_by(3).map(|index| (id, index)).collect();
    let work = Work { leases, terms: Some(Arc::new(terms)), room: CHILDREN as usize, ..Work::default() };
    assert!(store.work(work).await.expect("leased").grants.len() >= 99);
    id
}

/// Number of documents that hold these sub-tasks of a task.
fn documents(sub_tasks: impl Iterator<Item = u32>) -> usize {
    sub_tasks.map(|index| index as usize / CHUNK).collect::<BTreeSet<_>>().len()
}

/// Sweeps all of the store; returns the number of documents with findings.
async fn swept(store: &dyn Store) -> usize {
    let mut found = 0;
    for step in 0.. {
        let swept = store.sweep_outputs().await.expect("swept");
        found += swept.found;
        if swept.is_through {
            assert!(step > 0, "a step looks at all there is");
            break;
        }
    }
    found
}
