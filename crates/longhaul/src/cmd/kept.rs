//! Sessions of the current user, one for each server and context, in a file that nobody else can read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::private;

/// A session.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Name of the account that the session belongs to.
    pub(crate) user: String,
    /// The access token.
    pub(crate) access_token: String,
    /// Token that renews the access token.
    pub(crate) refresh_token: String,
}

/// The file of sessions.
pub(crate) struct Sessions {
    path: PathBuf,
}

impl Sessions {
    /// Returns the file of the current user.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        Ok(Sessions { path: private::place("sessions.json")? })
    }

    /// Returns the session of a name ([`super::Target::session`]).
    pub(crate) fn get(&self, name: &str) -> anyhow::Result<Option<Kept>> {
        Ok(self.all()?.remove(name))
    }

    /// Stores a session, or removes it.
    pub(crate) fn set(&self, name: &str, session: Option<Kept>) -> anyhow::Result<()> {
        let mut all = self.all()?;
        match session {
            Some(session) => all.insert(name.to_owned(), session),
            None => all.remove(name),
        };
        self.write(&all)
    }

    /// Returns the name of the account that a context's session belongs to.
    pub(crate) fn user_of(&self, context: &str) -> anyhow::Result<Option<String>> {
        let mut all = self.all()?.into_iter();
        Ok(all.find(|(name, _)| is_of(name, context)).map(|(_, kept)| kept.user))
    }

    /// Removes the sessions of a context.
    pub(crate) fn forget_context(&self, context: &str) -> anyhow::Result<()> {
        let mut all = self.all()?;
        all.retain(|name, _| !is_of(name, context));
        self.write(&all)
    }

    fn all(&self) -> anyhow::Result<BTreeMap<String, Kept>> {
        private::read(&self.path, "delete it and log in again")
    }

    fn write(&self, all: &BTreeMap<String, Kept>) -> anyhow::Result<()> {
        private::write(&self.path, &serde_json::to_vec_pretty(all)?)
    }
}

/// Returns true if the name of a session, `context@server`, has this context; names of contexts have no `@`.
fn is_of(name: &str, context: &str) -> bool {
    name.strip_prefix(context).is_some_and(|rest| rest.starts_with('@'))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

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
        sessions.set("lab@http://b", Some(kept("carl"))).unwrap();
        sessions.set("lab2@http://b", Some(kept("dora"))).unwrap();
        sessions.set("http://a", None).unwrap();
        assert_eq!(sessions.user_of("lab").unwrap().as_deref(), Some("carl"));
        sessions.forget_context("lab").unwrap();
        assert_eq!(sessions.user_of("lab").unwrap(), None);
        assert_eq!(sessions.user_of("lab2").unwrap().as_deref(), Some("dora"));
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
