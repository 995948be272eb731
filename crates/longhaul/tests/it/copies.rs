//! A copy beside a live original (`--copy`): what was given out there is not accepted here, what runs there
//! does not run here, and the original notices nothing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::nodes::{Node, Site};
use super::support::{Done, PASSWORD, Server, ended, longhaul, shipped, shipped_server};

/// Credentials that the original issued.
struct Given {
    token: String,
    refresh: String,
    key: String,
}

/// Calls an API; gives the status and the body.
fn call(address: &str, path: &str, token: Option<&str>, body: Option<Value>) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let url = format!("{address}{path}");
        let request = match body {
            Some(body) => client.post(url).json(&body),
            None => client.get(url),
        };
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    })
}

fn log_in(address: &str) -> (String, String) {
    let (_, body) =
        call(address, "/v1/tokens", None, Some(json!({ "username": "admin", "password": PASSWORD })));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&body["accessToken"]), text(&body["refreshToken"]["id"]))
}

/// Logs in, and makes an account with an API key.
fn given(address: &str) -> Given {
    let (token, refresh) = log_in(address);
    let run = |arguments: &[&str]| {
        let mut command = longhaul();
        command.args(arguments).args(["--server", address]).env("LONGHAUL_TOKEN", &token);
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let made = run(&["user", "add", "pipeline", "--role", "OPERATOR", "--service"]);
    let key = made.split_whitespace().find(|word| word.starts_with("lhk_")).expect("a key").to_owned();
    Given { token, refresh, key }
}

/// Asserts that what was given at the original opens the original, and nothing at the copy.
fn assert_apart(original: &str, copy: &str, given: &Given) {
    let refresh = || {
        let client = reqwest::Client::new();
        client.patch(format!("{copy}/v1/tokens/access-token/refresh")).json(&json!(given.refresh))
    };
    for token in [&given.token, &given.key] {
        assert_eq!(call(original, "/v1/tasks", Some(token), None).0, 200);
        assert_eq!(call(copy, "/v1/tasks", Some(token), None).0, 401);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let refreshed = runtime.block_on(async { refresh().send().await.expect("an answer").status().as_u16() });
    assert!((400..500).contains(&refreshed), "{refreshed}");
    // Nor the other way round.
    let (token, _) = log_in(copy);
    assert_eq!(call(copy, "/v1/tasks", Some(&token), None).0, 200);
    assert_eq!(call(original, "/v1/tasks", Some(&token), None).0, 401);
}

/// Asserts that a task does not go on at the copy, and that its sub-task under way has an unknown outcome.
fn assert_parked(task: &Value, is_running: bool) {
    assert_eq!(task["status"], "Failed", "{task}");
    assert!(task["errors"].to_string().contains("TASK_COPIED"), "{task}");
    let unknown = task.to_string().contains("OUTCOME_UNKNOWN");
    assert_eq!(unknown, is_running, "{task}");
}

/// A backup of a running server with a task under way and one that waits for its start, restored.
struct Pair {
    root: TempDir,
    original: Server,
    running: String,
    waiting: String,
}

impl Pair {
    fn new() -> Pair {
        let root = TempDir::new().expect("a directory");
        let data = root.path().join("longhaul");
        std::fs::create_dir_all(root.path().join("backup")).expect("a folder");
        std::fs::create_dir_all(root.path().join("safe")).expect("a folder");
        let original =
            Server::start(&data, "127.0.0.1:0", &["--workflows", &shipped(), "--log-level", "error"]);
        let start =
            |more: &[&str]| original.task(&[&["enable-ceip", "-i", "status=ENABLE", "-i"], more].concat());
        let running = start(&["pace=2s"]);
        let waiting = start(&["pace=1ms", "--not-before", "2040-01-01T00:00:00Z"]);
        original.until(&running, "In Progress");
        let file = root.path().join("backup/longhaul.db");
        let mut command = longhaul();
        command.args(["backup", "--data-dir"]).arg(&data).arg(&file);
        assert!(command.output().expect("the binary runs").status.success());
        std::fs::copy(data.join("keys.json"), root.path().join("safe/keys.json")).expect("copied");
        Pair { root, original, running, waiting }
    }

    fn restored(&self, name: &str) -> PathBuf {
        let place = self.root.path().join(name);
        let mut command = longhaul();
        command.arg("restore").arg(self.root.path().join("backup/longhaul.db")).arg("--data-dir").arg(&place);
        command.arg("--key-file").arg(self.root.path().join("safe/keys.json"));
        assert!(command.output().expect("the binary runs").status.success());
        place
    }

    fn assert_copied(&self, copy: &Server) {
        assert_parked(&copy.run(&["task", "get", &self.running, "-o", "json"]).code(0).json(), true);
        assert_parked(&copy.run(&["task", "get", &self.waiting, "-o", "json"]).code(0).json(), false);
    }
}

fn copied(place: &Path, more: &[&str]) -> Server {
    Server::start(place, "127.0.0.1:0", &[&["--log-level", "error"], more].concat())
}

#[test]
fn a_copy_lives_beside_its_original() {
    let pair = Pair::new();
    let given = given(pair.original.address());
    // Somebody who came in before the copy was made has the same tokens there, too.
    let mut command = longhaul();
    let second = pair.root.path().join("backup/longhaul.db");
    std::fs::remove_file(&second).expect("a backup");
    std::fs::remove_file(second.with_extension("db.sha256")).expect("a checksum");
    command.args(["backup", "--data-dir"]).arg(pair.root.path().join("longhaul")).arg(&second);
    assert!(command.output().expect("the binary runs").status.success());

    let place = pair.restored("copy");
    let copy = copied(&place, &["--copy"]);
    assert_apart(pair.original.address(), copy.address(), &given);
    pair.assert_copied(&copy);
    let notes = copy.run(&["audit", "--action", "copyData", "-o", "json"]).code(0).json();
    assert_eq!(notes["elements"].as_array().map(Vec::len), Some(3), "{notes}");
    // It works, also on what was copied, once somebody says so.
    let new = copy.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    copy.until(&new, "Successful");
    copy.run(&["task", "retry", &pair.waiting]).code(0);
    copy.until(&pair.waiting, "Successful");
    let token = copy.token().to_owned();
    copy.stop();
    // It remembers what it is, and its keys.
    let copy = copied(&place, &[]);
    assert_eq!(call(copy.address(), "/v1/tasks", Some(&token), None).0, 200);
    assert_apart(pair.original.address(), copy.address(), &given);
    copy.stop();
    let copy = copied(&place, &["--copy"]);
    assert_eq!(call(copy.address(), "/v1/tasks", Some(&token), None).0, 200, "it is one already");
    copy.until(&pair.waiting, "Successful");
    pair.original.until(&pair.running, "Successful");
}

/// Moved elsewhere, a copy would no longer show that it is one, and would run the original's tasks.
#[test]
fn a_copy_moves_nowhere_until_somebody_says_what_it_is() {
    let pair = Pair::new();
    let place = pair.restored("copy");
    let migrate = || {
        let mut command = longhaul();
        command.args(["migrate", "--from", &format!("sqlite:{}", place.display()), "--to"]);
        command.arg(format!("sqlite:{}", pair.root.path().join("moved").display()));
        command.arg("--key-file").arg(place.join("keys.json"));
        Done::from(command.output().expect("the binary runs"))
    };
    // The key ring lies where the restore put it, or where it was taken from.
    let refused = migrate();
    let said = refused.code(1);
    assert!(said.err.contains("--moved") && said.err.contains("--copy"), "{}", said.err);
    copied(&place, &["--copy"]).stop();
    migrate().code(0);
    let moved = copied(
        &pair.root.path().join("moved"),
        &["--key-file", &place.join("keys.json").display().to_string()],
    );
    pair.assert_copied(&moved);
    pair.original.until(&pair.running, "Successful");
}

#[test]
fn a_copy_that_is_killed_while_it_is_made_is_made_by_the_next_start() {
    let pair = Pair::new();
    let place = pair.restored("copy");
    for delay in [20, 60, 100, 150, 250] {
        let mut command = longhaul();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--copy", "--data-dir"])
            .arg(&place);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("it is there");
        ended(&mut child);
    }
    let copy = copied(&place, &["--copy"]);
    pair.assert_copied(&copy);
    copy.run(&["task", "start", "enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]).code(0);
    pair.original.until(&pair.running, "Successful");
}

#[test]
fn both_answers_are_named_and_exclude_each_other() {
    let (data, server) = shipped_server();
    server.stop();
    let place = TempDir::new().expect("a directory");
    for name in ["longhaul.db", "keys.json"] {
        std::fs::copy(data.path().join(name), place.path().join(name)).expect("copied");
    }
    let log = place.path().join("log");
    Server::logging(place.path(), std::fs::File::create(&log).expect("a file")).stop();
    let said = std::fs::read_to_string(&log).expect("a log");
    assert!(
        said.contains("--moved if the original is gone") && said.contains("--copy if the original lives"),
        "{said}"
    );
    let mut command = longhaul();
    command.args(["serve", "--moved", "--copy"]);
    assert_eq!(command.output().expect("the binary runs").status.code(), Some(2));
}

#[test]
fn a_restored_dump_becomes_a_copy_beside_its_original() {
    let site = Site::new();
    let keys = || site.home.path().join("keys.json");
    let original = site.node_with("original", keys());
    original.active();
    let given = given(&original.address);
    let json = |node: &Node, arguments: &[&str]| node.run(arguments).code(0).json();
    let start = |more: &[&str]| {
        let all =
            [&["task", "start", "-o", "json", "enable-ceip", "-i", "status=ENABLE", "-i"], more].concat();
        json(&original, &all)["id"].as_str().expect("an id").to_owned()
    };
    let running = start(&["pace=2s"]);
    let waiting = start(&["pace=1ms", "--not-before", "2040-01-01T00:00:00Z"]);
    let url = site.cluster.restore_dump("tasks", "copied").expect("a dump restored");

    let arguments = ["--log-level", "error", "--copy", "--database-url", &url];
    let copy = site.start_with("copy", keys(), Stdio::inherit(), &arguments);
    copy.active();
    assert_apart(&original.address, &copy.address, &given);
    assert_parked(&json(&copy, &["task", "get", &running, "-o", "json"]), true);
    assert_parked(&json(&copy, &["task", "get", &waiting, "-o", "json"]), false);
    original.succeeds(&running);
    copy.run(&["task", "retry", &waiting]).code(0);
    copy.succeeds(&waiting);
}
