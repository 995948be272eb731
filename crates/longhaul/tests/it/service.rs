//! The server as a service of systemd or another manager: its messages to the manager, its reactions to
//! signals, and its behaviour with a log, files or a configuration that are not as they should be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::disk::{hang, until};
use super::support::{PASSWORD, PATIENCE, Server, longhaul, with_input};

const WORKFLOW: &str = "name: one\ntype: ONE\ntitle: One\nsubTasks:\n  - name: a\n    description: A\n    \
    action: { simulate: { duration: 1ms } }\n";

/// A service manager that a server is told to report to.
struct Manager(UnixDatagram);

impl Manager {
    /// Returns a manager with an abstract socket, and the name of that.
    fn with_abstract_socket() -> (Manager, String) {
        let name = format!("longhaul-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a socket");
        (Manager(UnixDatagram::bind_addr(&address).expect("a socket")), format!("@{name}"))
    }

    fn at(path: &Path) -> Manager {
        Manager(UnixDatagram::bind(path).expect("a socket"))
    }

    /// Returns the next message that is about something, and not about the watchdog.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        self.0.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut buffer = [0; 4096];
        let length = self.0.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).expect("a socket")
    }

    /// Drops all messages so far, and returns their count.
    fn drain(&self) -> usize {
        self.0.set_nonblocking(true).expect("a socket");
        let mut count = 0;
        while self.0.recv(&mut [0; 4096]).is_ok() {
            count += 1;
        }
        self.0.set_nonblocking(false).expect("a socket");
        count
    }
}

