//! Keeping accounts.

use std::net::IpAddr;

use longhaul_crypto::Zeroizing;
use longhaul_model::Timestamp;
use longhaul_store::{Audit, StoreError, User, UserChange};

use crate::api_key;
use crate::auth::Auth;
use crate::bounds::Bounds;
use crate::directory::Account;
use crate::error::UserError;
use crate::names::{is_name, is_reserved};
use crate::password;
use crate::principal::{Kind, Principal};
use crate::role::Role;

/// An account as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// Name of the account.
    pub name: String,
    /// Role of the account.
    pub role: Role,
    /// Kind of the account: a person or a service.
    pub kind: Kind,
    /// True if the account is disabled.
    pub disabled: bool,
    /// Time of creation.
    pub created_at: Timestamp,
    /// API keys of the account, oldest first.
    pub api_keys: Vec<ApiKeyView>,
    /// Bounds of a worker.
    pub bounds: Bounds,
}

/// An API key as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyView {
    /// ID of the key.
    pub id: String,
    /// Name of the key, for people.
    pub name: Option<String>,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last use.
    pub last_used_at: Option<Timestamp>,
}

/// An API key in clear, this once.
pub struct NewApiKey {
    /// ID of the key.
    pub id: String,
    /// The key.
    pub key: Zeroizing<String>,
}

/// An account to be made.
pub struct NewUser {
    /// Name of the account.
    pub name: String,
    /// Role of the account.
    pub role: Role,
    /// A person's password; a service has none, and gets an API key.
    pub password: Option<Zeroizing<String>>,
    /// True for the account of a service.
    pub service: bool,
    /// Bounds of a worker.
    pub bounds: Bounds,
}

/// A change of an account: what is given becomes so.
#[derive(Default)]
pub struct UserPatch {
    /// New role.
    pub role: Option<Role>,
    /// New state: disabled or enabled.
    pub disabled: Option<bool>,
    /// New password.
    pub password: Option<Zeroizing<String>>,
    /// New bounds of a worker; an absent list stays as it is.
    pub bounds: Bounds,
}

