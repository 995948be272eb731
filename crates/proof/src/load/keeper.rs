//! The client that keeps accounts: makes them, logs in and out, deletes keys, disables and deletes, and tries
//! now and then whether what it took back stays so.

use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::entry::Done;
use super::{Caller, Shared};
use crate::grants::{How, Means};

/// Accounts that are in use at once.
const ACCOUNTS: usize = 30;
/// API keys of one account.
const KEYS: usize = 3;
/// The longest pause between two calls, in milliseconds.
const PAUSE: u64 = 20;

/// The accounts that somebody can come in with. One that was disabled or deleted, or perhaps was, is none of
/// them.
#[derive(Debug)]
pub(crate) struct Keeper {
    caller: Caller,
    accounts: Vec<Account>,
    /// Credentials that were revoked, or may have been.
    withdrawn: Vec<usize>,
}

/// An account; grants are named by their place in the record.
#[derive(Debug)]
struct Account {
    name: String,
    password: Option<usize>,
    /// Keys with their IDs.
    keys: Vec<(usize, String)>,
    refresh_tokens: Vec<usize>,
    access_tokens: Vec<usize>,
}

impl Account {
    fn sessions(&self) -> impl Iterator<Item = usize> {
        self.refresh_tokens.iter().chain(&self.access_tokens).copied()
    }

    fn all(&self) -> Vec<usize> {
        let keys = self.keys.iter().map(|(key, _)| *key);
        self.password.into_iter().chain(keys).chain(self.sessions()).collect()
    }
}

/// Calls until it is told to stop.
pub(super) async fn run(shared: Rc<Shared>, mut rng: Rng) {
    let mut keeper = Keeper::new(shared.clone());
    while !shared.stop.get() {
        if shared.peer().is_none() {
            sleep(Duration::from_millis(1)).await;
            continue;
        }
        // What the server did not answer is on record; here it only means that nothing is known.
        let _ = keeper.one(&mut rng).await;
        sleep(Duration::from_millis(rng.u64(0..PAUSE))).await;
    }
}

