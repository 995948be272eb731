//! `longhaul worker exec`: programs as workers.

use std::io::Write;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use super::support::{PASSWORD, PATIENCE, Process, Server, longhaul};

/// A worker process.
pub(crate) struct Exec {
    process: Process,
}

impl Exec {
    pub(crate) fn start(server: &Server, options: &[&str], program: &[&str]) -> Self {
        let mut command = longhaul();
        command.args(["worker", "exec", "--server", &server.address]).args(options).arg("--").args(program);
        command.env("LONGHAUL_TOKEN", &server.key).env("LONGHAUL_LOG", "error").stdout(Stdio::null());
        Exec { process: Process(command.spawn().expect("the worker starts")) }
    }

    /// A worker whose program is a shell script.
    pub(crate) fn script(server: &Server, queue: &str, script: &str) -> Self {
        Exec::start(server, &["--queue", queue, "--slots", "4"], &["sh", "-c", script])
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.0.id().cast_signed()), signal).expect("it is there");
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops it in order.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.ended().await.code(), Some(0));
    }
}

async fn output(server: &Server, queue: &str, input: Value) -> Value {
    let id = server.task(queue, input).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "Successful", "{task}");
    task["outputs"]["Work"].clone()
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
    assert_eq!(values[..4], ["--host=esx1", &id, "Work to do", "env"]);
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

/// A login is enough to be a worker, over TLS as over plain HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_and_trust_are_those_of_every_command() {
    let server = Server::start_with_tls().await;
    server.workflow("work", json!({})).await;
    let home = TempDir::new().unwrap();
    let certificate = server.certificate();
    let command = |arguments: &[&str]| {
        let mut command = longhaul();
        command.args(arguments).args(["--server", &server.address]).env("LONGHAUL_CA", &certificate);
        command.env("XDG_CONFIG_HOME", home.path()).env("LONGHAUL_LOG", "error").stdout(Stdio::null());
        command
    };
    let mut login = command(&["login", "admin", "--password-stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    assert!(login.wait().unwrap().success());
    let worker = command(&["worker", "exec", "--queue", "work"]).args(["--", "echo", "7"]).spawn().unwrap();
    let worker = Exec { process: Process(worker) };
    assert_eq!(output(&server, "work", json!({})).await, 7);
    worker.stop().await;
    let stranger = command(&["worker", "exec", "--queue", "work"])
        .args(["--", "true"])
        .env_remove("LONGHAUL_CA")
        .status();
    assert_eq!(stranger.unwrap().code(), Some(4));
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

/// Every output of a program leads to a report of its attempt, and the worker goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_goes_out_whatever_is_printed() {
    let server = Server::start().await;
    server.workflow("prints", json!({ "retry": { "attempts": 3, "backoff": "1ms" } })).await;
    let worker = Exec::start(
        &server,
        &["--queue", "prints", "--slots", "2"],
        &["sh", "-c", "eval \"$1\"", "sh", "{script}"],
    );
    let two_megabytes = "head -c 2097152 /dev/zero | tr '\\0' x";
    for (script, code, said) in [
        (format!("printf '{{\"a\":\"'; {two_megabytes}; echo '\"}}'"), "OUTPUT_TOO_LARGE", "bytes of JSON"),
        (r#"echo '{"a": NaN}'"#.to_owned(), "OUTPUT_INVALID", "NaN or Infinity"),
        (
            r#"echo note; printf '{\n "a": [1, -Infinity]\n}\n'"#.to_owned(),
            "OUTPUT_INVALID",
            "NaN or Infinity",
        ),
        (r#"echo '{"a": 1, "b": {"c": 1, "c": 2}}'"#.to_owned(), "OUTPUT_AMBIGUOUS", "twice"),
        (r#"printf '{"a": "\377\376"}\n'"#.to_owned(), "OUTPUT_INVALID", "not UTF-8"),
        (
            "head -c 5000 /dev/zero | tr '\\0' '['; head -c 5000 /dev/zero | tr '\\0' ']'".to_owned(),
            "OUTPUT_TOO_DEEP",
            "deep",
        ),
        (r#"printf '\377\376 is odd\n' >&2; exit 3"#.to_owned(), "EXIT_3", "\u{fffd}\u{fffd} is odd"),
        (format!("{two_megabytes} >&2; exit 4"), "EXIT_4", "exit code 4"),
    ] {
        let id = server.task("prints", json!({ "script": script })).await;
        let error = server.error(&id).await;
        assert_eq!(error["errorCode"], code, "{script}: {error}");
        assert!(error["message"].as_str().unwrap().contains(said), "{script}: {error}");
        let attempts = if code.starts_with("EXIT") { 3 } else { 1 };
        assert_eq!(server.attempts(&id).await.len(), attempts, "{script}");
    }
    let text = output(&server, "prints", json!({ "script": two_megabytes })).await;
    assert_eq!(text["stdoutTruncated"], true);
    let kept = text["stdout"].as_str().unwrap();
    assert!(kept.len() > 1_000_000 && kept.bytes().all(|byte| byte == b'x'), "{}", kept.len());
    let odd = output(&server, "prints", json!({ "script": r"printf 'caf\351 \377\n'" })).await;
    assert_eq!(odd, json!({ "stdout": "caf\u{fffd} \u{fffd}" }));
    worker.stop().await;
}

/// Nobody reads what the worker says of itself, and its work goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_nothing() {
    let server = Server::start().await;
    server.workflow("work", json!({})).await;
    let mut command = longhaul();
    command.args(["worker", "exec", "--server", &server.address, "--queue", "work", "--", "echo", "1"]);
    command.env("LONGHAUL_TOKEN", &server.key).env("LONGHAUL_LOG", "trace").stdout(Stdio::null());
    // More than a pipe takes is written within some tasks.
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    let unread = process.stderr.take();
    let worker = Exec { process: Process(process) };
    for _ in 0..80 {
        assert_eq!(output(&server, "work", json!({ "filler": "x".repeat(4_000) })).await, 1);
    }
    worker.signal(Signal::SIGTERM);
    let mut worker = worker;
    assert_eq!(worker.ended().await.code(), Some(0));
    let mut written = Vec::new();
    std::io::Read::read_to_end(&mut unread.unwrap(), &mut written).unwrap();
    assert!(written.len() > 60 << 10, "the pipe was not full: {}", written.len());
}

/// A worker with `--patience` ends when the server is gone for longer, as a command does that does not reach
/// it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patience_ends_with_the_code_of_a_server_that_is_gone() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |patience: &str| {
        let mut command = longhaul();
        command.args(["worker", "exec", "--server", &format!("http://{nobody}"), "--queue", "q"]);
        command.args(["--patience", patience, "--", "true"]).env("LONGHAUL_TOKEN", "a-key");
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, said) = run("200ms");
    assert!(code == Some(4) && said.contains("does not answer") && said.contains("since"), "{code:?} {said}");
    assert_eq!(run("soon").0, Some(2));
}
