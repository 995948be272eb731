//! Suggestions of the command line can be followed: every command that is printed for any state of a task is
//! run.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::TempDir;

use super::support::{Done, Server};

/// Workflows for every way in which a task can stop progressing.
const WORKFLOWS: &str = r#"
name: fails
type: FAILS
title: Fails
subTasks:
  - { name: It's broken, description: d, action: { simulate: { failAttempts: [1] } } }
  - { name: After, description: d, action: { simulate: {} } }
---
name: needed
type: NEEDED
title: Needed
subTasks:
  - { name: First, title: First of all, description: d, action: { simulate: { failAttempts: [1, 2, 3] } } }
  - { name: After, description: d, action: { simulate: { output: "{{ subTasks.First.output }}" } } }
---
name: children
type: CHILDREN
title: Children
subTasks:
  - name: Hosts
    title: "Host {{ item }}"
    description: d
    forEach: "{{ ['a', 'b', 'b'] }}"
    parallel: 3
    action: { simulate: { failAttempts: [1] } }
---
name: unknown
type: UNKNOWN
title: Unknown
subTasks:
  - { name: Once, description: d, repeatable: false, timeout: 50ms, action: { simulate: { duration: 1h } } }
---
name: unknowns
type: UNKNOWNS
title: Unknowns
subTasks:
  - name: Once
    description: d
    repeatable: false
    timeout: 50ms
    forEach: "{{ [1, 2] }}"
    parallel: 2
    action: { simulate: { duration: 1h, output: "{{ item }}" } }
---
name: final
type: FINAL
title: Final
retryable: false
subTasks:
  - { name: Only, description: d, action: { simulate: { failAttempts: [1] } } }
---
name: waits
type: WAITS
title: Waits
subTasks:
  - { name: Work, description: d, action: { worker: { queue: nobody } } }
---
name: locks
type: LOCKS
title: Locks
resources: [{ type: HOST, resourceId: one }]
subTasks:
  - { name: Long, description: d, action: { wait: { for: 1h } } }
---
name: retries
type: RETRIES
title: Retries
subTasks:
  - name: Again
    description: d
    retry: { attempts: 3, backoff: 1h }
    action: { simulate: { failAttempts: [1], error: { code: HOST_BUSY, message: the host is busy } } }
---
name: keeps
type: KEEPS
title: Keeps
resources: [{ type: HOST, resourceId: kept }]
subTasks:
  - { name: Once, description: d, repeatable: false, timeout: 50ms, action: { simulate: { duration: 1h } } }
---
name: quick
type: QUICK
title: Quick
subTasks:
  - { name: Only, description: d, action: { simulate: {} } }
"#;

/// The states, each with the workflow that leads to it and the status by which it is known.
const STATES: [(&str, &str); 8] = [
    ("fails", "Failed"),
    ("needed", "Failed"),
    ("children", "Failed"),
    ("unknown", "Failed"),
    ("unknowns", "Failed"),
    ("final", "Failed"),
    ("waits", "In Progress"),
    ("quick", "Successful"),
];

/// Starts a server with these workflows.
pub(crate) fn server() -> (TempDir, Server) {
    let data = TempDir::new().expect("a directory");
    let folder = data.path().join("workflows");
    std::fs::create_dir(&folder).expect("a folder");
    for text in WORKFLOWS.split("---\n") {
        let name = text.split("name: ").nth(1).and_then(|rest| rest.lines().next()).expect("a name");
        std::fs::write(folder.join(format!("{name}.yaml")), text).expect("a file");
    }
    let folder = folder.to_str().expect("UTF-8").to_owned();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--workflows", &folder, "--log-level", "error"]);
    (data, server)
}

/// Returns the commands that were printed, without the program's name, split as by a shell.
fn advised(done: &Done) -> Vec<Vec<String>> {
    let text = format!("{}\n{}", done.out, done.err);
    let lines = text.lines().filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("next: ").unwrap_or(line).strip_prefix("longhaul ")
    });
    let quoted = text.split('`').skip(1).step_by(2).filter_map(|part| part.strip_prefix("longhaul "));
    let commands: BTreeSet<&str> = lines.chain(quoted).collect();
    commands.into_iter().map(words).collect()
}

/// Splits a line into words as a shell does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut inside, mut any) = (Vec::new(), String::new(), false, false);
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => (inside, any) = (!inside, true),
            '\\' if !inside => word.extend(rest.next()),
            ' ' if !inside => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

