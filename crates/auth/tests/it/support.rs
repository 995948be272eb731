//! An installation to test: a store and a key ring in a directory that goes away, and a clock that stands
//! still.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;

use longhaul_auth::{
    Auth, AuthConfig, Denied, Fetch, LoginError, LoginRequest, NewUser, Principal, Role, TokenPair, Whose,
};
use longhaul_crypto::{Keyring, Zeroizing, base64url};
use longhaul_model::{Env, Span, Timestamp};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Accounts, Audit, User};
use serde_json::Value;

pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
pub(crate) const ADMIN: &str = "the first password";
pub(crate) const SECOND: Span = Span(1000);
pub(crate) const HOUR: Span = Span(3_600_000);
pub(crate) const DAY: Span = Span(24 * 3_600_000);

pub(crate) struct Place {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) env: Env,
    pub(crate) store: Arc<Sqlite>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) ring: Arc<Keyring>,
    pub(crate) auth: Arc<Auth>,
}

pub(crate) fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

/// Returns the audit note of an administrator's change.
pub(crate) fn by_admin() -> Audit {
    Audit::new("admin".into(), Some(HERE), "test")
}

pub(crate) fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + n).into()
}

pub(crate) fn config() -> AuthConfig {
    AuthConfig { admin_password: Some(secret(ADMIN)), ..AuthConfig::default() }
}

impl Place {
    /// Starts with the administrator alone.
    pub(crate) async fn new() -> Place {
        Place::with(config(), None).await
    }

    pub(crate) async fn with(config: AuthConfig, fetch: Option<Arc<dyn Fetch>>) -> Place {
        let directory = tempfile::tempdir().unwrap();
        let env = Env::manual(START);
        let store = Sqlite::open(directory.path(), env.clone()).unwrap();
        let ring = ring(directory.path().join("keys.json"), &config);
        let accounts: Arc<dyn Accounts> = store.clone();
        let starting =
            Auth::start_with(accounts.clone(), env.clone(), ring.clone(), config, fetch, |_, _| {});
        let auth = starting.await.unwrap();
        Place { directory, env, store, accounts, ring, auth }
    }

    /// A person whose password is `password of NAME`.
    pub(crate) async fn person(&self, name: &str, role: Role) {
        let password = Some(secret(&password(name)));
        let new =
            NewUser { name: name.to_owned(), role, password, service: false, bounds: Default::default() };
        self.auth.create_user(new, by_admin()).await.unwrap();
    }

    /// A service; gives its API key.
    pub(crate) async fn service(&self, name: &str, role: Role) -> String {
        let new = NewUser {
            name: name.to_owned(),
            role,
            password: None,
            service: true,
            bounds: Default::default(),
        };
        self.auth.create_user(new, by_admin()).await.unwrap().1.unwrap().key.to_string()
    }

    pub(crate) async fn try_login(
        &self,
        name: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<TokenPair, LoginError> {
        let request = LoginRequest::Password { username: name.to_owned(), password: secret(password) };
        self.auth.login(request, from).await
    }

    /// Logs a person in by its own password.
    pub(crate) async fn login(&self, name: &str) -> TokenPair {
        self.try_login(name, &password(name), HERE).await.unwrap()
    }

    pub(crate) fn who(&self, credential: &str) -> Result<Principal, Denied> {
        self.auth.authenticate(credential)
    }

    /// A token of these parts, signed by the key of this installation.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.ring.signer(self.env.now().0).sign(message.as_bytes());
        format!("{message}.{}", base64url::encode(&signature))
    }

    /// The identity of the administrator's newest session.
    pub(crate) fn other_session(&self) -> String {
        let (sessions, _) = self.auth.sessions(Whose::Named("admin".to_owned()), 0, 1).unwrap();
        sessions[0].id.to_string()
    }

    /// A second node on the same store.
    pub(crate) async fn second(&self, config: AuthConfig, fetch: Option<Arc<dyn Fetch>>) -> Arc<Auth> {
        let (accounts, env) = (self.accounts.clone(), self.env.clone());
        Auth::start_with(accounts, env, self.ring.clone(), config, fetch, |_, _| panic!()).await.unwrap()
    }

    /// Hashes made so far.
    pub(crate) fn hashes(&self) -> u64 {
        self.auth.hashing().hashes
    }

    /// An account as it is stored.
    pub(crate) fn store_user(&self, name: &str) -> User {
        self.accounts.user(name).unwrap()
    }
}

pub(crate) fn ring(path: PathBuf, config: &AuthConfig) -> Arc<Keyring> {
    Arc::new(Keyring::open(&path, config.rotation(), START.0).unwrap())
}

pub(crate) fn password(name: &str) -> String {
    format!("password of {name}")
}

pub(crate) fn part(value: &Value) -> String {
    base64url::encode(value.to_string().as_bytes())
}

/// Header and claims of a token.
pub(crate) fn open(token: &str) -> (Value, Value) {
    let mut parts =
        token.split('.').map(|part| serde_json::from_slice(&base64url::decode(part).unwrap_or_default()));
    (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap())
}
