//! `longhaul worker exec`: programs as workers.

use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use super::support::{PATIENCE, Server, eventually, longhaul};

/// A worker process.
struct Exec {
    child: Child,
}

impl Exec {
    fn start(server: &Server, options: &[&str], program: &[&str]) -> Self {
        let mut command = longhaul();
        command.args(["worker", "exec", "--server", &server.address]).args(options).arg("--").args(program);
        command.env("LONGHAUL_TOKEN", &server.key).env("LONGHAUL_LOG", "error").stdout(Stdio::null());
        Exec { child: command.spawn().expect("the worker starts") }
    }

    /// A worker whose program is a shell script.
    fn script(server: &Server, queue: &str, script: &str) -> Self {
        Exec::start(server, &["--queue", queue, "--slots", "4"], &["sh", "-c", script])
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it in order.
    async fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn output(server: &Server, queue: &str, input: Value) -> Value {
    let id = server.task(queue, input).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Successful", "{task}");
    task["outputs"]["Work"].clone()
}

/// The number that a program wrote into a file.
async fn number(file: &Path) -> Pid {
    let mut number = None;
    eventually("the program says its number", || {
        number = std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        number.is_some()
    })
    .await;
    Pid::from_raw(number.unwrap())
}

/// Gone, or dead and not yet fetched by whoever looks after orphans here.
fn is_gone(process: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.is_err()
        || status.is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_becomes_output_in_every_form() {
    let server = Server::start().await;
    server.workflow("echo", json!({})).await;
    server.workflow("shell", json!({})).await;
    let echo = Exec::start(&server, &["--queue", "echo"], &["cat"]);
    let input = json!({ "host": "esx1", "list": [1, { "deep": null }], "text": "zwölf" });
    assert_eq!(output(&server, "echo", input.clone()).await, input);
    let shell = Exec::start(
        &server,
        &["--queue", "shell", "--queue", "other"],
        &["sh", "-c", "eval \"$1\"", "sh", "{script}"],
    );
    for (script, wanted) in [
        ("echo 42", json!(42)),
        ("echo begin; echo '{\"a\": 1}'", json!({ "a": 1 })),
        ("echo all is; echo well", json!({ "stdout": "all is\nwell" })),
        ("true", Value::Null),
        ("exec <&-; echo '\"did not read\"'", json!("did not read")),
    ] {
        assert_eq!(output(&server, "shell", json!({ "script": script })).await, wanted, "{script}");
    }
    // More than a pipe takes, while nobody reads the input before everything is printed.
    let large = "i=0; while [ $i -lt 3000 ]; do echo \"line $i ..............................\"; i=$((i+1)); done; cat >/dev/null; echo '[]'";
    let input = json!({ "script": large, "filler": "x".repeat(200_000) });
    assert_eq!(output(&server, "shell", input).await, json!([]));
    echo.stop().await;
    shell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_know_their_attempt_and_not_the_workers_key() {
    let server = Server::start().await;
    let more = json!({ "forEach": "{{ input.hosts }}", "action": { "worker": { "queue": "env", "input": { "host": "{{ item }}" } } } });
    server.workflow("env", more).await;
    let script = r#"printf '["%s","%s","%s","%s","%s","%s","%s","%s","%s"]' "$1" "$LONGHAUL_TASK_ID" "$LONGHAUL_TASK_NAME" \
        "$LONGHAUL_WORKFLOW" "$LONGHAUL_SUB_TASK" "$LONGHAUL_ATTEMPT" "$LONGHAUL_TOKEN" "$LONGHAUL_IDEMPOTENCY_KEY" "$LONGHAUL_ITEM_INDEX""#;
    let worker = Exec::start(&server, &["--queue", "env"], &["sh", "-c", script, "sh", "--host={host}"]);
    let id = server.task("env", json!({ "host": "x", "hosts": ["esx1"] })).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Successful", "{task}");
    let text = task["outputs"].to_string();
    let start = text.find("[\"--host=").unwrap_or_else(|| panic!("{text}"));
    let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Vec<String>>();
    let values = values.next().unwrap().unwrap();
    assert_eq!(values[..4], ["--host=esx1", &id, "Work on x", "env"]);
    assert!(values[4].starts_with("Work"), "{values:?}");
    assert_eq!((&*values[5], &*values[6], &*values[8]), ("1", "1", "0"));
    assert!(values[7].starts_with(&id), "{values:?}");
    assert!(!text.contains(&server.key));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_named_by_code_signal_or_their_own_words() {
    let server = Server::start().await;
    server.workflow("fails", json!({ "retry": { "attempts": 2, "backoff": "1ms" } })).await;
    let worker = Exec::start(
        &server,
        &["--queue", "fails", "--slots", "4"],
        &["sh", "-c", "eval \"$1\"", "sh", "{script}"],
    );
    let own = r#"echo '{"code": "HOST_DOWN", "message": "esx1 is down", "retryable": false}' >&2; exit 1"#;
    for (script, code, message, attempts) in [
        ("echo no such host >&2; exit 3", "EXIT_3", "`sh` ended with exit code 3: no such host", 2),
        ("exit 75", "EXIT_75", "`sh` ended with exit code 75", 2),
        ("exit 65", "EXIT_65", "`sh` ended with exit code 65", 1),
        ("kill -KILL $$", "SIGKILL", "`sh` was ended by SIGKILL", 2),
        (own, "HOST_DOWN", "esx1 is down", 1),
    ] {
        let id = server.task("fails", json!({ "script": script })).await;
        let error = server.error(&id).await;
        assert_eq!((&error["errorCode"], &error["message"]), (&json!(code), &json!(message)));
        assert_eq!(server.attempts(&id).await.len(), attempts, "{script}");
    }
    let id = server.task("fails", json!({ "scirpt": "true" })).await;
    let error = server.error(&id).await;
    assert_eq!(error["errorCode"], "ARGUMENT_UNKNOWN");
    assert!(error["message"].as_str().unwrap().contains("no `script`, there are scirpt"), "{error}");
    assert_eq!(server.attempts(&id).await.len(), 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_in_the_log_while_the_program_runs() {
    let server = Server::start().await;
    server.workflow("talk", json!({})).await;
    let folder = TempDir::new().unwrap();
    let go_on = folder.path().join("go-on");
    let script = format!(
        "echo one; echo odd >&2; while ! [ -e {} ]; do sleep 0.05; done; echo '{{}}'",
        go_on.display()
    );
    let worker = Exec::script(&server, "talk", &script);
    let id = server.task("talk", json!({})).await;
    let start = Instant::now();
    while server.log(&id).await.len() < 2 {
        assert!(start.elapsed() < PATIENCE, "no lines");
        sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(server.ended(&id).await["outputs"]["Work"], json!({}));
    let mut log = server.log(&id).await;
    log.sort();
    assert_eq!(log, [("stderr".to_owned(), "odd".to_owned()), ("stdout".to_owned(), "one".to_owned())]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_ends_the_whole_group_with_sigterm_or_after_the_grace() {
    let server = Server::start().await;
    server.workflow("polite", json!({})).await;
    server.workflow("deaf", json!({})).await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let polite = format!(
        "trap 'echo cleaned up >&2; exit 1' TERM; sleep 3600 & echo $! > {}; wait",
        at("polite").display()
    );
    let polite = Exec::script(&server, "polite", &polite);
    let deaf = format!("trap '' TERM; sleep 3600 & echo $! > {}; wait; sleep 3600", at("deaf").display());
    let deaf = Exec::start(&server, &["--queue", "deaf", "--grace", "500ms"], &["sh", "-c", &deaf]);
    for (queue, grace) in [("polite", Duration::ZERO), ("deaf", Duration::from_millis(500))] {
        let id = server.task(queue, json!({})).await;
        let child = number(&at(queue)).await;
        // From now on the lease is watched.
        sleep(Duration::from_millis(700)).await;
        let asked = Instant::now();
        server.admin.cancel_task(&id).await.unwrap();
        assert_eq!(server.ended(&id).await["status"], "Cancelled");
        eventually("the group is gone", || is_gone(child)).await;
        let took = asked.elapsed();
        assert!(took >= grace && took < grace + Duration::from_secs(4), "{queue}: {took:?}");
    }
    polite.stop().await;
    deaf.stop().await;
}

/// A worker that is killed takes its programs along, and another one goes on with the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_worker_takes_its_group_along_and_another_goes_on() {
    let server = Server::start().await;
    server.workflow("work", json!({})).await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let script = format!(
        "sleep 3600 & echo $! > {}; echo $$ > {}; wait",
        at("child").display(),
        at("leader").display()
    );
    let mut first = Exec::start(&server, &["--queue", "work", "--lease", "2s"], &["sh", "-c", &script]);
    let id = server.task("work", json!({})).await;
    let (child, leader) = (number(&at("child")).await, number(&at("leader")).await);
    let second = Exec::start(&server, &["--queue", "work"], &["sh", "-c", "echo $LONGHAUL_TOKEN"]);
    sleep(Duration::from_millis(500)).await;
    assert!(!is_gone(child) && !is_gone(leader));
    first.signal(Signal::SIGKILL);
    first.ended().await;
    eventually("the group is gone", || is_gone(child) && is_gone(leader)).await;
    assert_eq!(server.ended(&id).await["outputs"]["Work"], 2, "a later token");
    let attempts = server.attempts(&id).await;
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0]["error"]["errorCode"], "LEASE_EXPIRED");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_worker_lets_programs_end_and_stops_those_that_do_not() {
    let server = Server::start().await;
    server.workflow("work", json!({})).await;
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let program =
        ["sh", "-c", "sleep $1 & echo $! > $2; wait; echo '\"ended\"'", "sh", "{seconds}", "{file}"];
    let mut first = Exec::start(&server, &["--queue", "work", "--slots", "2", "--grace", "1500ms"], &program);
    let (quick, slow) = (at("quick"), at("slow"));
    let quick_id = server.task("work", json!({ "seconds": 1, "file": quick })).await;
    let slow_id = server.task("work", json!({ "seconds": 3600, "file": slow })).await;
    number(&quick).await;
    let sleeper = number(&slow).await;
    first.signal(Signal::SIGTERM);
    assert_eq!(first.ended().await.code(), Some(0));
    assert!(is_gone(sleeper));
    assert_eq!(server.ended(&quick_id).await["outputs"]["Work"], "ended");
    let second = Exec::script(&server, "work", "echo '\"elsewhere\"'");
    assert_eq!(server.ended(&slow_id).await["outputs"]["Work"], "elsewhere");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn second_signal_stops_at_once_and_takes_the_group_along() {
    let server = Server::start().await;
    server.workflow("work", json!({})).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("child");
    let script = format!("sleep 3600 & echo $! > {}; wait", file.display());
    let mut worker = Exec::script(&server, "work", &script);
    server.task("work", json!({})).await;
    let child = number(&file).await;
    worker.signal(Signal::SIGINT);
    sleep(Duration::from_millis(300)).await;
    let asked = Instant::now();
    worker.signal(Signal::SIGINT);
    assert_eq!(worker.ended().await.code(), Some(1));
    assert!(asked.elapsed() < Duration::from_secs(3));
    eventually("the group is gone", || is_gone(child)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn command_lines_that_cannot_work_are_refused() {
    let server = Server::start().await;
    let run = |arguments: &[&str], token: Option<&str>| {
        let mut command = longhaul();
        command.args(["worker", "exec", "--server", &server.address]).args(arguments);
        if let Some(token) = token {
            command.env("LONGHAUL_TOKEN", token);
        }
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let key = Some(server.key.as_str());
    for (arguments, token, code, wanted) in [
        (&["--queue", "q"][..], key, 2, "PROGRAM"),
        (&["--", "true"], key, 2, "--queue"),
        (
            &["--queue", "q", "--", "./no-such-program"],
            key,
            2,
            "`./no-such-program` is no program that can be run",
        ),
        (&["--queue", "a b", "--", "true"], key, 2, "the queue `a b` cannot be used"),
        (&["--queue", "q", "--slots", "0", "--", "true"], key, 2, "1 to 1,024"),
        (&["--queue", "q", "--", "true"], Some("lhk_wrong"), 3, "error: "),
        (&["--queue", "q", "--", "true"], None, 3, "longhaul login NAME"),
    ] {
        let (ended, said) = run(arguments, token);
        assert!(ended == Some(code) && said.contains(wanted), "{arguments:?}: {ended:?} {said}");
    }
    let (code, _) = run(&["--help"], None);
    assert_eq!(code, Some(0));
}
