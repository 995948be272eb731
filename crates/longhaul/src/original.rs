//! Whether the data is the original: a copy that a server takes for it would run everything a second time.

use std::path::Path;

use anyhow::anyhow;
use longhaul_engine::Audit;
use longhaul_store::Store;
use longhaul_store::sqlite::Sqlite;
use serde_json::{Value, json};

/// Setting with the name of the place where the data is.
const LOCATION: &str = "location";
/// Setting with the name of the keys that seal its secrets.
const KEYS: &str = "keys";

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

/// Refuses keys that do not open the secrets in the database. `made` says that they were made just now.
pub(crate) async fn check_keys(store: &dyn Store, keys: &str, made: bool) -> anyhow::Result<()> {
    match text(store.setting(KEYS)?) {
        Some(known) if known == keys => Ok(()),
        Some(_) if !made => Err(anyhow!(
            "the secrets in the database are sealed with other keys: give the key file that was in use (--key-file)"
        )),
        // Without them, what was sealed stays closed; the start says so.
        Some(_) | None => Ok(keep(store, KEYS, keys).await?),
    }
}

/// Whether the data is where it was last; with `moved`, it is at home here from now on.
/// Returns false for a copy.
pub(crate) async fn is_at_home(store: &dyn Store, moved: bool) -> anyhow::Result<bool> {
    let Some(here) = store.location() else { return Ok(true) };
    match text(store.setting(LOCATION)?) {
        Some(known) if known == here => Ok(true),
        Some(_) if !moved => Ok(false),
        Some(_) | None => {
            keep(store, LOCATION, &here).await?;
            Ok(true)
        }
    }
}

fn text(value: Option<Value>) -> Option<String> {
    value.and_then(|value| value.as_str().map(str::to_owned))
}

async fn keep(store: &dyn Store, name: &str, value: &str) -> Result<(), longhaul_store::StoreError> {
    let audit = Audit::new("server".into(), None, "putSetting").target(name);
    store.put_setting(name, json!(value), Some(audit)).await
}