#[test]
fn service_manager_is_told_when_the_server_serves_reloads_and_stops() {
    let (manager, name) = Manager::with_abstract_socket();
    let data = TempDir::new().unwrap();
    let mut command = longhaul();
    command.env("NOTIFY_SOCKET", name).env("WATCHDOG_USEC", "200000");
    let mut server = Server::of(command, data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    let ready = manager.next();
    assert!(ready.starts_with("READY=1\nSTATUS=serving on http://127.0.0.1:"), "{ready}");
    server.signal(Signal::SIGHUP);
    let reloading = manager.next();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a reload");
    assert!(time.split('\n').next().unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    assert!(manager.next().starts_with("READY=1\n"));
    // Several, one after the other.
    manager.drain();
    for _ in 0..3 {
        assert_eq!(manager.any(), "WATCHDOG=1");
    }
    server.signal(Signal::SIGTERM);
    assert!(manager.next().starts_with("STOPPING=1\n"));
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn watchdog_is_not_fed_while_the_disk_hangs() {
    let (home, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = home.path().join("notify");
    let manager = Manager::at(&path);
    let workflows = home.path().join("workflows");
    std::fs::create_dir(&workflows).unwrap();
    std::fs::write(workflows.join("one.yaml"), WORKFLOW).unwrap();
    let mut command = longhaul();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000");
    let more = ["--workflows", workflows.to_str().unwrap(), "--log-level", "error"];
    let mut server = Server::of(command, data.path(), "127.0.0.1:0", &more);
    assert!(manager.next().starts_with("READY=1\n"));
    // For another process there is another watchdog.
    let mut tracer = hang(server.pid());
    let refused = server.run(&["task", "start", "one"]);
    assert_ne!(refused.code, 0, "{}", refused.out);
    until("the watchdog is no longer fed", || {
        manager.drain();
        std::thread::sleep(Duration::from_millis(400));
        manager.drain() == 0
    });
    server.signal(Signal::SIGKILL);
    let _ = tracer.kill();
    let _ = tracer.wait();
    let _ = server.wait();
}

/// Reads what a server logs until it has logged a line with `what`, and returns all of it.
fn read_until(log: &mut impl BufRead, what: &str) -> String {
    let mut all = String::new();
    while !all.lines().last().is_some_and(|line| line.contains(what)) {
        let read = log.read_line(&mut all).expect("text");
        assert!(read > 0, "{what} is missing in {all}");
    }
    all
}

/// Starts a server with a configuration file whose log is read by the test.
fn logged(data: &Path, config: &Path) -> (Server, BufReader<std::io::PipeReader>) {
    let (reader, writer) = std::io::pipe().expect("it works");
    let more = ["--config", config.to_str().expect("it works")];
    (Server::logging_to(data, &more, writer.into()), BufReader::new(reader))
}

#[test]
fn reload_changes_what_can_change_and_names_what_cannot() {
    let (home, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (config, workflows) = (home.path().join("longhaul.toml"), home.path().join("workflows"));
    std::fs::create_dir(&workflows).unwrap();
    let write = |text: &str| std::fs::write(&config, text).unwrap();
    let common = format!("workflows = {workflows:?}\n");
    write(&common);
    let (server, mut log) = logged(data.path(), &config);
    let page_size = || {
        let page = server.call("GET", "/v1/tasks", None).1;
        page["pageMetadata"]["pageSize"].as_u64()
    };
    assert_eq!(page_size(), Some(10));
    assert_ne!(server.run(&["task", "start", "one"]).code, 0);

    std::fs::write(workflows.join("one.yaml"), WORKFLOW).unwrap();
    write(&format!(
        "{common}log_format = \"json\"\nlog_level = \"info,longhaul_server=debug\"\n[wire]\ndefault_page_size = 7\n\
         [limits]\nrate = 1\n[auth]\naccess_token_life = \"2h\"\n[engine]\nmax_running = 3\n"
    ));
    server.signal(Signal::SIGHUP);
    let said = read_until(&mut log, "the configuration was read again");
    let named = said.lines().find(|line| line.contains("count from the next start on")).expect("a warning");
    let event: serde_json::Value = serde_json::from_str(named).expect("JSON from now on");
    assert_eq!(event["settings"], "auth.access_token_life, engine.max_running");
    assert_eq!(event["level"], "WARN");
    // Two a second may come at once, of all requests that count.
    let statuses: Vec<u16> = (0..6).map(|_| server.call("GET", "/v1/tasks", None).0).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(read_until(&mut log, "answered").contains("/v1/tasks"));

    write(&format!("{common}[wire]\ndefault_page_size = 7\n"));
    server.signal(Signal::SIGHUP);
    read_until(&mut log, "the configuration was read again");
    assert_eq!(page_size(), Some(7));
    server.task(&["one"]);

    // None of these applies: neither the page size nor the workflow.
    let two = WORKFLOW.replace("one", "two");
    for (file, workflow, wanted) in [
        ("[wire]\ndefault_page_size = 8\nextension = 1\n[limits]\nrate = 0\n", two.as_str(), "limits.rate"),
        ("[wire]\ndefault_page_size = 8\n", "name: two\n", "two.yaml:1:"),
    ] {
        write(&format!("{common}{file}"));
        std::fs::write(workflows.join("two.yaml"), workflow).unwrap();
        server.signal(Signal::SIGHUP);
        let said = read_until(&mut log, wanted);
        assert!(said.contains("nothing was changed"), "{said}");
        assert!(wanted != "limits.rate" || said.contains(&format!("{}:4:1", config.display())), "{said}");
        assert_eq!(page_size(), Some(7));
        assert_ne!(server.run(&["task", "start", "two"]).code, 0);
    }
    server.stop();
}

#[test]
fn signals_of_the_user_log_the_status_and_stop_nothing() {
    let (home, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let config = home.path().join("longhaul.toml");
    std::fs::write(&config, "").unwrap();
    let (server, mut log) = logged(data.path(), &config);
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2] {
        server.signal(signal);
        let said = read_until(&mut log, "status, as a signal asked for it");
        assert!(said.contains("ready=true") && said.contains("workers=0"), "{said}");
    }
    server.stop();
}

/// Sends a request as the administrator, on a connection of its own.
fn get(server: &Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.socket()).expect("a connection");
    let token = server.token();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

#[test]
fn log_that_nobody_reads_keeps_nobody_waiting() {
    let data = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut server = Server::logging_to(data.path(), &["--log-level", "debug"], writer.into());
    let lost = || {
        let text = get(&server, "/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix("longhaul_log_lost_lines_total "));
        line.expect("a metric").parse::<u64>().unwrap()
    };
    // A long line of the log each.
    let unknown = "/".to_owned() + &"x".repeat(4000);
    until("lines are lost", || {
        for _ in 0..50 {
            assert!(get(&server, &unknown).starts_with("HTTP/1.1 404 "));
        }
        lost() > 0
    });
    // Once it is read, it says so.
    let mut log = BufReader::new(reader);
    let said = read_until(&mut log, "lines of the log are missing before this one");
    let count = said.trim_end().rsplit_once("lost=").expect("a number").1.parse::<u64>().unwrap();
    assert!(count > 0);
    // Then it stalls again, and the server stops all the same.
    let before = lost();
    until("lines are lost again", || {
        for _ in 0..50 {
            assert!(get(&server, &unknown).starts_with("HTTP/1.1 404 "));
        }
        lost() > before
    });
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait(), Some(0));
}

fn health(address: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else { return "refused".to_owned() };
    stream.set_read_timeout(Some(PATIENCE)).expect("it works");
    let _ = stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// Clients that use all connections, silent or not, keep no supervisor from asking for health.
#[test]
fn few_open_files_leave_health_answering() {
    let data = TempDir::new().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 256; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_longhaul")]);
    let server = Server::of(command, data.path(), "127.0.0.1:0", &["--log-level", "error"]);
    let mut crowd: Vec<TcpStream> = Vec::new();
    for number in 0..400 {
        let Ok(mut stream) = TcpStream::connect(server.socket()) else { continue };
        if number % 2 == 0 {
            // The beginning of a request, which is waited for.
            let _ = stream.write_all(b"GET /v1/tasks HTTP/1.1\r\nHost: x\r\n");
        }
        crowd.push(stream);
        if number % 20 == 19 {
            let answer = health(server.socket());
            assert!(answer.starts_with("HTTP/1.1 200 "), "after {number}: {answer}");
        }
    }
    server.run(&["task", "list"]).code(0);
    drop(crowd);
    server.stop();
}

#[test]
fn misspelt_variables_are_warned_of_and_unreadable_ones_refused() {
    use std::os::unix::ffi::OsStrExt;
    let data = TempDir::new().unwrap();
    let mut command = longhaul();
    command.args(["serve", "--data-dir"]).arg(data.path()).env("LONGHAUL_LISTEN", "127.0.0.1:0");
    command
        .env("LONGHAUL_WORKFLOW_DIR", "x")
        .env("LONGHAUL_LOGLEVEL", "error")
        .env("LONGHAUL_PORT", "tcp://1");
    command.env("LONGHAUL_ADMIN_PASSWORD", PASSWORD).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let said = read_until(&mut log, "LONGHAUL_WORKFLOW_DIR has no meaning");
    assert!(said.contains("LONGHAUL_WORKFLOWS has") || said.contains("LONGHAUL_WORKFLOW has"), "{said}");
    assert!(said.contains("LONGHAUL_LOGLEVEL has no meaning") && !said.contains("LONGHAUL_PORT"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    for name in ["LONGHAUL_ADMIN_PASSWORD", "LONGHAUL_TOKEN", "LONGHAUL_DATABASE_URL", "LONGHAUL_LOG"] {
        let mut command = longhaul();
        command.args(["serve", "--data-dir"]).arg(data.path().join("other"));
        let refused = with_input(command.env(name, std::ffi::OsStr::from_bytes(b"s3cret\xff")), "").code(2);
        assert!(refused.err.contains(&format!("{name} is not UTF-8")), "{}", refused.err);
        assert!(!refused.err.contains("s3cret"), "{}", refused.err);
    }
    for (name, value, option) in
        [("LONGHAUL_LISTEN", "nowhere", "--listen"), ("LONGHAUL_LOG_FORMAT", "xml", "--log-format")]
    {
        let mut command = longhaul();
        let refused = with_input(command.arg("serve").env(name, value), "").code(2);
        assert!(refused.err.contains(name) && refused.err.contains(option), "{}", refused.err);
        let mut command = longhaul();
        let refused = with_input(command.args(["serve", option, value]), "").code(2);
        assert!(!refused.err.contains(&format!("variable {name}")), "{}", refused.err);
    }
    let mut command = longhaul();
    let refused = with_input(command.arg("serve").env("LONGHAUL_LOG", "a=b=c"), "").code(1);
    assert!(refused.err.contains("variable LONGHAUL_LOG: write info"), "{}", refused.err);
}

fn through(path: &Path) -> String {
    let mut stream = std::os::unix::net::UnixStream::connect(path).expect("a connection");
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("it works");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it works");
    answer
}

#[test]
fn server_listens_on_several_addresses_a_name_and_a_path() {
    use std::os::unix::fs::PermissionsExt;
    let data = TempDir::new().unwrap();
    let path = data.path().join("longhaul.sock");
    let unix = format!("unix:{}", path.display());
    let more = ["--listen", "localhost:0", "--listen", &unix, "--log-level", "error"];
    let mut server = Server::start(data.path(), "127.0.0.1:0", &more);
    assert!(health(server.socket()).starts_with("HTTP/1.1 200 "));
    assert!(through(&path).starts_with("HTTP/1.1 200 "));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let all = server.listens_on();
    assert!(all.len() >= 3 && all.contains(&unix), "{all:?}");
    for url in all.iter().filter_map(|url| url.strip_prefix("http://")) {
        assert!(health(url).starts_with("HTTP/1.1 200 "), "{url}");
    }
    // By the command line, too.
    let listed = server.command_at(&unix, &["task", "list", "-o", "json"]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let taken = longhaul()
        .args(["serve", "--listen", &unix, "--data-dir"])
        .arg(data.path().join("other"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&taken.stderr).contains("somebody listens there already"));
    server.signal(Signal::SIGKILL);
    server.wait();
    assert!(path.exists(), "nobody could remove it");
    let more = ["--listen", &unix, "--unix-mode", "0600", "--log-level", "error"];
    let server = Server::start(data.path(), "127.0.0.1:0", &more);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(through(&path).starts_with("HTTP/1.1 200 "));
    server.stop();
    assert!(!path.exists());
}

#[test]
fn both_families_of_a_port_can_be_listed() {
    let data = TempDir::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (four, six) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
    let more = ["--listen", &six, "--insecure-http", "--log-level", "error"];
    let server = Server::start(data.path(), &four, &more);
    assert!(health(&format!("127.0.0.1:{port}")).starts_with("HTTP/1.1 200 "));
    assert!(health(&format!("[::1]:{port}")).starts_with("HTTP/1.1 200 "));
    server.stop();
    // Alone, [::] is for both.
    let server = Server::start(data.path(), &six, &["--insecure-http", "--log-level", "error"]);
    assert!(health(&format!("127.0.0.1:{port}")).starts_with("HTTP/1.1 200 "));
    server.stop();
}

/// Unit files of the page are valid for systemd.
#[test]
fn units_of_the_page_are_valid() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/service.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let folder = TempDir::new().unwrap();
    let mut units: Vec<PathBuf> = Vec::new();
    for block in page.split("```ini\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        let (first, rest) = block.split_once('\n').expect("a name");
        let unit = folder.path().join(first.trim_start_matches("# "));
        // There is no installed binary where the tests run.
        std::fs::write(&unit, rest.replace("/usr/local/bin/longhaul", env!("CARGO_BIN_EXE_longhaul")))
            .unwrap();
        units.push(unit);
    }
    let names: Vec<_> = units.iter().filter_map(|unit| unit.file_name()?.to_str()).collect();
    assert_eq!(names, ["longhaul.service", "longhaul.socket"]);
    match Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&units).output() {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            let ours: Vec<&str> = said.lines().filter(|line| line.contains("longhaul")).collect();
            assert!(done.status.success() && ours.is_empty(), "{said}");
        }
        Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{e}"),
    }
}
