//! Starting and stopping a server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::support::{Server, longhaul, run, shipped, shipped_server};

#[test]
fn a_stopped_server_goes_on_where_it_was() {
    let (data, server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=1s"]);
    server.stop();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    let task =
        server.run(&["task", "get", &id, "--wait", "60s", "--exit-status", "-o", "json"]).code(0).json();
    assert_eq!(task["status"], "SUCCESSFUL");
}

#[test]
fn a_second_signal_stops_at_once() {
    let (_data, mut server) = shipped_server();
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    server.until(&id, "IN_PROGRESS");
    let start = Instant::now();
    server.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait(), Some(1));
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn a_data_directory_has_one_server() {
    let (data, _server) = shipped_server();
    let done =
        run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.path().to_str().unwrap()]).code(1);
    assert!(done.err.contains("is in use by process"), "{}", done.err);
}

#[test]
fn a_taken_port_and_an_open_address_are_refused() {
    let (_data, server) = shipped_server();
    let data = TempDir::new().unwrap();
    let path = data.path().to_str().unwrap();
    let done = run(&["serve", "--listen", server.socket(), "--data-dir", path]).code(1);
    assert!(done.err.contains(&format!("cannot listen on {}", server.socket())), "{}", done.err);
    let done = run(&["serve", "--listen", "0.0.0.0:0", "--data-dir", path]).code(1);
    assert!(
        done.err.contains("0.0.0.0:0 can be reached") && done.err.contains("--tls self-signed"),
        "{}",
        done.err
    );
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("longhaul.toml");
    let text = format!(
        "data_dir = {:?}\nlisten = \"127.0.0.1:1\"\nlog_level = \"error\"\n[wire]\nstatus_style = \"constant\"\ndefault_page_size = 3\n",
        data.path().join("file")
    );
    std::fs::write(&file, text).unwrap();
    // The helper gives listen and data directory as flags; the rest is the file's.
    let config = file.to_str().unwrap();
    let server = Server::start(
        &data.path().join("flag"),
        "127.0.0.1:0",
        &["--config", config, "--workflows", &shipped()],
    );
    assert!(data.path().join("flag/longhaul.db").exists());
    let id = server.task(&["enable-ceip", "-i", "status=ENABLE", "-i", "pace=1ms"]);
    server.until(&id, "SUCCESSFUL");
    let page = server.run(&["task", "list", "-o", "json"]).code(0).json();
    assert_eq!(page["pageMetadata"]["pageSize"], 3);
}

#[test]
fn the_environment_wins_over_the_file() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("longhaul.toml");
    std::fs::write(&file, "listen = \"0.0.0.0:0\"\n").unwrap();
    let serve = |listen: Option<&str>| {
        let mut command = longhaul();
        command.args(["serve", "--config"]).arg(&file).env("LONGHAUL_DATA_DIR", data.path().join("data"));
        command.envs(listen.map(|listen| ("LONGHAUL_LISTEN", listen)));
        super::support::Done::from(command.output().unwrap()).code(1).err
    };
    assert!(serve(None).contains("0.0.0.0:0 can be reached"), "the file's address");
    assert!(serve(Some("8.8.8.8:1")).contains("8.8.8.8:1 can be reached"), "the environment's address");
}

#[test]
fn mistakes_in_the_configuration_name_file_key_and_place() {
    let data = TempDir::new().unwrap();
    let file = data.path().join("longhaul.toml");
    std::fs::write(&file, "[wire]\nextensions = \"no\"\n").unwrap();
    let done = run(&["serve", "--config", file.to_str().unwrap()]).code(1);
    let wanted = format!("{}:2:14: error: wire.extensions: invalid type", file.display());
    assert!(done.err.contains(&wanted), "{}", done.err);
    let done = run(&["serve", "--config", "/absent.toml"]).code(1);
    assert!(done.err.contains("/absent.toml: No such file"), "{}", done.err);
}

#[test]
fn the_log_can_be_json() {
    let data = TempDir::new().unwrap();
    let mut child = longhaul()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--workflows",
            &shipped(),
            "--data-dir",
        ])
        .arg(data.path())
        .env("LONGHAUL_ADMIN_PASSWORD", super::support::PASSWORD)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert!(line.starts_with("longhaul listens on http://127.0.0.1:"), "{line}");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    let log = super::support::all(child.stderr.take().unwrap());
    assert_eq!(super::support::ended(&mut child), Some(0));
    for line in log.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["message"].is_string(), "{line}");
    }
    assert!(log.contains("stored a workflow"), "{log}");
}

/// Polls a task with a new connection each time until told to stop. Returns the count of polls and the first
/// that was not answered with the task.
fn poll(
    address: SocketAddr,
    path: &str,
    token: &str,
    stop: &AtomicBool,
    polls: &AtomicUsize,
) -> Option<String> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: longhaul\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let once = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    while !stop.load(Ordering::Relaxed) {
        match once() {
            Ok(answer) if answer.starts_with("HTTP/1.1 200 ") => {}
            other => return Some(format!("poll {}: {other:?}", polls.load(Ordering::Relaxed))),
        }
        polls.fetch_add(1, Ordering::Relaxed);
    }
    None
}

/// A refused connection is the end for some clients: with a socket that a supervisor keeps there is none.
#[test]
fn no_poll_is_refused_while_a_server_with_a_socket_of_its_supervisor_restarts() {
    let data = TempDir::new().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut server = Server::handed_over(data.path(), &socket);
    assert_eq!(server.socket(), address.to_string());
    server.run(&["workflow", "apply", &format!("{}/create-domain.yaml", shipped())]).code(0);
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=1ms"]);
    let (path, token) = (format!("/v1/tasks/{id}"), server.token().to_owned());
    let (stop, polls) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let pollers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| poll(address, &path, &token, &stop, &polls))).collect();
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGTERM] {
            let before = polls.load(Ordering::Relaxed);
            server.signal(signal);
            assert_eq!(server.wait(), Some(0));
            server = Server::handed_over(data.path(), &socket);
            assert!(polls.load(Ordering::Relaxed) > before);
        }
        stop.store(true, Ordering::Relaxed);
        for poller in pollers {
            assert_eq!(poller.join().unwrap(), None);
        }
    });
    server.stop();
}
