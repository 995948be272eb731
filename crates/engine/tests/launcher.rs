//! Commands started through the launcher, as a server starts them, up to the kill of that server.
//!
//! Test binary of an unusual kind: it plays the server's binary, so it must be able to start itself as
//! launcher and as a server that is then killed.

#[path = "actions/support.rs"]
mod support;

#[path = "launcher/groups.rs"]
mod groups;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use longhaul_engine::action::Actions;
use longhaul_engine::{AllowedProgram, CommandConfig, CommandLimits, EngineConfig, launcher};
use longhaul_model::Failure;
use serde_json::{Value, json};

use support::{assert_gone, error, launch, log, marked, program, run};

const SH: &str = "/bin/sh";
const SERVER: &str = "--server";
const TESTS: [(&str, fn()); 12] = [
    ("launch_becomes_the_program_with_fewer_rights", becomes_the_program),
    ("launch_of_what_cannot_be_run_is_reported", cannot_be_run),
    ("launch_without_a_server_is_refused", without_a_server),
    ("kill_of_server_ends_commands_and_what_they_started", kill_of_server),
    ("escape_from_group_session_and_parent_ends_nothing_later_than_the_program", escapes),
    ("kill_of_supervisor_ends_what_it_looked_after", kill_of_supervisor),
    ("limits_hold_for_the_program_and_what_it_starts", limits),
    ("environment_of_server_cannot_be_read", environment_of_server),
    ("death_of_program_is_reported_as_it_was", ends_as_it_did),
    ("commands_have_control_groups_where_there_are_some", groups::of_commands),
    ("control_groups_of_a_service_have_limits_once_it_is_alone", groups::of_a_service),
    ("next_server_ends_what_a_killed_one_left", groups::next_server),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(OsStr::to_str) {
        Some(launcher::COMMAND) => launcher::main(arguments),
        Some(groups::INSIDE) => {
            let what = arguments.next().expect("what to do").into_string().expect("a text");
            groups::look(&what, arguments.next().expect("a folder").as_ref())
        }
        Some(SERVER) => serve(&arguments.next().expect("a mark").to_string_lossy()),
        first => {
            test(first.into_iter().map(str::to_owned).chain(arguments.filter_map(|a| a.into_string().ok())))
        }
    }
}

/// Implements the few options of the usual command line that cargo and other runners of tests use.
fn test(arguments: impl Iterator<Item = String>) -> ExitCode {
    let (flags, names): (Vec<String>, Vec<String>) =
        arguments.partition(|argument| argument.starts_with("--"));
    let flag = |name: &str| flags.iter().any(|flag| flag == name);
    if flag("--ignored") {
        return ExitCode::SUCCESS;
    }
    for (name, test) in TESTS {
        let wanted =
            |part: &String| if flag("--exact") { name == part } else { name.contains(part.as_str()) };
        let runs =
            names.iter().all(|word| matches!(word.as_str(), "terse" | "json")) || names.iter().any(wanted);
        if flag("--list") {
            say(&format!("{name}: test"));
        } else if runs {
            // A panic ends the run with its message and a code other than 0.
            test();
            say(&format!("test {name} ... ok"));
        }
    }
    ExitCode::SUCCESS
}

fn say(line: &str) {
    use std::io::Write;
    writeln!(std::io::stdout(), "{line}").expect("a standard output");
}

fn actions(programs: &[&str]) -> Actions {
    with(programs.iter().map(|path| program(path)).collect())
}

