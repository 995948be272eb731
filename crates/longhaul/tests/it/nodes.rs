//! Several nodes on one PostgreSQL database: one is active, another takes over.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use longhaul_testbed::{Cluster, Durability};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::support::{Done, PASSWORD, PATIENCE, ended, longhaul, shipped};

/// A database, and the key file that its nodes have.
pub(crate) struct Site {
    _cluster: Cluster,
    pub(crate) url: String,
    pub(crate) home: TempDir,
}

impl Site {
    pub(crate) fn new() -> Site {
        let cluster = Cluster::start(Durability::None).expect("PostgreSQL");
        let url = cluster.create("tasks").expect("a database");
        Site { _cluster: cluster, url, home: TempDir::new().expect("a directory") }
    }

    fn node(&self, name: &str) -> Node {
        self.node_with(name, self.home.path().join("keys.json"))
    }

    pub(crate) fn node_with(&self, name: &str, keys: PathBuf) -> Node {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let mut command = longhaul();
        command
            .args(["serve", "--log-level", "error", "--workflows", &shipped()])
            .args(["--listen", &format!("127.0.0.1:{port}"), "--key-file"])
            .arg(keys)
            .arg("--data-dir")
            .arg(self.home.path().join(name));
        command.env("LONGHAUL_DATABASE_URL", &self.url).env("LONGHAUL_ADMIN_PASSWORD", PASSWORD);
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().expect("it starts");
        Node { child, address: format!("http://127.0.0.1:{port}") }
    }
}

pub(crate) struct Node {
    child: Child,
    pub(crate) address: String,
}

impl Node {
    fn run(&self, arguments: &[&str]) -> Done {
        let mut command = longhaul();
        command.args(arguments).args(["--server", &self.address]);
        command
            .env("LONGHAUL_USER", "admin")
            .env("LONGHAUL_PASSWORD", PASSWORD)
            .output()
            .expect("the binary runs")
            .into()
    }

    /// Waits until it answers as the active one.
    #[track_caller]
    pub(crate) fn active(&self) -> Duration {
        let start = Instant::now();
        while self.run(&["task", "list"]).code != 0 {
            assert!(start.elapsed() < PATIENCE, "{} does not become active", self.address);
            std::thread::sleep(Duration::from_millis(100));
        }
        start.elapsed()
    }

    /// Waits until it says that it stands by, with a clear answer.
    #[track_caller]
    fn stands_by(&self) {
        let start = Instant::now();
        loop {
            let done = self.run(&["workflow", "list"]);
            if done.err.contains("NODE_STANDS_BY") {
                assert!(
                    done.code == 5 && done.err.contains("another one is active"),
                    "{}: {}",
                    done.code,
                    done.err
                );
                return;
            }
            assert!(start.elapsed() < PATIENCE && done.code == 4, "{}", done.err);
            std::thread::sleep(Duration::from_millis(50));
        }
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

/// Reliability F1 and F17 for nodes: a killed one is replaced within 15 seconds, and its tasks go on.
#[test]
fn node_that_is_killed_is_replaced() {
    let site = Site::new();
    let first = site.node("a");
    first.active();
    let second = site.node("b");
    second.stands_by();
    let states = || {
        let nodes = first.run(&["node", "list", "-o", "json"]).code(0).json();
        let of = |node: &Node| {
            let all = nodes["elements"].as_array().expect("nodes").iter();
            let mut own = all.filter(|known| known["address"] == node.address.as_str());
            own.next().map(|known| known["state"].as_str().expect("a state").to_owned())
        };
        (of(&first), of(&second))
    };
    assert_eq!(states(), (Some("ACTIVE".to_owned()), Some("STANDBY".to_owned())));
    let (done, running) = (first.start_task("done", "1ms"), first.start_task("running", "2s"));
    first.succeeds(&done);
    first.signal(Signal::SIGKILL);
    let took = second.active();
    assert!(took < Duration::from_secs(15), "{took:?}");
    for id in [&done, &running] {
        second.succeeds(id);
    }
}

/// Reliability F20: a node that stood still for too long and comes back finds that its turn is over, and ends.
#[test]
fn node_that_stood_still_ends() {
    let site = Site::new();
    let mut first = site.node("a");
    first.active();
    let second = site.node("b");
    second.stands_by();
    let id = first.start_task("kept", "3s");
    first.signal(Signal::SIGSTOP);
    second.active();
    first.signal(Signal::SIGCONT);
    assert_eq!(ended(&mut first.child), Some(1));
    second.succeeds(&id);
    let attempts = second.run(&["task", "attempts", &id]).code(0).out;
    assert_eq!(attempts.matches("SUCCESSFUL").count(), 4, "{attempts}");
    assert!(attempts.contains("    2        SUCCESSFUL"), "{attempts}");
}

/// Who stops lets go of the turn: the next is active in a moment. Their keys must be the same.
#[test]
fn node_that_stops_hands_over() {
    let site = Site::new();
    let mut first = site.node("a");
    first.active();
    let second = site.node("b");
    second.stands_by();
    let mut stranger = site.node_with("c", site.home.path().join("other.json"));
    assert_eq!(ended(&mut stranger.child), Some(1));
    let id = first.start_task("handed", "2s");
    first.signal(Signal::SIGTERM);
    assert_eq!(ended(&mut first.child), Some(0));
    let took = second.active();
    assert!(took < Duration::from_secs(5), "{took:?}");
    second.succeeds(&id);
    let mut third = site.node("d");
    third.stands_by();
    third.signal(Signal::SIGTERM);
    assert_eq!(ended(&mut third.child), Some(0));
}
