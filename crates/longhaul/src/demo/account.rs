//! Account of the tips: a service account with an API key, kept beside the data so that a second start prints
//! the same.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context as _;
use longhaul_auth::{Auth, NewUser, Role, UserError};
use longhaul_engine::Audit;

/// The account.
const NAME: &str = "demo";
/// Name of the file with the account's key.
const FILE: &str = "demo-api-key";

/// Returns the API key of the demonstration's account, which is created if need be.
pub(crate) async fn api_key(auth: &Auth, data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join(FILE);
    if let Ok(kept) = std::fs::read_to_string(&path)
        && auth.authenticate(kept.trim()).is_ok()
    {
        return Ok(kept.trim().to_owned());
    }
    let note = |action| Audit::new("server".into(), None, action);
    let new = NewUser {
        name: NAME.to_owned(),
        role: Role::Admin,
        password: None,
        service: true,
        bounds: Default::default(),
    };
    let made = match auth.create_user(new, note("addUser")).await {
        Ok((_, Some(key))) => Ok(key),
        // It was made before, and the file is gone.
        Ok((_, None)) | Err(UserError::Refused(_)) => {
            auth.add_api_key(NAME, Some("demonstration".to_owned()), note("addApiKey")).await
        }
        Err(e) => Err(e),
    };
    let key = made.context("the demonstration's account")?.key.to_string();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    writeln!(file, "{key}").with_context(|| path.display().to_string())?;
    Ok(key)
}
