//! Workflow documents: each is refused with problems that name their place, or runs.

use std::sync::Arc;

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Command, Spec, Task, TaskId, Timestamp};
use serde_json::json;

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &[u8]) {
    let Ok(definition) = serde_json::from_slice::<Definition>(data) else { return };
    let text = serde_json::to_string(&definition).expect("a definition can be written");
    let again: Definition = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("a definition can be written"), text);
    let workflow = match Workflow::compile(definition, 1) {
        Ok(workflow) => Arc::new(workflow),
        Err(problems) => {
            assert!(
                problems.iter().all(|problem| problem.pointer.is_empty() || problem.pointer.starts_with('/'))
            );
            return;
        }
    };
    assert!(Workflow::stored(again, 1).is_ok(), "what is accepted can be read again");
    let input = json!({"n": 100_000_000, "list": [1, 2], "text": "x".repeat(10_000)});
    let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
    let now = Timestamp(1_700_000_000_000);
    let Ok(mut task) = Task::new(TaskId::from_bytes([1; 16]), workflow, spec, None, None, now) else {
        return;
    };
    // Its invariants are asserted after the change.
    task.apply(Command::Begin, now).expect("a new task begins");
    if !task.record().state.status.is_ended() {
        let _ = task.apply(Command::Recover { node: None }, Timestamp(now.0 + 1));
        let cancel = Command::Cancel { by: "me".to_owned(), grace: Default::default() };
        let _ = task.apply(cancel, Timestamp(now.0 + 2));
    }
}
