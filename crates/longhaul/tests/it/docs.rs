//! Every command that a page prints is run, each page against a demonstration of its own, in its order.
//! Commands that cannot be run are listed with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::support::{Done, PASSWORD, Server, shipped, with_input};
use tempfile::TempDir;

const SERVES: &str =
    "it serves until it is stopped; what it reads is checked by the tests of the command line";
const ASKS: &str = "it asks for a password on a terminal";
const AGENT: &str = "it speaks a protocol on standard input; the protocol's own client runs it";
const ELSEWHERE: &str = "it speaks to a machine that is not here";
const POSTGRES: &str = "it needs a PostgreSQL server of that name; the tests of `migrate` run it";
const CHECKS: &str = "the tests of `check` run it, on a store that is there";
const DRILL: &str = "the drill of restoring has a test of its own, which runs the page";
const BUILDS: &str = "it builds this program";

/// Commands that are not run: the page, the beginning of the command, and the reason. Their number is fixed:
/// a longer list is noticed.
const NOT_RUN: [(&str, &str, &str); 45] = [
    ("README.md", "make run", BUILDS),
    ("README.md", "make test", BUILDS),
    ("README.md", "alias longhaul=", "it names the program that was built"),
    ("authentication.md", "longhaul login admin", ASKS),
    ("authentication.md", "longhaul user add anna", ASKS),
    ("authentication.md", "longhaul user passwd", ASKS),
    ("authentication.md", "TOKEN=$(curl", "it has the place of a password, and needs jq"),
    ("cli.md", "longhaul serve --demo", SERVES),
    ("cli.md", "longhaul serve --listen", SERVES),
    ("cli.md", "longhaul serve --config", SERVES),
    ("cli.md", "longhaul serve --data-dir", SERVES),
    ("cli.md", "longhaul task resolve 4b707 --all", "it needs a `forEach` whose children were lost"),
    ("cli.md", "longhaul lock release", "it needs a failed task that holds a lock"),
    ("cli.md", "longhaul worker exec --queue esxi --", SERVES),
    ("cli.md", "longhaul mcp", AGENT),
    ("cli.md", "longhaul --context lab mcp", AGENT),
    ("cli.md", "longhaul login admin --context prod", ASKS),
    ("cli.md", "longhaul login admin", ASKS),
    ("cli.md", "longhaul --server https://longhaul.lab:8443", ELSEWHERE),
    ("cli.md", "longhaul user add anna", ASKS),
    ("cli.md", "longhaul user passwd", ASKS),
    ("cli.md", "curl -s https://sfo-vcf01.rainpole.io", ELSEWHERE),
    ("cli.md", "zcat history-*.json.gz", "it reads files of another server"),
    ("cli.md", "longhaul migrate --from sqlite", POSTGRES),
    ("cli.md", "LONGHAUL_DATABASE_URL=", POSTGRES),
    ("cli.md", "longhaul migrate --from postgres", POSTGRES),
    ("cli.md", "longhaul restore", DRILL),
    ("cli.md", "longhaul check --database", POSTGRES),
    ("cli.md", "longhaul check --data-dir /var/lib/longhaul --repair", CHECKS),
    ("check.md", "longhaul check --database", POSTGRES),
    ("check.md", "longhaul check --data-dir /var/lib/longhaul --repair", CHECKS),
    ("events.md", "curl -N", "its answer has no end"),
    ("events.md", "curl -s \"http://127.0.0.1:8080/v1/changes?cursor", "it has the place of a cursor"),
    ("restore.md", "longhaul backup", DRILL),
    ("restore.md", "cp -p", DRILL),
    ("restore.md", "longhaul restore", DRILL),
    ("restore.md", "longhaul serve", DRILL),
    ("restore.md", "longhaul --server http://127.0.0.1:8090", DRILL),
    ("sddc-manager.md", "longhaul serve --workflows", SERVES),
    ("tls.md", "longhaul serve --listen 0.0.0.0:8443", SERVES),
    ("tls.md", "longhaul --server https://host:8443", ELSEWHERE),
    ("tls.md", "curl --cacert cert.pem", ELSEWHERE),
    ("tls.md", "longhaul serve --listen 0.0.0.0:443", SERVES),
    ("tls.md", "install -m 600 -o longhaul", "it needs an account of that name"),
    ("tls.md", "install -m 644 -o longhaul", "it needs an account of that name"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pages: their names and texts.
fn pages() -> Vec<(String, String)> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(root().join("docs"))
        .expect("docs/")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    all.push(root().join("README.md"));
    all.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    all.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("a page"))).collect()
}

