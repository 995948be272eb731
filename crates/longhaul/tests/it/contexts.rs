//! Contexts, completion of values that the server knows, and the display of workflows.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::support::{Done, PASSWORD, Server, longhaul, shipped_server, with_input};
use tempfile::TempDir;

fn at(home: &Path, arguments: &[&str]) -> Command {
    let mut command = longhaul();
    command.args(arguments).env("XDG_CONFIG_HOME", home);
    command
}

fn run(home: &Path, arguments: &[&str]) -> Done {
    at(home, arguments).output().expect("the binary runs").into()
}

#[test]
fn each_context_has_its_server_and_session() {
    let (_data, lab) = shipped_server();
    let (_other, prod) = shipped_server();
    let home = TempDir::new().expect("a directory");
    let home = home.path();
    let said = run(home, &["context", "set", "lab", "--server", lab.address()]).code(0).err;
    assert!(said.contains("commands speak to it"), "the first one is in use: {said}");
    run(home, &["context", "set", "prod", "--server", prod.address()]).code(0);
    run(home, &["context", "set", "ops", "--server", prod.address()]).code(0);
    for context in ["lab", "prod"] {
        let login = ["login", "admin", "--password-stdin", "--context", context];
        with_input(&mut at(home, &login), PASSWORD).code(0);
    }
    // The second context has the same server, but no session.
    run(home, &["task", "list", "--context", "ops"]).code(3);
    run(home, &["task", "list", "--server", prod.address()]).code(3);
    let start = ["task", "start", "enable-ceip", "-i", "status=ENABLE", "--name"];
    run(home, &[&start[..], &["in lab"]].concat()).code(0);
    run(home, &["context", "use", "prod"]).code(0);
    run(home, &[&start[..], &["in prod"]].concat()).code(0);
    for (context, name) in [("lab", "in lab"), ("prod", "in prod")] {
        let named = run(home, &["task", "list", "--context", context]).code(0).out;
        assert!(named.contains(name) && named.lines().count() == 2, "{named}");
        let by_variable = at(home, &["task", "list"]).env("LONGHAUL_CONTEXT", context).output();
        let by_variable = Done::from(by_variable.expect("the binary runs")).code(0).out;
        assert!(by_variable.lines().nth(1).is_some_and(|line| line.contains(name)), "{by_variable}");
    }
    let list = run(home, &["context", "list"]).code(0).out;
    assert!(
        list.lines().any(|line| line.starts_with('*') && line.contains("prod") && line.ends_with("admin"))
    );
    for file in ["contexts.json", "sessions.json"] {
        let mode = std::fs::metadata(home.join("longhaul").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    // Another address under the same name has no session: a token never goes where it was not meant for.
    run(home, &["context", "set", "prod", "--server", lab.address()]).code(0);
    run(home, &["whoami", "--context", "prod"]).code(3);
    run(home, &["context", "remove", "lab"]).code(0);
    let sessions = std::fs::read_to_string(home.join("longhaul/sessions.json")).unwrap();
    assert!(!sessions.contains("lab@"), "{sessions}");
    run(home, &["task", "list", "--context", "lab"]).code(2);
    run(home, &["context", "remove", "prod"]).code(0);
    let default = run(home, &["task", "list", "--insecure"]);
    assert!(default.code != 2, "no context is in use: {}", default.err);
}

/// Returns the candidates that the shell is offered for the last of these words.
fn offered(server: &Server, words: &[&str]) -> String {
    let mut command = longhaul();
    command.env("LONGHAUL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("LONGHAUL_TOKEN", server.token());
    command.env("LONGHAUL_SERVER", server.address()).args(["--", "longhaul"]).args(words);
    Done::from(command.output().expect("the binary runs")).code(0).out
}

#[test]
fn completion_knows_what_the_server_knows() {
    let (_data, server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    for command in ["get", "watch", "retry", "cancel", "skip", "resolve", "attempts", "logs"] {
        let all = offered(&server, &["task", command, ""]);
        assert!(all.lines().any(|line| line == &id[28..]), "{command}: {all}");
    }
    assert_eq!(offered(&server, &["task", "get", &id[..10]]).trim(), id, "its beginning goes on");
    assert!(offered(&server, &["lock", "release", ""]).contains(&id[28..]));
    let workflows = offered(&server, &["task", "start", ""]);
    assert!(workflows.contains("enable-ceip") && workflows.contains("create-domain"), "{workflows}");
    assert_eq!(offered(&server, &["task", "start", "enable-c"]).trim(), "enable-ceip");
    let statuses = offered(&server, &["task", "list", "--status", ""]);
    assert!(statuses.contains("open-failures") && statuses.contains("in_progress"), "{statuses}");
    assert!(offered(&server, &["task", "list", "--status", "failed,canc"]).contains("failed,cancelled"));
    let nobody = offered(&server, &["--server", "http://127.0.0.1:1", "task", "get", ""]);
    assert!(!nobody.contains(&id[28..]), "{nobody}");
}

/// The command that is shown for a workflow starts it.
#[test]
fn shown_examples_start_their_workflows() {
    let (_data, server) = shipped_server();
    for name in ["enable-ceip", "create-domain", "host-health-report", "rotate-credential"] {
        let shown = server.run(&["workflow", "show", name]).code(0).out;
        let Some((_, script)) = shown.split_once("Start it\n") else { panic!("{shown}") };
        let script = script.replace("longhaul ", &format!("{} ", env!("CARGO_BIN_EXE_longhaul")));
        let script = script.replace("--watch", "--dry-run");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env("LONGHAUL_SERVER", server.address());
        let done: Done = shell.env("LONGHAUL_TOKEN", server.token()).output().unwrap().into();
        assert_eq!(done.code, 0, "{name}: {script}\n{}", done.err);
    }
    let changes = server.run(&["workflow", "show", "rotate-passwords"]).code(0).out;
    assert!(changes.contains("PATCH /v1/credentials"), "{changes}");
    let shown = server.run(&["workflow", "show", "enable-ceip"]).code(0).out;
    let status =
        shown.lines().find(|line| line.starts_with("  status ")).unwrap_or_else(|| panic!("{shown}"));
    assert!(status.contains("yes") && status.contains("ENABLE, DISABLE"), "{shown}");
    assert!(shown.contains("-i status=ENABLE"), "{shown}");
    let json = server.run(&["workflow", "show", "enable-ceip", "-o", "json"]).code(0).json();
    assert_eq!(json["example"], serde_json::json!({ "status": "ENABLE" }));
    let wrong = server.run(&["task", "start", "enable-ceip", "-i", "status:=1"]).code(3).err;
    assert!(wrong.contains("longhaul workflow show enable-ceip"), "{wrong}");
}
