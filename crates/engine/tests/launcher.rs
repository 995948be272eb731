//! Commands started through the launcher, as a server starts them, up to the kill of that server.
//!
//! Not a test binary of the usual kind: it plays the server's binary, so it must be able to start itself as
//! launcher, as guard and as a server that is then killed.

#[path = "actions/support.rs"]
mod support;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use longhaul_engine::action::Actions;
use longhaul_engine::{CommandConfig, EngineConfig, launcher};
use longhaul_model::Failure;
use serde_json::{Value, json};

use support::{assert_gone, error, marked, run};

const SH: &str = "/bin/sh";
const SERVER: &str = "--server";
const TESTS: [(&str, fn()); 5] = [
    ("launch_becomes_the_program_with_fewer_rights", becomes_the_program),
    ("launch_of_what_cannot_be_run_is_reported", cannot_be_run),
    ("launch_without_a_server_is_refused", without_a_server),
    ("kill_of_server_ends_commands_and_what_they_started", kill_of_server),
    ("kill_of_guard_and_server_ends_commands_of_both_guards", kill_of_guard),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(OsStr::to_str) {
        Some(launcher::COMMAND) => launcher::main(arguments),
        Some(SERVER) => serve(&arguments.next().expect("a mark").to_string_lossy()),
        first => {
            test(first.into_iter().map(str::to_owned).chain(arguments.filter_map(|a| a.into_string().ok())))
        }
    }
}

/// The little of the usual command line that cargo and other runners of tests use.
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
    let allow = programs.iter().map(Into::into).collect();
    let command = CommandConfig { allow, launcher: Some("/proc/self/exe".into()) };
    Actions::new(&EngineConfig { command, ..EngineConfig::default() }).expect("good lists")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

fn script(mark: &str, text: &str) -> Value {
    json!({"command": {"run": [SH, "-c", text], "env": {"MARK": mark, "PATH": "/usr/bin:/bin"}}})
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
    let deaf = "trap '' TERM HUP INT; (trap '' TERM HUP; sleep 1000) & sleep 1000 & wait";
    block_on(async {
        let actions = actions(&[SH]);
        let ended = tokio::join!(run(&actions, script(mark, deaf), json!({})), async {
            // The second is started only once a test had time to kill the guard of the first.
            while marked(mark).len() < 3 || guards(std::process::id()).len() == 1 && mark == "guard" {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            run(&actions, script(mark, deaf), json!({})).await
        });
        panic!("a command ended: {ended:?}")
    })
}

/// The guards that a server started and that run.
fn guards(server: u32) -> Vec<i32> {
    let children = std::fs::read_dir("/proc").expect("a proc file system").flatten();
    let pids = children.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let state = read("stat");
        let mut fields = state.rsplit(')').next().unwrap_or_default().split_whitespace();
        let runs = fields.next() != Some("Z");
        let parent = fields.next().and_then(|text| text.parse::<u32>().ok());
        runs && parent == Some(server) && read("cmdline").contains("--guard")
    })
    .collect()
}

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
    wait_until("two commands with what they started run", || marked("server").len() >= 6);
    let guards = guards(server.id());
    assert_eq!(guards.len(), 1);
    server.kill().expect("killed");
    server.wait().expect("ended");
    block_on(assert_gone("server"));
    wait_until("the guard ends", || !std::path::Path::new(&format!("/proc/{}", guards[0])).exists());
}

fn kill_of_guard() {
    let mut server = start_server("guard");
    wait_until("a command runs and has a guard", || {
        marked("guard").len() >= 3 && guards(server.id()).len() == 1
    });
    let first = guards(server.id())[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first), nix::sys::signal::Signal::SIGKILL)
        .expect("killed");
    wait_until("another guard is started with the next command", || {
        marked("guard").len() >= 6 && guards(server.id()).len() == 1
    });
    assert_ne!(guards(server.id())[0], first);
    server.kill().expect("killed");
    server.wait().expect("ended");
    block_on(assert_gone("guard"));
}
