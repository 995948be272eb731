//! Wire form of a lock on a resource, or a slot of a concurrency key.

use longhaul_engine::Lock;
use longhaul_model::ClaimMode;

use super::Json;

/// Writes the members of a lock.
pub(crate) fn lock(json: &mut Json, lock: &Lock) {
    match lock.mode {
        ClaimMode::Slot(limit) => {
            json.key("workflow").value(&lock.kind);
            json.key("key").value(&lock.name);
            json.key("limit").value(&limit);
            json.key("mode").plain("SLOT");
        }
        ClaimMode::Shared | ClaimMode::Exclusive => {
            json.key("resourceType").value(&lock.kind);
            json.key("resourceId").value(&lock.name);
            json.key("mode").plain(if lock.mode == ClaimMode::Shared { "SHARED" } else { "EXCLUSIVE" });
        }
    }
    json.key("state").plain(if lock.held { "HELD" } else { "WAITING" });
    json.key("since").time(lock.since);
    json.key("taskId").value(&lock.task);
    json.key("taskName").value(&lock.task_name);
}