impl Keeper {
    /// Without accounts yet.
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Keeper { caller: Caller::new(shared), accounts: Vec::new(), withdrawn: Vec::new() }
    }

    async fn one(&mut self, rng: &mut Rng) -> Option<()> {
        let count = self.accounts.len();
        let dice = rng.u32(0..100);
        if count == 0 || (dice < 12 && count < ACCOUNTS) {
            return self.add(rng.u32(0..6) > 0).await.map(|_| ());
        }
        let at = rng.usize(0..count);
        match dice {
            0..28 => self.log_in(at).await,
            28..32 if self.accounts[at].keys.len() < KEYS => self.add_key(at).await,
            28..32 => self.delete_key(at).await,
            32..50 => {
                let all = self.accounts[at].all();
                let grant = *all.get(rng.usize(0..all.len().max(1)))?;
                self.caller.try_grant(grant).await;
                Some(())
            }
            50..72 => {
                // Half of the time what went lately.
                let from = if rng.bool() { 0 } else { self.withdrawn.len().saturating_sub(20) };
                let late = self.withdrawn.get(from..).filter(|late| !late.is_empty())?;
                let grant = late[rng.usize(0..late.len())];
                self.caller.try_grant(grant).await;
                Some(())
            }
            72..84 => self.log_out(at).await,
            84..90 => self.delete_key(at).await,
            90..93 => {
                // Few accounts have one.
                let of_users = |at: &usize| self.accounts[*at].password.is_some();
                let user = (at..count).chain(0..at).find(of_users)?;
                self.change_password(user).await
            }
            93..96 => self.disable(at).await,
            96..98 => self.delete(at, true).await,
            _ => self.delete(at, false).await,
        }
    }

    /// Makes an account, and gives its place.
    pub(crate) async fn add(&mut self, service: bool) -> Option<usize> {
        let name = format!("account-{}", self.caller.new_mark());
        self.add_named(name, service).await
    }

    async fn add_named(&mut self, name: String, service: bool) -> Option<usize> {
        let secret = (!service).then(|| self.new_password());
        let kind = if service { "SERVICE" } else { "USER" };
        let mut body = json!({ "name": name, "role": "VIEWER", "kind": kind });
        if let Some(password) = &secret {
            body["password"] = json!(password);
        }
        let made = self.administer("POST", "/v1/users", body).await?;
        let mut account = Account {
            name,
            password: None,
            keys: Vec::new(),
            refresh_tokens: Vec::new(),
            access_tokens: Vec::new(),
        };
        match secret {
            Some(password) => {
                account.password = Some(self.caller.given(&account.name, Means::Password, &password));
            }
            None => {
                let id = made["apiKeys"][0]["id"].as_str()?.to_owned();
                let key = self.caller.given(&account.name, Means::ApiKey, made["apiKey"].as_str()?);
                account.keys.push((key, id));
            }
        }
        self.accounts.push(account);
        Some(self.accounts.len() - 1)
    }

    /// A session, by the password or a key; an account without either gets a key.
    pub(crate) async fn log_in(&mut self, at: usize) -> Option<()> {
        let account = self.accounts.get(at)?;
        let name = account.name.clone();
        let Some(with) = account.password.or(account.keys.last().map(|(key, _)| *key)) else {
            return self.add_key(at).await;
        };
        let secret = self.caller.shared.recorder.borrow().history.grants.given.get(with)?.secret.clone();
        let body = match account.password {
            Some(_) => json!({ "username": name, "password": secret }),
            None => json!({ "apiKey": secret }),
        };
        let pair = self.administer("POST", "/v1/tokens", body).await?;
        let id = pair["refreshToken"]["id"].as_str()?;
        let refresh = self.caller.given(&name, Means::RefreshToken, id);
        let access = self.caller.given(&name, Means::AccessToken, pair["accessToken"].as_str()?);
        let account = self.accounts.get_mut(at)?;
        account.refresh_tokens.push(refresh);
        account.access_tokens.push(access);
        Some(())
    }

    async fn add_key(&mut self, at: usize) -> Option<()> {
        let name = self.accounts.get(at)?.name.clone();
        let made = self.administer("POST", &format!("/v1/users/{name}/api-keys"), json!({})).await?;
        let id = made["id"].as_str()?.to_owned();
        let key = self.caller.given(&name, Means::ApiKey, made["apiKey"].as_str()?);
        self.accounts.get_mut(at)?.keys.push((key, id));
        Some(())
    }

    /// Ends one session: its refresh token and its access token.
    pub(crate) async fn log_out(&mut self, at: usize) -> Option<()> {
        let account = self.accounts.get(at)?;
        let (refresh, access) = (*account.refresh_tokens.last()?, *account.access_tokens.last()?);
        let id = self.caller.shared.recorder.borrow().history.grants.given.get(refresh)?.secret.clone();
        let call = ("DELETE", "/v1/tokens/refresh-token", Some(json!(id)));
        let done = self.caller.withdraw(How::LogOut, vec![refresh, access], call).await;
        if !matches!(done, Done::Undone) {
            self.withdrawn.extend([refresh, access]);
            let account = self.accounts.get_mut(at)?;
            account.refresh_tokens.pop();
            account.access_tokens.pop();
        }
        acked(done)
    }

    /// Deletes the newest key.
    pub(crate) async fn delete_key(&mut self, at: usize) -> Option<()> {
        let account = self.accounts.get(at)?;
        let (key, id) = account.keys.last()?;
        let path = format!("/v1/users/{}/api-keys/{id}", account.name);
        let ended: Vec<usize> = account.sessions().chain([*key]).collect();
        let done = self.caller.withdraw(How::DeleteKey, ended.clone(), ("DELETE", &path, None)).await;
        if !matches!(done, Done::Undone) {
            let account = self.accounts.get_mut(at)?;
            account.keys.pop();
            account.refresh_tokens.clear();
            account.access_tokens.clear();
            self.withdrawn.extend(ended);
        }
        acked(done)
    }

    async fn change_password(&mut self, at: usize) -> Option<()> {
        let account = self.accounts.get(at)?;
        let (old, name) = (account.password?, account.name.clone());
        let ended: Vec<usize> = account.sessions().chain([old]).collect();
        let (password, path) = (self.new_password(), format!("/v1/users/{name}"));
        let call = ("PATCH", path.as_str(), Some(json!({ "password": password })));
        let done = self.caller.withdraw(How::ChangePassword, ended.clone(), call).await;
        match &done {
            Done::Acked(_) => {
                let new = self.caller.given(&name, Means::Password, &password);
                let account = self.accounts.get_mut(at)?;
                account.password = Some(new);
                account.refresh_tokens.clear();
                account.access_tokens.clear();
                self.withdrawn.extend(ended);
            }
            // Which password it has, nobody knows.
            Done::Unknown => self.forget(at),
            Done::Undone => {}
        }
        acked(done)
    }

    /// Disables an account, for ever.
    pub(crate) async fn disable(&mut self, at: usize) -> Option<()> {
        let account = self.accounts.get(at)?;
        let (path, body) = (format!("/v1/users/{}", account.name), json!({ "disabled": true }));
        let done = self.caller.withdraw(How::Disable, account.all(), ("PATCH", &path, Some(body))).await;
        if !matches!(done, Done::Undone) {
            self.forget(at);
        }
        acked(done)
    }

    /// Deletes an account; another one may have its name then, and nothing else of it.
    pub(crate) async fn delete(&mut self, at: usize, and_again: bool) -> Option<()> {
        let account = self.accounts.get(at)?;
        let (name, service) = (account.name.clone(), account.password.is_none());
        let path = format!("/v1/users/{name}");
        let done = self.caller.withdraw(How::DeleteUser, account.all(), ("DELETE", &path, None)).await;
        if !matches!(done, Done::Undone) {
            self.forget(at);
        }
        acked(done)?;
        if and_again {
            self.add_named(name, service).await?;
        }
        Some(())
    }

    fn forget(&mut self, at: usize) {
        let account = self.accounts.swap_remove(at);
        self.withdrawn.extend(account.all());
    }

    /// Long enough, and never the same.
    fn new_password(&self) -> String {
        format!("the password number {}", self.caller.new_mark())
    }

    /// A call that makes something: what came, if it was answered.
    async fn administer(&mut self, method: &str, path: &str, body: Value) -> Option<Value> {
        match self.caller.administer(method, path, Some(body), 201).await.1 {
            Done::Acked(made) => Some(made),
            Done::Undone | Done::Unknown => None,
        }
    }
}

fn acked(done: Done) -> Option<()> {
    matches!(done, Done::Acked(_)).then_some(())
}
