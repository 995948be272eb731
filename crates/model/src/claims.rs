//! What a task must have for itself before it starts: locks on its resources, and a place among those of its concurrency
//! key. The store grants all of them at once, in order of arrival; here is what is claimed, and while it is held.

mod line;

use serde::{Deserialize, Serialize};

pub use line::Line;

use crate::record::Record;
use crate::resource::LockMode;
use crate::status::TaskStatus;

/// Whether a task has what it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Hold {
    /// It does not ask, or let go.
    #[default]
    #[serde(rename = "n")]
    None,
    /// It asks, and is PENDING until it has all of them.
    #[serde(rename = "w")]
    Waiting,
    /// It has them.
    #[serde(rename = "h")]
    Held,
}

impl Hold {
    pub(crate) fn is_none(&self) -> bool {
        *self == Hold::None
    }
}

/// How something is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimMode {
    /// With others that share.
    Shared,
    /// Alone.
    Exclusive,
    /// As one of so many.
    Slot(u32),
}

/// One thing that is claimed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The type of the resource in capitals; of a place, the workflow's name.
    pub kind: String,
    /// The resource's id in small letters; of a place, its concurrency key.
    pub id: String,
    /// How.
    pub mode: ClaimMode,
}

impl Claim {
    /// What it is known by: claims of the same key meet each other. A place never meets a resource.
    pub fn key(&self) -> String {
        let sort = if matches!(self.mode, ClaimMode::Slot(_)) { 's' } else { 'r' };
        format!("{sort} {} {}", self.kind, self.id)
    }

    /// Whether a key is that of a place.
    pub fn is_place(key: &str) -> bool {
        key.starts_with("s ")
    }
}

impl Record {
    /// Whether it has to have anything for itself before it starts.
    pub fn has_claims(&self) -> bool {
        let definition = &self.workflow.definition;
        let locked = |resource: &crate::workflow::ResourceTemplate| resource.lock != LockMode::None;
        self.state.slot.is_some()
            || definition.credentials.is_some()
            || definition.resources.iter().any(locked)
    }

    /// What it claims, sorted, each once.
    pub fn claims(&self) -> Vec<Claim> {
        let definition = &self.workflow.definition;
        let mut claims = Vec::new();
        for (n, resource) in self.state.resources.iter().enumerate() {
            let kind = || resource.kind.to_ascii_uppercase();
            if definition.credentials.is_some() {
                // Clients name a resource by either.
                for known_by in [Some(&resource.resource_id), resource.name.as_ref()].into_iter().flatten() {
                    let id = known_by.to_lowercase();
                    claims.push(Claim { kind: kind(), id, mode: ClaimMode::Exclusive });
                }
                continue;
            }
            let mode = match definition.resources.get(n).map(|resource| resource.lock) {
                Some(LockMode::Exclusive) => ClaimMode::Exclusive,
                Some(LockMode::Shared) => ClaimMode::Shared,
                Some(LockMode::None) | None => continue,
            };
            claims.push(Claim { kind: kind(), id: resource.resource_id.to_lowercase(), mode });
        }
        // Of the same resource twice the stronger claim counts, which sorts behind the weaker.
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.dedup_by(|a, b| a.kind == b.kind && a.id == b.id);
        claims.reverse();
        if let (Some(key), Some(concurrency)) = (&self.state.slot, &definition.concurrency) {
            let mode = ClaimMode::Slot(concurrency.limit);
            claims.push(Claim { kind: definition.name.clone(), id: key.clone(), mode });
        }
        claims
    }

    /// Whether it has what it claims for itself.
    pub fn holds_locks(&self) -> bool {
        self.state.hold == Hold::Held
    }

    /// Whether it is refused, instead of waiting, when others hold what it claims (wire contract, section 6).
    pub fn conflicts_at_once(&self) -> bool {
        self.credentials_operation().is_some()
    }

    /// Whether it keeps what it holds though it ended: a failed credentials task until it is dealt with, and whatever
    /// waits for somebody to find out what was done.
    pub(crate) fn keeps_locks(&self) -> bool {
        self.state.status == TaskStatus::Failed
            && (self.credentials_operation().is_some() || self.undecided().is_some())
    }
}
