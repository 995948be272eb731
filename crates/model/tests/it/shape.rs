//! Random small workflows: 1 to 7 sub-tasks in a random graph, with everything that changes what the machine
//! does.

use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A workflow to be made.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    subs: Vec<Sub>,
    timeout: Option<u64>,
    when: Option<bool>,
    cancellable: bool,
    retryable: bool,
    own_error: bool,
    /// True if the task must have a lock or slot.
    pub(crate) claims: bool,
    /// Wait before the start, in milliseconds.
    pub(crate) not_before: Option<u64>,
}

/// A sub-task to be made.
#[derive(Clone, Debug)]
struct Sub {
    /// Position in an order in which all that the sub-task needs comes earlier.
    rank: u16,
    /// Bit n: the sub-task needs the n-th in that order, if that is earlier. `None`: the one written before.
    needs: Option<u8>,
    wait: Option<u64>,
    worker: bool,
    retry: Option<(u32, u64, u8, bool)>,
    goes_on: bool,
    repeatable: bool,
    when: Option<bool>,
    /// Count of children, and of those that may be under way at once.
    fan: Option<(usize, u32)>,
    /// True if the output is made from that of the first sub-task it needs.
    chained: bool,
}

impl Shape {
    /// Returns true if nothing in it can fail without an attempt that fails.
    pub(crate) fn is_sound(&self) -> bool {
        self.timeout.is_none() && !self.subs.iter().any(|sub| sub.chained)
    }

    pub(crate) fn workflow(&self) -> Arc<Workflow> {
        let definition = json!({
            "name": "shape", "type": "T", "title": "Title", "input": { "type": "object" },
            "cancellable": self.cancellable, "retryable": self.retryable, "subTasks": self.sub_tasks(),
        });
        let mut definition = definition;
        if self.claims {
            definition["resources"] = json!([
                { "type": "HOST", "resourceId": "a" }, { "type": "HOST", "resourceId": "b", "lock": "shared" }]);
            definition["concurrency"] = json!({ "key": "{{ input.yes }}", "limit": 2 });
        }
        let mut definition: Definition = serde_json::from_value(definition).expect("a definition");
        definition.timeout = self.timeout.map(longhaul_model::time::Span);
        definition.when = self.when.map(condition);
        if self.own_error {
            definition.error =
                serde_json::from_value(json!({"code": "OWN", "message": "own"})).expect("an error");
        }
        Arc::new(Workflow::compile(definition, 1).expect("no problems"))
    }

    fn sub_tasks(&self) -> Vec<Value> {
        let mut order: Vec<usize> = (0..self.subs.len()).collect();
        // Without `needs` one waits for the one written before it: only the order written suits all of these.
        if self.subs.iter().all(|sub| sub.needs.is_some()) {
            order.sort_by_key(|&i| (self.subs[i].rank, i));
        }
        let place = |i: usize| order.iter().position(|&other| other == i).unwrap_or(0);
        let named = |i: usize| format!("s{i}");
        let make = |(i, sub): (usize, &Sub)| {
            let earlier = &order[..place(i)];
            let needs: Option<Vec<usize>> = sub.needs.map(|bits| {
                earlier
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| bits & 1 << n != 0)
                    .map(|(_, &other)| other)
                    .collect()
            });
            let first = match &needs {
                Some(needs) => needs.first().copied(),
                None => i.checked_sub(1),
            };
            let action = match (sub.wait, first.filter(|_| sub.chained)) {
                (Some(ms), Some(other)) if ms > 1000 => {
                    json!({"wait": {"for": format!("{{{{ subTasks.{}.output }}}}ms", named(other))}})
                }
                (Some(ms), _) => json!({"wait": {"for": format!("{ms}ms")}}),
                (None, first) if sub.worker => {
                    let text = first
                        .map_or("input.yes".to_owned(), |other| format!("subTasks.{}.output", named(other)));
                    let queue = if i % 2 == 0 { "even" } else { "odd" };
                    json!({"worker": {"queue": queue, "priority": i, "input": {"o": format!("{{{{ {text} }}}}")}}})
                }
                (None, Some(other)) => {
                    json!({"simulate": {"output": {"o": format!("{{{{ subTasks.{}.output }}}}", named(other))}}})
                }
                (None, None) => json!({"simulate": {"output": {"o": "{{ input.yes }}"}}}),
            };
            let mut json = json!({
                "name": named(i), "description": "{{ input.yes }}", "action": action,
                "repeatable": sub.repeatable, "onFailure": if sub.goes_on { "continue" } else { "fail" },
            });
            if let Some(needs) = &needs {
                json["needs"] = needs.iter().map(|&other| named(other)).collect();
            }
            if let Some((attempts, backoff, factor, jitter)) = sub.retry {
                let (backoff, max) = (format!("{backoff}ms"), "2s");
                json["retry"] = json!({"attempts": attempts, "backoff": backoff, "factor": factor, "max": max, "jitter": jitter});
            }
            if let Some((items, parallel)) = sub.fan {
                json["forEach"] = format!("{{{{ input.lists[{items}] }}}}").into();
                json["parallel"] = parallel.into();
            }
            if let Some(holds) = sub.when {
                json["when"] = condition(holds).into();
            }
            json
        };
        self.subs.iter().enumerate().map(make).collect()
    }
}

fn condition(holds: bool) -> String {
    if holds { "input.yes" } else { "not input.yes" }.to_owned()
}

fn sub() -> impl Strategy<Value = Sub> {
    let wait = weighted(0.25, prop_oneof![Just(0), 1..200_u64, 1000..5000_u64]);
    let retry = weighted(0.5, (1..5_u32, 1..1000_u64, 1..3_u8, any::<bool>()));
    let flags = (
        proptest::bool::weighted(0.25),
        proptest::bool::weighted(0.7),
        proptest::bool::weighted(0.15),
        proptest::bool::weighted(0.4),
    );
    let when = weighted(0.2, any::<bool>());
    let fan = weighted(0.25, (0..4_usize, 1..4_u32));
    (any::<u16>(), weighted(0.8, any::<u8>()), wait, retry, flags, when, fan).prop_map(
        |(rank, needs, wait, retry, (goes_on, repeatable, chained, worker), when, fan)| Sub {
            rank,
            needs,
            wait,
            worker,
            retry,
            goes_on,
            repeatable,
            when,
            fan,
            chained,
        },
    )
}

pub(crate) fn shape() -> impl Strategy<Value = Shape> {
    let task = (
        weighted(0.3, 1..20_000_u64),
        weighted(0.1, proptest::bool::weighted(0.7)),
        proptest::bool::weighted(0.9),
        proptest::bool::weighted(0.9),
        any::<bool>(),
        weighted(0.1, 1..5000_u64),
        proptest::bool::weighted(0.3),
    );
    (vec(sub(), 1..8), task).prop_map(
        |(subs, (timeout, when, cancellable, retryable, own_error, not_before, claims))| Shape {
            subs,
            timeout,
            when,
            cancellable,
            retryable,
            own_error,
            claims,
            not_before,
        },
    )
}
