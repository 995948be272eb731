//! Claims of a task: the locks on its resources, and a slot of its concurrency key, which it must have before
//! it starts. The store grants all of them at once, in order of arrival; this module says what is claimed,
//! and while it is held.

mod line;

pub use line::Line;

use crate::record::{Hold, Record};
use crate::resource::LockMode;
use crate::status::TaskStatus;

/// Mode of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimMode {
    /// Shared with other tasks.
    Shared,
    /// Exclusive: no other task may hold the lock.
    Exclusive,
    /// A slot, of so many.
    Slot(u32),
}

/// Request for one lock or slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// Type of the resource in capitals; of a slot, the workflow's name.
    pub kind: String,
    /// ID of the resource in small letters; of a slot, its concurrency key.
    pub id: String,
    /// Mode of the claim.
    pub mode: ClaimMode,
}

impl Claim {
    /// Key of the claim: claims of the same key meet each other. A slot never meets a resource.
    pub fn key(&self) -> String {
        let sort = if matches!(self.mode, ClaimMode::Slot(_)) { 's' } else { 'r' };
        format!("{sort} {} {}", self.kind, self.id)
    }

    /// Returns true if a key is that of a slot.
    pub fn is_place(key: &str) -> bool {
        key.starts_with("s ")
    }
}

impl Record {
    /// Returns true if the task has to have locks or a slot before it starts.
    pub fn has_claims(&self) -> bool {
        let definition = &self.workflow.definition;
        let locked = |resource: &crate::workflow::ResourceTemplate| resource.lock != LockMode::None;
        self.state.slot.is_some()
            || definition.credentials.is_some()
            || definition.resources.iter().any(locked)
    }

    /// Returns the claims, sorted, each once.
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
        // The stronger of two claims on the same resource counts, which sorts behind the weaker.
        claims.sort_unstable_by(|a, b| b.cmp(a));
        claims.dedup_by(|a, b| a.kind == b.kind && a.id == b.id);
        claims.reverse();
        if let (Some(key), Some(concurrency)) = (&self.state.slot, &definition.concurrency) {
            let mode = ClaimMode::Slot(concurrency.limit);
            claims.push(Claim { kind: definition.name.clone(), id: key.clone(), mode });
        }
        claims
    }

    /// Returns true if the task holds all that it claims.
    pub fn holds_locks(&self) -> bool {
        self.state.hold == Hold::Held
    }

    /// Returns true if the task is refused, instead of waiting, when others hold what it claims (wire
    /// contract, section 6).
    pub fn conflicts_at_once(&self) -> bool {
        self.credentials_operation().is_some()
    }

    /// Returns true if the task keeps its locks though it ended: a failed credentials task until it is dealt
    /// with, and a task that waits for somebody to find out what was done.
    pub(crate) fn keeps_locks(&self) -> bool {
        self.state.status == TaskStatus::Failed
            && (self.credentials_operation().is_some() || self.undecided().is_some())
    }
}
