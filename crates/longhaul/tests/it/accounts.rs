//! Identity: logging in and out, accounts, API keys, and the answers to callers without a credential.

use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use super::support::{Done, PASSWORD, Server, longhaul, shipped_server, with_input};

/// Person at a terminal of their own: files that their commands keep are theirs.
struct Person {
    home: TempDir,
    server: String,
}

impl Person {
    fn at(server: &Server) -> Person {
        Person { home: TempDir::new().expect("a directory"), server: server.address().to_owned() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = longhaul();
        command.args(arguments).args(["--server", &self.server]);
        command.env("XDG_CONFIG_HOME", self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().expect("the binary runs").into()
    }

    fn with(&self, arguments: &[&str], input: &str) -> Done {
        with_input(&mut self.command(arguments), input)
    }

    fn log_in(server: &Server, name: &str, password: &str) -> Person {
        let person = Person::at(server);
        person.with(&["login", name, "--password-stdin"], password).code(0);
        person
    }
}

const ANNAS: &str = "correct horse battery";
const NEW: &str = "staple battery horse";

#[test]
fn a_session_lasts_until_it_is_ended() {
    let (_data, server) = shipped_server();
    let person = Person::at(&server);
    let done = person.with(&["login", "admin", "--password-stdin"], PASSWORD).code(0);
    assert!(done.out.is_empty(), "{}", done.out);
    assert_eq!(done.err, format!("logged in to {} as admin (ADMIN)\n", server.address()));
    assert_eq!(person.run(&["whoami"]).code(0).out, "admin (ADMIN, user)\n");
    let me = person.run(&["whoami", "-o", "json"]).code(0).json();
    assert_eq!(me, json!({"name": "admin", "role": "ADMIN", "kind": "USER"}));
    person.run(&["task", "list"]).code(0);

    // Without the access token it is renewed, and the new one is kept.
    let file = person.home.path().join("longhaul/sessions.json");
    let mut sessions: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let one = &mut sessions[server.address()];
    let old = one["access_token"].as_str().unwrap().replace('.', ".x");
    one["access_token"] = json!(old);
    std::fs::write(&file, sessions.to_string()).unwrap();
    person.run(&["task", "list"]).code(0);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&old));

    let done = person.run(&["logout"]).code(0);
    assert!(done.err.contains("logged out of"), "{}", done.err);
    let refused = person.run(&["task", "list"]).code(3);
    assert!(refused.err.contains("hint: log in with `longhaul login NAME`"), "{}", refused.err);
    assert!(!refused.err.contains("POST /v1/tokens"), "{}", refused.err);
    let again = person.run(&["logout"]).code(0);
    assert!(again.err.contains("there is no session"), "{}", again.err);
}

#[test]
fn sessions_are_listed_and_ended_on_the_command_line() {
    let (_data, server) = shipped_server();
    let (here, there) =
        (Person::log_in(&server, "admin", PASSWORD), Person::log_in(&server, "admin", PASSWORD));
    let table = here.run(&["session", "list"]).code(0).out;
    assert_eq!(table.lines().filter(|line| line.contains("password")).count(), 3, "{table}");
    assert_eq!(table.matches("(this one)").count(), 1, "{table}");
    let listed = here.run(&["session", "list", "--user", "Admin", "-o", "json"]).code(0).json();
    let sessions = listed["elements"].as_array().unwrap();
    let id = |current: bool| {
        let one = sessions.iter().find(|one| one["current"] == current).unwrap();
        one["id"].as_str().unwrap().to_owned()
    };
    let done = here.run(&["session", "end", &id(false)]).code(0);
    assert_eq!(done.err, format!("{}: ended; its tokens are refused from now on\n", id(false)));
    there.run(&["task", "list"]).code(3);
    let again = here.run(&["session", "end", &id(false)]).code(3);
    assert!(again.err.contains("SESSION_NOT_FOUND"), "{}", again.err);
    here.run(&["task", "list"]).code(0);
    here.run(&["session", "end", &id(true)]).code(0);
    here.run(&["task", "list"]).code(3);
}

#[test]
fn wrong_logins_say_so() {
    let (_data, server) = shipped_server();
    let person = Person::at(&server);
    for (name, password) in [("admin", "not the password"), ("nobody", PASSWORD)] {
        let done = person.with(&["login", name, "--password-stdin"], password).code(3);
        assert!(done.err.contains("IDENTITY_UNAUTHORIZED_ENTITY"), "{}", done.err);
    }
    let done = person.with(&["login", "admin", "--password-stdin"], "").code(2);
    assert!(done.err.contains("standard input is empty"), "{}", done.err);
    let done = person.run(&["login", "admin"]).code(2);
    assert!(done.err.contains("--password-stdin"), "{}", done.err);
    let done = person.with(&["login", "--api-key-stdin"], "lhk_nothing").code(3);
    assert!(done.err.contains("401"), "{}", done.err);
    assert!(!person.home.path().join("longhaul/sessions.json").exists());
}

