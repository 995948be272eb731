//! Starting and stopping a server.

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
