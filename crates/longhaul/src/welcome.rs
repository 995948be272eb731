//! Greeting of a server that was started with few settings: the place of its data, its administrators, and
//! suggestions what to try next.

use std::path::Path;

use longhaul_auth::{Auth, Role};
use longhaul_engine::Engine;

use crate::out::style::Palette;

/// Facts about the server for the greeting.
pub(crate) struct Welcome<'a> {
    /// Address at which clients on this machine reach the server.
    pub(crate) address: String,
    /// Certificate that clients must be given.
    pub(crate) ca: Option<&'a Path>,
    /// Directory of the server's data.
    pub(crate) data_dir: &'a Path,
    /// File of the server's keys.
    pub(crate) key_file: &'a Path,
}

impl Welcome<'_> {
    /// Returns the greeting as lines.
    pub(crate) fn text(&self, auth: &Auth, engine: &Engine, palette: Palette) -> String {
        let users = auth.users().unwrap_or_default();
        let admins = users.into_iter().filter(|user| user.role == Role::Admin && !user.disabled);
        let admins: Vec<String> = admins.map(|user| user.name).collect();
        let workflows = engine.workflows().map_or(0, |all| all.len());
        self.lines(&admins, workflows, palette)
    }

    fn lines(&self, admins: &[String], workflows: usize, palette: Palette) -> String {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (strong, dim) = (palette.strong(), palette.dim());
        let mut out = format!("data: {}\n", whole(self.data_dir).display());
        out.push_str(&format!("keys: {} (keep a copy of it elsewhere)\n", whole(self.key_file).display()));
        out.push_str(&format!("administrators: {}\n", admins.join(", ")));
        out.push_str(&format!("\n{strong}Try, in another terminal:{strong:#}\n"));
        let mut add = |line: String, remark: &str| {
            out.push_str(&format!("\n  {dim}# {remark}{dim:#}\n  {line}\n"));
        };
        if let Some(variables) = self.variables() {
            add(format!("export {variables}"), "where the server is");
        }
        let admin = admins.first().map_or("NAME", String::as_str);
        add(format!("longhaul login {admin}"), "it asks for the password");
        match workflows {
            0 => add(
                "longhaul workflow apply FILE".to_owned(),
                "there is no workflow yet; docs/workflows.md has some to begin with",
            ),
            _ => {
                add("longhaul workflow list".to_owned(), "what can be started; `workflow show NAME` says how")
            }
        }
        add("longhaul task list".to_owned(), "what it has done and does");
        out.push_str(&format!("\nThe page, in a browser: {}/ui\n", self.address));
        out.push_str(&format!("The API, to read and to try: {}/docs\n", self.address));
        out.push_str("With tasks to look at: longhaul serve --demo\n");
        out.push_str("Ctrl-C stops the server; nothing is lost.\n");
        out
    }

    /// Returns the variables that the shell must have where they differ from the defaults of commands.
    fn variables(&self) -> Option<String> {
        let server =
            (self.address != "http://127.0.0.1:8080").then(|| format!("LONGHAUL_SERVER={}", self.address));
        let ca = self.ca.map(|path| {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            format!("LONGHAUL_CA='{}'", path.display())
        });
        let all: Vec<String> = server.into_iter().chain(ca).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }
}
