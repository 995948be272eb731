//! Several active nodes on one PostgreSQL database.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use longhaul_testbed::{Cluster, Durability};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::support::{Done, PASSWORD, PATIENCE, ended, longhaul, shipped};

/// Database, with the key file of its nodes.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    pub(crate) url: String,
    pub(crate) home: TempDir,
}

impl Site {
    pub(crate) fn new() -> Site {
        let cluster = Cluster::start(Durability::None).expect("PostgreSQL");
        let url = cluster.create("tasks").expect("a database");
        Site { cluster, url, home: TempDir::new().expect("a directory") }
    }

    fn node(&self, name: &str) -> Node {
        self.node_with(name, self.home.path().join("keys.json"))
    }

    pub(crate) fn node_with(&self, name: &str, keys: PathBuf) -> Node {
        self.start(name, keys, Stdio::inherit())
    }

    fn start(&self, name: &str, keys: PathBuf, log: Stdio) -> Node {
        self.start_with(name, keys, log, &["--log-level", "error", "--workflows", &shipped()])
    }

    pub(crate) fn start_with(&self, name: &str, keys: PathBuf, log: Stdio, arguments: &[&str]) -> Node {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut command = longhaul();
        command
            .arg("serve")
            .args(arguments)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--key-file"])
            .arg(keys)
            .arg("--data-dir")
            .arg(self.home.path().join(name));
        command.env("LONGHAUL_DATABASE_URL", &self.url).env("LONGHAUL_ADMIN_PASSWORD", PASSWORD);
        command.env("LONGHAUL_ALLOW_UNSAFE_DATABASE", "true");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("it starts");
        Node { child, address: format!("http://127.0.0.1:{port}") }
    }
}

pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl Node {
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        let mut command = longhaul();
        command.args(arguments).args(["--server", &self.address]);
        command
            .env("LONGHAUL_USER", "admin")
            .env("LONGHAUL_PASSWORD", PASSWORD)
            .output()
            .expect("the binary runs")
            .into()
    }

    /// Waits until the node is active.
    #[track_caller]
    pub(crate) fn active(&self) -> Duration {
        let start = Instant::now();
        while self.run(&["task", "list"]).code != 0 {
            assert!(start.elapsed() < PATIENCE, "{} does not start", self.address);
            std::thread::sleep(Duration::from_millis(100));
        }
        start.elapsed()
    }

    #[track_caller]
    fn start_task(&self, name: &str, pace: &str) -> String {
        let pace = format!("pace={pace}");
        let all = [
            "task",
            "start",
            "-o",
            "json",
            "enable-ceip",
            "-i",
            "status=ENABLE",
            "-i",
            &pace,
            "--name",
            name,
        ];
        self.run(&all).code(0).json()["id"].as_str().expect("an id").to_owned()
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, id: &str) {
        self.run(&["task", "get", id, "--wait", "60s", "--exit-status"]).code(0);
    }

    /// Returns true if the process was a node before, and became a new one.
    pub(crate) fn began_anew(&self) -> bool {
        let line =
            std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).expect("it is there");
        line.split('\0').nth(1) == Some("__again")
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the states of nodes, as one of them lists them.
fn states(asked: &Node, nodes: &[&Node]) -> Vec<Option<String>> {
    let list = asked.run(&["node", "list", "-o", "json"]).code(0).json();
    let all = list["elements"].as_array().expect("nodes");
    let of = |node: &&Node| {
        let known = all.iter().find(|known| known["address"] == node.address.as_str());
        known.map(|known| known["state"].as_str().expect("a state").to_owned())
    };
    nodes.iter().map(of).collect()
}

/// Tasks that one node accepted are shown, awaited and stopped by the others; those of a killed node are
/// continued by another one (reliability F1 for nodes).
#[test]
fn nodes_share_their_tasks() {
    let site = Site::new();
    let (first, second, third) = (site.node("a"), site.node("b"), site.node("c"));
    for node in [&first, &second, &third] {
        node.active();
    }
    let active = Some("ACTIVE".to_owned());
    assert_eq!(states(&second, &[&first, &second, &third]), vec![active.clone(); 3]);
    let done = first.start_task("done", "1ms");
    second.succeeds(&done);
    let long = first.start_task("long", "60s");
    second.run(&["task", "cancel", &long]).code(0);
    let start = Instant::now();
    third.run(&["task", "get", &long, "--wait", "30s"]).code(0);
    assert!(start.elapsed() < Duration::from_secs(5), "the cancel took {:?}", start.elapsed());
    let running = first.start_task("running", "2s");
    first.signal(Signal::SIGKILL);
    let killed = Instant::now();
    second.succeeds(&running);
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    let silent = Some("SILENT".to_owned());
    assert_eq!(states(&third, &[&first, &second, &third]), [silent, active.clone(), active]);
}

