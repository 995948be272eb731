//! `command`: real programs, well and badly behaved.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use longhaul_engine::action::{Actions, ActionsError};
use longhaul_engine::{AllowedProgram, CommandConfig, EngineConfig};
use longhaul_model::{Failure, Fault, Launch, TaskId, TraceContext};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::actions;
use crate::support::{assert_gone, error, launch, log, marked, program, run};

const SH: &str = "/bin/sh";

/// Returns a script, marked, so that all processes that it starts can be found.
fn script(mark: &str, text: &str) -> Value {
    json!({"command": {"run": [SH, "-c", text], "env": {"MARK": mark}}})
}

async fn sh(mark: &str, text: &str) -> Result<Option<Value>, Failure> {
    run(&actions(&[], &[SH]), script(mark, text), json!({})).await
}

/// Runs a script, stops it once it printed to its file, and returns the time that it took to end.
async fn stopped(mark: &str, text: &str) -> (Result<Option<Value>, Failure>, Duration) {
    let (actions, launch) = (actions(&[], &[SH]), launch(script(mark, text), json!({})));
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    let (result, asked) = tokio::join!(actions.run(&launch, stop, log()), async move {
        while marked(mark).len() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Long enough for the script to have set its traps.
        tokio::time::sleep(Duration::from_millis(200)).await;
        stopper.cancel();
        Instant::now()
    });
    (result, asked.elapsed())
}

#[tokio::test]
async fn command_that_succeeds_gives_what_it_printed() {
    let output = sh("success", "echo out; echo err >&2").await;
    assert_eq!(output, Ok(Some(json!({"exitCode": 0, "stdout": "out\n", "stderr": "err\n"}))));
}