/// Runs a command that was printed; a watch may end with a task that fails again.
fn run(server: &Server, command: &[String]) {
    let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
    let done = server.run(&arguments);
    let watches = command.iter().any(|word| word == "--watch");
    assert!(done.code == 0 || watches && done.code == 1, "{command:?}: {}{}", done.out, done.err);
}

#[test]
fn every_command_that_is_advised_can_be_run() {
    let (_data, server) = server();
    let mut seen = BTreeSet::new();
    for (workflow, status) in STATES {
        let start = || {
            let id = server.task(&[workflow]);
            server.until(&id, status);
            id
        };
        let id = start();
        let count = advised(&server.run(&["task", "get", &id]).code(0)).len();
        // Each command runs in the state for which it was printed: the one before may have changed it.
        for n in 0..count {
            let id = start();
            let command = advised(&server.run(&["task", "get", &id]).code(0)).swap_remove(n);
            run(&server, &command);
            seen.insert(command[..2].join(" "));
        }
        assert_eq!(count > 0, workflow != "quick", "{workflow}");
    }
    let holder = server.task(&["locks"]);
    let waiting = server.task(&["locks"]);
    let shown = advised(&server.run(&["task", "get", &waiting]).code(0));
    assert!(shown.iter().any(|command| command.contains(&holder)), "{shown:?}");
    shown.iter().for_each(|command| run(&server, command));
    for wanted in ["task retry", "task skip", "task resolve", "queue list"] {
        assert!(seen.contains(wanted), "{wanted}: {seen:?}");
    }
}

#[test]
fn advice_names_the_child_that_failed_and_the_outcome_that_is_unknown() {
    let (_data, server) = server();
    let id = server.task(&["children"]);
    let task = server.until(&id, "Failed");
    let names: Vec<&Value> = task["subTasks"][0]["subTasks"]
        .as_array()
        .expect("children")
        .iter()
        .map(|sub| &sub["name"])
        .collect();
    assert_eq!(names, ["Host a", "Host b[1]", "Host b[2]"], "{task}");
    let shown = server.run(&["task", "get", &id]).code(0).err;
    assert!(shown.contains(&format!("longhaul task skip {id} 'Host a'")), "{shown}");
    server.run(&["task", "skip", &id, "Host b[2]", "--reason", "no"]).code(0);
    server.run(&["task", "resolve", &id, "--sub-task", "Hosts[1]", "--done", "--reason", "by hand"]).code(0);
    server.run(&["task", "resolve", &id, "--sub-task", "Host a", "--not-done", "--reason", "again"]).code(0);
    let task = server.until(&id, "Completed With Warning");
    let children = task["subTasks"][0]["subTasks"].as_array().expect("children");
    let statuses: Vec<&Value> = children.iter().map(|sub| &sub["status"]).collect();
    assert_eq!(statuses, ["SUCCESSFUL", "SUCCESSFUL", "SKIPPED"]);

    let id = server.task(&["unknown"]);
    server.until(&id, "Failed");
    let shown = server.run(&["task", "get", &id]).code(0).err;
    for outcome in ["--done", "--not-done"] {
        let command = format!("longhaul task resolve {id} --sub-task Once {outcome} --reason");
        assert!(shown.contains(&command), "{shown}");
    }
    assert!(!shown.contains("task retry"), "{shown}");
    // A retry is possible once the failure is known.
    let failed = ["task", "resolve", &id, "--sub-task", "Once", "--failed", "--reason", "the host says so"];
    server.run(&failed).code(0);
    let known = server.run(&failed).code(3).err;
    assert!(known.contains("the outcome of the sub-task `Once` is known"), "{known}");
    let shown = server.run(&["task", "get", &id]).code(0).err;
    assert!(shown.contains(&format!("longhaul task retry {id}")), "{shown}");
    server.run(&["task", "retry", &id]).code(0);
}

#[test]
fn a_skip_of_what_others_need_says_so_first() {
    let (_data, server) = server();
    let id = server.task(&["needed"]);
    server.until(&id, "Failed");
    for name in ["First of all", "First"] {
        let refused = server.run(&["task", "skip", &id, name, "--reason", "r"]).code(2).err;
        assert!(refused.contains("After would fail without the output of First"), "{refused}");
    }
    assert_eq!(server.until(&id, "Failed")["subTasks"][0]["status"], "FAILED");
    server.run(&["task", "skip", &id, "First", "--reason", "r", "--force"]).code(0);
    assert_eq!(server.until(&id, "Failed")["subTasks"][0]["status"], "SKIPPED");
}