fn with(allow: Vec<AllowedProgram>) -> Actions {
    let command = CommandConfig { allow, launcher: Some("/proc/self/exe".into()) };
    Actions::new(&EngineConfig { command, ..EngineConfig::default() }).expect("good lists")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn script(mark: &str, text: &str) -> Value {
    json!({"command": {"run": [SH, "-c", text], "env": {"MARK": mark}}})
}

fn sh(text: &str) -> Result<Option<Value>, Failure> {
    block_on(async { run(&actions(&[SH]), script("launched", text), json!({})).await })
}

fn becomes_the_program() {
    let text = "echo $$; cut -d' ' -f5 /proc/$$/stat; umask; ulimit -c; grep NoNewPrivs /proc/self/status; echo $MARK; ls /proc/$$/fd";
    let output = sh(text).expect("a success").expect("an output");
    let lines: Vec<&str> = output["stdout"].as_str().expect("a text").lines().map(str::trim).collect();
    assert_eq!(lines[0], lines[1], "the leader of its group");
    assert_eq!(lines[2..6], ["0077", "0", "NoNewPrivs:\t1", "launched"]);
    assert_eq!(lines[6..], ["0", "1", "2"], "no file of the server is open");
    let verbatim = "a; $(b) \"c\" -d\n\u{1}é";
    let action = json!({"command": {"run": ["/usr/bin/printf", "%s|", "--", "{{ input.text }}", ""]}});
    let output =
        block_on(async { run(&actions(&["/usr/bin/printf"]), action, json!({"text": verbatim})).await });
    assert_eq!(output.expect("a success").expect("an output")["stdout"], json!(format!("--|{verbatim}||")));
    let (fault, retryable) = error(sh("exit 125"));
    assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_FAILED", true));
}

fn cannot_be_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("script");
    std::fs::write(&path, "#!/nowhere/at/all\n").expect("written");
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("changed");
    let program = path.to_str().expect("a text");
    let action = json!({"command": {"run": [program]}});
    let result = block_on(async { run(&actions(&[program]), action, json!({})).await });
    let (fault, retryable) = error(result);
    assert_eq!((fault.error_code.as_str(), retryable), ("COMMAND_NOT_STARTED", false));
    assert!(fault.message.contains("No such file"), "{}", fault.message);
}

fn without_a_server() {
    let me = std::env::current_exe().expect("a path");
    for arguments in
        [vec!["1", "--", "/bin/echo", "ran"], vec!["x", "--", "/bin/echo", "ran"], vec!["/bin/echo"], vec![]]
    {
        let output = Command::new(&me).arg(launcher::COMMAND).args(&arguments).output().expect("started");
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(125), b"".as_slice()),
            "{arguments:?}"
        );
    }
}

/// A server with two commands that will not end of themselves.
fn serve(mark: &str) -> ExitCode {
    let deaf = "trap '' TERM HUP INT; (trap '' TERM HUP; sleep 1000) & setsid sleep 1000 & wait";
    block_on(async {
        let actions = actions(&[SH]);
        let ended = tokio::join!(run(&actions, script(mark, deaf), json!({})), async {
            run(&actions, script(mark, deaf), json!({})).await
        });
        panic!("a command ended: {ended:?}")
    })
}

/// Ways in which a script leaves processes behind that are in no group, session or parentage of its own.
const ESCAPES: [&str; 6] = [
    "setsid sleep 1000 &",
    "setsid -f sleep 1000",
    "(setsid sh -c 'trap \"\" TERM HUP INT; sleep 1000 & setsid sleep 1000 & wait' &) &",
    "sh -c 'setsid sh -c \"setsid sleep 1000 & exit\" & exit' &",
    "nohup setsid sleep 1000 > /dev/null 2>&1 < /dev/null &",
    "exec setsid sh -c 'sleep 1000 & exit 0'",
];

