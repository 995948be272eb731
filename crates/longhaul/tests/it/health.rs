//! Health, keys and manual pages, as installers and supervisors use them.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::nodes::Site;
use super::support::{Server, longhaul, run};

#[test]
fn health_is_said_in_words_and_in_the_exit_code() {
    let data = TempDir::new().unwrap();
    let path = data.path().join("longhaul.sock");
    let unix = format!("unix:{}", path.display());
    let server = Server::start(data.path(), "127.0.0.1:0", &["--listen", &unix, "--log-level", "error"]);
    for address in [server.address(), &unix] {
        let done = run(&["health", "--server", address]).code(0);
        assert_eq!(done.out, format!("{address} is live and ready\n"));
        let done = run(&["health", "--live", "--server", address]).code(0);
        assert_eq!(done.out, format!("{address} is live\n"));
    }
    let done = run(&["health", "-o", "json", "--server", server.address()]).code(0);
    assert_eq!(done.json(), serde_json::json!({ "status": "UP" }));
    let address = server.address().to_owned();
    server.stop();
    assert!(run(&["health", "--server", &address]).code(4).err.contains("does not answer"));
}

#[test]
fn server_that_is_not_ready_is_live_and_says_why() {
    let data = TempDir::new().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0", &["--paused", "true", "--log-level", "error"]);
    let done = run(&["health", "--server", server.address()]).code(5);
    assert!(done.out.is_empty() && done.err.contains("live and not ready: it is paused"), "{}", done.err);
    assert!(done.err.contains("PAUSED"), "{}", done.err);
    run(&["health", "--live", "--server", server.address()]).code(0);
    server.stop();
}

/// Answers that a proxy or another program may give are not health, whatever their status.
#[test]
fn another_program_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answers = [
        (200, "welcome"),
        (200, r#"{"status":"DOWN"}"#),
        (204, ""),
        (302, ""),
        (404, r#"{"status":"UP"}"#),
        (500, ""),
        (503, r#"{"status":"UP"}"#),
        (503, "starting"),
    ];
    let serving = std::thread::spawn(move || {
        for (status, body) in answers {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: ");
                let _ = stream.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes());
            }
        }
    });
    for (status, body) in answers {
        for kind in [&["health"][..], &["health", "--live"]] {
            let done = run(&[kind, &["--server", &address]].concat());
            assert!([3, 5].contains(&done.code) && !done.err.is_empty(), "{status} {body}: {}", done.code);
        }
    }
    serving.join().unwrap();
}

#[test]
fn key_file_is_made_once_and_serves_several_nodes() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("keys.json");
    let make = || longhaul().arg("keys").arg(&file).output().unwrap();
    assert!(make().status.success());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let first = std::fs::read(&file).unwrap();
    let again = make();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    assert_eq!(std::fs::read(&file).unwrap(), first);
    let site = Site::new();
    for node in ["one", "two"].map(|name| site.node_with(name, file.clone())) {
        node.active();
        run(&["health", "--server", &node.address]).code(0);
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let home = TempDir::new().unwrap();
    let folder = home.path().join("man/man1");
    assert!(longhaul().arg("man").arg(&folder).output().unwrap().status.success());
    let mut pages: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    pages.sort();
    for page in &pages {
        let name = page.to_str().unwrap().strip_suffix(".1").expect("a page of section 1");
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS"), "{name}");
        // The name is that of a command: its words are separated by dashes, as some are within words.
        let mut words: Vec<&str> = name.split('-').collect();
        assert_eq!(words.remove(0), "longhaul");
        run(&[&words[..], &["--help"]].concat()).code(0);
    }
    for wanted in ["longhaul.1", "longhaul-serve.1", "longhaul-task-list.1", "longhaul-health.1"] {
        assert!(pages.iter().any(|page| page == wanted), "{wanted} is not among {pages:?}");
    }
}