#[tokio::test]
async fn command_that_prints_json_gives_it_as_json() {
    let output = sh("json", r#"echo '{"hosts": ["a", "b"]}'"#).await.unwrap().unwrap();
    assert_eq!(output["json"], json!({"hosts": ["a", "b"]}));
}

#[tokio::test]
async fn command_arguments_arrive_verbatim_as_one_each() {
    const INJECTIONS: [&str; 32] = [
        "; touch /tmp/pwned",
        "&& touch /tmp/pwned",
        "|| touch /tmp/pwned",
        "| cat /etc/passwd",
        "& sleep 1000 &",
        "$(touch /tmp/pwned)",
        "`touch /tmp/pwned`",
        "${IFS}touch${IFS}/tmp/pwned",
        "$HOME $PATH $MARK",
        "$((1+1))",
        "> /tmp/pwned",
        "< /etc/passwd",
        "2>&1",
        "<(cat /etc/passwd)",
        "line\nbreak; touch /tmp/pwned",
        "carriage\rreturn",
        "tab\tand  spaces  ",
        " leading and trailing ",
        "",
        "'single'",
        "\"double\"",
        "'; touch /tmp/pwned; '",
        "\"; touch /tmp/pwned; \"",
        "back\\slash\\n\\0",
        "*",
        "/etc/* ~ ~root {a,b} [a-z]?",
        "-oProxyCommand=touch /tmp/pwned",
        "--help",
        "--",
        "{{ 7 * 7 }} {% raw %} {# x #}",
        "ünïcödé \u{202e}txt.exe",
        "\u{1b}[2J\u{7}\u{1}\u{7f}",
    ];
    let program = AllowedProgram { options_from_values: true, ..program(SH) };
    let command = CommandConfig { allow: vec![program], launcher: None };
    let actions = Actions::new(&EngineConfig { command, ..EngineConfig::default() }).unwrap();
    for text in INJECTIONS {
        let action = json!({"command": {"run": [SH, "-c", "printf '%s:%s' $# \"$1\"; printf :%s \"$2\"", "sh", "{{ input.text }}", "end"]}});
        let output = run(&actions, action, json!({"text": text})).await.unwrap().unwrap();
        assert_eq!(output["stdout"], json!(format!("2:{text}:end")), "{text:?}");
    }
    assert!(!std::path::Path::new("/tmp/pwned").exists());
}

#[tokio::test]
async fn command_with_what_is_not_allowed_is_refused() {
    let actions = actions(&[], &[SH]);
    for command in [
        json!({"run": [SH, "a{{ input.nul }}b"]}),
        json!({"run": [SH], "env": {"A": "{{ input.nul }}"}}),
        json!({"run": [SH], "env": {"LD_PRELOAD": "/tmp/x.so"}}),
        json!({"run": [SH], "env": {"PATH": "/tmp"}}),
        json!({"run": [SH], "env": {"BASH_FUNC_ls%%": "() { touch /tmp/pwned; }"}}),
        json!({"run": [SH], "env": {"NOT_LISTED": "x"}}),
        json!({"run": [SH, "-c", "echo", "{{ input.option }}"]}),
        json!({"run": [SH], "env": {"A=B": "c"}}),
        json!({"run": [SH], "env": {"": "c"}}),
    ] {
        let (fault, retryable) =
            error(run(&actions, json!({"command": command}), json!({"nul": "\0", "option": "-x"})).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_ARGUMENT", false), "{fault:?}");
    }
}

#[tokio::test]
async fn command_environment_is_exactly_what_is_given() {
    let action = json!({"command": {"run": ["/usr/bin/env"], "env": {"A": "{{ input.a }}", "B": ""}}});
    let output = run(&actions(&[], &["/usr/bin/env"]), action, json!({"a": "x y"})).await.unwrap().unwrap();
    assert_eq!(output["stdout"], json!("A=x y\nB=\n"));
}

#[tokio::test]
async fn command_of_a_traced_task_has_its_span_unless_the_workflow_gives_another() {
    let trace = TraceContext::of_attempt(TaskId::from_bytes([7; 16]), 0, 0, 1);
    let own = format!("TRACEPARENT={trace}\n");
    let allowed = AllowedProgram { env: vec!["TRACEPARENT".to_owned()], ..program("/usr/bin/env") };
    let config = CommandConfig { allow: vec![allowed], launcher: None };
    let actions = Actions::new(&EngineConfig { command: config, ..EngineConfig::default() }).unwrap();
    for (env, said) in [(json!({}), own.as_str()), (json!({"TRACEPARENT": "mine"}), "TRACEPARENT=mine\n")] {
        let action = json!({"command": {"run": ["/usr/bin/env"], "env": env}});
        let launch = Launch { trace: Some(trace), ..launch(action, json!({})) };
        let output = actions.run(&launch, CancellationToken::new(), log()).await.unwrap().unwrap();
        assert_eq!(output["stdout"], said);
    }
}

#[tokio::test]
async fn command_starts_at_the_root_without_input_in_a_group_of_its_own() {
    let output =
        sh("place", "pwd; cat; readlink /proc/self/fd/0; cut -d' ' -f5 /proc/$$/stat; echo $$").await;
    let text = output.unwrap().unwrap()["stdout"].as_str().unwrap().to_owned();
    let [place, input, group, pid] = text.lines().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((place, input), ("/", "/dev/null"));
    assert_eq!(group, pid);
}

#[tokio::test]
async fn command_that_fails_says_how_and_quotes_its_errors() {
    let (fault, retryable) = error(sh("fails", "echo out; echo why >&2; exit 3").await);
    assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_FAILED", true));
    assert_eq!(fault.message, "`/bin/sh` ended with exit code 3");
    assert_eq!(fault.context["exitCode"], json!("3"));
    assert_eq!((fault.causes[0].kind.as_str(), fault.causes[0].message.as_str()), ("STDERR", "why"));
    let (fault, _) = error(sh("fails2", "echo out; exit 1").await);
    assert_eq!((fault.causes[0].kind.as_str(), fault.causes[0].message.as_str()), ("STDOUT", "out"));
    let (fault, _) =
        error(sh("fails3", "i=0; while [ $i -lt 9999 ]; do echo é$i; i=$((i+1)); done >&2; exit 1").await);
    assert!(fault.causes[0].message.ends_with("é9998") && fault.causes[0].message.chars().count() == 2000);
}

#[tokio::test]
async fn command_killed_by_others_has_an_unknown_outcome() {
    let Err(Failure::Unknown { fault }) = sh("killed", "kill -9 $$").await else { panic!("not unknown") };
    assert_eq!(fault.message, "`/bin/sh` ended by SIGKILL".replace("ended", "was ended"));
}

#[tokio::test]
async fn command_not_listed_is_refused_and_names_the_setting() {
    for (listed, program) in
        [(vec![], SH), (vec!["/bin/true"], SH), (vec!["/bin/sh"], "/bin//sh"), (vec!["/bin/sh"], "/bin/./sh")]
    {
        let command = json!({"command": {"run": [program, "-c", "true"]}});
        let (fault, retryable) = error(run(&actions(&[], &listed), command, json!({})).await);
        assert_eq!(
            (fault.error_code.as_str(), retryable),
            ("COMMAND_NOT_ALLOWED", false),
            "{listed:?} {program}"
        );
        assert!(fault.remediation_message.unwrap().contains("`command.allow`"));
    }
}

#[tokio::test]
async fn command_whose_file_is_unfit_is_refused_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let inside = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let program = file(&format!("{name}/program"), 0o755);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        program
    };
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    let directory = folder.path().to_str().unwrap().to_owned();
    for (program, part) in [
        (inside("open", 0o777), "chmod go-w"),
        (inside("team", 0o775), "chmod go-w"),
        (file("group", 0o775), "chmod go-w"),
        (file("world", 0o757), "chmod go-w"),
        (file("plain", 0o644), "not executable"),
        (missing, "No such file"),
        (directory, "no file"),
    ] {
        let command = json!({"command": {"run": [program]}});
        let (fault, retryable) = error(run(&actions(&[], &[&program]), command, json!({})).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_NOT_STARTED", false), "{program}");
        let all = format!("{} {}", fault.message, fault.remediation_message.unwrap());
        assert!(all.contains(part), "{all}");
    }
    let good = file("good", 0o755);
    assert!(run(&actions(&[], &[&good]), json!({"command": {"run": [good]}}), json!({})).await.is_ok());
}

#[tokio::test]
async fn command_that_floods_its_output_is_read_and_cut() {
    let output =
        sh("flood", "head -c 300000000 /dev/zero | tr '\\0' x; echo last >&2").await.unwrap().unwrap();
    assert_eq!(output["stdout"].as_str().unwrap().len(), 1024 * 1024);
    assert_eq!((&output["stdoutTruncated"], &output["stderrTruncated"]), (&json!(true), &Value::Null));
    assert_eq!(output["stderr"], json!("last\n"));
    assert_gone("flood").await;
}

#[tokio::test]
async fn command_that_closes_its_output_is_waited_for() {
    let start = Instant::now();
    let (fault, _) = error(sh("closed", "exec >&- 2>&-; sleep 0.3; exit 7").await);
    assert_eq!(fault.context["exitCode"], json!("7"));
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn command_that_leaves_processes_behind_ends_and_they_are_killed() {
    let start = Instant::now();
    let output = sh("behind", "(trap '' TERM HUP; sleep 1000) & sleep 1000 & echo done").await;
    assert_eq!(output.unwrap().unwrap()["stdout"], json!("done\n"));
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_gone("behind").await;
}

#[tokio::test]
async fn command_whose_pipes_are_held_by_a_stranger_ends_all_the_same() {
    // One that leaves the group is beyond reach, but holds nothing up.
    let start = Instant::now();
    let output = sh("stranger", "setsid sleep 20 & sleep 0.2; echo done").await;
    assert_eq!(output.unwrap().unwrap()["stdout"], json!("done\n"));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    for pid in marked("stranger") {
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    }
}

#[tokio::test]
async fn command_when_stopped_is_asked_to_end() {
    let (result, took) = stopped("asked", "trap 'exit 0' TERM; sleep 1000 & wait").await;
    assert_eq!(result, Err(Failure::Stopped));
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_gone("asked").await;
}

#[tokio::test]
async fn command_that_ignores_being_asked_is_killed_after_its_grace_time() {
    let (result, took) = stopped("deaf", "trap '' TERM INT HUP; while :; do sleep 0.1; done").await;
    assert_eq!(result, Err(Failure::Stopped));
    assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(7), "{took:?}");
    assert_gone("deaf").await;
}

#[tokio::test]
async fn command_whose_attempt_is_dropped_is_killed_with_its_group() {
    let (actions, launch) = (actions(&[], &[SH]), launch(script("dropped", "sleep 1000 & wait"), json!({})));
    tokio::select! {
        _ = actions.run(&launch, CancellationToken::new(), log()) => panic!("it ended"),
        () = async { while marked("dropped").len() < 2 { tokio::time::sleep(Duration::from_millis(10)).await } } => {}
    }
    assert_gone("dropped").await;
}

#[tokio::test]
async fn command_stopped_before_it_started_is_not_started() {
    let stop = CancellationToken::new();
    stop.cancel();
    let launch = launch(script("never", "echo x"), json!({}));
    assert_eq!(actions(&[], &[SH]).run(&launch, stop, log()).await, Err(Failure::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_at_once_all_end_and_leave_nothing() {
    let actions = actions(&[], &[SH]);
    let all = (0..60).map(|n| run(&actions, script("many", &format!("sleep 1000 & echo {n}")), json!({})));
    let outputs = futures_util::future::join_all(all).await;
    for (n, output) in outputs.into_iter().enumerate() {
        assert_eq!(output.unwrap().unwrap()["json"], json!(n));
    }
    assert_gone("many").await;
}

#[tokio::test]
async fn new_with_a_relative_program_names_it() {
    let command = CommandConfig { allow: vec!["uptime".into()], launcher: None };
    let error = Actions::new(&EngineConfig { command, ..EngineConfig::default() }).unwrap_err();
    assert!(matches!(error, ActionsError::CommandAllow { .. }));
    assert!(error.to_string().starts_with("command.allow: `uptime` is not an absolute path"), "{error}");
}

#[tokio::test]
async fn command_with_too_long_an_argument_is_refused() {
    let command = json!({"command": {"run": [SH, "{{ input.text }}"]}});
    let (fault, retryable): (Fault, bool) =
        error(run(&actions(&[], &[SH]), command, json!({"text": "x".repeat(200_000)})).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_NOT_STARTED", false));
    assert!(fault.message.contains("arguments are too long"), "{}", fault.message);
}
