//! Server of its own for each test, with its commands.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything before the test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the binary's command, without the variables of the tests' own environment.
pub(crate) fn longhaul() -> Command {
    alone(Command::new(env!("CARGO_BIN_EXE_longhaul")))
}

/// Removes the variables of the tests' own environment from a command.
fn alone(mut command: Command) -> Command {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LONGHAUL_")) {
        command.env_remove(name);
    }
    // The session of the user who runs the tests is not used either.
    command.env("XDG_CONFIG_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-sessions"));
    command.env("NO_COLOR", "1").env_remove("COLUMNS").stdin(Stdio::null());
    command
}

/// The password of the administrator of each server here.
pub(crate) const PASSWORD: &str = "a password of the tests";

/// Result of a command.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out, self.err))
    }

    /// Panics unless the exit code is this.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Done {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command that needs no server.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Done {
    longhaul().args(arguments).output().expect("the binary runs").into()
}

/// Runs a command with something on standard input.
pub(crate) fn with_input(command: &mut Command, input: &str) -> Done {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it is read");
    child.wait_with_output().expect("it ends").into()
}

/// Logs the administrator in, as an operator would, and returns the access token of the session.
fn log_in(address: &str) -> String {
    let home = TempDir::new().expect("a directory");
    let mut command = longhaul();
    command.args(["login", "admin", "--password-stdin", "--insecure", "--server", address]);
    with_input(command.env("XDG_CONFIG_HOME", home.path()), PASSWORD).code(0);
    let sessions = std::fs::read(home.path().join("longhaul/sessions.json")).expect("a session");
    let sessions: Value = serde_json::from_slice(&sessions).expect("JSON");
    sessions[address]["access_token"].as_str().expect("a token").to_owned()
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: String,
    /// Addresses that the server listens on.
    listens_on: Vec<String>,
    token: String,
    /// Lines that the server wrote to standard output.
    pub(crate) lines: mpsc::Receiver<String>,
}

impl Server {
    /// Starts a server on a data directory and a free port, or the port given.
    pub(crate) fn start(data: &Path, listen: &str, more: &[&str]) -> Server {
        Server::spawn(longhaul(), data, listen, more)
    }

    /// Starts a server with a socket that listens already, handed over as systemd does it.
    pub(crate) fn handed_over(data: &Path, socket: &TcpListener) -> Server {
        let mut command = alone(Command::new("sh"));
        let become_it = "exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$@\"";
        command.args(["-c", become_it, "sh", env!("CARGO_BIN_EXE_longhaul")]);
        command.stdin(OwnedFd::from(socket.try_clone().expect("a descriptor")));
        Server::spawn(command, data, "127.0.0.1:0", &["--log-level", "error"])
    }

    /// Starts a server whose standard input is a terminal.
    pub(crate) fn from_terminal(data: &Path, terminal: Stdio) -> Server {
        let mut command = longhaul();
        command.stdin(terminal);
        Server::spawn(command, data, "127.0.0.1:0", &["--log-level", "error"])
    }

    /// Starts a server whose log goes to a file.
    pub(crate) fn logging(data: &Path, log: std::fs::File) -> Server {
        Server::logging_with(data, log, &[])
    }

    /// Starts a server that logs to a file, with more arguments.
    pub(crate) fn logging_with(data: &Path, log: std::fs::File, more: &[&str]) -> Server {
        Server::spawn_logging(longhaul(), data, "127.0.0.1:0", more, log.into())
    }

    /// Starts a server by a command of the caller's.
    pub(crate) fn of(command: Command, data: &Path, listen: &str, more: &[&str]) -> Server {
        Server::spawn(alone(command), data, listen, more)
    }

    /// Starts a server whose log goes to a given output, such as a pipe.
    pub(crate) fn logging_to(data: &Path, more: &[&str], log: Stdio) -> Server {
        Server::spawn_logging(longhaul(), data, "127.0.0.1:0", more, log)
    }

