//! Planted bugs: what a faulty server would have left, put into a copy of a run's own record. Each must be
//! caught by the check of its invariant, or the check is blind.

use std::sync::Arc;

use uuid::Uuid;

use super::{Evidence, all};
use crate::catalog::Catalog;
use crate::dump::{Dump, Final};
use crate::grants::{How, Means, Use, Withdrawal};
use crate::history::{DecisionAnswer, Effect, History, Poll, SubmitAnswer, Verb};
use crate::wire::{AttemptView, SubStatus, TaskStatus};

/// A bug.
pub struct Plant {
    /// Name of the bug, in words.
    pub name: &'static str,
    /// The invariant that it breaks.
    pub invariant: &'static str,
    put: fn(&mut History, &mut Dump, &Catalog) -> bool,
}

/// Outcome of a planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The check found it.
    Caught,
    /// The check missed it.
    Missed,
    /// The run has nothing to put it into.
    NoPlace,
}

/// Invariant of the feed, which not every part of the run has readers of.
const FEED: &str = "I19";

/// Every planted bug.
pub const PLANTS: [Plant; 25] = [
    Plant { name: "an acknowledged task is gone", invariant: "I1", put: lose },
    Plant { name: "an input is stored wrong", invariant: "I1", put: spoil_input },
    Plant { name: "a lost answer made two tasks", invariant: "I1", put: double },
    Plant { name: "a key gave a second task", invariant: "I2", put: second_for_key },
    Plant { name: "a success fell back to PENDING", invariant: "I3", put: take_back },
    Plant { name: "a finished sub-task ran again", invariant: "I4", put: run_again },
    Plant { name: "a doubtful effect was repeated unasked", invariant: "I4", put: repeat_once },
    Plant { name: "an effect's key changed", invariant: "I4", put: change_key },
    Plant { name: "a sub-task started early", invariant: "I5", put: start_early },
    Plant { name: "a cancelled task went on", invariant: "I6", put: revive },
    Plant { name: "an ended task holds a lock", invariant: "I9", put: keep_lock },
    Plant { name: "a poll saw an older revision", invariant: "I10", put: step_back },
    Plant { name: "an acknowledged retry was forgotten", invariant: "I10", put: forget_retry },
    Plant { name: "a task succeeded with a failed sub-task", invariant: "I11", put: wrong_roll_up },
    Plant { name: "the total is one too high", invariant: "I12", put: wrong_total },
    Plant { name: "an attempt left no line", invariant: "I13", put: drop_attempt },
    Plant { name: "a retry did not wait", invariant: "I13", put: hurry },
    Plant { name: "a task is stuck", invariant: "I14", put: stick },
    Plant { name: "a revoked refresh token works again", invariant: "I18", put: resume_session },
    Plant { name: "a deleted API key works again", invariant: "I18", put: restore_key },
    Plant { name: "a disabled user came in", invariant: "I18", put: let_disabled_in },
    Plant { name: "an old password works again", invariant: "I18", put: restore_password },
    Plant { name: "a session was forgotten", invariant: "I18", put: forget_session },
    Plant { name: "a reader of the feed missed a task", invariant: FEED, put: miss_task },
    Plant { name: "a reader of the feed missed the last change", invariant: FEED, put: miss_change },
];

/// Puts each bug into a copy and looks whether it is seen.
pub fn all_planted(history: &History, dump: &Dump, catalog: &Catalog) -> Vec<(&'static Plant, Outcome)> {
    PLANTS
        .iter()
        .filter(|plant| plant.invariant != FEED || !history.told.is_empty())
        .map(|plant| {
            let (mut history, mut dump) = (history.clone(), dump.clone());
            if !(plant.put)(&mut history, &mut dump, catalog) {
                return (plant, Outcome::NoPlace);
            }
            let verdicts = all(&Evidence::new(&history, &dump, catalog));
            let caught =
                verdicts.iter().any(|verdict| verdict.name == plant.invariant && !verdict.broken.is_empty());
            (plant, if caught { Outcome::Caught } else { Outcome::Missed })
        })
        .collect()
}

/// A task that fulfils a condition, the same one in each run of one record.
fn find(dump: &Dump, fits: impl Fn(&Uuid, &Final) -> bool) -> Option<Uuid> {
    dump.tasks.iter().filter(|(id, task)| fits(id, task)).map(|(id, _)| *id).min()
}

fn acked(history: &History) -> Option<Uuid> {
    history.submits.iter().find_map(|submit| match submit.answer {
        SubmitAnswer::Acked { id, .. } => Some(id),
        _ => None,
    })
}

fn task(dump: &mut Dump, id: Option<Uuid>) -> Option<(Uuid, &mut Final)> {
    let id = id?;
    Some((id, dump.tasks.get_mut(&id)?))
}

fn miss_task(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let id = find(dump, |_, _| true);
    history.told.last_mut().is_some_and(|told| id.is_some_and(|id| told.tasks.remove(&id).is_some()))
}

