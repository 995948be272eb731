//! Counters by a name that callers choose, such as a workflow's: their number is bounded.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;

/// Maximum number of distinct names of one label; those that come later are counted together.
pub const LIMIT: usize = 200;

/// Value of the label under which all names beyond the limit are counted.
pub const OTHER: &str = "other";

/// Place of one name in the table, with its counters.
type Place<T> = OnceLock<(Box<str>, T)>;

/// Table from names to counters. Names are added and never removed, and reading takes no lock and no memory.
pub struct Names<T> {
    hasher: RandomState,
    /// Open addressing: a name stands at the first free place from its hash on.
    places: Box<[Place<T>]>,
    other: T,
    make: Box<dyn Fn(&str) -> T + Send + Sync>,
}

impl<T> Names<T> {
    /// Creates a table; `make` creates the counters of a name.
    pub fn new(make: impl Fn(&str) -> T + Send + Sync + 'static) -> Names<T> {
        Names {
            hasher: RandomState::new(),
            places: (0..LIMIT).map(|_| OnceLock::new()).collect(),
            other: make(OTHER),
            make: Box::new(make),
        }
    }

    /// Returns the counters of a name, which are created at its first use.
    pub fn get(&self, name: &str) -> &T {
        let start = self.hasher.hash_one(name) as usize % LIMIT;
        for place in self.places[start..].iter().chain(&self.places[..start]) {
            let (taken, counters) = place.get_or_init(|| (name.into(), (self.make)(name)));
            if **taken == *name {
                return counters;
            }
        }
        &self.other
    }

    /// Returns the counters of all names beyond the limit, and of what has no name.
    pub fn other(&self) -> &T {
        &self.other
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_number_of_names_is_bounded_and_each_is_counted_for_itself() {
        let made = Arc::new(AtomicU64::new(0));
        let names = Names::new({
            let made = made.clone();
            move |name| (name.to_owned(), AtomicU64::new(0), made.fetch_add(1, Ordering::Relaxed))
        });
        let mut counted = BTreeMap::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..3 * LIMIT {
                        names.get(&format!("w{n}")).1.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        for n in 0..3 * LIMIT {
            let (name, count, _) = names.get(&format!("w{n}"));
            counted.insert(name.clone(), count.load(Ordering::Relaxed));
        }
        assert_eq!(
            made.load(Ordering::Relaxed),
            LIMIT as u64 + 1,
            "one for each name, and one for all others"
        );
        assert_eq!((counted.len(), counted.remove(OTHER)), (LIMIT + 1, Some(8 * LIMIT as u64)));
        assert!(counted.into_values().all(|count| count == 4));
    }
}
