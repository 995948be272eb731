//! Recovery after a crash.

use longhaul_model::{Command, NodeId, Outcome, Refused, SubTaskStatus, TaskStatus, Timestamp};
use serde_json::json;

use crate::example::{START, accepted, begun, cancel, ended, in_turn, launches, starts, sub};

#[test]
fn recover_runs_again_what_was_running() {
    let mut task = in_turn(&["a", "b"]);
    let late = task.complete(0, None);
    let change = task.apply(Command::Recover { node: None });
    let [launch] = launches(&change).try_into().unwrap();
    assert_eq!((launch.sub_task, launch.number), (0, 2));
    assert_eq!(change.attempts[0].outcome, Outcome::Lost);
    assert_eq!(task.refused(late), Refused::Stale);
}

#[test]
fn recover_does_not_run_again_what_succeeded() {
    let mut task = in_turn(&["a", "b"]);
    task.apply(task.complete(0, None));
    assert_eq!(starts(&task.apply(Command::Recover { node: None })), [1]);
    assert_eq!(task.sub(0).attempt, 1);
}

#[test]
fn recover_parks_what_is_not_to_be_repeated() {
    let subs = vec![sub("a", json!({"needs": [], "repeatable": false})), sub("b", json!({"needs": []}))];
    let mut task = begun(json!({}), subs);
    let change = task.apply(Command::Recover { node: None });
    assert_eq!((starts(&change), ended(&change)), (vec![], Some(TaskStatus::Failed)));
    assert_eq!(task.statuses(), [SubTaskStatus::Failed, SubTaskStatus::Pending]);
    assert!(task.sub(0).outcome_unknown && !task.sub(1).outcome_unknown);
}

#[test]
fn recover_with_timers_only_is_refused_as_they_are_derived_from_what_is_stored() {
    let wait = json!({"action": {"wait": {"for": "1h"}}});
    let mut task = begun(json!({}), vec![sub("a", wait)]);
    assert_eq!(task.refused(Command::Recover { node: None }), Refused::Nothing);
    assert_eq!(task.task.record().due_at(), Some(Timestamp(START.0 + 3_600_000)));
    let mut task = accepted(json!({}), vec![sub("a", json!({}))], Some(Timestamp(START.0 + 7)));
    assert_eq!(task.refused(Command::Recover { node: None }), Refused::Nothing);
    assert_eq!(task.task.record().due_at(), Some(Timestamp(START.0 + 7)));
}

#[test]
fn recover_leaves_timers_that_run_beside_attempts() {
    let wait = json!({"needs": [], "action": {"wait": {"for": "1h"}}});
    let mut task = begun(json!({}), vec![sub("a", wait), sub("b", json!({"needs": []}))]);
    assert_eq!(starts(&task.apply(Command::Recover { node: None })), [1]);
    assert_eq!((task.sub(0).attempt, task.sub(0).due_at), (1, Some(Timestamp(START.0 + 3_600_000))));
}

#[test]
fn recover_of_a_task_being_cancelled_ends_it() {
    let mut task = in_turn(&["a"]);
    task.apply(cancel());
    assert_eq!(ended(&task.apply(Command::Recover { node: None })), Some(TaskStatus::Cancelled));
}

#[test]
fn recover_of_an_ended_task_is_refused() {
    let mut task = in_turn(&["a"]);
    task.apply(task.complete(0, None));
    assert_eq!(task.refused(Command::Recover { node: None }), Refused::Nothing);
}

#[test]
fn recover_of_one_node_leaves_what_others_run() {
    let mut task = begun(json!({}), vec![sub("a", json!({})), sub("b", json!({"needs": []}))]);
    let (here, there) = (NodeId(1), NodeId(2));
    task.task.apply_at(here, Command::Recover { node: None }, task.now).expect("all of it runs here");
    let ended = task.complete(0, None);
    task.task.apply_at(there, ended, task.now).expect("reported there");
    assert_eq!(task.task.nodes().collect::<Vec<_>>(), [here]);
    assert_eq!(task.refused(Command::Recover { node: Some(there) }), Refused::Nothing);
    let change = task.task.apply_at(there, Command::Recover { node: Some(here) }, task.now).expect("lost");
    assert_eq!((starts(&change), task.sub(1).node), (vec![1], there));
}

#[test]
fn outputs_stored_of_what_still_runs_end_it() {
    let each = json!({"forEach": "{{ input.hosts }}", "parallel": 3});
    let mut task = begun(json!({}), vec![sub("each", each), sub("then", json!({}))]);
    task.apply(task.complete(3, Some(json!("b"))));
    // Outputs of all children, of some, of the parent only.
    for stored in
        [vec![(2, json!("a")), (4, json!("c"))], vec![(4, json!("c"))], vec![(0, json!([null, "b", null]))]]
    {
        let mut lost = task.task.clone();
        let change = lost.apply(Command::OutputsStored { outputs: stored.clone() }, task.now).expect("found");
        let ends_the_parent = stored.len() == 2 || stored[0].0 == 0;
        assert_eq!(starts(&change), if ends_the_parent { vec![1] } else { vec![] }, "{stored:?}");
        let again = lost.apply(Command::OutputsStored { outputs: stored }, task.now);
        assert_eq!(again.err(), Some(Refused::Nothing));
    }
}
