//! Control groups of commands. Each test reports whether this machine has them, and asserts what holds there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use longhaul_engine::launcher::{Groups, Limits};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::support::{assert_gone, marked, run};
use super::{SH, actions, block_on, say, script, start_server, wait_until};

/// First argument of a process that looks at the groups of a folder from inside.
pub(super) const INSIDE: &str = "--inside";

/// Returns the unified control group from the kernel's list of a process's groups.
fn unified(groups: &str) -> String {
    groups.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
}

fn own() -> String {
    unified(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default())
}

/// Reports whether there are control groups here; returns the folder in which servers make them.
fn site() -> Option<PathBuf> {
    match Groups::prepare() {
        Ok(groups) => {
            say(&format!(
                "control groups: in {}, limits {:?}",
                groups.folder().display(),
                groups.controllers()
            ));
            groups.folder().parent().map(Path::to_owned)
        }
        Err(reason) => {
            say(&format!("control groups: none, as {reason}"));
            None
        }
    }
}

/// Every attempt has a group of its own, gone with the attempt, whatever the program did in it.
pub(super) fn of_commands() {
    let site = site();
    let actions = actions(&[SH]);
    let group = || {
        let text = "cat /proc/self/cgroup; setsid sleep 1000 > /dev/null 2>&1 &";
        let output = block_on(async { run(&actions, script("grouped", text), json!({})).await });
        let output = output.expect("a success").expect("an output");
        unified(output["stdout"].as_str().expect("a text"))
    };
    let (first, second) = (group(), group());
    block_on(assert_gone("grouped"));
    let Some(site) = site else {
        assert_eq!((&first, &second), (&own(), &own()), "a program stays where the server is");
        return;
    };
    for (group, number) in [(&first, "/1"), (&second, "/2")] {
        let part = format!("longhaul-commands-{}-", std::process::id());
        assert!(group.contains(&part) && group.ends_with(number), "{group}");
        let below = group.trim_start_matches(&own().replace("longhaul-server", "")).trim_start_matches('/');
        wait_until("the group is removed", || !site.join(below).exists());
        assert!(site.join(below).parent().is_some_and(Path::exists), "the server's own folder stays");
    }
    let folder = site.join(first.rsplit('/').nth(1).expect("a folder"));
    drop(actions);
    wait_until("the groups of a server that stopped are removed", || !folder.exists());
}

/// Programs of a server that was killed with its supervisors at the same moment are ended by the next server.
pub(super) fn next_server() {
    let site = site();
    let mut server = start_server("unwatched");
    wait_until("two commands with what they started run", || marked("unwatched").len() >= 8);
    let pid = Pid::from_raw(server.id().cast_signed());
    kill(pid, Signal::SIGSTOP).expect("stopped");
    for supervisor in children(pid) {
        kill(supervisor, Signal::SIGKILL).expect("killed");
    }
    server.kill().expect("killed");
    server.wait().expect("ended");
    let left = marked("unwatched");
    assert!(!left.is_empty(), "nobody was left to end them");
    drop(actions(&[SH]));
    if site.is_none() {
        for process in left {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
    block_on(assert_gone("unwatched"));
}

fn children(process: Pid) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a process").flatten();
    let listed = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let listed: String = listed.collect::<Vec<_>>().join(" ");
    listed.split_whitespace().map(|id| Pid::from_raw(id.parse().expect("a number"))).collect()
}

/// Controllers of a group that is not the machine's first are passed on once the server has left it, and not
/// while others are in it; programs have groups either way.
pub(super) fn of_a_service() {
    let Some(site) = site() else {
        assert_eq!(unified("4:memory:/a\n0::/b\n"), "/b");
        return;
    };
    let read = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
    let (offered, passed) = (read(&site, "cgroup.controllers"), read(&site, "cgroup.subtree_control"));
    let offered: Vec<&str> = offered.split_whitespace().collect();
    let outer = Groups::below(&site, &offered).expect("groups");
    say(&format!("controllers: {:?} of {offered:?}", outer.controllers()));
    for (name, with_others) in [("alone", false), ("with-others", true)] {
        let service = outer.folder().join(name);
        fs::create_dir(&service).expect("a group");
        let other = with_others.then(|| inside(&service, "sleep", Stdio::null()));
        let output = inside(&service, "groups", Stdio::piped()).wait_with_output().expect("a process");
        let said = String::from_utf8(output.stdout).expect("a text");
        assert!(output.status.success(), "{said}");
        let expected = if with_others { String::new() } else { outer.controllers().join(" ") };
        assert_eq!(said.trim_end(), expected, "{name}");
        if let Some(mut other) = other {
            other.kill().expect("killed");
            other.wait().expect("ended");
        }
        assert!(!service.join("longhaul-commands").exists());
    }
    drop(outer);
    for controller in offered.iter().filter(|one| !passed.split_whitespace().any(|all| all == **one)) {
        let _ = fs::write(site.join("cgroup.subtree_control"), format!("-{controller}"));
    }
}

/// Starts a process that enters the group of a folder and does something there.
fn inside(folder: &Path, what: &str, output: Stdio) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    let child = command.args([INSIDE, what]).arg(folder).stdout(output).spawn().expect("started");
    if what == "sleep" {
        wait_until("it is inside", || {
            fs::read_to_string(folder.join("cgroup.procs")).is_ok_and(|all| !all.is_empty())
        });
    }
    child
}

/// Runs the part of such a process: it waits, or prepares groups, makes one and prints their controllers.
pub(super) fn look(what: &str, folder: &Path) -> ExitCode {
    fs::write(folder.join("cgroup.procs"), "0").expect("inside");
    if what == "sleep" {
        std::thread::sleep(std::time::Duration::from_secs(1000));
    }
    let offered = fs::read_to_string(folder.join("cgroup.controllers")).expect("a group");
    let offered: Vec<&str> = offered.split_whitespace().collect();
    let mut groups = Groups::below(folder, &offered).expect("groups");
    assert!(own().ends_with("/longhaul-server"), "{}", own());
    let limits = Limits { memory: 1 << 30, processes: 10, processors: 50, ..Limits::default() };
    let cell = groups.make(&limits).expect("a group of a program");
    for controller in groups.controllers() {
        let own = |name: std::ffi::OsString| name.to_string_lossy().starts_with(&format!("{controller}."));
        let mut files = fs::read_dir(cell.folder()).expect("a group").flatten();
        assert!(files.any(|file| own(file.file_name())), "{controller}");
    }
    let mut child = Command::new("/bin/sleep").arg("1000").spawn().expect("started");
    fs::write(cell.folder().join("cgroup.procs"), child.id().to_string()).expect("inside");
    assert!(cell.remove().is_err(), "something runs in it");
    cell.end();
    child.wait().expect("ended");
    wait_until("it is empty", || cell.remove().is_ok());
    say(&groups.controllers().join(" "));
    ExitCode::SUCCESS
}
