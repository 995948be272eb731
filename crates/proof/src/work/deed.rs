//! The work of an attempt: a call of the effect counter, with pauses around it in which kills fall.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::effects::{BY, TOKEN};
use crate::http::{Client, Peer, Request};

/// The longest pause before the effect, and after it, in microseconds.
const PAUSE: u64 = 30_000;

/// Facts that an attempt is told of itself.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The task.
    pub task: String,
    /// The sub-task's name.
    pub sub_task: String,
    /// Names the work.
    pub key: String,
    /// The fencing token.
    pub token: u64,
    /// Kind of worker.
    pub by: &'static str,
}

impl Attempt {
    /// Does it. Fails when somebody with a higher token was there before.
    pub async fn work(&self, effects: SocketAddr) -> Result<()> {
        sleep(Duration::from_micros(fastrand::u64(..PAUSE))).await;
        let path = format!("/effect/{}/{}", self.task, self.sub_task);
        let token = self.token.to_string();
        let headers = [("idempotency-key", self.key.as_str()), (TOKEN, token.as_str()), (BY, self.by)];
        let request = Request { method: "POST", path: &path, headers: &headers, body: Some(b"{}") };
        match Client::default().ask(&Peer::stranger(effects), &request).await {
            Ok(answer) if answer.is_success() => {}
            Ok(answer) => bail!("the effect counter answered {}", answer.status),
            Err(e) => bail!("the effect counter: {e:?}"),
        }
        sleep(Duration::from_micros(fastrand::u64(..PAUSE))).await;
        Ok(())
    }
}