    fn spawn(command: Command, data: &Path, listen: &str, more: &[&str]) -> Server {
        Server::spawn_logging(command, data, listen, more, Stdio::inherit())
    }

    fn spawn_logging(mut command: Command, data: &Path, listen: &str, more: &[&str], log: Stdio) -> Server {
        command.args(["serve", "--listen", listen, "--data-dir"]).arg(data).args(more);
        let child = command.env("LONGHAUL_ADMIN_PASSWORD", PASSWORD).stdout(Stdio::piped()).stderr(log);
        let mut child = child.spawn().expect("the server starts");
        let (send, lines) = mpsc::channel();
        let out = child.stdout.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let first = lines.recv_timeout(PATIENCE).expect("the server says where it listens");
        let words = first.split(' ').map(|word| word.trim_end_matches(','));
        let listens_on: Vec<String> = words
            .filter(|word| word.starts_with("http") || word.starts_with("unix:"))
            .map(str::to_owned)
            .collect();
        let address = listens_on.first().expect("an address").clone();
        let token = log_in(&address);
        Server { address, listens_on, token, child, lines }
    }

    /// Returns the addresses that the server listens on.
    pub(crate) fn listens_on(&self) -> &[String] {
        &self.listens_on
    }

    /// The access token of the administrator.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// URL of the server.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Address of the server without the scheme.
    pub(crate) fn socket(&self) -> &str {
        self.address.split_once("://").map_or(&self.address, |(_, socket)| socket)
    }

    /// Builds a command for the server, with the administrator's identity.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_at(&self.address, arguments)
    }

    /// Builds a command for the server at another address.
    pub(crate) fn command_at(&self, address: &str, arguments: &[&str]) -> Command {
        let mut command = longhaul();
        command.args(arguments).args(["--server", address]).env("LONGHAUL_TOKEN", &self.token);
        command
    }

    /// Runs such a command.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("the binary runs").into()
    }

    /// Runs a command with something on standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        with_input(&mut self.command(arguments), input)
    }

    /// Starts a task and returns its ID.
    #[track_caller]
    pub(crate) fn task(&self, arguments: &[&str]) -> String {
        let all = [&["task", "start", "-o", "json"], arguments].concat();
        self.run(&all).code(0).json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits until a task has a status.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, status: &str) -> Value {
        let start = Instant::now();
        loop {
            let task = self.run(&["task", "get", id, "-o", "json"]).code(0).json();
            if task["status"] == status {
                return task;
            }
            assert!(start.elapsed() < PATIENCE, "{id} does not become {status}: {task}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Calls the API as the administrator; returns the status and the body.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let request = reqwest::Client::new().request(method, format!("{}{path}", self.address));
            let request = request.bearer_auth(&self.token);
            let request = match body {
                Some(body) => request.json(body),
                None => request,
            };
            let answer = request.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json().await.expect("JSON"))
        })
    }

    /// ID of the server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it is there");
    }

    /// Waits for the end of the server and returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        ended(&mut self.child)
    }

    /// Stops the server in order.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert_eq!(self.wait(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a process and returns its exit code.
pub(crate) fn ended(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        assert!(start.elapsed() < PATIENCE, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads a pipe until it is closed.
pub(crate) fn all(mut pipe: impl Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).expect("text");
    text
}

/// The folder of the shipped workflows.
pub(crate) fn shipped() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../workflows").to_owned()
}

/// Starts a server with the shipped workflows, on a data directory of its own.
pub(crate) fn shipped_server() -> (TempDir, Server) {
    let data = TempDir::new().expect("a directory");
    let server =
        Server::start(data.path(), "127.0.0.1:0", &["--workflows", &shipped(), "--log-level", "error"]);
    (data, server)
}

/// Compares a text with a file of this folder; with `UPDATE_SNAPSHOTS` set, writes it instead.
#[track_caller]
pub(crate) fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).expect("a snapshot can be written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, known, "{name} changed; with UPDATE_SNAPSHOTS=1 the new text is taken:\n{text}");
}
