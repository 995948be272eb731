//! Dependencies between sub-tasks.

use std::collections::HashMap;

use super::check::Problems;
use super::definition::SubTaskDefinition;

/// Returns for each sub-task the indexes of those that it needs. One without `needs` needs the one written
/// before it.
pub(super) fn needs(sub_tasks: &[SubTaskDefinition], problems: &mut Problems) -> Vec<Vec<u32>> {
    let index: HashMap<&str, u32> =
        sub_tasks.iter().zip(0..).map(|(sub, i)| (sub.name.as_str(), i)).collect();
    let mut all = Vec::with_capacity(sub_tasks.len());
    for (i, sub) in sub_tasks.iter().enumerate() {
        let Some(names) = &sub.needs else {
            all.push(i.checked_sub(1).map(|before| before as u32).into_iter().collect());
            continue;
        };
        let mut waits = Vec::with_capacity(names.len());
        for (n, name) in names.iter().enumerate() {
            match index.get(name.as_str()) {
                Some(&other) => waits.push(other),
                None => problems.error(
                    format!("/subTasks/{i}/needs/{n}"),
                    format!("there is no sub-task `{name}`"),
                    one_of(name, sub_tasks.iter().map(|sub| sub.name.as_str())),
                ),
            }
        }
        waits.sort_unstable();
        waits.dedup();
        all.push(waits);
    }
    for Cycle { path, from, to } in cycles(&all) {
        let names: Vec<&str> = path.iter().map(|&i| sub_tasks[i as usize].name.as_str()).collect();
        let to = sub_tasks[to as usize].name.as_str();
        let needs = sub_tasks[from as usize].needs.as_deref().unwrap_or_default();
        let at = needs.iter().position(|name| name == to).map(|n| format!("/{n}")).unwrap_or_default();
        problems.error(
            format!("/subTasks/{from}/needs{at}"),
            format!("these sub-tasks wait for each other: {} -> {}", names.join(" -> "), names[0]),
            Some(match path.len() {
                1 => format!("take `{to}` out of its `needs`"),
                _ => format!("take `{to}` or another one of these names out of its `needs`"),
            }),
        );
    }
    all
}

/// Returns for each sub-task everything that has ended before it starts.
pub(super) fn before(needs: &[Vec<u32>]) -> Vec<Vec<bool>> {
    let mut all: Vec<Option<Vec<bool>>> = vec![None; needs.len()];
    fn visit(i: usize, needs: &[Vec<u32>], all: &mut Vec<Option<Vec<bool>>>) {
        if all[i].is_some() {
            return;
        }
        all[i] = Some(vec![false; needs.len()]);
        let mut mine = vec![false; needs.len()];
        for &other in &needs[i] {
            let other = other as usize;
            visit(other, needs, all);
            mine[other] = true;
            for (slot, earlier) in mine.iter_mut().zip(all[other].iter().flatten()) {
                *slot |= *earlier;
            }
        }
        all[i] = Some(mine);
    }
    for i in 0..needs.len() {
        visit(i, needs, &mut all);
    }
    all.into_iter().map(Option::unwrap_or_default).collect()
}

/// Maximum number of cycles that are reported of one workflow.
const MOST_CYCLES: usize = 100;

/// Sub-tasks that need each other in a circle.
struct Cycle {
    /// Each needs the next one, and the last one the first.
    path: Vec<u32>,
    /// Sub-task of the circle that needs one written behind it, or itself.
    from: u32,
    /// The one that it needs.
    to: u32,
}

/// Returns as many cycles as it takes until none is left when each is broken.
fn cycles(needs: &[Vec<u32>]) -> Vec<Cycle> {
    let mut left = needs.to_vec();
    let mut found = Vec::new();
    while found.len() < MOST_CYCLES
        && let Some(path) = cycle(&left)
    {
        let next = path.iter().cycle().skip(1);
        // Some need of a circle is for one written behind; such a one is written in `needs`, not implied.
        let Some((&from, &to)) = path.iter().zip(next).find(|(from, to)| from <= to) else { break };
        left[from as usize].retain(|other| *other != to);
        found.push(Cycle { path, from, to });
    }
    found
}

/// The first cycle found, as a path.
fn cycle(needs: &[Vec<u32>]) -> Option<Vec<u32>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    fn visit(at: u32, needs: &[Vec<u32>], marks: &mut [Mark], path: &mut Vec<u32>) -> Option<Vec<u32>> {
        match marks[at as usize] {
            Mark::Done => return None,
            Mark::Open => {
                let from = path.iter().position(|&i| i == at)?;
                return Some(path[from..].to_vec());
            }
            Mark::New => {}
        }
        marks[at as usize] = Mark::Open;
        path.push(at);
        for &other in &needs[at as usize] {
            if let Some(found) = visit(other, needs, marks, path) {
                return Some(found);
            }
        }
        path.pop();
        marks[at as usize] = Mark::Done;
        None
    }
    let mut marks = vec![Mark::New; needs.len()];
    (0..needs.len() as u32).find_map(|i| visit(i, needs, &mut marks, &mut Vec::new()))
}

/// Returns "did you mean", if a name is close to one that exists.
pub(crate) fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, known).map(|name| format!("did you mean `{name}`?"))
}

/// Returns the name that was probably meant, else the first existing ones.
pub(super) fn one_of<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> Option<String> {
    let known = known.into_iter();
    did_you_mean(wrong, known.clone()).or_else(|| {
        let some: Vec<&str> = known.take(10).collect();
        Some(format!("write one of {}", some.join(", ")))
    })
}

/// Returns the known name that is closest to a wrong one, if it is close.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(&wrong.to_lowercase(), &name.to_lowercase()), name))
        .min()
        .filter(|(far, name)| *far <= 2.max(name.len() / 3))
        .map(|(_, name)| name)
}

/// Edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let next = (diagonal + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}
