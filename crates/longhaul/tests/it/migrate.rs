//! Moving from a data directory to a database and back, with running tasks and keys in use.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::nodes::Site;
use super::support::{Done, Server, longhaul, run, shipped};

fn migrate(from: &str, to: &str, keys: &Path) -> Vec<String> {
    let keys = keys.display().to_string();
    ["migrate", "--from", from, "--to", to, "--key-file", &keys].map(str::to_owned).to_vec()
}

fn serving(data: &Path) -> Done {
    let mut command = longhaul();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data);
    command.output().expect("the binary runs").into()
}

/// A server that was killed while it worked moves to a database and back; the task goes on, all keys stay
/// valid, and the command may be killed at any time.
#[test]
fn server_moves_to_a_database_and_back() {
    let site = Site::new();
    let files = site.home.path().join("files");
    let keys = files.join("keys.json");
    let store = format!("sqlite:{}", files.display());
    let workflows = shipped();
    let server = Server::start(&files, "127.0.0.1:0", &["--workflows", &workflows, "--log-level", "error"]);
    let made = server
        .run(&["user", "add", "pipeline", "--role", "OPERATOR", "--service", "-o", "json"])
        .code(0)
        .json();
    let key = made["apiKey"].as_str().expect("a key").to_owned();
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=2s", "--name", "moving"]);
    server.signal(Signal::SIGKILL);
    drop(server);

    let command = migrate(&store, &site.url, &keys);
    // As it is kept off command lines.
    let kept_off = migrate(&store, "postgres", &keys);
    for pause in [20, 60, 100] {
        let mut child = longhaul();
        child
            .args(&kept_off)
            .env("LONGHAUL_DATABASE_URL", &site.url)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = child.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().and_then(|()| child.wait()).expect("it is killed");
    }
    let done = run(&command).code(0);
    assert!(done.out.contains("everything is moved") && done.out.contains("1  tasks"), "{}", done.out);
    let refused = serving(&files).code(1);
    assert!(refused.err.contains("were moved to tasks at"), "{}", refused.err);

    let node = site.node_with("a", keys.clone());
    node.active();
    node.succeeds(&id);
    let mut listed = longhaul();
    listed.args(["task", "list", "--server", &node.address]).env("LONGHAUL_TOKEN", &key);
    Done::from(listed.output().expect("the binary runs")).code(0);
    let back = site.home.path().join("back");
    let command = migrate(&site.url, &format!("sqlite:{}", back.display()), &keys);
    assert!(run(&command).code(1).err.contains("in use by"));
    drop(node);

    let other = site.home.path().join("other.json");
    Server::start(
        &site.home.path().join("unused"),
        "127.0.0.1:0",
        &["--key-file", &other.display().to_string()],
    )
    .stop();
    let wrong = run(&migrate(&site.url, &format!("sqlite:{}", back.display()), &other)).code(1);
    assert!(wrong.err.contains("sealed with other keys"), "{}", wrong.err);
    run(&command).code(0);
    let server = Server::start(&back, "127.0.0.1:0", &["--key-file", &keys.display().to_string()]);
    assert_eq!(server.until(&id, "Successful")["name"], "moving");
    server.stop();
}

#[test]
fn what_to_move_where_is_said() {
    for wrong in [
        &["migrate"][..],
        &["migrate", "--from", "sqlite:a"],
        &["migrate", "--from", "a", "--to", "sqlite:b"],
        &["migrate", "--from", "sqlite:a", "--to", "postgres"],
        &["migrate", "--from", "sqlite:a", "--to", "sqlite:a"],
        &["migrate", "--from", "postgres://a/b", "--to", "postgres://a/c"],
        &["migrate", "--undo", "sqlite:a", "--to", "sqlite:b"],
    ] {
        assert!(!run(wrong).code(2).err.is_empty(), "{wrong:?}");
    }
    let done = run(&["migrate", "--from", "sqlite:/nowhere", "--to", "postgres://a/b"]).code(1);
    assert!(done.err.contains("/nowhere/keys.json") && done.err.contains("--key-file"), "{}", done.err);
}
