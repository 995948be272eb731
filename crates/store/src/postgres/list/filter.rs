//! A query's filters as SQL conditions, which are the same for both tables.

use longhaul_model::TaskStatus;

use crate::postgres::sql::{Sql, clean};
use crate::postgres::writes::{LONGEST_KEY, found_by};
use crate::query::{OrderBy, TaskQuery};

/// Length in bytes from which the key that names are sorted by may be shorter than the name.
pub(super) const MAY_BE_CUT: usize = LONGEST_KEY - 3;

/// Filters of a query, and how the database may look for names and resources.
pub(super) struct Filter<'a> {
    asked: &'a TaskQuery,
    /// False where the rows are walked along an index of their order, and their names and resources are
    /// only tested.
    by_index: bool,
    /// The text that names contain, as they are compared.
    part: Option<String>,
    /// True where the index of the order of names is read for names alone, and no row.
    reads_names: bool,
}

impl<'a> Filter<'a> {
    /// Filters for a statement that takes all rows that match: it may find them by any index.
    pub(super) fn gathering(asked: &'a TaskQuery) -> Self {
        Filter { asked, by_index: true, part: part(asked), reads_names: false }
    }

    /// Filters for a statement that walks along an order until it has enough rows.
    pub(super) fn walking(asked: &'a TaskQuery) -> Self {
        let part = part(asked);
        let reads_names = part.is_some() && asked.order == OrderBy::Name && !has_resource(asked);
        Filter { asked, by_index: false, part, reads_names }
    }

    /// Adds ` AND …` for everything that is asked for of the rows of a table.
    pub(super) fn add_to(&self, sql: &mut Sql, table: &str) {
        let asked = self.asked;
        if let Some(kind) = &asked.kind {
            sql.and("kind = ", clean(kind).to_ascii_lowercase());
        }
        statuses(sql, asked);
        if let Some(at) = asked.completed_after {
            sql.and("completed_at > ", at.0);
        }
        if let Some(part) = &self.part {
            let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            self.add_name(sql, table, &format!("%{escaped}%"));
        }
        if has_resource(asked) {
            let key = found_by(asked.resource_kind.as_deref(), asked.resource_id.as_deref());
            sql.push(" AND (found_by @> ARRAY[").bind(key).push("])");
            self.only_tested(sql, false);
        }
    }

    /// Adds the condition for names. Most names are whole in their key, and of letters that are made small as
    /// the database makes them: only for others the row is read.
    fn add_name(&self, sql: &mut Sql, table: &str, pattern: &str) {
        if self.reads_names {
            sql.push(&format!(
                " AND CASE WHEN octet_length(sort_name) < {MAY_BE_CUT}
                   AND octet_length(sort_name) = char_length(sort_name) THEN lower(sort_name) ELSE
                   (SELECT whole.folded FROM {table} AS whole WHERE whole.id = {table}.id) END LIKE "
            ));
            sql.bind(pattern.to_owned());
            return;
        }
        sql.push(" AND (folded LIKE ").bind(pattern.to_owned()).push(")");
        // Where a resource is named its index leads to fewer rows.
        let useless = self.asked.resource_id.is_some() || !self.part.as_deref().is_some_and(has_trigram);
        self.only_tested(sql, useless);
    }

    /// Keeps the database from using an index for the condition that was added last, if rows are walked or
    /// that index is of no use: a condition with `IS TRUE` means the same, and no index serves it.
    fn only_tested(&self, sql: &mut Sql, useless: bool) {
        if useless || !self.by_index {
            sql.push(" IS TRUE");
        }
    }
}

/// Returns the text that names are to contain, as they are compared; `None` for none.
fn part(asked: &TaskQuery) -> Option<String> {
    asked.name_contains.as_deref().filter(|part| !part.is_empty()).map(|part| clean(part).to_lowercase())
}

/// Returns true if a resource is asked for, by its id or by its type.
pub(super) fn has_resource(asked: &TaskQuery) -> bool {
    asked.resource_id.is_some() || asked.resource_kind.is_some()
}

/// Adds ` AND status IN (…)`; with a completion time, only statuses that count as completed.
pub(super) fn statuses(sql: &mut Sql, asked: &TaskQuery) {
    let wanted: Vec<String> = TaskStatus::ALL
        .into_iter()
        .filter(|status| asked.statuses.is_empty() || asked.statuses.contains(status))
        .filter(|status| asked.completed_after.is_none() || status.counts_as_completed())
        .map(|status| status.code().to_string())
        .collect();
    if wanted.len() < TaskStatus::ALL.len() {
        let codes = if wanted.is_empty() { "-1".to_owned() } else { wanted.join(", ") };
        sql.push(&format!(" AND status IN ({codes})"));
    }
}

/// Returns true if names that contain this text contain a trigram that the index of names knows. Without one
/// the database would walk the whole of that index and then look at every row all the same. The index is made
/// of words: two blanks before each and one behind it are part of its trigrams. Letters beyond ASCII belong
/// to words or not, as the locale of the database says, and count as neither here.
fn has_trigram(part: &str) -> bool {
    let chars: Vec<char> = part.chars().collect();
    let is_word = |c: &char| c.is_ascii_alphanumeric();
    let is_gap = |n: Option<usize>| n.and_then(|n| chars.get(n)).is_some_and(|c| c.is_ascii() && !is_word(c));
    let mut start = 0;
    for run in chars.split(|c| !is_word(c)) {
        let end = start + run.len();
        let before = if is_gap(start.checked_sub(1)) { 2 } else { 0 };
        let behind = usize::from(is_gap(Some(end)));
        if !run.is_empty() && run.len() + before + behind >= 3 {
            return true;
        }
        start = end + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_with_a_trigram_are_told_from_texts_without() {
        for text in ["abc", "host-0001", " ab", "ab ", "x ab", " a", "é abc", "1 2", "abcé"] {
            assert!(has_trigram(text), "{text:?}");
        }
        for text in ["", "a", "ab", "a ", "é", "éab", "abé", "éé é", "---", "ab\u{e9}cd", "%"] {
            assert!(!has_trigram(text), "{text:?}");
        }
    }
}
