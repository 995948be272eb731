//! Behaviour of a client of the load.

use std::time::Duration;

use fastrand::Rng;
use serde_json::json;
use tokio::time::sleep;

use super::{Caller, Sending};
use crate::history::Verb;

/// Pieces of inputs that are easily stored or answered wrong.
const NOTES: [&str; 8] = [
    "plain",
    "",
    "\"quoted\\ and \u{7f} controlled\n\t\r",
    "näıve ☃ 𝄞 \u{202e}right to left",
    "{{ input.note }} {% raw %}",
    "'; DROP TABLE tasks; --",
    "<script>alert(1)</script>",
    "\u{1}control",
];

/// Calls until it is told to stop.
pub(super) async fn run(mut caller: Caller, mut rng: Rng) {
    let shared = caller.shared.clone();
    while !shared.stop.get() {
        if shared.peer().is_none() {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        one(&mut caller, &mut rng).await;
        let think = shared.think.get().mul_f64(2.0 * rng.f64());
        if think.is_zero() { tokio::task::yield_now().await } else { sleep(think).await }
    }
}

async fn one(caller: &mut Caller, rng: &mut Rng) {
    let shared = caller.shared.clone();
    let budget = shared.budget.get();
    match rng.u32(0..100) {
        0..40 if budget > 0 || rng.u32(0..20) == 0 => {
            shared.budget.set(budget.saturating_sub(1));
            let sending = sending(caller, rng);
            caller.submit(sending).await;
        }
        0..62 => {
            let id = { pick(rng, &shared.recent.borrow()) };
            if let Some(id) = id {
                caller.look(id, (rng.u32(0..8) == 0).then_some("200ms")).await;
            }
        }
        62..70 => {
            let query = [
                "",
                "&taskStatus=FAILED",
                "&taskStatus=In%20Progress",
                "&orderBy=completionTimestamp&orderDirection=DESC",
            ];
            caller.look_at_list(query[rng.usize(0..query.len())]).await;
        }
        70..76 => {
            let id = { pick(rng, &shared.recent.borrow()) };
            if let Some(id) = id {
                caller.decide(id, Verb::Cancel, None).await;
            }
        }
        76..90 => {
            let failed = { shared.failed.borrow_mut().pop_back() };
            match failed {
                Some((id, None)) => {
                    caller.decide(id, Verb::Retry, None).await;
                }
                Some((id, Some(sub_task))) => {
                    let what = if rng.bool() { Verb::Done } else { Verb::NotDone };
                    caller.decide(id, what, Some(&sub_task)).await;
                }
                None => {}
            }
        }
        _ => {
            if rng.bool() && caller.one_owed().await {
                return;
            }
            again(caller, rng).await;
        }
    }
}

/// Returns a new submission.
pub(super) fn sending(caller: &Caller, rng: &mut Rng) -> Sending {
    let kinds = &caller.shared.catalog.kinds;
    let mut left = rng.u32(0..kinds.iter().map(|kind| kind.weight).sum());
    let kind = kinds.iter().find(|kind| match left.checked_sub(kind.weight) {
        None => true,
        Some(rest) => {
            left = rest;
            false
        }
    });
    let mark = caller.shared.new_mark();
    let pause = format!("{}ms", rng.u32(0..50));
    let input = json!({ "mark": mark, "pause": pause, "note": NOTES[rng.usize(0..NOTES.len())] });
    Sending {
        workflow: kind.map(|kind| kind.name.clone()).unwrap_or_default(),
        input,
        mark,
        key: rng.bool().then(|| format!("key-{mark}")),
        wait: (rng.u32(0..10) == 0).then_some("1s"),
    }
}

/// Sends an old submission again; sometimes its key with another body.
async fn again(caller: &mut Caller, rng: &mut Rng) {
    let old = {
        let recorder = caller.shared.recorder.borrow();
        let count = recorder.history.submits.len();
        // Mostly of this hour, sometimes of the beginning.
        let from = if rng.u32(0..4) == 0 { 0 } else { count.saturating_sub(300) };
        (from < count)
            .then(|| rng.usize(from..count))
            .filter(|index| recorder.history.submits[*index].key.is_some())
    };
    let Some(index) = old else { return };
    if rng.u32(0..8) > 0 {
        caller.submit_again(index).await;
        return;
    }
    let key = caller.shared.recorder.borrow().history.submits[index].key.clone();
    let other = sending(caller, rng);
    caller.submit(Sending { key, ..other }).await;
}

fn pick<T: Copy>(rng: &mut Rng, from: &std::collections::VecDeque<T>) -> Option<T> {
    (!from.is_empty()).then(|| from[rng.usize(0..from.len())])
}
