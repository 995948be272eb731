//! The first start: somebody must be able to come in, and nobody by a password that everybody knows.

use longhaul_crypto::{Zeroizing, random};
use longhaul_store::{AccountRefused, Audit, StoreError, User};

use crate::auth::Auth;
use crate::error::StartError;
use crate::password;
use crate::principal::Kind;
use crate::role::Role;

/// The first administrator's name.
const NAME: &str = "admin";

/// Makes it, if there are no accounts.
pub(crate) async fn first_admin(
    auth: &Auth,
    announce: impl FnOnce(&str, &str) + Send,
) -> Result<(), StartError> {
    if !auth.directory.is_empty() {
        return Ok(());
    }
    let password = match &auth.config.admin_password {
        Some(given) => {
            password::check(NAME, given)?;
            given.clone()
        }
        None => {
            let made = Zeroizing::new(random::token::<18>());
            announce(NAME, &made);
            made
        }
    };
    let user = User {
        bounds: None,
        name: NAME.to_owned(),
        role: Role::Admin.code().to_owned(),
        kind: Kind::User.code().to_owned(),
        password_hash: Some(auth.hasher.hash(password).await?),
        disabled: false,
        epoch: 0,
        created_at: auth.env.now(),
        api_keys: Vec::new(),
    };
    let note = Audit::new("server".into(), None, "addUser").target(NAME);
    match auth.accounts.create_user(user, Some(note)).await {
        Ok(_) => {}
        Err(StoreError::Account(AccountRefused::Exists)) if auth.config.admin_password.is_some() => {}
        Err(StoreError::Account(AccountRefused::Exists)) => {
            tracing::warn!(
                "another node made the first administrator at the same moment: the password that it showed counts"
            );
        }
        Err(e) => return Err(e.into()),
    }
    auth.directory.reload()?;
    Ok(())
}
