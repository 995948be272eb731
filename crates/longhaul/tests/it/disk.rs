//! Disks that are full and disks that hang (reliability F8 and F36): a way out is left, readiness reports it,
//! and a stop ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::support::{PATIENCE, Server};

/// Workflow with a program that runs while the disk fills, and ends when a file tells it to.
const WORKFLOW: &str = r"
name: wait
type: WAIT
title: Waits for a file
subTasks:
  - name: one
    description: Waits
    action: { command: { run: [/bin/sh, -c, 'while ! test -e $0; do sleep 0.1; done; echo done', MARK] } }
";

pub(super) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Body of `/health/ready`.
fn readiness(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.socket()).expect("it listens");
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
        .expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Small file system of its own; a test that cannot have one fails.
struct Small(TempDir);

impl Small {
    fn new() -> Self {
        let place = TempDir::new().expect("a directory");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(place.path()).status();
        assert!(mount.expect("mount runs").success(), "this test mounts a small file system: run it as root");
        Small(place)
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }

    fn fill(&self) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(self.ballast());
        let mut file = file.expect("it can be opened");
        while file.write_all(&[7; 4096]).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn workflows(folder: &Path, mark: &Path) {
    std::fs::write(folder.join("wait.yaml"), WORKFLOW.replace("MARK", &mark.display().to_string()))
        .expect("written");
}

fn config(folder: &Path) -> String {
    let path = folder.join("longhaul.toml");
    let text = "[engine]\nshutdown_grace = \"1s\"\n[actions.command]\nallow = [\"/bin/sh\"]\n";
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn full_disk_leaves_a_way_out() {
    let (small, home) = (Small::new(), TempDir::new().expect("a directory"));
    let mark = home.path().join("mark");
    workflows(home.path(), &mark);
    let (folder, config) = (home.path().display().to_string(), config(home.path()));
    let more = ["--workflows", &folder, "--config", &config, "--log-level", "error"];
    let mut server = Server::start(&small.0.path().join("data"), "127.0.0.1:0", &more);
    let reserve = small.0.path().join("data/reserve");
    until("the reserve is made", || std::fs::metadata(&reserve).is_ok_and(|meta| meta.len() > 0));
    let (done, cancelled) = (server.task(&["wait"]), server.task(&["wait"]));
    small.fill();
    until("readiness tells", || {
        // A write is needed, or nobody notices.
        let _ = server.run(&["task", "start", "wait"]);
        readiness(&server).contains("STORAGE_FULL")
    });
    let refused = server.run(&["task", "start", "wait"]);
    assert!(refused.code != 0 && refused.err.contains("storage is full"), "{}", refused.err);
    server.run(&["task", "list"]).code(0);
    server.run(&["task", "cancel", &cancelled]).code(0);
    server.until(&cancelled, "Cancelled");
    std::fs::write(&mark, "").expect("written");
    server.until(&done, "Successful");
    std::fs::remove_file(small.ballast()).expect("it is there");
    until("it is ready again", || readiness(&server).starts_with("HTTP/1.1 200"));
    server.run(&["task", "start", "wait"]).code(0);
    small.fill();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

/// Makes every sync of a process take minutes from now on.
pub(super) fn hang(pid: u32) -> Child {
    let mut tracer = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"])
        .args(["-e", "inject=fsync,fdatasync:delay_enter=600000000", "-p", &pid.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace is there: `make setup` installs it");
    let mut lines = BufReader::new(tracer.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("attached")), "strace attaches to the server");
    std::thread::spawn(move || lines.for_each(drop));
    tracer
}

#[test]
fn disk_that_hangs_keeps_nobody_waiting_and_a_stop_ends() {
    let home = TempDir::new().expect("a directory");
    workflows(home.path(), &home.path().join("mark"));
    let (folder, config) = (home.path().display().to_string(), config(home.path()));
    let more = ["--workflows", &folder, "--config", &config, "--log-level", "error"];
    let mut server = Server::start(&home.path().join("data"), "127.0.0.1:0", &more);
    let mut tracer = hang(server.pid());
    let start = Instant::now();
    let refused = server.run(&["task", "start", "wait"]);
    assert!(refused.code != 0 && start.elapsed() < PATIENCE, "{:?}: {}", start.elapsed(), refused.err);
    until("readiness tells", || readiness(&server).contains("STORAGE_STUCK"));
    // At once, now that it is known.
    let start = Instant::now();
    assert_ne!(server.run(&["task", "start", "wait"]).code, 0);
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    server.run(&["task", "list"]).code(0);
    server.signal(Signal::SIGTERM);
    // The tracer keeps what is left of its process until it is gone itself.
    until("a stop ends though the disk hangs", || has_ended(server.pid()));
    let _ = tracer.kill();
    let _ = tracer.wait();
    let _ = server.wait();
}

/// Returns true if a process has ended, or only its exit code is left of it.
fn has_ended(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z') || rest.starts_with('X'))
}
