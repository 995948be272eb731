//! A database that is away for longer than others may be kept waiting.

use std::io::Read;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use longhaul_testbed::Stop;

use super::nodes::{Node, Site};
use super::support::PATIENCE;

/// Workflow whose command runs without end the first time, and ends at once the second time.
const WORKFLOW: &str = r"
name: linger
type: LINGER
title: Runs a program that lingers
subTasks:
  - name: one
    description: Lingers
    action: { command: { run: [/bin/sh, -c, 'test -e $0 || { touch $0; sleep 600; }', MARK] } }
";

fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Body of `/health/ready`, if the node answers.
fn readiness(node: &Node) -> Option<String> {
    use std::io::Write;
    let mut stream = TcpStream::connect(node.address.strip_prefix("http://")?).ok()?;
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The children of a process: name and state of each.
fn children(pid: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it is there");
    let all = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let stat = |id: &str| std::fs::read_to_string(format!("/proc/{id}/stat")).ok();
    all.flat_map(|ids| ids.split_whitespace().filter_map(stat).collect::<Vec<_>>())
        .map(|stat| stat.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" "))
        .collect()
}

/// A node waits for a database that is not there yet, and for one that went away: its process goes on, but
/// none of its programs does.
#[test]
fn nodes_wait_for_their_database() {
    let mut site = Site::new();
    let folder = site.home.path().join("workflows");
    std::fs::create_dir(&folder).expect("a folder");
    let mark = site.home.path().join("mark");
    std::fs::write(folder.join("linger.yaml"), WORKFLOW.replace("MARK", &mark.display().to_string()))
        .expect("written");
    let config = site.home.path().join("longhaul.toml");
    std::fs::write(&config, "[actions.command]\nallow = [\"/bin/sh\"]\n").expect("written");
    site.cluster.stop(Stop::Fast).expect("stopped");

    let keys = site.home.path().join("keys.json");
    let given = [&folder, &config].map(|path| path.display().to_string());
    let mut node = site.start_with(
        "a",
        keys,
        Stdio::inherit(),
        &["--workflows", &given[0], "--config", &given[1], "--log-level", "error"],
    );
    until("it does not answer", || readiness(&node).is_some());
    let starting = readiness(&node).expect("an answer");
    assert!(starting.starts_with("HTTP/1.1 503") && starting.contains("STARTING"), "{starting}");
    site.cluster.resume().expect("PostgreSQL");
    node.active();
    assert!(!node.began_anew());

    let id = node.run(&["task", "start", "linger", "-o", "json"]).code(0).json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    until("it does not run", || mark.exists());
    assert!(!children(node.child.id()).is_empty());
    site.cluster.stop(Stop::Immediate).expect("stopped");
    until("it goes on", || node.began_anew());
    until("what it ran goes on", || children(node.child.id()).is_empty());
    until("it does not answer", || readiness(&node).is_some_and(|answer| answer.starts_with("HTTP/1.1 503")));
    site.cluster.resume().expect("PostgreSQL");
    node.active();
    // The start does not wait until the previous session was silent for ten seconds.
    let turns = site.cluster.sql("tasks", "SELECT count(*) FROM turns WHERE NOT over").expect("turns");
    assert_eq!(turns, "1");
    node.succeeds(&id);
    assert!(node.child.try_wait().expect("a child").is_none());
}
