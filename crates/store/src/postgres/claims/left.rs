//! Claims that one transaction leaves for another to look at.

use std::collections::BTreeSet;

use uuid::Uuid;

/// Claims left for another transaction to look at.
#[derive(Clone, Debug, Default)]
pub(in crate::postgres) struct Left {
    /// Keys to look at.
    pub(in crate::postgres) keys: BTreeSet<String>,
    /// Tasks that may have no other before them.
    pub(in crate::postgres) tasks: BTreeSet<Uuid>,
}

impl Left {
    pub(in crate::postgres) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.tasks.is_empty()
    }

    pub(in crate::postgres) fn add(&mut self, other: &Left) {
        self.keys.extend(other.keys.iter().cloned());
        self.tasks.extend(&other.tasks);
    }
}
