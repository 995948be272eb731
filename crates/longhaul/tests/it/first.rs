//! First two minutes: installation of what the server needs, and its output at the first start.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{Done, longhaul, run, with_input};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns what the script would install on a machine that has nothing but a shell.
fn installed(wanted: &[&str]) -> String {
    let bin = TempDir::new().expect("a directory");
    for name in ["bash", "id", "env", "ls"] {
        let folders = ["/usr/bin", "/bin"].map(Path::new);
        let found = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        symlink(found.expect("a shell"), bin.path().join(name)).expect("a link");
    }
    for name in ["apt-get", "sudo", "cargo"] {
        let path = bin.path().join(name);
        std::fs::write(&path, "#!/bin/sh\nexit 0\n").expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("executable");
    }
    let mut script = Command::new(root().join("scripts/setup.sh"));
    let done: Done =
        script.args(wanted).env_clear().env("PATH", bin.path()).output().expect("it runs").into();
    done.code(0).out
}

#[test]
fn running_installs_what_running_needs() {
    let run = installed(&["run"]);
    assert!(run.contains("gcc"), "{run}");
    for more in ["postgresql", "haproxy", "strace", "faketime", "python"] {
        assert!(!run.contains(more), "{more}: {run}");
    }
    let all = installed(&[]);
    assert!(all.contains("gcc") && all.contains("strace") && all.contains("python3"), "{all}");
    // A dry run shows what `make run` does.
    let dry: Done =
        Command::new("make").arg("-n").arg("run").current_dir(root()).output().expect("make").into();
    assert!(dry.out.contains("scripts/setup.sh run\n"), "{}", dry.out);
    assert!(!dry.out.contains("scripts/setup.sh\n"), "{}", dry.out);
}

#[test]
fn a_first_start_says_what_to_do() {
    let home = TempDir::new().expect("a directory");
    let mut command = longhaul();
    command.args(["serve"]).env("LONGHAUL_LISTEN", "127.0.0.1:0").env("LONGHAUL_LOG", "error");
    let mut server = command.current_dir(home.path()).stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut said = String::new();
    for line in out.lines().map_while(Result::ok) {
        said.push_str(&line);
        said.push('\n');
        if line.starts_with("Ctrl-C") {
            break;
        }
    }
    let data = home.path().canonicalize().expect("there").join("longhaul-data");
    assert!(said.contains(&format!("data: {}\n", data.display())), "{said}");
    assert!(said.contains(&format!("keys: {}", data.join("keys.json").display())), "{said}");
    assert!(said.contains("administrators: admin\n"), "{said}");
    // Each printed command is valid, and they work in this order.
    let password = said.split("password ").nth(1).and_then(|rest| rest.lines().next()).expect("a password");
    let variables = said.lines().find_map(|line| line.trim().strip_prefix("export ")).expect("where it is");
    let (name, value) = variables.split_once('=').expect("a variable");
    let with = |line: &str| {
        let mut command = longhaul();
        command.args(line.split(' ').skip(1)).env(name, value).env("XDG_CONFIG_HOME", home.path());
        command
    };
    let mut lines =
        said.lines().map(str::trim).filter(|line| line.starts_with("longhaul ") && !line.contains("listens"));
    let login = lines.next().expect("a login");
    with_input(&mut with(&format!("{login} --password-stdin")), password).code(0);
    for line in lines {
        let workflow = root().join("workflows/create-domain.yaml");
        let line = line.replace("FILE", &workflow.display().to_string());
        let done: Done = with(&line).output().expect("the binary runs").into();
        assert_eq!(done.code, 0, "{line}: {}", done.err);
    }
    kill(Pid::from_raw(server.id().cast_signed()), Signal::SIGTERM).expect("it is there");
    assert!(server.wait().expect("it ends").success());
    assert!(run(&["serve", "--help"]).code(0).out.contains("longhaul serve --demo"));
}
