//! Detection of copied data: a server that took a copy for the original would run everything a second time.

use std::path::Path;

use anyhow::anyhow;
use longhaul_engine::Audit;
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{KEYS, STORAGE_ID, Store};
use serde_json::json;

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

/// Refuses keys that do not open the secrets in the database. `made` says that the keys were just made
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

/// Returns true if the data is in the storage that it was served from last, or `moved` says that this storage
/// takes its place; false for a copy.
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
