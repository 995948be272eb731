//! HTTPS from the command line, both sides.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::support::{Done, PASSWORD, PATIENCE, Server, longhaul, run};

/// Starts a server with a certificate of its own making; returns the certificate's path, too.
fn secure() -> (TempDir, Server, String) {
    let data = TempDir::new().expect("a directory");
    let server = Server::start(data.path(), "127.0.0.1:0", &["--tls", "self-signed", "--log-level", "error"]);
    let certificate = data.path().join("tls/cert.pem").to_str().expect("text").to_owned();
    (data, server, certificate)
}

/// Copies a pair to where a server is told to find it, its key first.
fn install(from: &Path, to: &Path) {
    for name in ["key.pem", "cert.pem"] {
        std::fs::copy(from.join("tls").join(name), to.join(name)).expect("a pair");
    }
}

#[test]
fn a_self_signed_certificate_is_trusted_when_it_is_given() {
    let (_data, server, certificate) = secure();
    assert!(server.address().starts_with("https://127.0.0.1:"), "{}", server.address());
    let said = server.lines.recv_timeout(PATIENCE).unwrap();
    assert!(said.contains(&format!("--ca {certificate}")), "{said}");

    let done = server.run(&["task", "list"]).code(4);
    for word in ["cannot be trusted", "no authority", "--ca longhaul-data/tls/cert.pem", "--insecure"] {
        assert!(done.err.contains(word), "{word}: {}", done.err);
    }
    server.run(&["task", "list", "--ca", &certificate]).code(0);
    server.run(&["--insecure", "task", "list"]).code(0);
    let with = |name: &str, value: &str| {
        Done::from(server.command(&["task", "list"]).env(name, value).output().unwrap())
    };
    with("LONGHAUL_CA", &certificate).code(0);
    with("LONGHAUL_INSECURE", "1").code(0);
    with("LONGHAUL_INSECURE", "false").code(4);
}

#[test]
fn other_certificates_do_not_count() {
    let (_data, server, _) = secure();
    let (_other, _other_server, other) = secure();
    let done = server.run(&["task", "list", "--ca", &other]).code(4);
    assert!(done.err.contains("cannot be trusted"), "{}", done.err);
    let done = server.run(&["task", "list", "--ca", "/absent.pem"]).code(1);
    assert!(done.err.contains("--ca /absent.pem: No such file"), "{}", done.err);
    let done = server.run(&["task", "list", "--ca", "/etc/hostname"]).code(2);
    assert!(done.err.contains("it is no PEM file with a certificate"), "{}", done.err);
}

#[test]
fn a_name_that_it_is_not_for_is_said() {
    let (_data, server, certificate) = secure();
    let address = server.address().replace("127.0.0.1", "127.0.0.2");
    let listener = TcpListener::bind(address.trim_start_matches("https://")).unwrap();
    // A proxy beside the server's own address leads to it.
    let target = server.socket().to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let server = std::net::TcpStream::connect(&target).unwrap();
            let (mut there, mut back) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut there, &mut back));
            let (mut server, mut stream) = (server, stream);
            std::thread::spawn(move || std::io::copy(&mut server, &mut stream));
        }
    });
    let done = run(&["task", "list", "--server", &address, "--ca", &certificate]).code(4);
    assert!(done.err.contains("it is not for 127.0.0.2 but for localhost"), "{}", done.err);
    let insecure = server.command_at(&address, &["task", "list", "--insecure"]).output();
    Done::from(insecure.unwrap()).code(0);
}

#[test]
fn the_wrong_scheme_is_named() {
    let (_data, server, _) = secure();
    let plain = server.address().replace("https://", "http://");
    let done = run(&["task", "list", "--server", &plain]).code(3);
    assert!(done.err.contains("HTTPS_REQUIRED") && done.err.contains("Write https://"), "{}", done.err);

    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    let secure = server.address().replace("http://", "https://");
    let done = run(&["task", "list", "--insecure", "--server", &secure]).code(4);
    assert!(done.err.contains("write http://"), "{}", done.err);
}

