//! Measured tasks: the workflow that is run, and the workflows, names, hosts and inputs of the filled store.
//! Filling and load use the same pieces.

use serde_json::{Value, json};

/// The workflow of the load: five simulated sub-tasks that take no time.
pub(crate) const FIVE: &str = "bench-five";
/// The workflow of the load that external workers run.
pub(crate) const WORKED: &str = "bench-worked";
/// The workflow with children.
pub(crate) const EACH: &str = "bench-each";
/// Queue of the external workers.
pub(crate) const QUEUE: &str = "bench";
/// The workflow with a concurrency limit.
pub(crate) const LIMITED: &str = "bench-limited";
/// Concurrency limit of [`LIMITED`].
pub(crate) const LIMIT: u64 = 64;
/// Name of the same workflow without a limit.
pub(crate) const FREE: &str = "bench-free";
/// Types in a filled store.
pub(crate) const KINDS: u64 = 20;
/// Resources in a filled store.
pub(crate) const HOSTS: u64 = 1_000;

const VERBS: [&str; 10] = [
    "Update",
    "Commission",
    "Drain",
    "Rotate certificates of",
    "Back up",
    "Decommission",
    "Upgrade firmware of",
    "Validate",
    "Rebalance",
    "Restart",
];
const SUB_TASKS: [&str; 5] = ["Validate", "Allocate", "Configure", "Verify", "Announce"];

/// A host's id.
pub(crate) fn host(n: u64) -> String {
    format!("host-{:04}", n % HOSTS)
}

/// A type.
pub(crate) fn kind(n: u64) -> String {
    format!("HOST_OPERATION_{:02}", n % KINDS)
}

/// Returns the name of the n-th task in a filled store. Names are unique; "Upgrade" hits a tenth, "unit
/// 00001234" one.
pub(crate) fn name(n: u64) -> String {
    let verb = VERBS[(mix(n) % VERBS.len() as u64) as usize];
    format!("{verb} {} of cluster-{:02}, unit {n:08}", host(mix(n) >> 8), n % 97)
}

/// An input of about 600 bytes: what the request is about, and a note on each of five sub-tasks.
pub(crate) fn input(n: u64) -> Value {
    let steps: Vec<Value> = SUB_TASKS
        .iter()
        .map(
            |name| json!({ "name": name.to_lowercase(), "action": "noop", "state": "pending", "attempt": 0 }),
        )
        .collect();
    json!({
        "host": host(mix(n) >> 8),
        "region": format!("eu-west-{}", n % 5),
        "version": format!("2.{}.{}", n % 40, n % 7),
        "note": "rolling update requested by the operator, to be done within the next maintenance window",
        "steps": steps,
        "labels": { "team": format!("core-{}", n % 11), "cost": format!("c{}", n % 97) }
    })
}

/// The workflow of the load.
pub(crate) fn five() -> Value {
    definition(FIVE, "HOST_UPDATE", false)
}

/// Returns the same workflow with external workers.
pub(crate) fn worked() -> Value {
    let mut definition = definition(WORKED, "HOST_UPDATE", false);
    for sub_task in definition["subTasks"].as_array_mut().into_iter().flatten() {
        sub_task["action"] = json!({ "worker": { "queue": QUEUE, "input": { "host": "{{ input.host }}" } } });
    }
    definition
}

/// Definitions of the workflow with a limit and of the one without. Their tasks do nothing, except those that
/// are to hold their slots until they are cancelled.
pub(crate) fn limited() -> [Value; 2] {
    [LIMITED, FREE].map(|name| {
        let mut definition = json!({
            "name": name, "type": "HOST_CHECK", "title": "Check a host", "input": { "type": "object" },
            "subTasks": [
                { "name": "Hold", "description": "Hold the place", "when": "input.hold|default(false)",
                  "action": { "worker": { "queue": "bench-nobody" } } },
                { "name": "Check", "description": "Check the host", "action": { "simulate": {} } }
            ]
        });
        if name == LIMITED {
            definition["concurrency"] = json!({ "key": "all", "limit": LIMIT });
        }
        definition
    })
}

/// A workflow of one sub-task with a child for each item of a list.
pub(crate) fn each() -> Value {
    json!({
        "name": EACH, "type": "HOST_PATCH", "title": "Patch {{ input.hosts|length }} hosts",
        "input": { "type": "object", "required": ["hosts"], "properties": { "hosts": { "type": "array" } } },
        "subTasks": [{
            "name": "Patch", "description": "Patch {{ item }}", "forEach": "{{ input.hosts }}", "parallel": 64,
            "action": { "worker": { "queue": QUEUE, "input": { "host": "{{ item }}" } } }
        }]
    })
}

/// The name of a workflow of a filled store.
pub(crate) fn fill_workflow(n: u64, fails: bool) -> String {
    let suffix = if fails { "-fails" } else { "" };
    format!("fill-{:02}{suffix}", n % KINDS)
}

/// Every workflow of a filled store: one per type that succeeds, one that fails in its third sub-task.
pub(crate) fn fill_workflows() -> impl Iterator<Item = Value> {
    (0..KINDS).flat_map(|n| [false, true].map(|fails| definition(&fill_workflow(n, fails), &kind(n), fails)))
}

fn definition(name: &str, kind: &str, fails: bool) -> Value {
    let sub_tasks: Vec<Value> = SUB_TASKS
        .iter()
        .enumerate()
        .map(|(i, sub)| {
            let simulate = if fails && i == 2 { json!({ "failAttempts": [1] }) } else { json!({}) };
            json!({
                "name": sub,
                "description": format!("{sub} what the task works on"),
                "action": { "simulate": simulate }
            })
        })
        .collect();
    json!({
        "name": name,
        "type": kind,
        "title": "Update {{ input.host }} in region {{ input.region }}",
        "input": {
            "type": "object",
            "required": ["host", "region"],
            "properties": { "host": { "type": "string" }, "region": { "type": "string" } }
        },
        "resources": [{ "type": "HOST", "resourceId": "{{ input.host }}", "lock": "none" }],
        "subTasks": sub_tasks
    })
}

/// Spreads small numbers over all bits (the finish of splitmix64), so that a filling is varied and yet
/// repeatable.
pub(crate) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
