//! Sessions of this user, one a server, in a file that nobody else can read.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};

/// A session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Whose.
    pub(crate) user: String,
    /// The access token.
    pub(crate) access_token: String,
    /// What renews it.
    pub(crate) refresh_token: String,
}

/// The file.
pub(crate) struct Sessions {
    path: PathBuf,
}

impl Sessions {
    /// Where this user's configuration is.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        let absolute = |name| crate::environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CONFIG_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".config")))
            .ok_or_else(|| {
                anyhow!("there is no place for sessions: neither HOME nor XDG_CONFIG_HOME is set")
            })?;
        Ok(Sessions { path: folder.join("longhaul/sessions.json") })
    }

    /// The session with a server.
    pub(crate) fn get(&self, server: &str) -> anyhow::Result<Option<Kept>> {
        Ok(self.all()?.remove(server))
    }

    /// Keeps a session, or forgets it.
    pub(crate) fn set(&self, server: &str, session: Option<Kept>) -> anyhow::Result<()> {
        let mut all = self.all()?;
        match session {
            Some(session) => all.insert(server.to_owned(), session),
            None => all.remove(server),
        };
        self.write(&serde_json::to_vec_pretty(&all)?).with_context(|| self.path.display().to_string())
    }

    fn all(&self) -> anyhow::Result<BTreeMap<String, Kept>> {
        match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text)
                .with_context(|| format!("{}: delete it and log in again", self.path.display())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(e) => Err(e).with_context(|| self.path.display().to_string()),
        }
    }

    /// Whole or not at all: two commands may renew at the same time.
    fn write(&self, text: &[u8]) -> anyhow::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let new = self.path.with_extension(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sessions_are_kept_by_server_and_for_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = Sessions { path: folder.path().join("longhaul/sessions.json") };
        let kept = |user: &str| Kept {
            user: user.to_owned(),
            access_token: "a.b.c".to_owned(),
            refresh_token: "r".to_owned(),
        };
        sessions.set("http://a", Some(kept("anna"))).unwrap();
        sessions.set("http://b", Some(kept("bob"))).unwrap();
        sessions.set("http://a", None).unwrap();
        assert!(sessions.get("http://a").unwrap().is_none());
        assert_eq!(sessions.get("http://b").unwrap().unwrap().user, "bob");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&sessions.path), 0o600);
        assert_eq!(mode(sessions.path.parent().unwrap()), 0o700);
        fs::write(&sessions.path, "{").unwrap();
        let wrong = format!("{:#}", sessions.get("http://b").err().unwrap());
        assert!(wrong.contains("log in again"), "{wrong}");
    }
}
