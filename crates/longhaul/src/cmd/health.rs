//! `health`: whether a server is live and ready, for supervisors.

use std::time::Duration;

use longhaul_client::{Client, ClientError, HealthBody};

use crate::cli::HealthArgs;
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Longest wait for the answer. A supervisor that is less patient ends the command earlier.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks the server. No credential is sent, so that none has to be where supervisors run.
pub(crate) async fn run(args: &HealthArgs, client: Client, out: Out) -> Result<Code, Failure> {
    let asked = async { if args.live { client.live().await } else { client.ready().await } };
    let late = || ClientError::Unreachable {
        server: client.server().to_owned(),
        reason: format!("no answer within {} seconds", PATIENCE.as_secs()),
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))?;
    let health: HealthBody = super::plain(answer.clone()).map_err(anyhow::Error::from)?;
    let is_up = health.status == "UP";
    let code = if is_up { Code::Success } else { Code::Server };
    if out.verbatim(&answer)? {
        return Ok(code);
    }
    let server = client.server();
    match (is_up, args.live) {
        (true, true) => out.text(&format!("{server} is live\n"))?,
        (true, false) => out.text(&format!("{server} is live and ready\n"))?,
        (false, _) => {
            let reason = health.reason.unwrap_or(health.status);
            out.remark(&format!("{server} is live and not ready: {} ({reason})", in_words(&reason)))?;
        }
    }
    if health.set_aside > 0 {
        out.remark(&format!("changes set aside because they could not be written: {}", health.set_aside))?;
    }
    Ok(code)
}

/// Returns a reason in words. A newer server may have others.
fn in_words(reason: &str) -> &'static str {
    match reason {
        "STARTING" => "it waits for its database",
        "DRAINING" => "it is stopping",
        "PAUSED" => "it is paused, and starts nothing",
        "STORAGE_FULL" => "its storage is full",
        "STORAGE_STUCK" => "its storage does not answer",
        "STORAGE_FAILING" => "its last write failed, and is repeated",
        "STORAGE_BROKEN" => "its storage failed; a restart may repair it",
        "STORAGE_CLOSED" => "its storage is closed",
        _ => "its log says why",
    }
}
