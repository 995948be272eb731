//! Settings that a running server cannot change, to be compared with those of a configuration that is read
//! again.

use super::Config;

/// Values of the settings that are fixed at the start, each by its name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fixed(Vec<(&'static str, String)>);

impl Fixed {
    /// Returns the names of the settings that differ.
    pub(crate) fn differences(&self, other: &Fixed) -> Vec<&'static str> {
        let both = self.0.iter().zip(&other.0);
        both.filter(|((_, own), (_, other))| own != other).map(|((name, _), _)| *name).collect()
    }
}

impl Config {
    /// Returns the values of the settings that count from the start on.
    pub(crate) fn fixed(&self) -> Fixed {
        let Config { auth, engine, .. } = self;
        let database = self.database.as_ref().map(|one| (&one.url, one.connections, one.allow_unsafe));
        Fixed(vec![
            ("data_dir", format!("{:?}", self.data_dir)),
            ("database", format!("{database:?}")),
            ("key_file", format!("{:?}", self.key_file)),
            ("listen", format!("{:?}", self.listen)),
            ("unix_mode", format!("{:?}", self.unix_mode)),
            ("tls", format!("{:?}", self.tls)),
            ("insecure_http", format!("{:?}", self.insecure_http)),
            ("trusted_proxies", format!("{:?}", self.trusted_proxies)),
            ("mcp", format!("{:?}", self.mcp)),
            ("demo", format!("{:?}", self.demo)),
            ("paused", format!("{:?}", engine.paused)),
            ("auth.access_token_life", format!("{:?}", auth.access_life)),
            ("auth.refresh_token_life", format!("{:?}", auth.refresh_life)),
            ("auth.rotate_signing_keys", format!("{:?}", auth.rotate_after)),
            ("auth.oidc", format!("{:?}", auth.oidc)),
            ("engine.cancel_grace", format!("{:?}", engine.cancel_grace)),
            ("engine.max_running", format!("{:?}", engine.max_running)),
            ("actions.http", format!("{:?}", engine.http)),
            ("traces", format!("{:?}", engine.traces)),
            ("actions.command", format!("{:?}", engine.command.allow)),
        ])
    }
}
