//! Access of the bench to its servers: an administrator's API key, made before a data directory meets its
//! first server and kept in a file beside it, so that a store that is kept and copied needs no login.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use longhaul_auth::{Auth, AuthConfig, NewUser, Role, UserError};
use longhaul_crypto::{Keyring, Rotation, Zeroizing};
use longhaul_engine::Audit;
use longhaul_model::Env;
use longhaul_store::Store;
use longhaul_store::sqlite::Sqlite;

use crate::load::on_one_thread;

/// The service account whose key the requests carry.
const ACCOUNT: &str = "bench";
/// The first administrator's password: for people who look into a kept store.
const PASSWORD: &str = "known to the bench alone";

/// The file of a data directory's key.
pub(crate) fn key_file(data: &Path) -> PathBuf {
    let mut path = data.as_os_str().to_owned();
    path.push(".api-key");
    path.into()
}

/// The key of a data directory that no server has open; made if there is none.
pub(crate) fn key(data: &Path) -> Result<String> {
    let file = key_file(data);
    if file.exists() {
        return std::fs::read_to_string(&file).with_context(|| file.display().to_string());
    }
    let key = on_one_thread(with(data, async |auth| Ok(new_key(auth).await?.to_string())))
        .with_context(|| format!("making an account in {}", data.display()))?;
    write(&file, &key).with_context(|| file.display().to_string())?;
    Ok(key)
}

/// Writes the key to a file for its owner only: whoever has it administers the server.
fn write(file: &Path, key: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(key.as_bytes())
}

/// Takes a key along to a copy.
pub(crate) fn copy_key(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (key_file(from), key_file(to));
    std::fs::copy(&from, &to).with_context(|| from.display().to_string()).map(|_| ())
}

/// Forgets the key of a directory that is no more.
pub(crate) fn forget_key(data: &Path) -> Result<()> {
    let file = key_file(data);
    if file.exists() {
        std::fs::remove_file(&file).with_context(|| file.display().to_string())
    } else {
        Ok(())
    }
}

/// Does something with the accounts of a data directory that no server has open.
pub(crate) async fn with<T>(data: &Path, work: impl AsyncFnOnce(&Auth) -> Result<T>) -> Result<T> {
    let env = Env::real();
    let store = Sqlite::open(data, env.clone())?;
    let ring = Arc::new(Keyring::open(&data.join("keys.json"), Rotation::default(), env.now().0)?);
    let config =
        AuthConfig { admin_password: Some(Zeroizing::new(PASSWORD.to_owned())), ..AuthConfig::default() };
    let auth = Auth::start(store.clone(), env, ring, config, |_, _| {}).await;
    let done = match auth {
        Ok(auth) => work(&auth).await,
        Err(e) => Err(e.into()),
    };
    store.close().await;
    done
}

/// Makes one more key of the account, and the account if need be.
pub(crate) async fn new_key(auth: &Auth) -> Result<Zeroizing<String>> {
    let note = |action| Audit::new("bench".into(), None, action);
    let account = NewUser {
        name: ACCOUNT.to_owned(),
        role: Role::Admin,
        password: None,
        service: true,
        bounds: Default::default(),
    };
    let made = match auth.create_user(account, note("addUser")).await {
        Ok((_, made)) => made.context("a service account came without a key")?,
        // Its key was made before, and the file is gone.
        Err(UserError::Refused(_)) => auth.add_api_key(ACCOUNT, None, note("addApiKey")).await?,
        Err(e) => return Err(e.into()),
    };
    Ok(made.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_and_a_lost_one_replaced() {
        let kept = tempfile::tempdir().unwrap();
        let data = kept.path().join("store");
        let first = key(&data).unwrap();
        assert_eq!(key(&data).unwrap(), first);
        forget_key(&data).unwrap();
        let second = key(&data).unwrap();
        assert_ne!(second, first);
        let both_count = with(&data, async |auth| {
            Ok([&first, &second].map(|key| auth.authenticate(key).map(|who| who.role).ok()))
        });
        assert_eq!(on_one_thread(both_count).unwrap(), [Some(Role::Admin); 2]);
    }
}
