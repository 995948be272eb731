//! Watching tasks.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::support::{Server, all, ended, shipped_server};

#[test]
fn every_change_is_a_line() {
    let (_data, server) = shipped_server();
    let start = [
        "task",
        "start",
        "create-domain",
        "--watch",
        "-i",
        "domain=a",
        "-i",
        "pace=20ms",
        "-i",
        "failAt=DeployVcenterAction",
    ];
    let done = server.run(&start).code(1);
    let said: Vec<&str> =
        done.out.lines().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest)).collect();
    assert!(said.contains(&"✘ DeployVcenterAction FAILED  attempt 3 · 0.0s"), "{}", done.out);
    assert!(
        said.iter().any(|line| line.starts_with("DeployVcenterAction is tried again at ")),
        "{}",
        done.out
    );
    assert_eq!(
        said.iter().filter(|line| line.starts_with("✔ HostVibValidationAction SUCCESSFUL")).count(),
        1
    );
    assert!(said.iter().any(|line| line.starts_with("✘ Vi workload Domain Creation FAILED")), "{}", done.out);
}

#[test]
fn a_restart_is_waited_for() {
    let (data, server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=1s"]);
    let mut watch = server
        .command(&["task", "watch", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    server.signal(Signal::SIGKILL);
    let socket = server.socket().to_owned();
    drop(server);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let _again = Server::start(data.path(), &socket, &["--log-level", "error"]);
    assert_eq!(ended(&mut watch), Some(0));
    let (out, err) = (all(watch.stdout.take().unwrap()), all(watch.stderr.take().unwrap()));
    assert!(err.contains("does not answer") && err.contains("trying again"), "{err}");
    assert!(err.contains("the server answers again"), "{err}");
    assert!(out.contains("✔ Vi workload Domain Creation SUCCESSFUL"), "{out}");
}

#[test]
fn an_interrupt_leaves_the_task_alone() {
    let (_data, server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    let mut watch = server
        .command(&["task", "watch", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Once something is drawn it listens to signals.
    let mut out = watch.stdout.take().unwrap();
    std::io::Read::read_exact(&mut out, &mut [0; 40]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    kill(Pid::from_raw(watch.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(ended(&mut watch), Some(130));
    let err = all(watch.stderr.take().unwrap());
    assert!(err.contains(&format!("the task goes on; to watch it again: longhaul task watch {id}")), "{err}");
    server.until(&id, "IN_PROGRESS");
}

#[test]
fn json_is_a_task_a_line() {
    let (_data, server) = shipped_server();
    let start =
        ["task", "start", "enable-ceip", "--watch", "-o", "json", "-i", "status=ENABLE", "-i", "pace=20ms"];
    let done = server.run(&start).code(0);
    let last: serde_json::Value = serde_json::from_str(done.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["status"], "Successful");
}

#[test]
fn a_task_that_has_ended_is_shown_once() {
    let (_data, server) = shipped_server();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    server.until(&id, "Successful");
    server.run(&["task", "watch", &id]).code(0);
    server.run(&["task", "watch", "00000000-0000-0000-0000-000000000000"]).code(3);
}

/// Statuses under which another server shows a task that has not ended.
const UNDER_WAY: [&str; 4] = ["IN_PROGRESS", "In Progress", "PENDING", "Pending"];

#[test]
fn an_imported_task_that_was_under_way_is_shown_as_received_and_not_waited_for() {
    let (data, server) = shipped_server();
    let exported = json!({ "workflow": { "name": "enable-ceip", "version": 1 },
        "waitingFor": { "type": "TIMER", "subTask": "A", "until": "2019-06-20T13:00:00.000Z" } });
    for (n, status) in UNDER_WAY.iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-00000000000{n}");
        let mut task = json!({ "id": id, "name": "T", "status": status, "creationTimestamp": "2019-06-20T12:00:00.000Z",
            "subTasks": [{ "name": "A", "status": "IN_PROGRESS", "startTimestamp": "2019-06-20T12:00:00.000Z" }] });
        // A task of another Longhaul server has the members of one of this server.
        if n % 2 == 1 {
            task.as_object_mut().expect("an object").extend(exported.as_object().expect("an object").clone());
        }
        let file = data.path().join("task.json");
        std::fs::write(&file, task.to_string()).expect("a file");
        server.run(&["import", file.to_str().expect("UTF-8")]).code(0);
        for format in ["table", "json"] {
            let mut watch = server.command(&["task", "watch", &id, "-o", format]);
            let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
            assert_eq!(ended(&mut watch), Some(1), "{status}");
            let (out, err) = (all(watch.stdout.take().unwrap()), all(watch.stderr.take().unwrap()));
            assert!(out.contains(&id) && err.contains("as it was received"), "{status}: {out}{err}");
        }
        let got = server.run(&["task", "get", &id, "--wait", "1m"]).code(0);
        assert!(got.err.contains("as it was received"), "{status}: {}", got.err);
        // No duration counts on: nothing runs.
        let heads: Vec<&str> =
            got.out.lines().filter(|line| line.ends_with(status) || line.ends_with("A")).collect();
        assert_eq!(heads.len(), 2, "{}", got.out);
        let why = server.run(&["task", "why", &id]).code(0);
        assert!(why.out.contains("as it was received"), "{status}: {}", why.out);
    }
}

#[test]
fn a_paused_server_is_the_reason_why_its_tasks_wait() {
    let (data, server) = shipped_server();
    let start = |more: &[&str]| server.task(&[&["enable-ceip", "-i", "status=ENABLE", "-i"], more].concat());
    let running = start(&["pace=1h"]);
    let later = start(&["pace=1ms", "--not-before", "2040-01-01T00:00:00Z"]);
    server.until(&running, "In Progress");
    server.stop();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--paused", "--log-level", "error"]);
    let (_, page) = server.call("GET", "/v1/tasks?include=waitingFor", None);
    let listed = page["elements"].as_array().expect("tasks");
    for id in [&running, &later] {
        let got = server.run(&["task", "get", id]).code(0).out;
        assert!(got.contains("the server is paused") && !got.contains("waits for room"), "{got}");
        let alone = server.run(&["task", "get", id, "-o", "json"]).code(0).json();
        let one = listed.iter().find(|task| task["id"] == id.as_str()).expect("the task");
        assert_eq!(
            (&one["waitingFor"], &alone["waitingFor"]["type"]),
            (&alone["waitingFor"], &json!("PAUSED"))
        );
        let why = server.run(&["task", "why", id, "-o", "json"]).code(0).json();
        assert_eq!(why["reasons"][0]["type"], "PAUSED");
    }
}
