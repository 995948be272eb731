//! Abbreviated ids: the beginning or the end of one, as long as it means exactly one of the newest tasks. Ids made one
//! after the other begin alike, so the end is often the shorter one.

use longhaul_client::{PageBody, TaskBody, TaskFilter};

use super::Context;
use crate::exit::Failure;

/// The length of a whole id.
const WHOLE: usize = 36;
/// Shorter is rather a slip.
const SHORTEST: usize = 4;

/// The whole id.
pub(crate) async fn whole(context: &Context, given: &str) -> Result<String, Failure> {
    let like_an_id = given.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if given.len() >= WHOLE || given.len() < SHORTEST || !like_an_id {
        return Ok(given.to_owned());
    }
    let newest = TaskFilter { page_size: Some(100), ..TaskFilter::default() };
    let page = context.client.list_tasks(&newest).await?;
    let page: PageBody<TaskBody> = crate::cmd::plain(page).unwrap_or_default();
    let wanted = given.to_ascii_lowercase();
    let found: Vec<&TaskBody> = page
        .elements
        .iter()
        .filter(|task| task.id.starts_with(&wanted) || task.id.ends_with(&wanted))
        .collect();
    match found.as_slice() {
        [one] => Ok(one.id.clone()),
        // The server's own words about an id that is none are the right ones.
        [] => Ok(given.to_owned()),
        many => {
            let list = many
                .iter()
                .take(10)
                .map(|task| format!("\n  {}  {}", task.id, task.name))
                .collect::<String>();
            Err(Failure::Usage(format!("`{given}` means more than one task:{list}")))
        }
    }
}