/// Reliability F20: a node that stood still for too long and comes back finds that its session is over, and
/// restarts, though nobody reads its output any more.
#[test]
fn node_that_stood_still_begins_anew() {
    let site = Site::new();
    let (mut first, second) =
        (site.start("a", site.home.path().join("keys.json"), Stdio::piped()), site.node("b"));
    drop(first.child.stderr.take());
    first.active();
    second.active();
    let id = first.start_task("kept", "6s");
    first.signal(Signal::SIGSTOP);
    second.succeeds(&id);
    first.signal(Signal::SIGCONT);
    let start = Instant::now();
    while !first.began_anew() {
        assert!(start.elapsed() < PATIENCE, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    first.active();
    assert_eq!(states(&second, &[&first, &second]), vec![Some("ACTIVE".to_owned()); 2]);
    let attempts = second.run(&["task", "attempts", &id]).code(0).out;
    assert_eq!(attempts.matches("SUCCESSFUL").count(), 4, "{attempts}");
    assert!(attempts.contains("    2        SUCCESSFUL"), "{attempts}");
}

/// A node with workflow files other than the other nodes' logs that, with the names of both.
#[test]
fn nodes_with_other_workflow_files_say_so() {
    let site = Site::new();
    let folder = |name: &str, title: &str| {
        let folder = site.home.path().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        let one = "{name: N, description: D, action: {simulate: {}}}";
        let both = format!("name: changed\ntype: T\ntitle: {title}\nsubTasks: [{one}]\n");
        std::fs::write(folder.join("changed.yaml"), both).expect("written");
        std::fs::write(
            folder.join("same.yaml"),
            format!("name: same\ntype: S\ntitle: S\nsubTasks: [{one}]\n"),
        )
        .expect("written");
        folder.display().to_string()
    };
    let start = |name: &str, folder: &str| {
        let log = std::fs::File::create(site.home.path().join(format!("{name}.log"))).expect("a file");
        let arguments = ["--log-level", "warn", "--workflows", folder];
        site.start_with(name, site.home.path().join("keys.json"), Stdio::from(log), &arguments)
    };
    let said =
        |name: &str| std::fs::read_to_string(site.home.path().join(format!("{name}.log"))).expect("a log");
    let (ours, theirs) = (folder("ours", "A"), folder("theirs", "B"));
    let first = start("a", &ours);
    first.active();
    let same = start("b", &ours);
    same.active();
    let other = start("c", &theirs);
    other.active();
    for (name, says) in [("a", false), ("b", false), ("c", true)] {
        let log = said(name);
        assert_eq!(log.contains("workflow files differ"), says, "{name}: {log}");
        assert_eq!(
            log.contains("changed (version 2)") && log.contains(&first.address),
            says,
            "{name}: {log}"
        );
        assert!(!log.contains("same (version"), "{log}");
    }
}

/// A copy of a database beside the original runs nothing until told that the original is gone.
#[test]
fn a_copied_database_starts_paused() {
    let site = Site::new();
    let first = site.node("a");
    first.active();
    let done = first.start_task("done", "1ms");
    first.succeeds(&done);
    drop(first);
    let begun = Instant::now();
    while site.cluster.sql("postgres", "CREATE DATABASE copy TEMPLATE tasks").is_err() {
        assert!(begun.elapsed() < PATIENCE, "somebody is connected");
        std::thread::sleep(Duration::from_millis(100));
    }
    let copy = Site { url: site.cluster.url("copy"), ..site };
    let keys = copy.home.path().join("keys.json");
    let start = |more: &[&str]| {
        let shipped = shipped();
        let all = [&["--log-level", "error", "--workflows", &shipped], more].concat();
        copy.start_with("b", keys.clone(), Stdio::inherit(), &all)
    };
    let new = ["task", "start", "enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"];
    let paused = start(&[]);
    paused.active();
    paused.succeeds(&done);
    assert!(paused.run(&new).code(5).err.contains("SERVER_PAUSED"));
    drop(paused);
    let moved = start(&["--moved"]);
    moved.active();
    moved.run(&new).code(0);
}

/// A node that stops in order hands over its tasks in a moment. All nodes have the same keys.
#[test]
fn node_that_stops_hands_over() {
    let site = Site::new();
    let (mut first, second) = (site.node("a"), site.node("b"));
    first.active();
    second.active();
    let mut stranger = site.node_with("c", site.home.path().join("other.json"));
    assert_eq!(ended(&mut stranger.child), Some(1));
    let id = first.start_task("handed", "2s");
    first.signal(Signal::SIGTERM);
    assert_eq!(ended(&mut first.child), Some(0));
    second.succeeds(&id);
    assert_eq!(states(&second, &[&first, &second]), [None, Some("ACTIVE".to_owned())]);
}

/// A change at one node holds at every other as soon as it was answered.
#[test]
fn nodes_know_what_others_change() {
    let site = Site::new();
    let (first, second) = (site.node("a"), site.node("b"));
    first.active();
    second.active();
    let file = site.home.path().join("w.yaml");
    for version in 1..=5 {
        let text = format!(
            "name: changing\ntype: CHANGING\ntitle: Version {version}\n\
             subTasks: [{{ name: a, description: a, action: {{ simulate: {{}} }} }}]\n"
        );
        std::fs::write(&file, text).expect("written");
        first.run(&["workflow", "apply", file.to_str().expect("a path")]).code(0);
        let started = second.run(&["task", "start", "changing", "-o", "json"]).code(0).json();
        assert_eq!(started["name"], format!("Version {version}"));
    }
    for n in 1..=5 {
        let name = format!("robot-{n}");
        let add = ["user", "add", &name, "--role", "VIEWER", "--service", "-o", "json"];
        let key = first.run(&add).code(0).json()["apiKey"].as_str().expect("a key").to_owned();
        let mut with_key = longhaul();
        with_key.args(["task", "list", "--server", &second.address]).env("LONGHAUL_TOKEN", &key);
        Done::from(with_key.output().expect("the binary runs")).code(0);
        assert!(second.run(&["user", "list"]).code(0).out.contains(&name));
    }
}
