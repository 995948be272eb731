//! The attempts of a task: those that history keeps, and the latest of each sub-task from the sub-task itself.

use longhaul_model::{Attempt, Record};

/// All of them, in order of their starts.
pub(crate) fn whole(kept: Vec<Attempt>, record: &Record) -> Vec<Attempt> {
    let mut all = kept;
    // An attempt of a sub-task that does not exist is damage.
    all.retain(|attempt| (attempt.sub_task as usize) < record.sub_tasks.len());
    for latest in record.latest_attempts() {
        // An operator's verdict makes an attempt that history has as lost a success: history's word stays.
        if !all.iter().any(|kept| (kept.sub_task, kept.number) == (latest.sub_task, latest.number)) {
            all.push(latest);
        }
    }
    all.sort_by_key(|attempt| (attempt.started_at, attempt.sub_task, attempt.number));
    all
}
