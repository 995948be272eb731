//! Tips: commands to try next, which work as they are printed.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::Reach;
use super::tasks::{EXAMPLE, Shown};
use crate::out::style::Palette;

/// Body of a credentials task that rotates a password.
const ROTATE: &str = r#"{"operationType": "ROTATE", "elements": [{"resourceType": "ESXI", "resourceName": "sfo01-m01-esx01.rainpole.io", "credentials": [{"credentialType": "SSH", "username": "root"}]}]}"#;

/// Returns all tips as text.
pub(super) fn text(reach: &Reach, inventory: SocketAddr, shown: &Shown, palette: Palette) -> String {
    let (longhaul, address, curl) = (program(), reach.address(), reach.curl());
    let Shown { failed, parked, running, waiting } = shown;
    let mut lines: Vec<(String, &str)> = Vec::new();
    lines
        .push((format!("export {}", reach.variables()), "first: where the server is, and who you are to it"));
    lines.extend([
        (format!("{longhaul} task list"), "what there is"),
        (format!("{longhaul} task start create-domain -i domain=sfo-w09 --watch"), "start one and watch it"),
        (format!("{longhaul} task retry {failed} --watch"), "this one failed: go on from where it did"),
        (
            format!("{longhaul} task resolve {parked} --sub-task RotatePassword --done --reason 'the new password works'"),
            "nobody knows what became of this one, until you say so",
        ),
        (format!("{longhaul} task watch {waiting}"), "this one waits for a timer; Ctrl-C leaves it alone"),
        (format!("{longhaul} task cancel {running}"), "this one takes too long"),
        (
            format!("{longhaul} task start host-health-report -i inventory=http://{inventory} --watch"),
            "real work: HTTP calls, a command, a timer",
        ),
        (format!("{curl} '{address}/v1/tasks?pageSize=3'"), "the Tasks API"),
        (format!("{curl} '{address}/v1/tasks?taskStatus=Failed&resourceType=HOST'"), "filtered"),
        (format!("{curl} {address}/v1/tasks/{EXAMPLE}"), "an imported task, exactly as it came"),
        (
            format!("{curl} -X PATCH {address}/v1/system/ceip -H 'Content-Type: application/json' -d '{{\"status\": \"ENABLE\"}}'"),
            "a route of a workflow: 202 and a task",
        ),
        (
            format!("{curl} -X PATCH {address}/v1/credentials -H 'Content-Type: application/json' -d '{ROTATE}'"),
            "a rotation of passwords: it has the host for itself while it runs",
        ),
        (format!("{curl} {address}/v1/credentials/tasks"), "as clients of credentials see it"),
        (format!("{curl} {address}/openapi.json"), ""),
    ]);
    let (dim, strong) = (palette.dim(), palette.strong());
    let mut out = format!("\n{strong}Try, in another terminal:{strong:#}\n");
    for (line, remark) in lines {
        if !remark.is_empty() {
            out.push_str(&format!("\n  {dim}# {remark}{dim:#}"));
        }
        out.push_str(&format!("\n  {line}\n"));
    }
    out.push_str(&format!(
        "\nThe page, in a browser: {address}/ui\nThe API, to read and to try: {address}/docs\nCtrl-C stops the server; nothing is lost.\n"
    ));
    out
}

/// Name by which a shell finds this program, else its path.
fn program() -> String {
    let Ok(own) = std::env::current_exe() else { return "longhaul".to_owned() };
    let folders = crate::environment::text("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join("longhaul")).find(|path| path.is_file());
    let same = |found: PathBuf| found.canonicalize().is_ok_and(|found| found == own);
    if found.is_some_and(same) { "longhaul".to_owned() } else { own.display().to_string() }
}
