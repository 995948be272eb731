//! `user list`.

use longhaul_client::{PageBody, UserBody};

use crate::cmd::Context;
use crate::exit::{Code, Failure};
use crate::out::table::Table;

/// Lists every account, one in each line.
pub(crate) async fn run(Context { client, out }: &Context) -> Result<Code, Failure> {
    let answer = client.list_users().await?;
    if out.verbatim(&answer)? {
        return Ok(Code::Success);
    }
    let page: PageBody<UserBody> = crate::cmd::plain(answer).map_err(anyhow::Error::from)?;
    let mut table = Table::new(&["NAME", "ROLE", "KIND", "STATE", "API KEYS", "SINCE"]);
    for user in page.elements {
        table.row(vec![
            user.name,
            user.role,
            user.kind.to_lowercase(),
            if user.disabled { "disabled".to_owned() } else { "enabled".to_owned() },
            user.api_keys.len().to_string(),
            user.creation_timestamp,
        ]);
    }
    out.text(&table.render(out.palette, out.width()))?;
    Ok(Code::Success)
}