fn miss_change(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let id = find(dump, |_, task| task.view.status.is_ended());
    let told = history.told.first_mut().and_then(|told| told.tasks.get_mut(&id?));
    told.map(|(revision, _)| *revision -= 1).is_some()
}

fn lose(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    acked(history).is_some_and(|id| dump.tasks.remove(&id).is_some())
}

fn spoil_input(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let found = task(dump, acked(history));
    found.map(|(_, task)| task.input["note"] = "something else".into()).is_some()
}

fn double(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let unknown = history.submits.iter().filter(|submit| submit.answer == SubmitAnswer::Ambiguous);
    let marks: Vec<u64> = unknown.map(|submit| submit.mark).collect();
    let landed = find(dump, |_, task| task.input["mark"].as_u64().is_some_and(|mark| marks.contains(&mark)));
    // A short run may have lost no answer: then as if it had.
    let landed = landed.or_else(|| {
        let id = acked(history).filter(|id| dump.tasks.contains_key(id))?;
        let of =
            |answer: &SubmitAnswer| matches!(answer, SubmitAnswer::Acked { id: known, .. } if *known == id);
        for submit in history.submits.iter_mut().filter(|submit| of(&submit.answer)) {
            submit.answer = SubmitAnswer::Ambiguous;
        }
        Some(id)
    });
    let Some(copy) = landed.and_then(|id| dump.tasks.get(&id).cloned()) else { return false };
    dump.tasks.insert(Uuid::nil(), copy);
    true
}

fn second_for_key(history: &mut History, _: &mut Dump, _: &Catalog) -> bool {
    let again = history.submits.iter_mut().rev().find(|submit| {
        submit.key.is_some() && matches!(submit.answer, SubmitAnswer::Acked { replayed: true, .. })
    });
    again.map(|submit| submit.answer = SubmitAnswer::Acked { id: Uuid::nil(), replayed: true }).is_some()
}

fn take_back(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let seen = history
        .polls
        .iter()
        .find(|poll| poll.view.subs.iter().any(|sub| sub.status == SubStatus::Successful));
    let Some(Poll { id, ret, view, .. }) = seen.cloned() else { return false };
    let mut back = (*view).clone();
    back.subs.iter_mut().for_each(|sub| sub.status = SubStatus::Pending);
    let poll = Poll { id, call: ret + 1, ret: dump.at.max(ret + 2), view: Arc::new(back) };
    history.polls.push(poll);
    true
}

fn run_again(history: &mut History, _: &mut Dump, _: &Catalog) -> bool {
    let Some(first) = history.effects.first().cloned() else { return false };
    history.effects.push(Effect { at: first.at + 1, ..first });
    true
}

/// Gives the second of two calls of a sub-task another key; where no call was repeated, adds such a call.
fn change_key(history: &mut History, _: &mut Dump, _: &Catalog) -> bool {
    let again = (1..history.effects.len()).find(|i| {
        let (before, effect) = history.effects.split_at(*i);
        let same =
            |one: &Effect| (one.task, &one.sub, &one.key) == (effect[0].task, &effect[0].sub, &effect[0].key);
        before.iter().any(same)
    });
    let key = again.map_or("", |_| "another");
    let changed = history.effects.get_mut(again.unwrap_or_default());
    changed.map(|effect| effect.key = key.to_owned()).is_some()
}

fn keep_lock(_: &mut History, dump: &mut Dump, catalog: &Catalog) -> bool {
    let locks = |workflow: &str| catalog.kind(workflow).is_some_and(|kind| kind.locks);
    let ended = find(dump, |_, task| locks(&task.workflow) && task.view.status.is_ended());
    ended.map(|id| dump.locks.push(id)).is_some()
}

fn repeat_once(history: &mut History, dump: &mut Dump, catalog: &Catalog) -> bool {
    let is_once = |task: Uuid, name: &str| {
        let kind = dump.tasks.get(&task).and_then(|task| catalog.kind(&task.workflow));
        kind.is_some_and(|kind| kind.subs.iter().any(|sub| sub.once && sub.name == name))
    };
    let told = history.decided(&[Verb::NotDone]);
    let call =
        history.effects.iter().find(|call| is_once(call.task, &call.sub) && !told.contains_key(&call.task));
    let Some(copy) = call.cloned() else { return false };
    // As a faulty recovery would: with an attempt, in another life, after a kill.
    history.effects.push(Effect { life: usize::MAX, ..copy.clone() });
    let Some(task) = dump.tasks.get_mut(&copy.task) else { return false };
    let sub = task.names.iter().position(|name| *name == copy.sub);
    let attempt = task.attempts.iter().find(|attempt| Some(attempt.sub) == sub).cloned();
    attempt.map(|attempt| task.attempts.push(attempt)).is_some()
}

