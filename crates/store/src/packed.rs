//! Resources of a task in one text, as its row keeps them.

use longhaul_model::Resource;

/// Separator between a resource's type and its ID.
const UNIT: char = '\u{1f}';
/// Terminator of each resource.
const RECORD: char = '\u{1e}';

/// Packs a task's resources as its row keeps them, for filters that look at few rows.
pub(crate) fn pack(resources: &[Resource]) -> String {
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
pub(crate) fn unpack(packed: &str) -> impl Iterator<Item = (&str, &str)> {
    packed.split_terminator(RECORD).filter_map(|record| record.split_once(UNIT))
}