/// Returns the commands of a page, one each, whatever the indentation of its blocks. Blocks without a
/// language are commands where their first line is one.
fn commands(page: &str) -> Vec<String> {
    let (mut all, mut block): (Vec<String>, Option<Vec<String>>) = (Vec::new(), None);
    let mut is_shell = false;
    for line in page.lines().map(str::trim) {
        match (line.strip_prefix("```"), &mut block) {
            (Some(language), None) => {
                is_shell = language == "sh";
                block = Some(Vec::new());
            }
            (Some(_), Some(_)) => {
                let lines = block.take().unwrap_or_default();
                let begins = |word: &str| lines.first().is_some_and(|line| line.starts_with(word));
                if is_shell || ["longhaul ", "curl ", "make "].into_iter().any(begins) {
                    all.extend(joined(&lines));
                }
            }
            (None, Some(lines)) => lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    all.retain(|command| !command.is_empty() && !command.starts_with('#'));
    all
}

/// Joins lines that end with a backslash with the next one.
fn joined(lines: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut open = false;
    for line in lines {
        let (text, goes_on) = match line.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (line.as_str(), false),
        };
        match all.last_mut().filter(|_| open) {
            Some(last) => last.push_str(text),
            None => all.push(text.to_owned()),
        }
        open = goes_on;
    }
    all
}

fn why_not(page: &str, command: &str) -> Option<usize> {
    NOT_RUN.iter().position(|(of, begin, _)| *of == page && command.starts_with(begin))
}

#[test]
fn what_is_not_run_is_there_and_has_its_reason() {
    let mut met = BTreeSet::new();
    for (page, text) in pages() {
        for command in commands(&text) {
            let fits = NOT_RUN
                .iter()
                .enumerate()
                .filter(|(_, (of, begin, _))| *of == page && command.starts_with(begin));
            met.extend(fits.map(|(n, _)| n));
        }
    }
    let stale: Vec<_> = NOT_RUN.iter().enumerate().filter(|(n, _)| !met.contains(n)).collect();
    assert!(stale.is_empty(), "no page has these any more: {stale:#?}");
    assert!(NOT_RUN.iter().all(|(.., reason)| reason.len() > 10));
}

/// A task of another server.
const TASK: &str = r#"{"id": "bc32f3be-a777-434b-a156-3fa54e8d2ded", "name": "Enable CEIP", "status": "Successful",
 "creationTimestamp": "2026-01-01T00:00:00.000Z", "completionTimestamp": "2026-01-01T00:01:00.000Z"}"#;

/// Demonstration with all that the pages take for granted.
struct Ground {
    home: TempDir,
    server: Server,
}

