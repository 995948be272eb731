//! Control groups of `command` actions: the log of a start says whether there are some, and it is true.

use std::fs::{self, File};
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::support::Server;

/// Returns the unified control group from the kernel's list of a process's groups.
fn unified(groups: &str) -> &str {
    groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default()
}

#[test]
#[expect(clippy::print_stdout, reason = "says which way this machine takes it")]
fn log_says_which_way_commands_are_limited() {
    let home = TempDir::new().expect("a directory");
    let (data, log, config) =
        (home.path().join("data"), home.path().join("log"), home.path().join("longhaul.toml"));
    let allow =
        "[actions.command]\nallow = [\"/usr/bin/cat\"]\nlimits = { memory_mib = 64, processors = 0.5 }\n";
    fs::write(&config, allow).expect("written");
    let config = config.to_str().expect("a text");
    let server = Server::logging_with(
        &data,
        File::create(&log).expect("a file"),
        &["--config", config, "--log-format", "json"],
    );
    let definition = json!({
        "name": "looks", "type": "LOOKS", "title": "Look", "input": { "type": "object" },
        "subTasks": [{ "name": "Look", "description": "It looks", "action": { "command": { "run": ["/usr/bin/cat", "/proc/self/cgroup"] } } }],
    });
    assert_eq!(server.call("PUT", "/v1/workflows/looks", Some(&definition)).0, 201);
    let (_, task) = server.call(
        "POST",
        "/v1/tasks?wait=30s&include=all",
        Some(&json!({ "workflow": "looks", "input": {} })),
    );
    assert_eq!(task["status"], "Successful", "{task}");
    let id = task["id"].as_str().expect("an id");
    let (_, task) = server.call("GET", &format!("/v1/tasks/{id}?include=all"), None);
    let printed = task["outputs"]["Look"]["stdout"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned();
    let of_server = fs::read_to_string(format!("/proc/{}/cgroup", server.pid())).expect("a process");
    let pid = server.pid();
    server.stop();
    let log = fs::read_to_string(&log).expect("a log");
    let said: Vec<&str> = log.lines().filter(|line| line.contains("control groups")).collect();
    let [said] = said.as_slice() else { panic!("{log}") };
    println!("{said}");
    if said.contains("programs of command actions run in control groups") {
        assert!(unified(&of_server).ends_with("/longhaul-server"), "{of_server}");
        let own = format!("/longhaul-commands-{pid}-0");
        assert!(unified(&printed).ends_with(&format!("{own}/1")), "{printed}");
        let said: serde_json::Value = serde_json::from_str(said).expect("JSON");
        let folder = said.to_string();
        let folder = folder.split('"').find(|text| text.ends_with(&own)).expect("a folder");
        assert!(!Path::new(folder).exists(), "{folder} is left");
    } else {
        assert!(said.contains("programs of command actions run without control groups"), "{said}");
        assert_eq!(unified(&printed), unified(&of_server));
    }
}
