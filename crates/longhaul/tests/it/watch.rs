//! Watching tasks.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