impl Ground {
    fn new(page: &str) -> Ground {
        let home = TempDir::new().expect("a directory");
        let at = |name: &str| home.path().join(name);
        // The simulated SDDC Manager has routes of its own.
        let simulated = format!("{}/sddc-manager", shipped());
        let more =
            if page == "sddc-manager.md" { ["--workflows", simulated.as_str()] } else { ["--demo", "true"] };
        let server = Server::start(&at("longhaul-data"), "127.0.0.1:0", &more);
        for folder in [
            "bin",
            ".local/share/bash-completion/completions",
            ".zfunc",
            ".config/fish/completions",
            "backup",
        ] {
            std::fs::create_dir_all(at(folder)).expect("a directory");
        }
        let link = |from: &str, to: PathBuf| std::os::unix::fs::symlink(from, to).expect("a link");
        link(env!("CARGO_BIN_EXE_longhaul"), at("bin/longhaul"));
        link(&shipped(), at("workflows"));
        std::fs::write(at("domain.json"), r#"{"domain": "sfo-w01"}"#).expect("written");
        std::fs::write(at("tasks.json"), TASK).expect("written");
        let ground = Ground { home, server };
        ground.run("longhaul user add prepared --role VIEWER --service > prepared.txt").code(0);
        ground.run("cp prepared.txt key.txt").code(0);
        ground.run("longhaul user add esxi --role WORKER --service").code(0);
        ground.run("longhaul queue set esxi --max-running 20 --create").code(0);
        let mut anna = ground.shell("longhaul user add anna --role OPERATOR --password-stdin");
        with_input(&mut anna, PASSWORD).code(0);
        ground.run("longhaul context set prod --server http://127.0.0.1:1").code(0);
        ground
    }

    fn shell(&self, command: &str) -> Command {
        let home = self.home.path();
        let path = format!("{}:{}", home.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LONGHAUL_")) {
            shell.env_remove(name);
        }
        shell.args(["-c", command]).current_dir(home).env("PATH", path).env("HOME", home);
        shell.env("XDG_CONFIG_HOME", home.join(".config")).env("NO_COLOR", "1");
        shell.env("LONGHAUL_SERVER", self.server.address()).env("LONGHAUL_TOKEN", self.server.token());
        shell.env("TOKEN", self.server.token()).stdin(Stdio::null());
        shell
    }

    fn run(&self, command: &str) -> Done {
        self.shell(command).output().expect("a shell").into()
    }

    /// Returns a task that the command can act on.
    fn task(&self, command: &str) -> String {
        let start = |arguments: &[&str]| self.server.task(arguments);
        let quick = ["enable-ceip", "-i", "status=ENABLE", "-i", "pace=10ms"];
        if command.contains(" cancel ") {
            return start(&["create-domain", "-i", "domain=a", "-i", "pace=10m"]);
        }
        if command.contains("RotatePassword") {
            let id = start(&[
                "rotate-credential",
                "-i",
                "fqdn=a.b",
                "-i",
                "credentialType=SSH",
                "-i",
                "duration=1m",
            ]);
            self.server.until(&id, "Failed");
            return id;
        }
        if ["retry", "skip", "resolve"].iter().any(|word| command.contains(&format!(" {word} "))) {
            let id = start(&[&quick[..], &["-i", "failAt=UpdateCeipOnNsxTAction"]].concat());
            self.server.until(&id, "Failed");
            return id;
        }
        let id = start(&quick);
        self.server.until(&id, "Successful");
        id
    }

    /// Returns the command with the values of this test in the place of the page's.
    fn here(&self, command: &str) -> String {
        let mut text = command.replace("http://127.0.0.1:8080", self.server.address());
        text = text.replace("/var/lib/longhaul", "./longhaul-data").replace("\"/backup/", "\"./backup/");
        if text.contains("4b707") || text.ends_with(" ID") || text.contains(" ID ") {
            let id = self.task(&text);
            text = text.replace("4b707", &id[28..]).replace(" ID", &format!(" {id}"));
        }
        if text.starts_with("longhaul clock confirm") {
            text = "longhaul clock confirm $(date -u +%Y-%m-%dT%H:%M:%SZ)".to_owned();
        }
        if text.starts_with("longhaul user key delete") {
            let keys = self.run("longhaul user key list pipeline").code(0).out;
            let id = keys.lines().nth(1).and_then(|line| line.split(' ').next()).expect("a key");
            text = format!("longhaul user key delete pipeline {id}");
        }
        if text.starts_with("longhaul session end") {
            self.run("longhaul login --api-key-stdin < prepared.txt").code(0);
            let list = self.run("longhaul session list --user prepared -o json").code(0).json();
            text = format!("longhaul session end {}", list["elements"][0]["id"].as_str().expect("an id"));
        }
        text
    }
}

/// Runs the commands of a page.
fn run_page(page: &str) {
    let (_, text) = pages().into_iter().find(|(name, _)| name == page).expect(page);
    let ground = Ground::new(page);
    if page == "workflows.md" {
        let all = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let one = all.into_iter().find(|block| block.contains("name: check-one-site")).expect("a workflow");
        std::fs::write(ground.home.path().join("check.yaml"), one).expect("written");
        ground.run("longhaul workflow apply check.yaml").code(0);
    }
    for command in commands(&text) {
        if why_not(page, &command).is_some() {
            continue;
        }
        let here = ground.here(&command);
        let done = ground.run(&here);
        assert_eq!(done.code, 0, "{page}: {command}\nas: {here}\n{}\n{}", done.out, done.err);
        let refused =
            here.starts_with("curl") && done.out.contains("\"referenceToken\"") && !here.contains("audit");
        assert!(!refused, "{page}: {command}\n{}", done.out);
    }
}

/// Pages with a test below.
const RUN: [&str; 14] = [
    "README.md",
    "audit.md",
    "authentication.md",
    "check.md",
    "cli.md",
    "events.md",
    "metrics.md",
    "restore.md",
    "retention.md",
    "sddc-manager.md",
    "tls.md",
    "upgrade.md",
    "workers.md",
    "workflows.md",
];

#[test]
fn every_page_with_commands_is_run() {
    let with: Vec<String> =
        pages().into_iter().filter(|(_, text)| !commands(text).is_empty()).map(|(name, _)| name).collect();
    assert_eq!(with, RUN);
}

#[test]
fn commands_of_the_command_line_work() {
    run_page("cli.md");
}

#[test]
fn commands_of_short_pages_work() {
    for page in ["README.md", "authentication.md", "events.md", "workers.md", "workflows.md", "tls.md"] {
        run_page(page);
    }
}

#[test]
fn commands_of_operations_work() {
    for page in
        ["audit.md", "check.md", "metrics.md", "restore.md", "retention.md", "sddc-manager.md", "upgrade.md"]
    {
        run_page(page);
    }
}

/// The table of metrics names what a scrape has, and nothing else, with the same types and labels.
#[test]
fn metrics_are_those_of_a_scrape() {
    let ground = Ground::new("metrics.md");
    let ask = "curl -s \"$LONGHAUL_SERVER/metrics\" -H \"Authorization: Bearer $LONGHAUL_TOKEN\"";
    // The second one has the first one among the requests.
    ground.run(ask);
    let scrape = ground.run(ask).out;
    let there: BTreeMap<&str, &str> =
        scrape.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(there.len() > 30, "{scrape}");
    let (_, page) = pages().into_iter().find(|(name, _)| name == "metrics.md").expect("a page");
    // A server on its own files, without a collector of traces, has none of the others.
    let others = ["with a PostgreSQL database", "where traces are configured"];
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| `longhaul_") && !others.iter().any(|other| line.contains(other)))
        .map(|row| row.split('|').map(str::trim).skip(1).collect())
        .collect();
    let told: BTreeMap<&str, &str> = rows.iter().map(|row| (row[0].trim_matches('`'), row[1])).collect();
    assert_eq!(told, there);
    let mut seen = BTreeSet::new();
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once(['{', ' ']).expect("a sample");
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|end| name.strip_suffix(end))
            .find(|name| told.get(name) == Some(&"histogram"))
            .unwrap_or(name);
        let row = rows.iter().find(|row| row[0].trim_matches('`') == name).expect("a row");
        let of_page: BTreeSet<&str> = row[2].split('`').skip(1).step_by(2).collect();
        let labels = labels.rsplit_once('}').map_or("", |(labels, _)| labels);
        let of_sample: BTreeSet<&str> = labels
            .split("\",")
            .filter_map(|label| Some(label.split_once('=')?.0))
            .filter(|label| *label != "le")
            .collect();
        assert_eq!(of_sample, of_page, "{line}");
        seen.insert(name.to_owned());
    }
    assert!(seen.len() > 25, "{seen:?}");
}
