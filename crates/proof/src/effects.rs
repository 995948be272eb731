//! The effect counter: a service on this machine whose only work is to note who called it. What happened in
//! the real world is measured here, not at the server.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::clock;
use crate::history::Effect;

/// Duration of every other effect that must not be repeated.
const ONCE: Duration = Duration::from_millis(60);

/// The running service.
#[derive(Clone, Debug)]
pub struct Effects {
    /// Address of the counter.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// The header of the fencing token. A call with a lower one than was seen for its sub-task is refused.
pub const TOKEN: &str = "fencing-token";

/// The header that says what kind of worker calls.
pub const BY: &str = "worker-kind";

#[derive(Debug, Default)]
struct Seen {
    life: usize,
    slow: bool,
    calls: Vec<Effect>,
    highest: HashMap<(Uuid, String), u64>,
}

impl Seen {
    /// Returns true if a call with a higher token came before.
    fn is_stale(&mut self, task: Uuid, sub: &str, token: u64) -> bool {
        let highest = self.highest.entry((task, sub.to_owned())).or_insert(token);
        *highest = token.max(*highest);
        token < *highest
    }
}

impl Effects {
    /// Starts it.
    pub async fn start() -> Result<Effects> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let effects = Effects { address: listener.local_addr()?, seen: Arc::default() };
        let router = Router::new().route("/effect/{task}/{sub}", post(note)).with_state(effects.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(effects)
    }

    /// From here on calls are of this life of the server. To be called once all of the last one have been
    /// heard.
    pub fn new_life(&self, life: usize) {
        self.seen().life = life;
    }

    /// The calls so far; forgets them.
    pub fn take(&self) -> Vec<Effect> {
        std::mem::take(&mut self.seen().calls)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        // A list of calls is sound after a panic too.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn note(
    State(effects): State<Effects>,
    Path((task, sub)): Path<(Uuid, String)>,
    headers: HeaderMap,
) -> StatusCode {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let key = header("idempotency-key").unwrap_or_default().to_owned();
    let token = header(TOKEN).and_then(|token| token.parse().ok());
    let by = header(BY).map(str::to_owned);
    let (pause, stale) = {
        let mut seen = effects.seen();
        let life = seen.life;
        seen.slow = !seen.slow;
        let pause = if sub == "Once" || sub == "Charge" { ONCE } else { Duration::from_millis(15) };
        let pause = pause.mul_f64(f64::from(u8::from(seen.slow)));
        let stale = token.is_some_and(|token| seen.is_stale(task, &sub, token));
        seen.calls.push(Effect { at: clock::now(), life, task, sub, key, token, by });
        (pause, stale)
    };
    // Between effect and answer there must be a time in which kills fall.
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    if stale { StatusCode::CONFLICT } else { StatusCode::NO_CONTENT }
}
