//! `session …`.

use longhaul_client::{PageBody, SessionBody};

use super::Context;
use crate::cli::{SessionCommand, SessionListArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use crate::out::table::Table;

/// Runs a `session` command.
pub(crate) async fn run(command: SessionCommand, context: &Context) -> Result<Code, Failure> {
    match command {
        SessionCommand::List(args) => list(&args, context).await,
        SessionCommand::End { ids } => end(&ids, context).await,
    }
}

async fn list(args: &SessionListArgs, Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.list_sessions(args.user.as_deref(), args.page).await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<SessionBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let (shown, now) = (page.elements.len() as u64, crate::now());
    let mut table = Table::new(&["ID", "USER", "ROLE", "LOGIN", "FROM", "SINCE", "ENDS"]);
    for session in page.elements {
        let since = span::parse(&session.creation_timestamp).map(|at| span::age(now.0 - at.0));
        let user = if session.current { format!("{} (this one)", session.user) } else { session.user };
        table.row(vec![
            session.id,
            user,
            session.role.unwrap_or_else(|| "none".to_owned()),
            session.login.unwrap_or_default().to_lowercase().replace('_', " "),
            session.from.unwrap_or_default(),
            since.unwrap_or(session.creation_timestamp),
            session.expiration_timestamp,
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    if page.page_metadata.total_elements > shown {
        out.remark(&format!("{shown} of {}; --page shows others", page.page_metadata.total_elements))?;
    }
    Ok(Code::Success)
}

async fn end(ids: &[String], Context { client, out }: &Context) -> Result<Code, Failure> {
    for id in ids {
        client.end_session(id).await?;
        out.remark(&format!("{id}: ended; its tokens are refused from now on"))?;
    }
    Ok(Code::Success)
}