#[test]
fn certificates_change_on_sighup_and_by_themselves() {
    let (first, first_server, first_ca) = secure();
    let (second, second_server, second_ca) = secure();
    drop((first_server, second_server));
    let folder = TempDir::new().unwrap();
    install(first.path(), folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = TempDir::new().unwrap();
    let flags = ["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem"), "--log-level", "error"];
    let mut server = Server::start(data.path(), "127.0.0.1:0", &flags);
    let trusts = |ca: &str| server.run(&["task", "list", "--ca", ca]).code == 0;
    let until = |ca: &str| {
        let begun = Instant::now();
        while !trusts(ca) {
            assert!(begun.elapsed() < PATIENCE, "{ca}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    assert!(trusts(&first_ca) && !trusts(&second_ca));
    install(second.path(), folder.path());
    server.signal(Signal::SIGHUP);
    until(&second_ca);
    assert!(!trusts(&first_ca));
    install(first.path(), folder.path());
    until(&first_ca);
    // A certificate that cannot be used changes nothing, and SIGHUP stops nothing.
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    server.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
    assert!(trusts(&first_ca));
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn sighup_does_not_stop_a_server_without_a_certificate() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    server.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    server.run(&["task", "list"]).code(0);
    server.stop();
}

#[test]
fn a_terminal_that_goes_away_stops_its_server() {
    // Not for children: as long as one holds it, it does not go away.
    let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let mut side = std::fs::OpenOptions::new();
    let side = side.read(true).write(true).custom_flags(OFlag::O_NOCTTY.bits());
    let name = ptsname_r(&terminal).unwrap();
    let side = side.open(&name).unwrap();
    let mut seen = std::fs::OpenOptions::new();
    let mut seen =
        seen.read(true).custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits()).open(&name).unwrap();
    let data = TempDir::new().unwrap();
    let mut server = Server::from_terminal(data.path(), side.into());
    server.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    server.run(&["task", "list"]).code(0);
    drop(terminal);
    // A child of another test that has not begun its program yet may hold it for a moment.
    while seen.read(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock) {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.signal(Signal::SIGHUP);
    assert_eq!(server.wait(), Some(0), "in order");
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (made, server, _) = secure();
    drop(server);
    let folder = TempDir::new().unwrap();
    install(made.path(), folder.path());
    let key = folder.path().join("key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let serve = |cert: PathBuf| {
        let data = TempDir::new().unwrap();
        let mut command = longhaul();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path().join("data"));
        command.arg("--tls-cert").arg(cert).arg("--tls-key").arg(&key);
        Done::from(command.output().unwrap()).code(1).err
    };
    let said = serve(folder.path().join("cert.pem"));
    assert!(said.contains("(mode 644)") && said.contains(&format!("chmod 600 {}", key.display())), "{said}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = serve(key.clone());
    assert!(said.contains("there is no certificate in it"), "{said}");
}

#[test]
fn the_file_and_the_environment_can_ask_for_it() {
    let data = TempDir::new().unwrap();
    let config = data.path().join("longhaul.toml");
    std::fs::write(&config, "log_level = \"error\"\n[tls]\nmode = \"self-signed\"\n").unwrap();
    let config = config.to_str().unwrap();
    let server = Server::start(&data.path().join("a"), "127.0.0.1:0", &["--config", config]);
    assert!(server.address().starts_with("https://"), "{}", server.address());
    let server = Server::start(&data.path().join("b"), "127.0.0.1:0", &["--config", config, "--tls", "off"]);
    assert!(server.address().starts_with("http://"), "the flag wins: {}", server.address());
    let mut command = longhaul();
    command
        .args(["serve", "--listen", "0.0.0.0:0", "--log-level", "error", "--data-dir"])
        .arg(data.path().join("c"));
    let mut child = command
        .env("LONGHAUL_TLS", "self-signed")
        .env("LONGHAUL_ADMIN_PASSWORD", PASSWORD)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("longhaul listens on https://0.0.0.0:"), "{line}");
}

#[test]
fn a_token_is_sent_and_goes_nowhere_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut heads = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            heads.push(head.join("\n"));
            let elsewhere = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/v1/tasks\r\n\
                Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(elsewhere.as_bytes()).unwrap();
        }
        heads
    });
    let list = |token: Option<&str>| {
        let mut command = longhaul();
        command
            .args(["task", "list", "--server", &address])
            .envs(token.map(|token| ("LONGHAUL_TOKEN", token)));
        Done::from(command.output().unwrap())
    };
    let done = list(Some("lhk_secret\n")).code(5);
    assert!(done.err.contains("it sends us to http://127.0.0.1:9/v1/tasks"), "{}", done.err);
    assert!(!done.err.contains("lhk_secret"), "{}", done.err);
    list(None).code(5);
    let heads = asked.join().unwrap();
    assert!(heads[0].contains("authorization: Bearer lhk_secret"), "{}", heads[0]);
    assert!(!heads[1].to_lowercase().contains("authorization"), "{}", heads[1]);
    let done = list(Some("two words")).code(2);
    assert!(done.err.contains("the token cannot be used") && !done.err.contains("words"), "{}", done.err);
}
