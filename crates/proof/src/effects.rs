//! The effect counter: a service on this machine whose only work is to note who called it. What happened in the
//! real world is measured here, not at the server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::clock;
use crate::history::Effect;

/// How long every other effect that must not be repeated takes to answer.
const ONCE: Duration = Duration::from_millis(60);

/// The running service.
#[derive(Clone, Debug)]
pub struct Effects {
    /// Where it listens.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    life: usize,
    slow: bool,
    calls: Vec<Effect>,
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

    /// From here on calls are of this life of the server. To be called once all of the last one have been heard.
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
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let pause = {
        let mut seen = effects.seen();
        let life = seen.life;
        seen.slow = !seen.slow;
        let pause = if sub == "Once" || sub == "Charge" { ONCE } else { Duration::from_millis(15) };
        let pause = pause.mul_f64(f64::from(u8::from(seen.slow)));
        seen.calls.push(Effect { at: clock::now(), life, task, sub, key });
        pause
    };
    // Between effect and answer there must be a time in which kills fall.
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    StatusCode::NO_CONTENT
}
