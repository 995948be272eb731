//! Help texts of the command line.

use super::support::{run, snapshot};

#[test]
fn help_teaches() {
    let help = run(&["--help"]).code(0).out;
    snapshot("help.txt", &help);
}

#[test]
fn every_command_has_help() {
    for command in [
        &["serve"][..],
        &["task"],
        &["task", "list"],
        &["task", "get"],
        &["task", "watch"],
        &["task", "start"],
        &["task", "retry"],
        &["task", "cancel"],
        &["task", "skip"],
        &["task", "resolve"],
        &["task", "why"],
        &["task", "history"],
        &["task", "attempts"],
        &["task", "logs"],
        &["queue"],
        &["queue", "list"],
        &["queue", "pause"],
        &["queue", "resume"],
        &["queue", "set"],
        &["worker", "list"],
        &["worker", "exec"],
        &["lock", "list"],
        &["node"],
        &["node", "list"],
        &["clock"],
        &["clock", "confirm"],
        &["workflow"],
        &["workflow", "lint"],
        &["workflow", "apply"],
        &["workflow", "list"],
        &["workflow", "show"],
        &["workflow", "get"],
        &["workflow", "delete"],
        &["workflow", "schema"],
        &["context"],
        &["context", "list"],
        &["context", "use"],
        &["context", "set"],
        &["context", "remove"],
        &["login"],
        &["logout"],
        &["whoami"],
        &["user"],
        &["user", "add"],
        &["user", "list"],
        &["user", "passwd"],
        &["user", "role"],
        &["user", "disable"],
        &["user", "enable"],
        &["user", "delete"],
        &["user", "key"],
        &["user", "key", "add"],
        &["user", "key", "list"],
        &["user", "key", "delete"],
        &["audit"],
        &["import"],
        &["backup"],
        &["restore"],
        &["check"],
        &["migrate"],
        &["health"],
        &["keys"],
        &["mcp"],
        &["completions"],
        &["man"],
    ] {
        let all = [command, &["--help"]].concat();
        assert!(run(&all).code(0).out.contains("Usage: longhaul"), "{command:?}");
    }
}

#[test]
fn completions_are_scripts() {
    for (shell, words) in
        [("bash", "-F _clap_complete_longhaul longhaul"), ("zsh", "#compdef longhaul"), ("fish", "longhaul")]
    {
        assert!(run(&["completions", shell]).code(0).out.contains(words), "{shell}");
    }
}

#[test]
fn wrong_command_lines_end_with_2() {
    for wrong in [
        &["task"][..],
        &["task", "lsit"],
        &["task", "list", "--asc", "--desc"],
        &["task", "list", "--completed-after", "yesterday"],
        &["task", "start", "x", "-i", "novalue"],
        &["task", "get", "x", "--wait", "soon"],
        &["task", "resolve", "x", "--reason", "r", "--done"],
        &["task", "resolve", "x", "--reason", "r", "--sub-task", "s"],
        &["task", "skip", "x", "y"],
        &["task", "list", "--server", "nowhere"],
        &["clock", "confirm", "noon"],
        &["task", "cancel", ""],
        &["task", "watch", " "],
        &["task", "get", ".."],
        &["task", "cancel", "."],
        &["queue", "set", "q"],
        &["task", "list", "-o", "xml"],
        &["task", "list", "--server", "http://a", "--context", "b"],
        &["task", "list", "--context", "nowhere"],
        &["context", "use", "nowhere"],
        &["context", "set", "a b", "--server", "http://a"],
        &["context", "set", "prod"],
        &["task", "start", "x", "-i", "n:=three"],
        &["task", "list", "--server", "https://admin:secret@127.0.0.1"],
        &["serve", "--listen", "here"],
        &["serve", "--tls", "on"],
        &["serve", "--tls-cert", "cert.pem"],
        &["serve", "--tls", "self-signed", "--tls-cert", "cert.pem", "--tls-key", "key.pem"],
    ] {
        assert!(!run(wrong).code(2).err.is_empty(), "{wrong:?}");
    }
}

#[test]
fn nobody_there_ends_with_4() {
    let done = run(&["task", "list", "--server", "http://127.0.0.1:1"]).code(4);
    assert!(done.err.contains("the server http://127.0.0.1:1 does not answer"), "{}", done.err);
    assert!(done.err.contains("longhaul serve"), "{}", done.err);
}