fn start_early(_: &mut History, dump: &mut Dump, catalog: &Catalog) -> bool {
    let needs = |task: &Final, sub: usize| {
        catalog
            .kind(&task.workflow)
            .is_some_and(|kind| kind.subs.get(sub).is_some_and(|sub| !sub.needs.is_empty()))
    };
    let id = find(dump, |_, task| task.attempts.iter().any(|attempt| needs(task, attempt.sub)));
    let Some((_, task)) = task(dump, id) else { return false };
    let early = task.view.created - 1;
    let found = task.attempts.iter().position(|attempt| needs(task, attempt.sub));
    found.map(|at| task.attempts[at].started = early).is_some()
}

fn revive(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let cancel =
        history.decisions.iter().find(|d| d.what == Verb::Cancel && d.answer == DecisionAnswer::Acked);
    let found = task(dump, cancel.map(|cancel| cancel.id));
    found.map(|(_, task)| task.view.status = TaskStatus::Successful).is_some()
}

fn step_back(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let Some(poll) = history.polls.iter().find(|poll| poll.view.revision > 1).cloned() else { return false };
    let mut view = (*poll.view).clone();
    view.revision -= 1;
    history.polls.push(Poll { call: poll.ret + 1, ret: dump.at, view: Arc::new(view), ..poll });
    true
}

fn forget_retry(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let retry = history.decisions.iter().find(|d| d.what == Verb::Retry && d.answer == DecisionAnswer::Acked);
    let found = task(dump, retry.map(|retry| retry.id));
    found.map(|(_, task)| task.view.generation = 1).is_some()
}

fn wrong_roll_up(_: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let id = find(dump, |_, task| task.view.status == TaskStatus::Successful);
    task(dump, id).map(|(_, task)| task.view.subs[0].status = SubStatus::Failed).is_some()
}

fn wrong_total(_: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    dump.totals.last_mut().map(|total| *total += 1).is_some()
}

fn drop_attempt(_: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let id = find(dump, |_, task| task.attempts.iter().any(|attempt| attempt.number == 2));
    task(dump, id).map(|(_, task)| task.attempts.retain(|attempt| attempt.number != 1)).is_some()
}

fn hurry(_: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    // The place of an attempt that followed a failed one; not every failure of a cancelled task has a next.
    let hurried = |task: &Final| {
        let failed = task.attempts.iter().filter(|a| a.status == "FAILED" && task.workflow == "flaky");
        let next =
            |a: &AttemptView| task.attempts.iter().position(|b| (b.sub, b.number) == (a.sub, a.number + 1));
        failed.filter_map(|a| Some((next(a)?, a.ended?))).min()
    };
    let id = find(dump, |_, task| hurried(task).is_some());
    let Some((_, task)) = task(dump, id) else { return false };
    let Some((next, ended)) = hurried(task) else { return false };
    task.attempts[next].started = ended + 1;
    true
}

fn stick(_: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let id = find(dump, |_, task| task.view.status == TaskStatus::Successful);
    task(dump, id).map(|(_, task)| task.view.status = TaskStatus::InProgress).is_some()
}

/// Lets a revoked credential succeed in the end, as if a crash had undone the revocation.
fn undo(history: &mut History, dump: &Dump, what: How, means: Means) -> bool {
    let grants = &mut history.grants;
    let of = |grant: &usize| grants.given.get(*grant).is_some_and(|given| given.means == means);
    let mut withdrawals = grants.withdrawals.iter().filter(|one| one.acked && one.how == what);
    let undone = withdrawals.find_map(|one| one.grants.iter().copied().find(of)).or_else(|| {
        // A short run may never have done it: then as if it had, in the end.
        let grant = grants.given.iter().rposition(|given| given.means == means)?;
        let (call, ret) = (dump.at, dump.at + 1);
        grants.withdrawals.push(Withdrawal { how: what, grants: vec![grant], call, ret, acked: true });
        Some(grant)
    });
    // Later than any node may go on with what it knew before.
    let (call, ret) = (dump.at + 10_000_000, dump.at + 10_000_001);
    undone.map(|grant| grants.uses.push(Use { grant, call, ret, let_in: true })).is_some()
}

fn resume_session(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    undo(history, dump, How::LogOut, Means::RefreshToken)
}

fn restore_key(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    undo(history, dump, How::DeleteKey, Means::ApiKey)
}

fn let_disabled_in(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    undo(history, dump, How::Disable, Means::AccessToken)
}

fn restore_password(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    undo(history, dump, How::ChangePassword, Means::Password)
}

/// Has a session refused just before it is revoked, or in the end.
fn forget_session(history: &mut History, dump: &mut Dump, _: &Catalog) -> bool {
    let grants = &mut history.grants;
    let doubtful = grants.doubtful();
    let Some(grant) = grants.given.iter().rposition(|given| given.means == Means::RefreshToken) else {
        return false;
    };
    let before = doubtful[grant].unwrap_or(dump.at + 10_000_000);
    grants.uses.push(Use { grant, call: before - 2, ret: before - 1, let_in: false });
    true
}
