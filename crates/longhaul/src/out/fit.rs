//! Pictures that are higher than the terminal: lines of running or failed sub-tasks stay, the others are
//! counted.

/// Importance of a line when not all lines fit, most important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The task itself.
    Head,
    /// A sub-task that runs or failed.
    Live,
    /// A detail of a live sub-task.
    Detail,
    /// Lowest rank, such as sub-tasks that are done or to come.
    Rest,
}

/// A line of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Text of the line as it is drawn.
    pub(crate) text: String,
    /// Importance of the line.
    pub(crate) rank: Rank,
}

impl Line {
    /// Creates a line of a rank.
    pub(crate) fn new(rank: Rank, text: impl Into<String>) -> Self {
        Line { text: text.into(), rank }
    }
}

/// Returns as many lines as fit, the most important ones, in their order. The last one counts those left out.
pub(crate) fn fit(lines: Vec<Line>, room: usize) -> Vec<String> {
    if lines.len() <= room {
        return lines.into_iter().map(|line| line.text).collect();
    }
    let mut left = room.saturating_sub(1);
    let mut last = Vec::new();
    for rank in [Rank::Head, Rank::Live, Rank::Detail, Rank::Rest] {
        let count = lines.iter().filter(|line| line.rank == rank).count();
        last.push((rank, count.min(left)));
        left -= count.min(left);
    }
    let (mut kept, mut hidden, mut live) = (Vec::new(), 0, 0);
    for line in lines {
        let slot = last.iter_mut().find(|(rank, left)| *rank == line.rank && *left > 0);
        match slot {
            Some((_, left)) => {
                *left -= 1;
                kept.push(line.text);
            }
            None => {
                hidden += 1;
                live += usize::from(line.rank == Rank::Live);
            }
        }
    }
    kept.push(match live {
        0 => format!("… {hidden} more lines"),
        _ => format!("… {hidden} more lines, {live} of them of what runs or failed"),
    });
    kept.truncate(room.max(1));
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = Rank> {
        prop::sample::select(vec![Rank::Head, Rank::Live, Rank::Live, Rank::Detail, Rank::Rest, Rank::Rest])
    }

    proptest! {
        #[test]
        fn what_runs_or_failed_is_shown_or_counted(ranks in prop::collection::vec(line(), 0..60), room in 1..50_usize) {
            let lines: Vec<Line> = ranks
                .iter()
                .enumerate()
                .map(|(n, rank)| Line::new(*rank, format!("{n:03} {rank:?}")))
                .collect();
            let count = |rank| ranks.iter().filter(|known| **known == rank).count();
            let shown = fit(lines.clone(), room);
            prop_assert!(shown.len() <= room);
            if ranks.len() <= room {
                prop_assert_eq!(shown, lines.into_iter().map(|line| line.text).collect::<Vec<_>>());
                return Ok(());
            }
            let (summary, kept) = shown.split_last().expect("a line");
            prop_assert!(kept.is_sorted(), "their order is kept");
            let live = kept.iter().filter(|text| text.ends_with("Live")).count();
            let places = (room - 1).saturating_sub(count(Rank::Head));
            prop_assert_eq!(live, count(Rank::Live).min(places));
            let said: Vec<usize> = summary.split(' ').filter_map(|word| word.parse().ok()).collect();
            prop_assert_eq!(said[0], ranks.len() - kept.len());
            prop_assert_eq!(said.get(1).copied().unwrap_or(0), count(Rank::Live) - live);
        }
    }
}
