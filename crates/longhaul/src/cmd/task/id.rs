//! Abbreviated IDs: a prefix or suffix that matches exactly one task of the server. IDs made one after the
//! other begin alike, so the suffix is often shorter, and lists show it.

use longhaul_client::{ClientError, ErrorBody, PageBody, TaskBody};

use super::Context;
use crate::exit::Failure;

/// Length of a whole id.
const WHOLE: usize = 36;
/// Fewest digits of an abbreviation; fewer are probably a slip.
const SHORTEST: usize = 4;
/// Fewest digits that lists show: enough that later tasks hardly ever end alike.
const SHOWN: usize = 8;
/// Largest number of candidates that are listed for an ambiguous abbreviation.
const LISTED: usize = 10;

/// Returns the whole id.
pub(crate) async fn whole(context: &Context, given: &str) -> Result<String, Failure> {
    if !is_part(given) {
        return Ok(given.to_owned());
    }
    let found: PageBody<TaskBody> =
        crate::cmd::plain(context.client.tasks_like(given).await?).unwrap_or_default();
    match found.elements.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(unknown(given).into()),
        many => {
            let line = |task: &TaskBody| format!("\n  {}  {}  {}", task.id, task.status, task.name);
            let mut list: String = many.iter().take(LISTED).map(line).collect();
            if many.len() > LISTED {
                list.push_str("\n  … and more");
            }
            Err(Failure::Usage(format!("`{given}` means more than one task:{list}")))
        }
    }
}

/// Returns true if a text can be the part of an id by which a task is named.
pub(crate) fn is_part(given: &str) -> bool {
    let like_an_id = given.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let digits = given.chars().filter(|c| *c != '-').count();
    given.len() < WHOLE && digits >= SHORTEST && like_an_id
}

/// The refusal of a part that no id has, as a server refuses an id that it does not know.
fn unknown(given: &str) -> ClientError {
    let error = ErrorBody {
        error_code: "TA_TASK_NOT_FOUND".to_owned(),
        message: format!("no task begins or ends with {given}"),
        remediation_message: Some(
            "`longhaul task list` shows the tasks, each with the end of its ID".to_owned(),
        ),
        ..ErrorBody::default()
    };
    ClientError::Refused { status: 404, error: Box::new(error) }
}

/// Returns an abbreviation of each id for lists: its last digits, at least eight and as many as distinguish
/// it from the others.
pub(crate) fn short(ids: &[&str]) -> Vec<String> {
    let digits = |id: &str| id.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    let plain: Vec<String> = ids.iter().map(|id| digits(id)).collect();
    let end = |id: &str, n: usize| id.get(id.len().saturating_sub(n)..).unwrap_or(id).to_owned();
    let one = |(n, id): (usize, &String)| {
        let others = || plain.iter().enumerate().filter(move |(m, _)| *m != n).map(|(_, other)| other);
        let tells = |part: &String| others().all(|o| !o.ends_with(part) && !o.starts_with(part));
        (SHOWN..id.len()).map(|length| end(id, length)).find(tells).unwrap_or_else(|| ids[n].to_owned())
    };
    plain.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_ids_are_known_by_their_digits() {
        for part in ["ffff", "0198f3c2-7b1e", "AAAAAAAA", "-aaaaaaaa", "0198f3c2-7b1e-7000-8000-0000aaaaaaa"]
        {
            assert!(is_part(part), "{part}");
        }
        for other in ["", "fff", "f-f-f", "host", "ffffg", "0198f3c2-7b1e-7000-8000-0000aaaaaaaa"] {
            assert!(!is_part(other), "{other}");
        }
    }

    #[test]
    fn short_ids_are_told_apart() {
        let ids = [
            "0198f3c2-7b1e-7000-8000-0000aaaaaaaa",
            "0198f3c2-7b1e-7000-8000-0001aaaaaaaa",
            "0198f3c2-7b1e-7000-8000-0000bbbbbbbb",
            "cccccccc-7b1e-7000-8000-0000dddddddd",
            "0198f3c2-7b1e-7000-8000-0000cccccccc",
        ];
        assert_eq!(short(&ids), ["0aaaaaaaa", "1aaaaaaaa", "bbbbbbbb", "dddddddd", "0cccccccc"]);
        assert_eq!(short(&["0198f3c2-7b1e-7000-8000-0000aaaaaaaa"]), ["aaaaaaaa"]);
        assert_eq!(short(&["x", "x"]), ["x", "x"], "no id of ours is shown as it is");
    }
}
