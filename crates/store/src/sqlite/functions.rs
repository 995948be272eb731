//! SQL functions of our own: the search of names and of a row's resources.

use std::sync::Arc;

use memchr::memmem;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Result};

use crate::document_filters;
use crate::packed::unpack;

pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("contains_folded", 2, flags, |context| {
        let needle: Arc<Needle> = context.get_or_create_aux(1, |value| value.as_str().map(Needle::new))?;
        Ok(needle.is_in(context.get_raw(0).as_str().unwrap_or_default()))
    })?;
    connection.create_scalar_function("is_open_failure", 2, flags, |context| {
        let is_imported = context.get_raw(1).as_i64().is_ok_and(|flag| flag != 0);
        Ok(context
            .get_raw(0)
            .as_str()
            .map_or(true, |document| document_filters::is_open(document, is_imported)))
    })?;
    connection.create_scalar_function("has_labels", 2, flags, |context| {
        let wanted: Arc<Vec<document_filters::Label>> = context.get_or_create_aux(1, |value| {
            value.as_str().map(|text| serde_json::from_str(text).unwrap_or_default())
        })?;
        let document = context.get_raw(0).as_str().unwrap_or_default();
        Ok(document_filters::has_labels(document, &wanted))
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

/// Length up to which names are folded on the stack.
const SHORT: usize = 256;

/// Folded text to be searched for, prepared once for a whole walk.
struct Needle(memmem::Finder<'static>);

impl Needle {
    fn new(folded: &str) -> Self {
        Needle(memmem::Finder::new(folded).into_owned())
    }

    /// Returns true if a text contains the pattern, case ignored.
    fn is_in(&self, text: &str) -> bool {
        let mut room = [0_u8; SHORT];
        match room.get_mut(..text.len()).filter(|_| text.is_ascii()) {
            Some(folded) => {
                folded.copy_from_slice(text.as_bytes());
                folded.make_ascii_lowercase();
                self.0.find(folded).is_some()
            }
            None => self.0.find(text.to_lowercase().as_bytes()).is_some(),
        }
    }
}
