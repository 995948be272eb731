//! Programs of `worker exec` whose processes leave their group, session or parent: none of them outlives the
//! attempt, whether that ends by itself, by its timeout, by a cancel, or with the worker.

use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::{PATIENCE, Server, ended};

/// Ways in which a script leaves processes behind, which sleep for a time that marks them.
const WAYS: [(&str, &str); 7] = [
    ("a new session", "setsid sleep MARK &"),
    ("a session of a child that is not waited for", "setsid -f sleep MARK"),
    ("two forks", "(setsid sh -c 'trap \"\" TERM HUP INT; sleep MARK & setsid sleep MARK & wait' &) &"),
    ("parents that end", "sh -c 'setsid sh -c \"setsid sleep MARK & exit\" & exit' &"),
    ("closed descriptors", "nohup setsid sleep MARK > /dev/null 2>&1 < /dev/null &"),
    ("deafness", "(trap '' TERM HUP INT QUIT; sleep MARK & sleep MARK & wait) &"),
    ("a group of its own", "set -m; sleep MARK & set +m"),
];

/// Ways in which the attempt ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Itself,
    Timeout,
    Cancel,
    Stop,
    Kill,
}

/// Processes that sleep for the marked time.
fn marked(mark: &str) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").expect("a file system of processes");
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.first().is_some_and(|word| word.ends_with(b"sleep")) && words.contains(&mark.as_bytes())
    })
    .collect()
}

#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn definition(timeout: &str) -> Value {
    json!({
        "name": "leaving", "type": "LEAVING", "title": "Leaving", "input": { "type": "object" },
        "subTasks": [{ "name": "Run", "description": "It runs", "timeout": timeout, "repeatable": false,
            "action": { "worker": { "queue": "leaving" } } }],
    })
}

fn worker(server: &Server, script: &str) -> Child {
    let queue = ["worker", "exec", "--queue", "leaving", "--lease", "5s", "--grace", "500ms"];
    let mut command = server.command(&queue);
    command.args(["--", "sh", "-c", script]);
    command.stderr(std::process::Stdio::null()).spawn().expect("a worker")
}

fn one(server: &Server, number: usize, (way, script): (&str, &str), end: End) {
    // No other test, nor another run of this one, sleeps for just so long.
    let mark = format!("{}{:02}.{}", 10_000 + std::process::id() % 10_000, number, end as u8);
    let rest = if end == End::Itself { "sleep 0.3; echo '{}'" } else { "while :; do sleep 0.1; done" };
    let script = format!("{}\n{rest}", script.replace("MARK", &mark));
    let timeout = if end == End::Timeout { "3s" } else { "10m" };
    let (status, answer) = server.call("PUT", "/v1/workflows/leaving", Some(&definition(timeout)));
    assert!(status < 300, "{answer}");
    let mut worker = worker(server, &script);
    let id = server.task(&["leaving"]);
    match end {
        End::Itself => drop(server.until(&id, "Successful")),
        _ => until(&format!("{way}: nothing was left behind to look for"), || !marked(&mark).is_empty()),
    }
    let signal = |signal| kill(Pid::from_raw(worker.id().cast_signed()), signal).expect("a worker");
    match end {
        End::Itself => {}
        End::Timeout => drop(server.until(&id, "Failed")),
        End::Cancel => drop(server.run(&["task", "cancel", &id]).code(0)),
        End::Stop => signal(Signal::SIGTERM),
        End::Kill => signal(Signal::SIGKILL),
    }
    until(&format!("{way}, {end:?}: {:?} live on", marked(&mark)), || marked(&mark).is_empty());
    if !matches!(end, End::Stop | End::Kill) {
        kill(Pid::from_raw(worker.id().cast_signed()), Signal::SIGTERM).expect("a worker");
    }
    ended(&mut worker);
    let _ = server.run(&["task", "cancel", &id]);
}

fn all(end: End) {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "off"]);
    for (number, way) in WAYS.into_iter().enumerate() {
        one(&server, number, way, end);
    }
    server.stop();
}

#[test]
fn nothing_outlives_a_program_that_ends() {
    all(End::Itself);
}

#[test]
fn nothing_outlives_a_timeout() {
    all(End::Timeout);
}

#[test]
fn nothing_outlives_a_cancel() {
    all(End::Cancel);
}

#[test]
fn nothing_outlives_a_worker_that_stops() {
    all(End::Stop);
}

#[test]
fn nothing_outlives_a_worker_that_is_killed() {
    all(End::Kill);
}
