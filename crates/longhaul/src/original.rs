//! Detection of copied data: a server that took a copy for the original would run everything a second time.

use std::path::Path;

use anyhow::anyhow;
use longhaul_engine::Audit;
use longhaul_model::Env;
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{KEYS, STORAGE_ID, Store};
use serde_json::json;

use crate::start::NotStarted;
use crate::storage::Ground;

/// Refuses keys without a database: it was lost, or is elsewhere, and a new one would be empty.
pub(crate) fn check_database(data_dir: &Path, key_file: &Path) -> anyhow::Result<()> {
    if !key_file.exists() || Sqlite::is_in(data_dir) {
        return Ok(());
    }
    Err(anyhow!(
        "there are keys ({}), and no database in {}: give the right --data-dir, restore a backup (`longhaul restore`), or begin \
         with an empty store by --new-store",
        key_file.display(),
        data_dir.display()
    ))
}

/// Refuses keys that do not open the secrets in the database. `made` says that the keys were just created
/// because the old ones were missing: the names of the old ones are kept, so that they can be put back.
pub(crate) async fn check_keys(store: &dyn Store, keys: &str, made: bool) -> anyhow::Result<()> {
    let kept = store.setting(KEYS)?;
    let mut names: Vec<String> =
        kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    if names.iter().any(|name| name == keys) {
        return Ok(());
    }
    if !names.is_empty() && !made {
        return Err(anyhow!(
            "the secrets in the database are sealed with other keys: give the key file that was in use (--key-file)"
        ));
    }
    names.push(keys.to_owned());
    Ok(store.put_setting(KEYS, json!(names), None).await?)
}

/// Makes the data a copy of its own, if `asked` says that its original lives on, or an earlier start did and
/// was interrupted: sessions and API keys are void, access tokens are signed with new keys, and no task goes
/// on by itself.
/// After Ok: durable. Crash in the middle: the next start goes on with it, whatever it is told.
pub(crate) async fn make_copy(ground: &Ground, env: &Env, asked: bool) -> Result<(), NotStarted> {
    let store = &*ground.store;
    let Some(here) = store.storage_id() else {
        let why = "the database does not say which one it is, so --copy cannot be remembered: grant the role \
             `EXECUTE ON FUNCTION pg_control_system()`";
        return if asked { Err(NotStarted::Failed(anyhow!("{why}"))) } else { Ok(()) };
    };
    let known = store.setting(STORAGE_ID)?;
    let begun = json!({ "copyIn": here });
    if known != Some(begun.clone()) {
        if !asked || known == Some(json!(here)) {
            return Ok(());
        }
        store.put_setting(STORAGE_ID, begun, None).await?;
    }
    let keys = ground.keys.new_shared_keys(env.now().0).map_err(|e| NotStarted::Failed(e.into()))?;
    ground.accounts.void_all(keys).await?;
    let parked = longhaul_engine::park_all(store).await?;
    let note = Audit::new("server".into(), None, "copyData").target(here.clone());
    store.put_setting(STORAGE_ID, json!(here), Some(note)).await?;
    tracing::warn!(
        data = ground.place,
        tasks = parked,
        "the data is a copy from now on: sessions and API keys of the original are void here, and its tasks are parked"
    );
    Ok(())
}

/// Returns true if the data is in the storage from which it was last served, or `moved` says that this
/// storage takes its place; false for a copy.
pub(crate) async fn is_original(store: &dyn Store, moved: bool) -> anyhow::Result<bool> {
    let Some(here) = store.storage_id() else { return Ok(true) };
    let note = match store.setting(STORAGE_ID)? {
        Some(known) if known == json!(here) => return Ok(true),
        Some(_) if !moved => return Ok(false),
        Some(_) => Some(Audit::new("server".into(), None, "moveData").target(here.clone())),
        None => None,
    };
    store.put_setting(STORAGE_ID, json!(here), note).await?;
    Ok(true)
}
