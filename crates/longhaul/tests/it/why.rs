//! Reasons why tasks do not progress, and the record of who decided what about them.

use serde_json::{Value, json};

use super::hints::server;
use super::support::{Done, PATIENCE, Server, longhaul};

/// Returns the kinds of the reasons for a task, and the summary of the first.
fn why(server: &Server, id: &str) -> (Vec<String>, String) {
    let answer = server.run(&["task", "why", id, "-o", "json"]).code(0).json();
    let reasons = answer["reasons"].as_array().expect("reasons");
    let kinds = reasons.iter().map(|reason| reason["type"].as_str().expect("a type").to_owned()).collect();
    let shown = server.run(&["task", "why", id]).code(0).out;
    let summary = answer["summary"].as_str().expect("a summary");
    assert!(shown.contains(summary), "{shown}\n{answer}");
    (kinds, summary.to_owned())
}

#[test]
fn each_thing_that_a_task_waits_for_is_the_answer() {
    let (_data, server) = server();
    let ended = |workflow: &str| {
        let id = server.task(&[workflow]);
        server.until(&id, "Failed");
        id
    };
    for (workflow, kind, said) in [
        ("fails", "FAILED", "the task failed: "),
        ("unknown", "DECISION", "nobody knows whether `Once` did its work"),
        ("children", "FAILED", "3 of 3 items failed"),
        ("final", "FAILED", "the task failed: "),
    ] {
        let (kinds, summary) = why(&server, &ended(workflow));
        assert_eq!(kinds, [kind], "{workflow}");
        assert!(summary.contains(said), "{workflow}: {summary}");
    }
    let unknown = ended("unknowns");
    assert_eq!(why(&server, &unknown).0, ["DECISION", "DECISION"]);

    let waits = server.task(&["waits"]);
    server.until(&waits, "In Progress");
    let (kinds, summary) = why(&server, &waits);
    assert_eq!((kinds, summary.contains("no worker asks")), (vec!["WORKER".to_owned()], true), "{summary}");
    let told = server.run(&["task", "why", &waits]).code(0);
    assert!(told.out.contains("`longhaul worker exec --queue nobody -- COMMAND`"), "{}", told.out);
    assert!(!told.err.contains("longhaul task why"), "{}", told.err);
    server.run(&["queue", "pause", "nobody"]).code(0);
    let told = server.run(&["task", "why", &waits]).code(0);
    assert!(told.out.contains("`longhaul queue resume nobody`"), "{}", told.out);
    assert!(why(&server, &waits).1.contains("which is paused"));
    let answer = server.run(&["task", "why", &waits, "-o", "json"]).json();
    assert_eq!(answer["reasons"][0]["queue"]["limits"], json!({ "paused": true }));

    let retries = server.task(&["retries"]);
    let until = std::time::Instant::now() + PATIENCE;
    while why(&server, &retries).0 != ["RETRY"] {
        assert!(std::time::Instant::now() < until);
    }
    let answer = server.run(&["task", "why", &retries, "-o", "json"]).json();
    let reason = &answer["reasons"][0];
    assert_eq!((&reason["attempts"], &reason["maxAttempts"]), (&json!(1), &json!(3)));
    assert_eq!(reason["error"]["errorCode"], "HOST_BUSY", "{reason}");

    let later = server.task(&["quick", "--not-before", "2040-01-01T00:00:00Z"]);
    assert_eq!(why(&server, &later).0, ["START"]);
    let holder = server.task(&["locks"]);
    assert_eq!(why(&server, &holder).0, ["TIMER"]);
    let behind = server.task(&["locks"]);
    let (kinds, summary) = why(&server, &behind);
    assert_eq!(kinds, ["LOCK"]);
    assert!(summary.contains(&holder) && summary.contains("which is In Progress"), "{summary}");
    let quick = server.task(&["quick"]);
    server.until(&quick, "Successful");
    assert_eq!(why(&server, &quick).0, ["ENDED"]);
    server.run(&["import", concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/task.json")]).code(0);
    assert_eq!(why(&server, "bc32f3be-a777-434b-a156-3fa54e8d2ded").0, ["IMPORTED"]);
    let unknown = server.run(&["task", "why", "ffff-ffff"]).code(3).err;
    assert!(unknown.contains("no task begins or ends with ffff-ffff"), "{unknown}");
    server.run(&["task", "why", "00000000-0000-0000-0000-000000000000"]).code(3);
}

#[test]
fn a_lock_that_a_failed_task_keeps_says_that_somebody_must_decide() {
    let (_data, server) = server();
    let holder = server.task(&["keeps"]);
    server.until(&holder, "Failed");
    let behind = server.task(&["keeps"]);
    let (kinds, summary) = why(&server, &behind);
    assert_eq!(kinds, ["LOCK"]);
    assert!(summary.contains("keeps it until somebody decides"), "{summary}");
    let answer = server.run(&["task", "why", &behind, "-o", "json"]).json();
    let lock = &answer["reasons"][0]["locks"][0];
    assert_eq!((&lock["awaitsDecision"], &lock["taskStatus"]), (&json!(true), &json!("FAILED")), "{lock}");
}

/// Decisions of every kind are recorded with who made them and why, for viewers, too.
#[test]
fn the_history_of_a_task_has_actor_and_reason_of_each_decision() {
    let (_data, server) = server();
    let id = server.task(&["needed"]);
    server.until(&id, "Failed");
    let because = |word: &str| format!("{word}, CHG0042: «ü»");
    let run = |command: &[&str]| server.run(command).code(0);
    run(&["task", "retry", &id, "--reason", &because("retry")]);
    server.until(&id, "Failed");
    let resolve =
        ["task", "resolve", &id, "--sub-task", "First", "--not-done", "--reason", &because("again")];
    run(&resolve);
    server.until(&id, "Failed");
    run(&["task", "skip", &id, "First", "--force", "--reason", &because("skip")]);
    server.until(&id, "Failed");
    run(&["task", "resolve", &id, "--reason", &because("resolve")]);
    let slow = server.task(&["locks"]);
    run(&["task", "cancel", &slow, "--reason", &because("cancel")]);

    let key = run(&["user", "add", "looks", "--role", "VIEWER", "--service"]).out;
    let viewer = |command: &[&str]| {
        let mut program = longhaul();
        program.args(command).args(["--server", server.address()]).env("LONGHAUL_TOKEN", key.trim());
        Done::from(program.output().expect("the binary runs"))
    };
    let told = viewer(&["task", "history", &id, "-o", "json"]).code(0).json();
    let entries = told["elements"].as_array().expect("entries");
    let seen: Vec<(&str, &str)> = entries
        .iter()
        .map(|entry| {
            (entry["decision"].as_str().unwrap_or("start"), entry["reason"].as_str().unwrap_or_default())
        })
        .collect();
    let (resolved, skipped, again, retried) =
        (because("resolve"), because("skip"), because("again"), because("retry"));
    let wanted =
        [("resolve", resolved.as_str()), ("skip", &skipped), ("notDone", &again), ("retry", &retried)];
    assert_eq!(seen[..4], wanted, "{told}");
    assert_eq!(entries[4]["action"], "startTask");
    for entry in entries {
        assert_eq!((&entry["user"], &entry["from"]), (&json!("admin"), &Value::Null));
    }
    assert_eq!(entries[1]["subTask"], "First of all");
    let cancelled = viewer(&["task", "history", &slow, "-o", "json"]).code(0).json();
    assert_eq!(cancelled["elements"][0]["reason"], because("cancel").as_str());
    let table = viewer(&["task", "history", &id]).code(0).out;
    assert!(table.contains(&skipped) && table.contains("First of all"), "{table}");

    // The audit log is for administrators, and has filters.
    viewer(&["audit"]).code(3);
    let lines = |filter: &[&str]| {
        let page =
            server.run(&[&["audit", "-o", "json", "--page-size", "100"], filter].concat()).code(0).json();
        page["pageMetadata"]["totalElements"].as_u64().expect("a number")
    };
    assert_eq!(lines(&["--target", &id, "--action", "retryTask"]), 1);
    assert_eq!(lines(&["--target", &id]), 5);
    assert_eq!(lines(&["--user", "looks"]), lines(&["--user", "looks", "--refused"]));
    assert_eq!(lines(&["--since", "2040-01-01T00:00:00Z"]), 0);
    assert!(lines(&["--accepted"]) > 5);
    assert!(server.run(&["audit", "--target", &id]).code(0).out.contains("skipSubTask"));
}
