//! Planted bugs: what a faulty server would have left, put into a copy of the evidence. Each must be seen.

use super::check::all;
use super::{Deed, Event, Evidence, Lease};
use crate::check::plant::Outcome;
use crate::wire::TaskStatus;

/// A bug.
pub struct Plant {
    /// Name of the bug, in words.
    pub name: &'static str,
    /// The invariant that it breaks.
    pub invariant: &'static str,
    put: fn(&mut Evidence) -> bool,
}

/// Planted bugs.
pub const PLANTS: [Plant; 8] = [
    Plant { name: "a success was leased again", invariant: "I4", put: lease_again },
    Plant { name: "a lease was given twice", invariant: "I7", put: give_twice },
    Plant { name: "two attempts ran side by side", invariant: "I7", put: overlap },
    Plant { name: "a late result replaced another", invariant: "I8", put: replace },
    Plant { name: "an effect was repeated unasked", invariant: "I15", put: repeat },
    Plant { name: "a success without its effect", invariant: "I15", put: forget_effect },
    Plant { name: "a task is stuck", invariant: "I14", put: stick },
    Plant { name: "a lost lease left no line", invariant: "I13", put: forget_attempt },
];

/// Puts each bug into a copy and looks whether it is seen.
pub fn all_planted(evidence: &Evidence) -> Vec<(&'static Plant, Outcome)> {
    let outcome = |plant: &'static Plant| {
        let mut copy = evidence.clone();
        if !(plant.put)(&mut copy) {
            return (plant, Outcome::NoPlace);
        }
        let seen = all(&copy).iter().any(|v| v.name == plant.invariant && !v.broken.is_empty());
        (plant, if seen { Outcome::Caught } else { Outcome::Missed })
    };
    PLANTS.iter().map(outcome).collect()
}

fn success(evidence: &Evidence) -> Option<Event> {
    evidence.events.iter().rev().find(|event| event.deed == Deed::Completed(200)).copied()
}

fn lease_again(evidence: &mut Evidence) -> bool {
    let Some(event) = success(evidence) else { return false };
    let lease = Lease { token: event.lease.token + 1, ..event.lease };
    evidence.events.push(Event { lease, deed: Deed::Granted, ..event });
    true
}

fn give_twice(evidence: &mut Evidence) -> bool {
    let granted = evidence.events.iter().find(|event| event.deed == Deed::Granted).copied();
    let Some(event) = granted else { return false };
    evidence.events.push(Event { worker: event.worker + 1, ..event });
    true
}

fn overlap(evidence: &mut Evidence) -> bool {
    for task in evidence.dump.tasks.values_mut() {
        if let Some(again) = task.attempts.iter().position(|attempt| attempt.number > 1) {
            task.attempts[again].started -= 3_600_000;
            return true;
        }
    }
    false
}

fn replace(evidence: &mut Evidence) -> bool {
    let Some(event) = success(evidence) else { return false };
    let Some(task) = evidence.dump.tasks.get_mut(&event.lease.task) else { return false };
    task.attempts.iter_mut().filter(|attempt| attempt.sub == event.lease.sub).for_each(|attempt| {
        if u64::from(attempt.number) == event.lease.token {
            attempt.status = "LOST".to_owned();
        }
    });
    true
}

fn repeat(evidence: &mut Evidence) -> bool {
    let Some(effect) = evidence.effects.first().cloned() else { return false };
    evidence.effects.extend(std::iter::repeat_n(effect, 20));
    true
}

fn forget_effect(evidence: &mut Evidence) -> bool {
    let Some(effect) = evidence.effects.first().cloned() else { return false };
    evidence.effects.retain(|other| (other.task, &other.sub) != (effect.task, &effect.sub));
    true
}

fn stick(evidence: &mut Evidence) -> bool {
    let Some(task) = evidence.dump.tasks.values_mut().next() else { return false };
    task.view.status = TaskStatus::InProgress;
    true
}

/// Drops an attempt from the history whose lease reached a worker that lived to say so: of the others only
/// the server knows.
fn forget_attempt(evidence: &mut Evidence) -> bool {
    let granted = evidence.events.iter().filter(|event| event.deed == Deed::Granted).map(|event| event.lease);
    for lease in granted {
        let Some(task) = evidence.dump.tasks.get_mut(&lease.task) else { continue };
        let lost = task.attempts.iter().position(|attempt| {
            attempt.status == "LOST" && attempt.sub == lease.sub && u64::from(attempt.number) == lease.token
        });
        if let Some(lost) = lost {
            task.attempts.remove(lost);
            return true;
        }
    }
    false
}