impl UserPatch {
    /// Returns the changes in words, for the audit log.
    fn summary(&self) -> String {
        let parts = [
            self.role.map(|role| format!("role {role}")),
            self.disabled.map(|disabled| if disabled { "disabled" } else { "enabled" }.to_owned()),
            self.password.as_ref().map(|_| "new password".to_owned()),
            self.bounds.written().map(|bounds| format!("bounds {bounds}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Auth {
    /// Every account, by name.
    pub fn users(&self) -> Result<Vec<UserView>, UserError> {
        self.directory.look()?;
        Ok(self.directory.all().iter().map(|account| self.view(account)).collect())
    }

    /// Returns an account.
    pub fn user(&self, name: &str) -> Result<UserView, UserError> {
        self.directory.look()?;
        let account = self.directory.by_name(name).ok_or_else(|| no_user(name))?;
        Ok(self.view(&account))
    }

    /// Makes an account; a service's comes with an API key.
    /// After Ok: durable.
    pub async fn create_user(
        &self,
        new: NewUser,
        note: Audit,
    ) -> Result<(UserView, Option<NewApiKey>), UserError> {
        let NewUser { name, role, password, service, bounds } = new;
        if !is_name(&name) {
            return Err(UserError::BadName);
        }
        if is_reserved(&name) {
            return Err(UserError::ReservedName);
        }
        self.directory.look()?;
        if let Some(other) =
            self.directory.looking_like(&name).filter(|other| !other.eq_ignore_ascii_case(&name))
        {
            return Err(UserError::Lookalike(other.to_string()));
        }
        check_bounds(&bounds, role)?;
        let now = self.env.now();
        let (password_hash, key) = match (service, password) {
            (false, Some(password)) => {
                password::check(&name, &password)?;
                (Some(self.hasher.hash(password).await?), None)
            }
            (false, None) => return Err(UserError::PasswordMissing),
            (true, None) => (None, Some(api_key::make(None, now))),
            (true, Some(_)) => return Err(UserError::PasswordOfService),
        };
        let (key, kept) = key.unzip();
        let user = User {
            name,
            role: role.code().to_owned(),
            kind: if service { Kind::Service } else { Kind::User }.code().to_owned(),
            bounds: bounds.written(),
            password_hash,
            disabled: false,
            epoch: 0,
            created_at: now,
            api_keys: kept.iter().cloned().collect(),
        };
        let note = note.target(&user.name).detail(format!("{} {}", user.role, user.kind));
        let made = self.accounts.create_user(user, Some(note)).await?;
        self.directory.reload()?;
        let key = key.zip(kept).map(|(key, kept)| NewApiKey { id: kept.id, key });
        Ok((self.user(&made.name)?, key))
    }

    /// Changes an account. A new password, and disabling, end all its sessions.
    /// After Ok: durable, and no request gets in that it excludes.
    pub async fn change_user(
        &self,
        name: &str,
        patch: UserPatch,
        note: Audit,
    ) -> Result<UserView, UserError> {
        self.directory.look()?;
        let account = self.directory.by_name(name).ok_or_else(|| no_user(name))?;
        let note = note.target(&*account.principal.name).detail(patch.summary());
        let password_hash = match patch.password {
            Some(_) if account.principal.kind == Kind::Service => return Err(UserError::PasswordOfService),
            Some(password) => {
                password::check(name, &password)?;
                Some(self.hasher.hash(password).await?)
            }
            None => None,
        };
        check_bounds(&patch.bounds, patch.role.unwrap_or(account.principal.role))?;
        let before = account.user.bounds.as_deref().and_then(Bounds::read).unwrap_or_default();
        let bounds = (!patch.bounds.is_empty()).then(|| before.with(patch.bounds).written()).flatten();
        let role = patch.role.map(|role| role.code().to_owned());
        let change = UserChange::Settings { role, disabled: patch.disabled, password_hash, bounds };
        self.change(name, change, Some(note)).await?;
        self.user(name)
    }

    /// Deletes an account with its API keys and sessions.
    /// After Ok: durable, and no request of it gets in.
    pub async fn delete_user(&self, name: &str, note: Audit) -> Result<(), UserError> {
        self.accounts.delete_user(name, Some(note.target(name))).await.map_err(|e| named(e, name))?;
        self.verified.forget(name);
        self.directory.reload()?;
        Ok(())
    }

    /// Gives an account one more API key.
    /// After Ok: durable.
    pub async fn add_api_key(
        &self,
        name: &str,
        key_name: Option<String>,
        note: Audit,
    ) -> Result<NewApiKey, UserError> {
        let readable = |name: &str| name.chars().count() <= 64 && !name.chars().any(char::is_control);
        if !key_name.as_deref().is_none_or(readable) {
            return Err(UserError::BadKeyName);
        }
        let (key, kept) = api_key::make(key_name, self.env.now());
        let id = kept.id.clone();
        let note = note.target(name).detail(format!("API key {id}"));
        self.change(name, UserChange::AddApiKey(kept), Some(note)).await?;
        Ok(NewApiKey { id, key })
    }

    /// Takes an API key away; ends all sessions of the account, as some may come from it.
    /// After Ok: durable, and no request with it gets in.
    pub async fn remove_api_key(&self, name: &str, id: &str, note: Audit) -> Result<(), UserError> {
        self.user(name)?;
        let note = note.target(name).detail(format!("API key {id}"));
        match self.change(name, UserChange::RemoveApiKey(id.to_owned()), Some(note)).await {
            Err(UserError::NoUser(_)) => Err(UserError::NoApiKey(id.chars().take(64).collect())),
            other => other,
        }
    }

    /// Changes the password of whoever asks, who must know the old one.
    /// After Ok: durable, and every session of the account is over, this one included.
    pub async fn change_own_password(
        &self,
        who: &Principal,
        old: Zeroizing<String>,
        new: Zeroizing<String>,
        from: IpAddr,
        note: Audit,
    ) -> Result<(), UserError> {
        if who.kind != Kind::User {
            return Err(UserError::NoPassword(who.name.to_string()));
        }
        password::check(&who.name, &new)?;
        let note = note.target(&*who.name);
        if let Err(why) = self.check_password(&who.name, old, from).await {
            self.note_refused(note, &why).await;
            return Err(why.into());
        }
        let password_hash = Some(self.hasher.hash(new).await?);
        let change = UserChange::Settings { role: None, disabled: None, password_hash, bounds: None };
        self.change(&who.name, change, Some(note)).await
    }

    /// Every change of an account goes through here: what is remembered of it goes, and the directory follows
    /// before anybody is answered.
    pub(crate) async fn change(
        &self,
        name: &str,
        change: UserChange,
        note: Option<Audit>,
    ) -> Result<(), UserError> {
        self.accounts.change_user(name, change, note).await.map_err(|e| named(e, name))?;
        self.verified.forget(name);
        self.directory.reload()?;
        Ok(())
    }

    fn view(&self, account: &Account) -> UserView {
        let user = &account.user;
        let api_keys = user.api_keys.iter().map(|key| ApiKeyView {
            id: key.id.clone(),
            name: key.name.clone(),
            created_at: key.created_at,
            last_used_at: self.directory.last_use(&key.id),
        });
        UserView {
            name: user.name.clone(),
            role: account.principal.role,
            kind: account.principal.kind,
            disabled: user.disabled,
            created_at: user.created_at,
            api_keys: api_keys.collect(),
            bounds: account.principal.bounds.as_deref().cloned().unwrap_or_default(),
        }
    }
}

/// Refuses bounds that cannot be kept, or that would bound nothing.
fn check_bounds(bounds: &Bounds, role: Role) -> Result<(), UserError> {
    if let Some((member, message)) = bounds.mistake() {
        return Err(UserError::Bounds { member, message });
    }
    if bounds.is_empty() || role == Role::Worker {
        return Ok(());
    }
    let member = if bounds.queues.is_some() { "queues" } else { "actions" };
    Err(UserError::Bounds { member, message: "bounds are for accounts of the role WORKER only" })
}

fn no_user(name: &str) -> UserError {
    UserError::NoUser(name.chars().take(64).collect())
}

fn named(e: StoreError, name: &str) -> UserError {
    match e {
        StoreError::NotFound => no_user(name),
        other => other.into(),
    }
}
