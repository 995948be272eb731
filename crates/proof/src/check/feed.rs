//! I19: the feed misses no end. Every reader was told the last state of each task, and no revision ever fell,
//! across any number of crashes.

use super::{Evidence, Verdict};

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I19", "each reader of the feed is told the last state of each task");
    for told in &evidence.history.told {
        verdict.that(told.ended, || format!("{} never came to the end", told.name));
        verdict.that(told.fell.is_empty(), || told.fell.join("; "));
        for (id, task) in &evidence.dump.tasks {
            let wanted = task.view.revision;
            let seen = told.tasks.get(id).map(|(revision, _)| *revision);
            verdict.that(seen == Some(wanted), || {
                format!("{}: task {id} is at revision {wanted}, and the reader was told {seen:?}", told.name)
            });
        }
        for id in told.tasks.keys().filter(|id| !evidence.dump.tasks.contains_key(id)) {
            verdict.that(false, || format!("{}: there is no task {id}", told.name));
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use crate::followers::Told;

    fn broken(change: impl Fn(&mut Told)) -> Vec<String> {
        let mut sample = Sample::good();
        let tasks = sample.dump.tasks.iter();
        let tasks = tasks.map(|(id, task)| (*id, (task.view.revision, "SUCCESSFUL".to_owned()))).collect();
        let mut told = Told { name: "poller 1".to_owned(), tasks, ended: true, ..Told::default() };
        change(&mut told);
        sample.history.told.push(told);
        sample.broken(check)
    }

    #[test]
    fn what_a_reader_missed_is_found() {
        assert_eq!(broken(|_| {}), Vec::<String>::new());
        assert!(broken(|told| told.tasks.clear())[0].contains("told None"));
        let late = |told: &mut Told| told.tasks.values_mut().for_each(|(revision, _)| *revision -= 1);
        assert!(broken(late)[0].contains("is at revision"));
        assert!(broken(|told| told.fell.push("it fell".to_owned()))[0].contains("it fell"));
        assert!(broken(|told| told.ended = false)[0].contains("never came to the end"));
        let more = |told: &mut Told| drop(told.tasks.insert(uuid::Uuid::nil(), (1, String::new())));
        assert!(broken(more)[0].contains("there is no task"));
    }
}
