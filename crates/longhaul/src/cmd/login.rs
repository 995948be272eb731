//! `login`, `logout` and `whoami`.

use longhaul_client::Login;

use super::kept::{Kept, Sessions};
use super::{Context, Target, ask, connect, context};
use crate::cli::{Global, LoginArgs};
use crate::exit::{Code, Failure};
use crate::out::Out;

/// Logs in and keeps the session.
pub(crate) async fn login(args: LoginArgs, global: &Global, out: Out) -> Result<Code, Failure> {
    let client = connect(global)?.build()?;
    let (sessions, session) = (Sessions::of_user()?, Target::of(global)?.session(&client));
    let tokens = if args.api_key_stdin {
        client.login(Login::ApiKey(&ask::next_line()?)).await?
    } else {
        let username = args.name.map_or_else(|| ask::line("User name"), Ok)?;
        let password =
            if args.password_stdin { ask::next_line()? } else { ask::secret("Password", ask::PASSWORD)? };
        client.login(Login::Password { username: &username, password: &password }).await?
    };
    let kept = Kept {
        user: String::new(),
        access_token: tokens.access_token,
        refresh_token: tokens.refresh_token.id,
    };
    let me = super::with_session(connect(global)?, &kept, session.clone())?.build()?.me().await?;
    let text = |name: &str| me.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    sessions.set(&session, Some(Kept { user: text("name"), ..kept }))?;
    out.remark(&format!("logged in to {} as {} ({})", client.server(), text("name"), text("role")))?;
    Ok(Code::Success)
}

/// Ends the session, on the server and here.
pub(crate) async fn logout(global: &Global, out: Out) -> Result<Code, Failure> {
    let client = connect(global)?.build()?;
    let (sessions, session) = (Sessions::of_user()?, Target::of(global)?.session(&client));
    let Some(kept) = sessions.get(&session)? else {
        out.remark(&format!("there is no session with {}", client.server()))?;
        return Ok(Code::Success);
    };
    // The local session goes first: whatever the server answers, nobody uses it from here any more.
    sessions.set(&session, None)?;
    client.logout(&kept.refresh_token).await?;
    out.remark(&format!("logged out of {}; its tokens are refused from now on", client.server()))?;
    Ok(Code::Success)
}

/// Shows who the caller is to the server.
pub(crate) async fn whoami(global: &Global, out: Out) -> Result<Code, Failure> {
    let Context { client, .. } = context(global, out).await?;
    let me = client.me().await?;
    if !out.verbatim(&me)? {
        let text = |name: &str| me.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        out.text(&format!("{} ({}, {})\n", text("name"), text("role"), text("kind").to_lowercase()))?;
    }
    Ok(Code::Success)
}
