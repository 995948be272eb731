//! Several statements sent as one. A statement by itself costs the database more than its work on a few rows:
//! it must be parsed, begun and answered, and its sender woken up.

use deadpool_postgres::GenericClient;
use tokio_postgres::types::ToSql;

use super::sql::execute;
use crate::error::StoreError;

/// Statements that change rows, none of which may see or touch what another one changes: all of them work on
/// the same snapshot, in no certain order. Their text depends only on which they are, so that there are few
/// to prepare.
#[derive(Default)]
pub(super) struct Together<'a> {
    /// Texts of the statements, their parameters counted on from those before.
    texts: Vec<String>,
    parameters: Vec<&'a (dyn ToSql + Sync)>,
}

impl<'a> Together<'a> {
    /// Adds a statement, whose parameters are `$1` to the number of them. A `$` stands for nothing else in
    /// its text.
    pub(super) fn add(&mut self, statement: &str, parameters: &[&'a (dyn ToSql + Sync)]) {
        self.texts.push(counted_on(statement, self.parameters.len()));
        self.parameters.extend_from_slice(parameters);
    }

    /// Runs the statements, if there are any.
    pub(super) async fn run(self, db: &impl GenericClient) -> Result<(), StoreError> {
        let Some((last, others)) = self.texts.split_last() else { return Ok(()) };
        let named: Vec<String> =
            others.iter().enumerate().map(|(n, text)| format!("part_{n} AS ({text})")).collect();
        let text = if named.is_empty() { last.clone() } else { format!("WITH {} {last}", named.join(", ")) };
        execute(db, &text, &self.parameters).await.map(drop)
    }
}

/// Returns the text with its parameters counted on from a number.
fn counted_on(statement: &str, from: usize) -> String {
    let mut parts = statement.split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let number: usize = part[..end].parse().unwrap_or(0);
        text.push('$');
        text.push_str(&(from + number).to_string());
        text.push_str(&part[end..]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_on() {
        assert_eq!(counted_on("DELETE FROM t WHERE id = ANY($1)", 0), "DELETE FROM t WHERE id = ANY($1)");
        let text = counted_on("SELECT $1::text, $12 + $2", 9);
        assert_eq!(text, "SELECT $10::text, $21 + $11");
    }

    #[test]
    fn several_are_one_statement() {
        let (a, b) = (1_i64, "x");
        let mut together = Together::default();
        together.add("DELETE FROM t WHERE n = $1", &[&a]);
        together.add("INSERT INTO u VALUES ($1, $2)", &[&b, &a]);
        assert_eq!(together.texts, ["DELETE FROM t WHERE n = $1", "INSERT INTO u VALUES ($2, $3)"]);
        assert_eq!(together.parameters.len(), 3);
    }
}
