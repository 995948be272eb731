//! The demonstration: tasks of every outcome, tips that work as printed, nothing made twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::support::{PATIENCE, Server};
use tempfile::TempDir;

/// Starts the demonstration and returns its suggestions.
fn demo(data: &Path) -> (Server, Vec<String>) {
    let server = Server::start(data, "127.0.0.1:0", &["--demo", "--log-level", "error"]);
    let mut tips = Vec::new();
    loop {
        let line = server.lines.recv_timeout(PATIENCE).expect("it says what to try");
        if line.starts_with("Ctrl-C") {
            return (server, tips);
        }
        tips.extend(line.strip_prefix("  ").filter(|tip| !tip.starts_with('#')).map(str::to_owned));
    }
}

fn statuses(server: &Server) -> BTreeMap<String, usize> {
    let page = server.run(&["task", "list", "-o", "json", "--page-size", "100"]).code(0).json();
    let mut counted = BTreeMap::new();
    for task in page["elements"].as_array().expect("tasks") {
        let status = task["status"].as_str().expect("a status").to_uppercase().replace(' ', "_");
        *counted.entry(status).or_default() += 1;
    }
    counted
}

#[test]
fn every_outcome_is_there_and_every_tip_works() {
    let data = TempDir::new().unwrap();
    let (server, tips) = demo(data.path());
    let found: Vec<String> = statuses(&server).into_keys().collect();
    let all =
        ["CANCELLED", "COMPLETED_WITH_WARNING", "FAILED", "IN_PROGRESS", "PENDING", "SKIPPED", "SUCCESSFUL"];
    assert_eq!(found, all);

    assert!(tips.len() > 10, "{tips:?}");
    // The first tip tells the others where the server is and who they are.
    let (first, tips) = tips.split_first().unwrap();
    assert!(first.starts_with("export LONGHAUL_SERVER="), "{first}");
    for tip in tips {
        // Watching a task that waits for an hour is the one thing to leave out.
        if tip.contains("task watch") {
            continue;
        }
        if tip.contains("task resolve") {
            let parked = tip.split(' ').nth(3).unwrap();
            server.until(parked, "Failed");
        }
        let script = format!("{first}; {tip}");
        let done = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(done.status.success(), "{tip}\n{}", String::from_utf8_lossy(&done.stderr));
        if tip.starts_with("curl") {
            let answer: serde_json::Value = serde_json::from_slice(&done.stdout).expect(tip);
            assert!(answer.get("errorCode").is_none(), "{tip}: {answer}");
        }
    }
}

#[test]
fn a_second_start_makes_nothing_twice() {
    let data = TempDir::new().unwrap();
    let (server, _) = demo(data.path());
    let count = |server: &Server| statuses(server).values().sum::<usize>();
    let first = count(&server);
    server.stop();
    let (server, _) = demo(data.path());
    assert_eq!(count(&server), first);
}
