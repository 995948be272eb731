//! Storage of tasks: files of the server's own, or a PostgreSQL database that several nodes share.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use longhaul_crypto::Keyring;
use longhaul_model::Env;
use longhaul_server::{Address, Handed, ServerConfig};
use longhaul_store::postgres::{Postgres, PostgresOptions};
use longhaul_store::sqlite::Sqlite;
use longhaul_store::{Accounts, Store};
use tokio_util::sync::CancellationToken;

use crate::again::Again;
use crate::config::Config;
use crate::original;
use crate::signals::Signals;

/// Foundation of a server: its address, its keys, its store.
pub(crate) struct Ground {
    pub(crate) at: Address,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) accounts: Arc<dyn Accounts>,
    /// Location of the data, for people.
    pub(crate) place: String,
    /// Session of a node that shares its store.
    pub(crate) turn: Option<i64>,
}

impl Ground {
    /// Acquires address, keys and store. A node that must wait for its database does so here, and answers
    /// that it waits; `None` if a signal asks for a stop first.
    pub(crate) async fn take(
        config: &Config,
        env: &Env,
        settings: ServerConfig,
        signals: &mut Signals,
        again: &Again,
    ) -> anyhow::Result<Option<Ground>> {
        match &config.database {
            Some(options) => shared(config, options, env, settings, signals, again).await,
            None => own(config, env, settings).await.map(Some),
        }
    }
}

/// Opens the store of a data directory. The directory is locked first, so that a second server on it is
/// refused with that reason; the address is bound before keys and accounts are made, which a failed start
/// would leave behind.
async fn own(config: &Config, env: &Env, settings: ServerConfig) -> anyhow::Result<Ground> {
    if !config.new_store {
        original::check_database(&config.data_dir, &config.key_file)?;
    }
    let store = Sqlite::open(&config.data_dir, env.clone()).map_err(|e| anyhow!("{e}"))?;
    let at = address(config, env, settings).await?;
    let had_keys = config.key_file.exists();
    // A copy has signing keys of its own, and leaves those of the key file to its original.
    let kept = store.signing_keys().map_err(|e| anyhow!("{e}"))?.is_some();
    let keys = if kept || config.copy { shared_keys(config, env)? } else { keys(config, env)? };
    if !had_keys && !store.users().map_err(|e| anyhow!("{e}"))?.users.is_empty() {
        tracing::warn!(
            keys = %config.key_file.display(),
            "the database is older than its keys, which were made just now: it seems to be a copy that was restored without its \
             keys.json. Secrets that were sealed before cannot be read, and sessions are over. Stop, put the old keys.json in the \
             place of the new one, and start again"
        );
    }
    original::check_keys(&*store, &keys.id(), !had_keys).await?;
    let place = config.data_dir.display().to_string();
    Ok(Ground { at, keys, store: store.clone(), accounts: store, place, turn: None })
}

async fn shared(
    config: &Config,
    options: &PostgresOptions,
    env: &Env,
    settings: ServerConfig,
    signals: &mut Signals,
    again: &Again,
) -> anyhow::Result<Option<Ground>> {
    let at = address(config, env, settings).await?;
    let node = at.node(env);
    let keys = shared_keys(config, env)?;
    let before = again.turn_before();
    let options = PostgresOptions { keys: Some(keys.id()), node, before, ..options.clone() };
    let active = CancellationToken::new();
    let opened = async {
        let _ended = active.clone().drop_guard();
        tokio::select! {
            opened = Postgres::open(&options, env.clone()) => opened.map(Some),
            signal = signals.stop() => {
                tracing::info!(signal, "stopping before it is at work");
                Ok(None)
            }
        }
    };
    let (opened, ()) = tokio::join!(opened, at.wait_for(active.clone()));
    let Some(store) = opened.map_err(|e| anyhow!("{e}"))? else { return Ok(None) };
    let (again, turn) = (again.clone(), store.turn());
    store.when_over(move || again.begin(turn));
    let place = store.place().to_owned();
    Ok(Some(Ground { at, keys, store: store.clone(), accounts: store, place, turn: Some(turn) }))
}

/// Takes over the sockets that the supervisor of this process passes on (`LISTEN_FDS`), or binds the
/// configured addresses.
async fn address(config: &Config, env: &Env, settings: ServerConfig) -> anyhow::Result<Address> {
    let handed = handed()?;
    let at = match handed.is_empty() {
        false => Address::take_over(handed, env.clone(), settings).await,
        true => Address::take(&config.listen, env.clone(), settings).await,
    };
    at.map_err(|e| anyhow!("{e}"))
}

/// Returns the sockets that a supervisor hands over.
fn handed() -> anyhow::Result<Vec<Handed>> {
    let mut given = listenfd::ListenFd::from_env();
    let mut all = Vec::new();
    for index in 0..given.len() {
        let socket = match given.take_tcp_listener(index) {
            Ok(socket) => socket.map(Handed::Tcp),
            // A wrong kind leaves the socket where it is.
            Err(_) => {
                let unix = given.take_unix_listener(index);
                let wrong = || format!("LISTEN_FDS: socket {index} listens neither on TCP nor on a path");
                unix.with_context(wrong)?.map(Handed::Unix)
            }
        };
        all.extend(socket);
    }
    Ok(all)
}

fn keys(config: &Config, env: &Env) -> anyhow::Result<Arc<Keyring>> {
    let opened = Keyring::open(&config.key_file, config.auth.rotation(), env.now().0);
    opened.map(Arc::new).map_err(|e| anyhow!("{e}"))
}

/// Opens the keys of a node, whose signing keys are those that all nodes share.
fn shared_keys(config: &Config, env: &Env) -> anyhow::Result<Arc<Keyring>> {
    let opened = Keyring::open_to_share(&config.key_file, config.auth.rotation(), env.now().0);
    opened.map(Arc::new).map_err(|e| anyhow!("{e}"))
}