#[test]
fn accounts_are_made_changed_and_deleted() {
    let (_data, server) = shipped_server();
    let add = ["user", "add", "anna", "--role", "OPERATOR", "--password-stdin"];
    assert_eq!(server.run_with_input(&add, ANNAS).code(0).err, "anna: made\n");
    let twice = server.run_with_input(&add, ANNAS).code(3);
    assert!(twice.err.contains("USER_EXISTS"), "{}", twice.err);
    let weak = server.run_with_input(&["user", "add", "bob", "--password-stdin"], "short").code(3);
    assert!(weak.err.contains("at least 12 characters"), "{}", weak.err);
    let role = server.run_with_input(&["user", "add", "bob", "--role", "KING", "--password-stdin"], ANNAS);
    assert!(role.code(3).err.contains("OPERATOR"));

    let anna = Person::log_in(&server, "anna", ANNAS);
    let id = server.task(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
    anna.run(&["task", "cancel", &id]).code(0);
    let refused = anna.run(&["user", "list"]).code(3);
    assert!(refused.err.contains("anna is OPERATOR, and this call needs ADMIN"), "{}", refused.err);

    let list = server.run(&["user", "list"]).code(0).out;
    let line = list.lines().find(|line| line.starts_with("anna")).expect("anna is listed");
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    assert_eq!(words, ["anna", "OPERATOR", "user", "enabled", "0"]);

    server.run(&["user", "role", "anna", "VIEWER"]).code(0);
    assert!(anna.run(&["task", "cancel", &id]).code(3).err.contains("anna is VIEWER"));
    server.run(&["user", "disable", "anna"]).code(0);
    anna.run(&["task", "list"]).code(3);
    server.run(&["user", "enable", "anna"]).code(0);
    // Sessions of before do not come back.
    anna.run(&["task", "list"]).code(3);
    let anna = Person::log_in(&server, "anna", ANNAS);
    server.run(&["user", "delete", "anna"]).code(0);
    anna.run(&["task", "list"]).code(3);
    let gone = server.run(&["user", "delete", "anna"]).code(3);
    assert!(gone.err.contains("USER_NOT_FOUND"), "{}", gone.err);
    for last in [
        &["user", "delete", "admin"][..],
        &["user", "disable", "admin"],
        &["user", "role", "admin", "VIEWER"],
    ] {
        assert!(server.run(last).code(3).err.contains("LAST_ADMIN"), "{last:?}");
    }
}

#[test]
fn passwords_are_changed_by_their_owner_and_by_administrators() {
    let (_data, server) = shipped_server();
    server.run_with_input(&["user", "add", "anna", "--password-stdin"], ANNAS).code(0);
    let anna = Person::log_in(&server, "anna", ANNAS);
    let wrong = anna.with(&["user", "passwd", "--password-stdin"], &format!("{NEW}\n{NEW}\n")).code(3);
    assert!(wrong.err.contains("WRONG_PASSWORD"), "{}", wrong.err);
    anna.with(&["user", "passwd", "--password-stdin"], &format!("{ANNAS}\n{NEW}\n")).code(0);
    anna.run(&["whoami"]).code(3);
    Person::at(&server).with(&["login", "anna", "--password-stdin"], ANNAS).code(3);
    let anna = Person::log_in(&server, "anna", NEW);
    server.run_with_input(&["user", "passwd", "anna", "--password-stdin"], ANNAS).code(0);
    anna.run(&["whoami"]).code(3);
    Person::log_in(&server, "anna", ANNAS).run(&["whoami"]).code(0);
}

#[test]
fn programs_come_in_with_keys() {
    let (_data, server) = shipped_server();
    let made = server.run(&["user", "add", "pipeline", "--role", "OPERATOR", "--service"]).code(0);
    let first = made.out.trim().to_owned();
    assert!(first.starts_with("lhk_") && made.err.contains("shown this once"), "{}", made.err);
    let second = server.run(&["user", "key", "add", "pipeline", "--name", "the next one"]).code(0);
    let second = second.out.trim().to_owned();
    let whoami = |key: &str| -> Done {
        longhaul()
            .args(["whoami", "--server", server.address()])
            .env("LONGHAUL_TOKEN", key)
            .output()
            .unwrap()
            .into()
    };
    assert_eq!(whoami(&first).code(0).out, "pipeline (OPERATOR, service)\n");
    let program = Person::at(&server);
    program.with(&["login", "--api-key-stdin"], &second).code(0);
    program.run(&["task", "list"]).code(0);

    let keys = server.run(&["user", "key", "list", "pipeline"]).code(0).out;
    let line = keys.lines().find(|line| line.contains("the next one")).expect("the key is listed");
    let id = line.split(' ').next().unwrap();
    server.run(&["user", "key", "delete", "pipeline", id]).code(0);
    whoami(&second).code(3);
    program.run(&["task", "list"]).code(3);
    whoami(&first).code(0);
    let gone = server.run(&["user", "key", "delete", "pipeline", id]).code(3);
    assert!(gone.err.contains("API_KEY_NOT_FOUND"), "{}", gone.err);
}

#[test]
fn the_first_start_tells_the_password_and_later_ones_do_not() {
    let data = TempDir::new().unwrap();
    let started = || {
        let mut command = longhaul();
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "error", "--data-dir"]);
        let mut child = command.arg(data.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = Vec::new();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        for line in std::io::BufRead::lines(out) {
            lines.push(line.unwrap());
            if lines.last().unwrap().starts_with("longhaul listens") {
                break;
            }
        }
        (child, lines)
    };
    let (mut child, lines) = started();
    let password = lines[0].strip_prefix("made the first administrator: user admin, password ");
    let password = password.expect("it says so");
    let address = lines.last().unwrap().split(' ').find(|word| word.starts_with("http")).unwrap();
    let person = Person { home: TempDir::new().unwrap(), server: address.trim_end_matches(',').to_owned() };
    person.with(&["login", "admin", "--password-stdin"], password).code(0);
    // Memory is in no core dump.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, lines) = started();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.len(), 1, "{lines:?}");
}
