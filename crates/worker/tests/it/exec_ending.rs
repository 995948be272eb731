//! Programs of `longhaul worker exec` that do not end by themselves: they end with all that they started,
//! whichever way the worker ends.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use super::exec::Exec;
use super::support::{Server, eventually};

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

/// Returns true if the process is gone, or dead and not yet reaped.
fn is_gone(process: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat"));
    status.is_err()
        || status.is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')))
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
    server.workflow("work", json!({ "retry": { "attempts": 2, "backoff": "1ms" } })).await;
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

/// Ways in which a program leaves a process behind that its group, its session or its parent do not show;
/// each process writes its number into the file `$1`.
const LEFT_BEHIND: [&str; 7] = [
    r#"sh -c 'echo $$ > $0; exec sleep 3600' "$1" &"#,
    r#"setsid sh -c 'echo $$ > $0; exec sleep 3600' "$1" &"#,
    r#"setsid -f sh -c 'echo $$ > $0; exec sleep 3600' "$1""#,
    r#"(setsid sh -c 'trap "" TERM HUP INT; echo $$ > $0; sleep 3600; sleep 3600' "$1" &) &"#,
    r#"sh -c 'setsid setsid sh -c "echo \$\$ > $0; exec sleep 3600" & exit' "$1" &"#,
    r#"nohup setsid sh -c 'echo $$ > $0; exec sleep 3600' "$1" > /dev/null 2>&1 < /dev/null &"#,
    r#"setsid sh -c 'exec > /dev/null 2>&1 < /dev/null; cd /; echo $$ > $0; exec sleep 3600' "$1" &"#,
];

/// Nothing is left of a program, for each way to leave a process behind and each way in which an attempt
/// ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_program_leaves_behind_ends_with_its_attempt() {
    let server = Server::start().await;
    let folder = TempDir::new().unwrap();
    let wait = "until [ -s \"$1\" ]; do sleep 0.01; done";
    for (end, last) in
        [("by-itself", "echo '\"done\"'"), ("cancelled", "sleep 3600"), ("killed", "sleep 3600")]
    {
        server.workflow(end, json!({})).await;
        let program = format!("eval \"$2\"; {wait}; {last}");
        let program = ["sh", "-c", &program, "sh", "{file}", "{way}"];
        let options = ["--queue", end, "--slots", "8", "--grace", "100ms", "--lease", "2s"];
        let mut worker = Exec::start(&server, &options, &program);
        let mut left = Vec::new();
        for (n, way) in LEFT_BEHIND.into_iter().enumerate() {
            let file = folder.path().join(format!("{end}-{n}"));
            let id = server.task(end, json!({ "file": file, "way": way })).await;
            left.push((way, id, number(&file).await));
        }
        match end {
            "by-itself" => {}
            "cancelled" => {
                for (_, id, _) in &left {
                    server.admin.cancel_task(id).await.unwrap();
                }
            }
            _ => {
                worker.signal(Signal::SIGKILL);
                worker.ended().await;
            }
        }
        for (way, id, process) in left {
            if end == "by-itself" {
                assert_eq!(server.ended(&id).await["outputs"]["Work"], "done", "{way}");
                assert!(is_gone(process), "{end}: {way}: before the attempt is reported");
            }
            eventually(&format!("{end}: {way}"), || is_gone(process)).await;
        }
        if end != "killed" {
            worker.stop().await;
        }
    }
}

/// A program that kills its supervisor ends with all that it started, and the worker goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_that_kills_its_supervisor_leaves_nothing_behind() {
    let server = Server::start().await;
    server.workflow("work", json!({})).await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("child");
    let script = format!(
        "setsid sh -c 'echo $$ > {0}; exec sleep 3600' & until [ -s {0} ]; do sleep 0.01; done; kill -KILL $PPID; sleep 3600",
        file.display()
    );
    let worker = Exec::start(&server, &["--queue", "work"], &["sh", "-c", "eval \"$1\"", "sh", "{script}"]);
    let id = server.task("work", json!({ "script": script })).await;
    let child = number(&file).await;
    assert_eq!(server.ended(&id).await["status"], "Failed");
    eventually("its child is gone", || is_gone(child)).await;
    let next = server.task("work", json!({ "script": "echo 1" })).await;
    assert_eq!(server.ended(&next).await["outputs"]["Work"], 1);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_that_cannot_begin_says_why_and_keeps_its_rights_otherwise() {
    let server = Server::start().await;
    let folder = TempDir::new().unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/nowhere/at/all\n").unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    server.workflow("none", json!({})).await;
    server.workflow("some", json!({})).await;
    let none = Exec::start(&server, &["--queue", "none"], &[script.to_str().unwrap()]);
    let id = server.task("none", json!({})).await;
    server.ended(&id).await;
    let attempts = server.attempts(&id).await;
    let error = &attempts[0]["error"];
    assert_eq!(error["errorCode"], "PROGRAM_NOT_STARTED", "{error}");
    assert!(error["message"].as_str().unwrap().contains("No such file"), "{error}");
    // What an operator's own script may do is not for the worker to decide.
    let script = "grep NoNewPrivs /proc/self/status; umask";
    let some = Exec::script(&server, "some", script);
    let id = server.task("some", json!({})).await;
    let here = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
    let expected = String::from_utf8_lossy(&here.stdout).trim().to_owned();
    assert_eq!(server.ended(&id).await["outputs"]["Work"]["stdout"], expected);
    none.stop().await;
    some.stop().await;
}