fn start_server(mark: &str) -> Child {
    Command::new(std::env::current_exe().expect("a path")).args([SERVER, mark]).spawn().expect("a server")
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn kill_of_server() {
    let mut server = start_server("server");
    wait_until("two commands with what they started run", || marked("server").len() >= 8);
    server.kill().expect("killed");
    server.wait().expect("ended");
    block_on(assert_gone("server"));
}

fn escapes() {
    for (n, escape) in ESCAPES.into_iter().enumerate() {
        let mark = format!("escaped-{n}");
        let actions = actions(&[SH]);
        // The program ends by itself.
        let text = format!("{escape}\nsleep 0.1; echo done");
        block_on(async { run(&actions, script(&mark, &text), json!({})).await }).expect("a success");
        assert_eq!(marked(&mark), [] as [i32; 0], "{escape}");
        // The program is told to stop, and ignores it.
        let text = format!("trap '' TERM HUP INT\n{escape}\nwhile :; do sleep 0.1; done");
        let launch = launch(script(&mark, &text), json!({}));
        let dropped = block_on(async {
            tokio::select! {
                ended = actions.run(&launch, Default::default(), log()) => Some(ended),
                () = async { while marked(&mark).len() < 4 { tokio::time::sleep(Duration::from_millis(10)).await } } => None,
            }
        });
        assert!(dropped.is_none() || escape.starts_with("exec"), "{escape}: {dropped:?}");
        block_on(assert_gone(&mark));
    }
}

fn kill_of_supervisor() {
    let text =
        "trap '' TERM HUP INT; setsid sleep 1000 & (setsid -f sleep 1000); kill -KILL $PPID; sleep 1000";
    let result = block_on(async { run(&actions(&[SH]), script("orphans", text), json!({})).await });
    assert!(matches!(result, Err(Failure::Unknown { .. })), "{result:?}");
    block_on(assert_gone("orphans"));
}

fn limits() {
    let limits = CommandLimits {
        cpu: longhaul_model::Span(1000),
        memory_mib: 64,
        processes: 100,
        processors: 0,
        files: 20,
        file_size_mib: 1,
    };
    let sh = |text: &str| {
        let actions = with(vec![AllowedProgram { limits, ..program(SH) }]);
        block_on(async { run(&actions, script("limited", text), json!({})).await })
    };
    let output = sh("ulimit -t; ulimit -d; ulimit -n; ulimit -f; ulimit -c; sh -c 'ulimit -n'");
    assert_eq!(
        output.expect("a success").expect("an output")["stdout"],
        json!("1\n65536\n20\n2048\n0\n20\n")
    );
    let used = sh("while :; do :; done");
    let Err(Failure::Unknown { fault }) = used else { panic!("{used:?}") };
    assert!(fault.message.contains("SIGXCPU"), "{}", fault.message);
    match sh("head -c 200000000 /dev/zero | tail -c 100000000 | wc -c | grep -q 100000000") {
        // Its control group ran out of memory first.
        Err(Failure::Unknown { fault }) => {
            assert!(
                fault.remediation_message.as_deref().is_some_and(|text| text.contains("`memory_mib`")),
                "{fault:?}"
            );
        }
        other => assert_eq!(error(other).0.context["exitCode"], json!("1")),
    }
    let file = tempfile::tempdir().expect("a folder");
    sh(&format!("head -c 3000000 /dev/zero > {}", file.path().join("large").display()))
        .expect_err("too large");
}

fn environment_of_server() {
    nix::sys::prctl::set_dumpable(false).expect("forbidden");
    let own = std::process::id();
    // The shell's parent is its supervisor, which has nothing but the program's own environment.
    let text =
        format!("for f in environ mem maps; do cat /proc/{own}/$f; done; cat /proc/$PPID/environ; true");
    let output = sh(&text).expect("a success").expect("an output");
    let printed = output["stdout"].as_str().expect("a text");
    for variable in printed.split('\0').filter(|text| !text.is_empty()) {
        assert!(["MARK=launched", "PATH=/usr/bin:/bin"].contains(&variable), "{variable}");
    }
    let refused = output["stderr"].as_str().expect("a text");
    for file in ["environ", "mem", "maps"] {
        assert!(refused.contains(&format!("/proc/{own}/{file}: Permission denied")), "{refused}");
    }
}

fn ends_as_it_did() {
    for signal in ["KILL", "TERM", "SEGV", "USR1", "ABRT"] {
        let result = sh(&format!("kill -{signal} $$"));
        let Err(Failure::Unknown { fault }) = result else { panic!("{signal}: {result:?}") };
        assert!(fault.message.ends_with(&format!("SIG{signal}")), "{}", fault.message);
    }
}
