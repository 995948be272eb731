//! Attempts of a task: those that history keeps, and the latest of each sub-task from the sub-task itself.

use longhaul_model::{Attempt, Fault, Outcome, Record, Timestamp};

use crate::doc;

/// Returns an attempt by its row: one that cannot be read says so in its place, and does not affect the
/// others.
pub(crate) fn read(sub_task: u32, number: u32, document: Result<&str, String>) -> Attempt {
    let why = match document.map(doc::parse) {
        Ok(Ok(attempt)) => return attempt,
        Ok(Err(e)) => e.to_string(),
        Err(why) => why,
    };
    tracing::error!(
        table = "attempts",
        sub_task,
        number,
        error = why,
        "an attempt cannot be read: `longhaul check` names its task and what to do"
    );
    let message = format!("what is stored of the attempt cannot be read: in `attempts`: {why}");
    let remedy =
        "`longhaul check` on the server's machine names all that is damaged; a backup may have it as it was";
    Attempt {
        sub_task,
        number,
        generation: 0,
        started_at: Timestamp(0),
        ended_at: None,
        outcome: Outcome::Failed,
        error: Some(Fault::new("TASK_UNREADABLE", message).remedy(remedy)),
        worker: None,
    }
}

/// Returns all attempts, in order of their starts.
pub(crate) fn whole(kept: Vec<Attempt>, record: &Record) -> Vec<Attempt> {
    let mut all = kept;
    // An attempt of a sub-task that does not exist is damage.
    all.retain(|attempt| (attempt.sub_task as usize) < record.sub_tasks.len());
    for latest in record.latest_attempts() {
        // An operator's verdict makes a success of an attempt that history has as lost: history is not
        // changed.
        if !all.iter().any(|kept| (kept.sub_task, kept.number) == (latest.sub_task, latest.number)) {
            all.push(latest);
        }
    }
    all.sort_by_key(|attempt| (attempt.started_at, attempt.sub_task, attempt.number));
    all
}
