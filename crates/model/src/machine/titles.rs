//! Titles by which children can be told apart.

use std::collections::{HashMap, HashSet};

use crate::value::LONGEST_NAME;

/// Makes titles distinct from one another and from the names that are taken: duplicates get the number of
/// their item, as children without a title have it (`Update host[3]`).
pub(super) fn distinct<'a>(mut titles: Vec<String>, taken: impl Iterator<Item = &'a str>) -> Vec<String> {
    let taken: HashSet<&str> = taken.collect();
    loop {
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(titles.len());
        titles.iter().for_each(|title| *seen.entry(title).or_default() += 1);
        let again: Vec<usize> = (0..titles.len())
            .filter(|n| seen[titles[*n].as_str()] > 1 || taken.contains(titles[*n].as_str()))
            .collect();
        if again.is_empty() {
            return titles;
        }
        // Each round makes duplicates longer, by numbers that are distinct: there is an end.
        for n in again {
            titles[n] = numbered(&titles[n], n);
        }
    }
}

/// Returns a title with a number behind it, within the length that a name may have.
fn numbered(title: &str, n: usize) -> String {
    let number = format!("[{n}]");
    let end = title.floor_char_boundary(LONGEST_NAME.saturating_sub(number.len()).min(title.len()));
    format!("{}{number}", &title[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_that_are_alike_are_numbered() {
        let of = |titles: &[&str], taken: &[&str]| {
            distinct(titles.iter().map(|title| (*title).to_owned()).collect(), taken.iter().copied())
        };
        assert_eq!(of(&["a", "b"], &["c"]), ["a", "b"]);
        assert_eq!(of(&["a", "b", "a"], &["c"]), ["a[0]", "b", "a[2]"]);
        assert_eq!(of(&["a", "b"], &["a"]), ["a[0]", "b"]);
        assert_eq!(of(&["a[1]", "a", "a"], &[]), ["a[1][0]", "a[1][1]", "a[2]"]);
    }

    /// Every list of up to five titles out of few: the result is distinct, each begins as its title does.
    #[test]
    fn all_titles_are_distinct() {
        const TITLES: [&str; 4] = ["a", "a[0]", "a[1]", ""];
        for length in 1..=5_usize {
            for mut number in 0..TITLES.len().pow(length as u32) {
                let mut titles = Vec::new();
                for _ in 0..length {
                    titles.push(TITLES[number % TITLES.len()].to_owned());
                    number /= TITLES.len();
                }
                let made = distinct(titles.clone(), ["a", "Parent"].into_iter());
                let different: HashSet<&String> = made.iter().collect();
                assert_eq!(different.len(), titles.len(), "{titles:?}: {made:?}");
                assert!(made.iter().zip(&titles).all(|(made, title)| made.starts_with(title.as_str())));
                assert!(!made.contains(&"a".to_owned()), "{titles:?}: {made:?}");
            }
        }
    }

    #[test]
    fn long_titles_keep_their_numbers() {
        let long = "é".repeat(LONGEST_NAME / 2);
        let made = distinct(vec![long.clone(), long], std::iter::empty());
        assert!(made[0].len() <= LONGEST_NAME && made[1].ends_with("[1]"), "{}", made[1].len());
    }
}
