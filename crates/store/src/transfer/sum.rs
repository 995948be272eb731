//! Comparison of two stores: each table's rows counted and summed up, in whatever order they are read.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::value::Value;
use crate::error::StoreError;

/// Sum of a table: the count of its rows, and the sum of their digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    /// Two halves, as JSON has no larger numbers.
    digests: (u64, u64),
}

impl Sum {
    /// Adds a row.
    pub(crate) fn add(&mut self, row: &[Value]) -> Result<(), StoreError> {
        let text = serde_json::to_vec(row).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        let digest = Sha256::digest(&text);
        let half = |from: usize| {
            digest[from..from + 8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        self.rows += 1;
        self.digests.0 = self.digests.0.wrapping_add(half(0));
        self.digests.1 = self.digests.1.wrapping_add(half(8));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(rows: &[Vec<Value>]) -> Sum {
        let mut sum = Sum::default();
        for row in rows {
            sum.add(row).expect("a row");
        }
        sum
    }

    #[test]
    fn order_does_not_count_and_everything_else_does() {
        let (a, b) = (vec![Value::Int(1), Value::Null], vec![Value::Int(2), Value::Text("x".into())]);
        let both = sum(&[a.clone(), b.clone()]);
        assert_eq!(both, sum(&[b.clone(), a.clone()]));
        for other in [vec![a.clone()], vec![a.clone(), a.clone()], vec![a, vec![Value::Int(2), Value::Null]]]
        {
            assert_ne!(both, sum(&other));
        }
        assert_ne!(sum(&[vec![Value::Int(1)]]), sum(&[vec![Value::Text("1".into())]]));
    }
}
