//! Access of the proof to its servers: an administrator's API key, made at a data directory's first start and
//! kept in a file beside it. The server promised to know that key from then on, so a refusal of it is a
//! finding of its own.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::{Answer, Client, NoAnswer, Peer, Request};

/// Environment variable of the server with the first administrator's password.
pub const VARIABLE: &str = "LONGHAUL_ADMIN_PASSWORD";
/// The first administrator's password in every run.
pub const PASSWORD: &str = "known to the proof alone";
/// The first administrator.
const ADMINISTRATOR: &str = "admin";
/// The service account whose key the calls carry.
const ACCOUNT: &str = "proof";

/// The file of a data directory's key.
pub fn key_file(data: &Path) -> PathBuf {
    let mut path = data.as_os_str().to_owned();
    path.push(".api-key");
    path.into()
}

/// A server as the proof calls it: with the key of its data directory, which is made if there is none. `None`
/// if the server went away meanwhile.
pub async fn enter(address: SocketAddr, data: &Path) -> Result<Option<Peer>> {
    let file = key_file(data);
    let stranger = Peer::stranger(address);
    if file.exists() {
        let key = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let peer = stranger.with(&key);
        return Ok(ask(&peer, "GET", "/v1/users/me", None, &[200]).await?.map(|_| peer));
    }
    let login = json!({ "username": ADMINISTRATOR, "password": PASSWORD });
    let Some(pair) = ask(&stranger, "POST", "/v1/tokens", Some(&login), &[201]).await? else {
        return Ok(None);
    };
    let administrator = stranger.with(text(&pair, "accessToken")?);
    let account = json!({ "name": ACCOUNT, "role": "ADMIN", "kind": "SERVICE" });
    let made = ask(&administrator, "POST", "/v1/users", Some(&account), &[201, 409]).await?;
    let made = match made {
        // It was made before, and the answer with its key was lost in a kill.
        Some(refused) if refused.get("apiKey").is_none() => {
            ask(&administrator, "POST", &format!("/v1/users/{ACCOUNT}/api-keys"), Some(&json!({})), &[201])
                .await?
        }
        made => made,
    };
    let Some(made) = made else { return Ok(None) };
    let key: Arc<str> = text(&made, "apiKey")?.into();
    write(&file, &key).with_context(|| file.display().to_string())?;
    Ok(Some(stranger.with(&key)))
}

/// Writes the key to a file for its owner only: whoever has it administers the server.
fn write(file: &Path, key: &str) -> std::io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?.write_all(key.as_bytes())
}

/// A call that must be answered in one of these ways; `None` if nobody answered it.
async fn ask(
    to: &Peer,
    method: &str,
    path: &str,
    body: Option<&Value>,
    expected: &[u16],
) -> Result<Option<Value>> {
    let body = body.map(Value::to_string);
    let request = Request { method, path, headers: &[], body: body.as_ref().map(String::as_bytes) };
    match Client::default().ask(to, &request).await {
        Ok(answer) if expected.contains(&answer.status) => Ok(Some(answer.json().unwrap_or_default())),
        Ok(Answer { status, body, .. }) => {
            bail!("{method} {path} was answered {status}: {}", String::from_utf8_lossy(&body))
        }
        Err(NoAnswer::Unsent | NoAnswer::Lost) => Ok(None),
        Err(NoAnswer::Garbled(what)) => bail!("{method} {path}: {what}"),
    }
}

fn text<'a>(answer: &'a Value, member: &str) -> Result<&'a str> {
    answer[member].as_str().with_context(|| format!("an answer without `{member}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lies_beside_its_directory() {
        assert_eq!(key_file(Path::new("/tmp/run/f1.5")), Path::new("/tmp/run/f1.5.api-key"));
    }
}
