//! Idempotency keys: the same one until an attempt under it is known to have failed.

use longhaul_model::{Change, Command, Failure, Fault, SubTask, Task};
use serde_json::{Value, json};

use crate::example::{Example, accepted, begun, broken, launches, resolve, retry, sub};

/// Returns the key of the only attempt that a change starts, without the task's part of it.
fn key(change: &Change) -> String {
    let launches = launches(change);
    let [launch] = launches.as_slice() else { panic!("one attempt starts, not {}", launches.len()) };
    let parts: Vec<&str> = launch.idempotency_key.rsplitn(3, '-').collect();
    format!("{}-{}", parts[1], parts[0])
}

fn unknown() -> Vec<Failure> {
    let fault = || Fault::new("BROKEN", "it broke");
    vec![
        Failure::Unknown { fault: fault() },
        Failure::Abandoned { fault: fault() },
        Failure::Timeout,
        Failure::Lost,
        Failure::Stopped,
        Failure::Local { fault: fault(), retryable: false },
    ]
}

/// Creates a task with one sub-task whose attempt runs.
fn running(more: Value) -> Example {
    begun(json!({}), vec![sub("a", more)])
}

#[test]
fn key_stays_over_operators_retries_until_an_attempt_is_known_to_have_failed() {
    for failure in unknown() {
        // One that is lost is repeated by itself, and in the end fails all the same.
        let mut task = running(json!({"retry": {"attempts": 1}}));
        for _ in 0..3 {
            task.apply(task.fail(0, failure.clone()));
            assert_eq!(key(&task.apply(retry())), "0-1", "after {failure:?}");
        }
        task.apply(task.fail(0, broken(false)));
        let second = key(&task.apply(retry()));
        assert_ne!(second, "0-1", "after {failure:?}");
        task.apply(task.fail(0, failure.clone()));
        assert_eq!(key(&task.apply(retry())), second, "after {failure:?}");
    }
}

#[test]
fn key_of_an_attempt_that_broke_on_our_side_stays_within_the_policy() {
    let mut task = running(json!({"retry": {"attempts": 9, "backoff": "1s", "jitter": false}}));
    let local = || Failure::Local { fault: Fault::new("HTTP_CONNECT", "no connection"), retryable: true };
    let after = |task: &mut Example, failure| {
        task.apply(task.fail(0, failure));
        key(&task.due_after(60_000))
    };
    assert_eq!(after(&mut task, Failure::Timeout), "0-1");
    assert_eq!(after(&mut task, local()), "0-1");
    let second = after(&mut task, broken(true));
    assert_ne!(second, "0-1");
    assert_eq!(after(&mut task, local()), second);
    assert_eq!(after(&mut task, Failure::Timeout), second);
    let third = after(&mut task, broken(true));
    assert!(third != "0-1" && third != second, "{third}");
}

#[test]
fn key_changes_when_an_operator_says_that_the_work_was_not_done() {
    let mut task = running(json!({"repeatable": false}));
    task.apply(task.fail(0, Failure::Lost));
    assert_ne!(key(&task.apply(resolve(Some((0, false, None))))), "0-1");
}

#[test]
fn key_of_a_child_stays_when_its_list_is_retried() {
    let each = json!({"forEach": "{{ input.hosts }}", "parallel": 3, "retry": {"attempts": 1},
                      "action": {"simulate": {"output": "{{ item.fqdn }}"}}});
    let mut task = begun(json!({}), vec![sub("all", each)]);
    task.apply(task.fail(1, Failure::Timeout));
    task.apply(task.fail(2, broken(false)));
    task.apply(task.complete(3, None));
    let change = task.apply(retry());
    let keys: Vec<&str> = launches(&change).iter().map(|launch| &launch.idempotency_key[36..]).collect();
    assert_eq!(keys, ["-1-0-1", "-2-1-1"]);
}

/// Returns the task as an earlier server stored it: the counts only.
fn of_before(task: &Task) -> Task {
    let mut record = task.record().clone();
    for sub in &mut record.sub_tasks {
        let mut stored = serde_json::to_value(&*sub).expect("stored");
        stored.as_object_mut().expect("an object").remove("i");
        *sub = serde_json::from_value::<SubTask>(stored).expect("read");
    }
    Task::load(record, task.spec().clone(), Default::default())
}

#[test]
fn key_of_what_was_stored_before_keys_were_stays() {
    for failure in [Failure::Timeout, Failure::Lost] {
        // In flight, at rest for its next attempt, failed.
        let mut task = running(json!({"retry": {"attempts": 2, "jitter": false}}));
        task.task = of_before(&task.task);
        let mut change = task.apply(task.fail(0, failure.clone()));
        if failure == Failure::Timeout {
            task.task = of_before(&task.task);
            change = task.due_after(60_000);
        }
        assert_eq!(key(&change), "0-1");
        task.task = of_before(&task.task);
        task.apply(task.fail(0, failure));
        task.task = of_before(&task.task);
        assert_eq!(key(&task.apply(retry())), "0-1");
    }
    let mut parked = running(json!({"repeatable": false}));
    parked.apply(parked.fail(0, Failure::Lost));
    parked.task = of_before(&parked.task);
    assert_ne!(key(&parked.apply(resolve(Some((0, false, None))))), "0-1");
}

#[test]
fn key_changes_with_the_spec_of_a_credentials_task() {
    let spec = |name: &str| {
        json!({"operationType": "ROTATE", "elements": [{"resourceType": "ESXI", "resourceName": name,
            "credentials": [{"credentialType": "SSH", "username": "root"}]}]})
    };
    let with = |input: Option<Value>| {
        let mut task = accepted(
            json!({"credentials": "ROTATE", "type": "CREDENTIALS_ROTATE"}),
            vec![sub("a", json!({"retry": {"attempts": 1}}))],
            None,
        );
        let state = task.task.record().clone();
        task.task = Task::new(
            state.id,
            state.workflow.clone(),
            longhaul_model::Spec { input: spec("esx"), ..task.task.spec().clone() },
            Some("n".to_owned()),
            None,
            task.now,
        )
        .unwrap();
        task.apply(Command::Begin);
        task.apply(Command::Acquired);
        task.apply(task.fail(0, Failure::Timeout));
        assert_eq!(task.refused(crate::example::cancel()), longhaul_model::Refused::CancelledByOwnCall);
        key(&task.apply(Command::RetryCredentials { by: "ann".to_owned(), input }))
    };
    assert_eq!(with(None), "0-1");
    assert_eq!(with(Some(spec("esx"))), "0-1");
    let mut other = spec("esx");
    other["elements"][0]["credentials"][0]["username"] = json!("admin");
    assert_ne!(with(Some(other)), "0-1");
}