#[test]
fn refusals_speak_of_commands_and_options() {
    let (_data, server) = server();
    let ended = server.task(&["quick"]);
    server.until(&ended, "Successful");
    let failed = server.task(&["unknown"]);
    server.until(&failed, "Failed");
    let nobody = "00000000-0000-0000-0000-000000000000";
    let long = "x".repeat(1_001);
    for wrong in [
        &["task", "retry", &ended][..],
        &["task", "retry", &failed],
        &["task", "cancel", &ended],
        &["task", "skip", &ended, "Only", "--reason", "r"],
        &["task", "skip", &failed, "Nothing", "--reason", "r"],
        &["task", "resolve", &ended, "--reason", "r"],
        &["task", "resolve", &failed, "--reason", &long],
        &["task", "resolve", &failed, "--sub-task", "No", "--done", "--reason", "r"],
        &["task", "get", nobody],
        &["task", "get", "no-id"],
        &["task", "get", &failed, "--include", "everything"],
        &["task", "list", "--status", "running"],
        &["task", "list", "--page-size", "1000"],
        &["task", "start", "quik"],
        &["task", "start", "quick", "-i", "a.b=1"],
        &["task", "start", "quick", "--version", "9"],
        &["lock", "release", &ended, "--reason", "r"],
        &["workflow", "get", "quik"],
        &["user", "disable", "nobody"],
        &["user", "role", "admin", "KING"],
        &["user", "key", "delete", "admin", "none"],
        &["queue", "set", "a b", "--paused", "--create"],
        &["queue", "set", "ab", "--rate", "often", "--create"],
    ] {
        let err = server.run(wrong).code(3).err;
        for word in [
            "/v1/",
            "GET ",
            "PATCH ",
            "POST ",
            "DELETE ",
            "PUT ",
            "query parameter",
            "/docs",
            "header",
            "JSON",
        ] {
            // The syntax of an option is not a word of the API.
            let said = err.replace("KEY:=JSON", "");
            assert!(!said.contains(word), "{wrong:?} says `{word}`: {err}");
        }
        assert!(!err.contains(" /input") && !err.contains("nested error"), "{wrong:?}: {err}");
    }
}

#[test]
fn queues_change_only_in_what_is_named() {
    let (_data, server) = server();
    let id = server.task(&["waits"]);
    server.until(&id, "In Progress");
    let limits = || {
        let page = server.run(&["queue", "list", "-o", "json"]).code(0).json();
        let queues = page["elements"].as_array().expect("queues").clone();
        let queue = queues.iter().find(|queue| queue["name"] == "nobody").expect("the queue").clone();
        assert_eq!(queues.len(), 1, "{queues:?}");
        queue["limits"].to_string()
    };
    for (command, wanted) in [
        (&["set", "nobody", "--max-running", "3", "--rate", "5/1m"][..], r#"{"maxRunning":3,"rate":"5/1m"}"#),
        (&["pause", "nobody"], r#"{"maxRunning":3,"paused":true,"rate":"5/1m"}"#),
        (&["set", "nobody", "--max-running", "4"], r#"{"maxRunning":4,"paused":true,"rate":"5/1m"}"#),
        (&["set", "nobody", "--rate", "none"], r#"{"maxRunning":4,"paused":true}"#),
        (&["resume", "nobody"], r#"{"maxRunning":4}"#),
        (&["set", "nobody", "--paused"], r#"{"maxRunning":4,"paused":true}"#),
        (&["set", "nobody", "--paused=false", "--max-running", "none"], "{}"),
    ] {
        server.run(&[&["queue"], command].concat()).code(0);
        let sorted = |text: &str| -> std::collections::BTreeMap<String, Value> {
            serde_json::from_str(text).expect("JSON")
        };
        assert_eq!(sorted(&limits()), sorted(wanted), "{command:?}");
    }
    for wrong in [&["pause", "nobdy"][..], &["resume", "nobdy"], &["set", "nobdy", "--paused"]] {
        let err = server.run(&[&["queue"], wrong].concat()).code(2).err;
        assert!(err.contains("did you mean `nobody`?") && err.contains("--create"), "{err}");
    }
    server.run(&["queue", "set", "nobody"]).code(2);
    assert_eq!(limits(), "{}");
    server.run(&["queue", "pause", "new", "--create"]).code(0);
}
