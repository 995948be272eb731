//! Random workflows. Compiling one costs more than many events of a run, so there is a fixed stock of them,
//! each made from its number, and a run picks from the stock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use serde_json::{Value, json};

use crate::random::Rng;

/// Number of kinds of lines.
pub(crate) const LINES: u64 = 7;
/// Number of workflows in the stock.
pub(crate) const STOCK: u64 = 600;
/// Queues that workers serve.
pub(crate) const QUEUES: [&str; 2] = ["q0", "q1"];

/// Returns the workflow of a number; those from [`STOCK`] on are lines: one short sub-task behind a limit of
/// one, two or three, or behind a lock.
pub(crate) fn workflow(number: u64) -> Arc<Workflow> {
    thread_local! {
        static MADE: RefCell<BTreeMap<u64, Arc<Workflow>>> = const { RefCell::new(BTreeMap::new()) };
    }
    MADE.with_borrow_mut(|made| made.entry(number).or_insert_with(|| compile(number)).clone())
}

fn compile(number: u64) -> Arc<Workflow> {
    let written = if number < STOCK { written(number) } else { line(number - STOCK) };
    let definition: Definition = serde_json::from_value(written).expect("the stock has definitions only");
    match Workflow::compile(definition, 1) {
        Ok(workflow) => Arc::new(workflow),
        Err(problems) => panic!("workflow {number} of the stock does not compile: {problems:?}"),
    }
}

/// Returns the workflow for a line of short tasks that wait for one of a few slots or for a lock.
fn line(kind: u64) -> Value {
    let mut written = json!({
        "name": format!("line-{kind}"), "type": "T", "title": "Line", "input": { "type": "object" },
        "subTasks": [{ "name": "only", "description": "d", "action": { "simulate": {} } }],
    });
    match kind {
        0..3 => written["concurrency"] = json!({ "key": "{{ input.key }}", "limit": kind + 1 }),
        // Tasks that have the lock need a slot, too.
        3 | 4 => {
            written["concurrency"] = json!({ "key": "{{ input.key }}", "limit": kind - 2 });
            written["resources"] =
                json!([{ "type": "HOST", "resourceId": "{{ input.a }}", "lock": "exclusive" }]);
        }
        // Some of these request an exclusive lock, others share it.
        _ => {
            let lock = if kind.is_multiple_of(2) { "shared" } else { "exclusive" };
            written["resources"] = json!([{ "type": "HOST", "resourceId": "{{ input.a }}", "lock": lock }]);
        }
    }
    written
}

fn written(number: u64) -> Value {
    let mut rng = Rng::new(number);
    let count = rng.within(1, 5) as usize;
    let subs: Vec<Value> = (0..count).map(|i| sub_task(&mut rng, i)).collect();
    let mut written = json!({
        "name": format!("w{number}"), "type": "T", "title": "Title", "input": { "type": "object" },
        "cancellable": rng.chance(950), "retryable": rng.chance(950), "subTasks": subs,
    });
    if rng.chance(450) {
        let lock = |rng: &mut Rng| if rng.chance(400) { "shared" } else { "exclusive" };
        let mut resources =
            vec![json!({ "type": "HOST", "resourceId": "{{ input.a }}", "lock": lock(&mut rng) })];
        if rng.chance(500) {
            resources.push(json!({ "type": "HOST", "resourceId": "{{ input.b }}", "lock": lock(&mut rng) }));
        }
        written["resources"] = resources.into();
    }
    if rng.chance(300) {
        written["concurrency"] = json!({ "key": "{{ input.key }}", "limit": rng.within(1, 3) });
    }
    if rng.chance(150) {
        written["timeout"] = format!("{}s", rng.within(5, 40)).into();
    }
    written
}

fn sub_task(rng: &mut Rng, index: usize) -> Value {
    let action = match rng.below(10) {
        0 => json!({ "wait": { "for": format!("{}ms", rng.within(0, 5000)) } }),
        1..5 => json!({ "worker": { "queue": QUEUES[rng.index(QUEUES.len())], "priority": rng.below(3) } }),
        _ => json!({ "simulate": {} }),
    };
    let is_wait = action.get("wait").is_some();
    let mut sub = json!({ "name": format!("s{index}"), "description": "d", "action": action });
    if rng.chance(300) {
        let needs: Vec<String> = (0..index).filter(|_| rng.chance(400)).map(|i| format!("s{i}")).collect();
        sub["needs"] = needs.into();
    }
    if !is_wait {
        sub["repeatable"] = rng.chance(650).into();
        if rng.chance(500) {
            let (attempts, backoff) = (rng.within(1, 4), rng.within(1, 1500));
            sub["retry"] = json!({ "attempts": attempts, "backoff": format!("{backoff}ms"),
                "factor": rng.within(1, 2), "max": "2s", "jitter": rng.chance(300) });
        }
        if rng.chance(250) {
            sub["timeout"] = format!("{}ms", rng.within(800, 6000)).into();
        }
    }
    if rng.chance(150) {
        sub["onFailure"] = "continue".into();
    }
    if rng.chance(150) {
        sub["forEach"] = "{{ input.items }}".into();
        if is_wait {
            // A hundred items that wait one by one must come to rest before the run is judged.
            sub["action"] = json!({ "wait": { "for": format!("{}ms", rng.within(0, 500)) } });
        }
        if rng.chance(700) {
            sub["parallel"] = rng.within(1, 5).into();
        }
    }
    sub
}
