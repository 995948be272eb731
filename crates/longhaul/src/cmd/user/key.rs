//! `user key …`.

use longhaul_client::UserBody;

use crate::cli::KeyCommand;
use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// Runs a `user key` command.
pub(crate) async fn run(command: KeyCommand, Context { client, out }: &Context) -> Result<Code, Failure> {
    match command {
        KeyCommand::Add { user, name } => {
            let made = client.add_api_key(&user, name.as_deref()).await?;
            if !out.verbatim(&made)? {
                let text = |member: &str| made.get(member).and_then(|v| v.as_str()).unwrap_or_default();
                out.remark(&format!("{user}: API key {}, shown this once", text("id")))?;
                out.text(&format!("{}\n", text("apiKey")))?;
            }
        }
        KeyCommand::List { user } => {
            let answer = client.get_user(&user).await?;
            if !out.verbatim(&answer)? {
                let user: UserBody = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
                let mut table = Table::new(&["ID", "NAME", "SINCE", "LAST USED"]);
                for key in user.api_keys {
                    let (name, used) = (key.name.unwrap_or_default(), key.last_used_timestamp);
                    let used = used.unwrap_or_else(|| "never".to_owned());
                    table.row(vec![key.id, name, key.creation_timestamp, used]);
                }
                out.text(&table.render(out.palette, out.width()))?;
            }
        }
        KeyCommand::Delete { user, id } => {
            client.delete_api_key(&user, &id).await?;
            out.remark(&format!(
                "{user}: the API key {id} works no more, and the account's sessions are over"
            ))?;
        }
    }
    Ok(Code::Success)
}
