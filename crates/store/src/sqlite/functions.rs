//! What SQL is taught: how names are searched, and how a row's resources are.

use longhaul_model::Resource;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Result};

/// Between a resource's type and its id.
const UNIT: char = '\u{1f}';
/// Behind each resource.
const RECORD: char = '\u{1e}';

pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("contains_folded", 2, flags, |context| {
        let text = context.get_raw(0).as_str().unwrap_or_default();
        let folded = context.get_raw(1).as_str().unwrap_or_default();
        Ok(contains_folded(text, folded))
    })?;
    connection.create_scalar_function("has_resource", 3, flags, |context| {
        let packed = context.get_raw(0).as_str().unwrap_or_default();
        let id = context.get_raw(1).as_str().ok();
        let kind = context.get_raw(2).as_str().ok();
        Ok(unpack(packed).any(|(this_kind, this_id)| {
            id.is_none_or(|id| id == this_id) && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(this_kind))
        }))
    })
}

/// Whether a text contains another that is folded already, case ignored.
fn contains_folded(text: &str, folded: &str) -> bool {
    if text.is_ascii() {
        let (text, folded) = (text.as_bytes(), folded.as_bytes());
        return folded.is_empty() || text.windows(folded.len()).any(|part| part.eq_ignore_ascii_case(folded));
    }
    text.to_lowercase().contains(folded)
}

/// A task's resources as its row keeps them, for filters that look at few rows.
pub(super) fn pack(resources: &[Resource]) -> String {
    let mut packed = String::new();
    for resource in resources {
        packed.push_str(&resource.kind);
        packed.push(UNIT);
        packed.push_str(&resource.resource_id);
        packed.push(RECORD);
    }
    packed
}

/// Type and id of each packed resource.
pub(super) fn unpack(packed: &str) -> impl Iterator<Item = (&str, &str)> {
    packed.split_terminator(RECORD).filter_map(|record| record.split_once(UNIT))
}
