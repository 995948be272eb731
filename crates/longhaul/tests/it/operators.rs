//! Views for operators: a task with children through a pipe, locks of failed tasks, workers that live and
//! that died.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::support::{PATIENCE, Server, longhaul, shipped_server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const WORKFLOWS: [(&str, &str); 3] = [
    (
        "hosts.yaml",
        r#"
name: hosts
type: HOSTS_UPDATE
title: Update the hosts
input: { type: object, required: [hosts], properties: { hosts: { type: array } } }
subTasks:
  - name: Update
    title: "{{ item }}"
    description: Update a host
    forEach: "{{ input.hosts }}"
    retry: { attempts: 2, backoff: 400ms }
    action:
      simulate:
        failAttempts: "{{ [1] if item == 'busy' else [] }}"
        error: { code: HOST_BUSY, message: the host is busy }
"#,
    ),
    (
        "locked.yaml",
        r#"
name: locked
type: HOST_FORMAT
title: Format a host
resources: [{ type: HOST, resourceId: h1, lock: exclusive }]
subTasks:
  - name: Format
    description: Not to be done twice
    repeatable: false
    timeout: 200ms
    action: { simulate: { duration: 1m } }
"#,
    ),
    (
        "work.yaml",
        r#"
name: work
type: WORK_DO
title: Some work
subTasks:
  - name: Dig
    description: By a worker
    action: { worker: { queue: digging } }
"#,
    ),
];

fn ready() -> (tempfile::TempDir, Server) {
    let (data, server) = shipped_server();
    for (name, text) in WORKFLOWS {
        let path = data.path().join(name);
        std::fs::write(&path, text).expect("written");
        server.run(&["workflow", "apply", path.to_str().expect("a path")]).code(0);
    }
    (data, server)
}

#[test]
fn children_are_told_through_a_pipe() {
    let (_data, server) = ready();
    let start = ["task", "start", "hosts", "-i", "hosts:=[\"esx\",\"esx\",\"busy\"]", "--watch"];
    let done = server.run(&start).code(0);
    let said: Vec<(&str, &str)> = done.out.lines().filter_map(|line| line.split_once(' ')).collect();
    let task = server.run(&["task", "list", "-o", "json"]).json()["elements"][0].clone();
    assert_eq!(said[0].1, format!("{} Update the hosts", task["id"].as_str().unwrap()), "the id comes first");
    assert_eq!(said[0].0, task["creationTimestamp"], "by the task's clock");
    assert!(said.is_sorted_by_key(|(time, _)| *time), "{}", done.out);
    let has = |part: &str| said.iter().any(|(_, text)| text.contains(part));
    for line in
        ["✔ Update/esx[0] SUCCESSFUL", "✔ Update/esx[1] SUCCESSFUL", "✔ Update/busy SUCCESSFUL  attempt 2"]
    {
        assert!(has(line), "{line}: {}", done.out);
    }
    assert!(has("HOST_BUSY: the host is busy"), "a pause says why: {}", done.out);
    let end = said.iter().find(|(_, text)| text.starts_with("✔ Update the hosts")).expect("an end");
    assert_eq!(end.0, server.until(task["id"].as_str().unwrap(), "Successful")["completionTimestamp"]);
}

/// Hours until a decision do not count as time of the step.
#[test]
fn decisions_take_no_time_of_the_step() {
    let (_data, server) = ready();
    let id = server.task(&["locked"]);
    server.until(&id, "Failed");
    std::thread::sleep(Duration::from_millis(2_500));
    server.run(&["task", "resolve", &id, "--sub-task", "Format", "--done", "--reason", "looked"]).code(0);
    server.until(&id, "Successful");
    for shown in [&["task", "get", &id][..], &["task", "watch", &id]] {
        let out = server.run(shown).code(0).out;
        let line =
            out.lines().find(|line| line.contains("Format ") && !line.contains("host")).expect("a step");
        assert!(line.contains("  0."), "{out}");
    }
}

#[test]
fn locks_name_holders_that_await_a_decision() {
    let (_data, server) = ready();
    let holder = server.task(&["locked"]);
    server.until(&holder, "Failed");
    let waiter = server.task(&["locked"]);
    until("both are listed", || server.run(&["lock", "list"]).code(0).out.contains(&waiter[28..]));
    let done = server.run(&["lock", "list"]).code(0);
    let line = |id: &str| done.out.lines().find(|line| line.contains(&id[28..])).map(str::to_owned);
    assert!(
        line(&holder).is_some_and(|line| line.contains("held, failed: awaits a decision")),
        "{}",
        done.out
    );
    assert!(
        line(&waiter).is_some_and(|line| line.contains("waiting") && !line.contains("failed")),
        "{}",
        done.out
    );
    assert!(done.err.contains(&format!("longhaul task get {holder}")), "{}", done.err);
    let json = server.run(&["lock", "list", "-o", "json"]).json();
    assert_eq!(json["elements"][0]["taskStatus"], "FAILED");
    assert_eq!(json["elements"][0]["awaitsDecision"], true);
    let why = server.run(&["task", "why", &waiter, "-o", "json"]).code(0).json();
    assert_eq!(why["reasons"][0]["locks"][0]["awaitsDecision"], true, "both say the same: {why}");
    server.run(&["task", "resolve", &holder, "--sub-task", "Format", "--done", "--reason", "looked"]).code(0);
    let after = server.run(&["lock", "list"]).code(0).out;
    assert!(!after.contains("awaits a decision"), "{after}");
}

/// A worker process that is killed at the end of the test.
struct Dying(Child);

impl Drop for Dying {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn only_worker(server: &Server) -> Value {
    server.run(&["worker", "list", "-o", "json"]).code(0).json()["elements"][0].clone()
}

#[track_caller]
fn until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn dead_workers_are_not_counted_after_their_lease() {
    let (_data, server) = ready();
    let id = server.task(&["work"]);
    let mut command = longhaul();
    command.args(["worker", "exec", "--queue", "digging", "--lease", "2s", "--", "sleep", "60"]);
    command.env("LONGHAUL_SERVER", server.address()).env("LONGHAUL_TOKEN", server.token());
    let worker = Dying(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"));
    until("it works", || only_worker(&server)["running"] == 1);
    let one = only_worker(&server);
    assert_eq!((&one["alive"], &one["process"]), (&true.into(), &worker.0.id().into()), "{one}");
    assert_eq!(one["work"][0]["taskId"], id.as_str());
    assert_eq!(
        (&one["work"][0]["taskName"], &one["work"][0]["subTask"]),
        (&"Some work".into(), &"Dig".into())
    );
    let table = server.run(&["worker", "list"]).code(0).out;
    assert!(table.contains(&format!("{} Dig of Some work", &id[28..])) && table.contains(" yes "), "{table}");
    let workers = || {
        let queues = server.run(&["queue", "list", "-o", "json"]).code(0).json();
        queues["elements"][0]["workers"].as_u64().expect("a number")
    };
    assert_eq!(workers(), 1);
    kill(Pid::from_raw(worker.0.id().cast_signed()), Signal::SIGKILL).expect("it is there");
    until("it counts as dead", || only_worker(&server)["alive"] == false);
    assert_eq!(workers(), 0, "no queue counts it any more");
    let table = server.run(&["worker", "list"]).code(0).out;
    assert!(table.contains(" no "), "{table}");
}
