//! Rules that must never be broken, checked from outside: the oracle sees each committed change, keeps its
//! own notes of every task, and knows what was really done. The numbers of the rules are those of
//! docs/reliability.md.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{
    Change, Claim, ClaimMode, Command, Effect, Failure, Hold, Launch, Line, Outcome, Record, SubTask,
    SubTaskStatus, Task, TaskId, TaskStatus, Timestamp, Token, WorkerId, invariant, time::Span,
};

use crate::event::Key;

/// Rule for the key of the next attempt of a sub-task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum KeyRule {
    #[default]
    Any,
    /// Same key as before: it is unknown whether the last attempt did the work.
    Same,
    /// A new key: the last attempt is known not to have done the work.
    New,
}

/// Summary of a command.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) sub_task: Option<u32>,
    token: Option<Token>,
    by: Option<WorkerId>,
    in_doubt: bool,
    /// True for a failure that does not tell whether the work was done.
    local: bool,
    decides: bool,
}

impl Asked {
    pub(crate) fn of(command: &Command) -> Asked {
        let mut asked = Asked {
            name: "",
            sub_task: None,
            token: None,
            by: None,
            in_doubt: false,
            local: false,
            decides: false,
        };
        let mut report = |sub_task: &u32, token: &Token, by: &Option<WorkerId>| {
            (asked.sub_task, asked.token, asked.by) = (Some(*sub_task), Some(*token), by.clone());
        };
        let name = match command {
            Command::Begin => "Begin",
            Command::Complete { sub_task, token, by, .. } => {
                report(sub_task, token, by);
                "Complete"
            }
            Command::Fail { sub_task, token, by, failure } => {
                report(sub_task, token, by);
                asked.in_doubt = !matches!(failure, Failure::Error { .. } | Failure::Local { .. });
                asked.local = matches!(failure, Failure::Local { .. });
                "Fail"
            }
            Command::HandBack { sub_task, token, by } => {
                report(sub_task, token, by);
                "HandBack"
            }
            Command::Report { sub_task, token, by, .. } => {
                report(sub_task, token, by);
                "Report"
            }
            Command::LeaseAgain { sub_task, .. } => {
                asked.sub_task = Some(*sub_task);
                "LeaseAgain"
            }
            Command::Lease { sub_task, .. } => {
                asked.sub_task = Some(*sub_task);
                "Lease"
            }
            Command::Start { sub_task, .. } => {
                asked.sub_task = Some(*sub_task);
                "Start"
            }
            Command::Acquired => "Acquired",
            Command::Due => "Due",
            Command::Recover { .. } => {
                asked.in_doubt = true;
                "Recover"
            }
            Command::OutputsStored { .. } => "OutputsStored",
            Command::Cancel { .. } => "Cancel",
            Command::Park { .. } => "Park",
            Command::Release { .. } => "Release",
            Command::Retry { .. } | Command::RetryCredentials { .. } => "Retry",
            Command::CancelCredentials { .. } => "CancelCredentials",
            Command::Decide { .. } => "Decide",
            Command::Skip { .. } => "Skip",
            Command::Resolve { .. } => "Resolve",
        };
        asked.name = name;
        asked.decides = matches!(name, "Retry" | "Skip" | "Decide" | "Resolve");
        asked
    }
}

/// The oracle's notes.
#[derive(Clone, Default)]
pub(crate) struct Oracle {
    tasks: Vec<Noted>,
    /// Holders of each key, and their modes.
    holders: BTreeMap<String, BTreeMap<usize, ClaimMode>>,
    /// The rules of claims in their plainest form.
    line: Line,
    /// Attempts that are at work, by sub-task.
    at_work: BTreeMap<(usize, u32), BTreeSet<(Token, usize)>>,
    /// Attempts that have not begun, though the store says that they run.
    in_line: BTreeSet<Key>,
    /// Attempts that have not begun and that their nodes hand back.
    handing_back: BTreeSet<Key>,
    /// Key of the last attempt of each sub-task.
    keys: BTreeMap<(usize, u32), String>,
    /// Rules that were broken.
    pub(crate) broken: Vec<String>,
    /// Situations that the run came across, and how often.
    pub(crate) seen: BTreeMap<&'static str, u64>,
}

/// A task as the oracle knows it.
#[derive(Clone)]
struct Noted {
    status: TaskStatus,
    generation: u32,
    revision: u64,
    hold: Hold,
    stopping: bool,
    claims: Vec<Claim>,
    subs: Vec<NotedSub>,
}

#[derive(Clone)]
struct NotedSub {
    status: SubTaskStatus,
    attempt: u32,
    completed_at: Option<Timestamp>,
    unknown: bool,
    /// Number of attempts that count since an operator decided.
    tries: u32,
    /// True if the last attempt ended so that nobody knows what it did, and no operator has found out.
    in_doubt: bool,
    next_key: KeyRule,
    /// Time of the last failure, if the attempt failed by itself and is known to have done nothing.
    failed_at: Option<Timestamp>,
}

impl NotedSub {
    fn of(sub: &SubTask) -> NotedSub {
        NotedSub {
            status: sub.status,
            attempt: sub.attempt,
            completed_at: sub.completed_at,
            unknown: sub.outcome_unknown,
            tries: 0,
            in_doubt: false,
            next_key: KeyRule::Any,
            failed_at: None,
        }
    }
}

impl Oracle {
    pub(crate) fn breaks(&mut self, text: String) {
        self.broken.push(text);
    }

    pub(crate) fn saw(&mut self, place: &'static str) {
        *self.seen.entry(place).or_default() += 1;
    }

    pub(crate) fn accepted(&mut self, task: usize, record: &Record) {
        debug_assert_eq!(task, self.tasks.len());
        self.tasks.push(Noted {
            status: record.state.status,
            generation: 0,
            revision: 0,
            hold: Hold::None,
            stopping: false,
            claims: Vec::new(),
            subs: record.sub_tasks.iter().map(NotedSub::of).collect(),
        });
    }

    /// Notes that a task requests its claims.
    pub(crate) fn requested(&mut self, task: TaskId, claims: &[Claim]) {
        self.line.request(task, claims);
    }

    /// Notes that a task releases everything it holds or asks for.
    pub(crate) fn released(&mut self, task: TaskId) {
        self.line.release(task);
    }

    /// Checks I9 for a task that is given its claims: it is its turn.
    pub(crate) fn granted(&mut self, place: usize, task: TaskId) {
        if !self.line.give(task) {
            self.breaks(format!("t{place}: I9: it is given what it claims before its turn"));
        }
    }

    /// Returns the tasks that could have their claims.
    pub(crate) fn grantable(&self) -> Vec<TaskId> {
        self.line.next()
    }

    /// Checks a change that was committed.
    pub(crate) fn changed(
        &mut self,
        now: Timestamp,
        task: usize,
        after: &Task,
        asked: &Asked,
        change: &Change,
    ) {
        // Debug builds of the model check this themselves.
        if !cfg!(debug_assertions) {
            for text in invariant::violations(after) {
                self.breaks(format!("t{task} at {now}: {text}"));
            }
        }
        self.saw(asked.name);
        let record = after.record();
        let before = self.tasks[task].clone_head();
        let mut broken = Vec::new();
        before.check(record, asked, &mut broken);
        self.check_claims(task, record, &mut broken);
        let mut touched: Vec<u32> = change.sub_tasks.clone();
        if record.sub_tasks.len() <= 12 {
            touched = (0..record.sub_tasks.len() as u32).collect();
        }
        let known = self.tasks[task].subs.len();
        for sub in record.sub_tasks.iter().skip(known) {
            self.tasks[task].subs.push(NotedSub {
                attempt: 0,
                status: SubTaskStatus::Pending,
                ..NotedSub::of(sub)
            });
        }
        for index in touched {
            let listed = change.sub_tasks.contains(&index);
            self.check_sub(task, index, &before, record, asked, listed, &mut broken);
        }
        self.check_attempts((task, now), record, asked, change, &mut broken);
        let noted = &mut self.tasks[task];
        noted.status = record.state.status;
        noted.generation = record.state.generation;
        noted.revision = record.state.revision;
        noted.stopping = record.state.stopping.is_some();
        for text in broken {
            self.breaks(format!("t{task} by {asked:?}: {text}"));
        }
    }

    /// Checks I9: a task goes on with its claims only, and never beside a conflicting holder.
    fn check_claims(&mut self, task: usize, record: &Record, broken: &mut Vec<String>) {
        let (before, after) = (self.tasks[task].hold, record.state.hold);
        self.tasks[task].hold = after;
        if before == Hold::Held && after != Hold::Held {
            for claim in std::mem::take(&mut self.tasks[task].claims) {
                if let Some(holders) = self.holders.get_mut(&claim.key()) {
                    holders.remove(&task);
                }
            }
        }
        if before != Hold::Held && after == Hold::Held {
            if self.line.holds(record.id) != Some(true) {
                broken.push("I9: it goes on without what it claims".to_owned());
            }
            let claims = record.claims();
            for claim in &claims {
                let holders = self.holders.entry(claim.key()).or_default();
                holders.insert(task, claim.mode);
                let alone = |mode: &ClaimMode| *mode == ClaimMode::Exclusive;
                let fits = match claim.mode {
                    ClaimMode::Slot(most) => holders.len() <= most as usize,
                    _ => holders.len() == 1 || !holders.values().any(alone),
                };
                if !fits {
                    broken.push(format!("I9: {} is held by {holders:?}", claim.key()));
                }
            }
            self.tasks[task].claims = claims;
        }
    }

    /// Checks one sub-task, as it was and as it is.
    #[expect(clippy::too_many_arguments, reason = "before and after of the task and of the sub-task")]
    fn check_sub(
        &mut self,
        task: usize,
        index: u32,
        head: &Head,
        record: &Record,
        asked: &Asked,
        listed: bool,
        broken: &mut Vec<String>,
    ) {
        let mut before = self.tasks[task].subs[index as usize].clone();
        // An operator has settled the doubt.
        before.in_doubt &= !(asked.name == "Resolve" && before.unknown);
        let after = &record.sub_tasks[index as usize];
        let mut rule = |holds: bool, text: &str| {
            if !holds {
                broken.push(format!("s{index} {:?} -> {:?}: {text}", before.status, after.status));
            }
        };
        let same = (before.status, before.attempt, before.completed_at, before.unknown)
            == (after.status, after.attempt, after.completed_at, after.outcome_unknown);
        rule(listed || same, "it changed, and the change does not say so");
        rule(before.status != SubTaskStatus::Successful || same, "I3: a success stays as it is");
        rule(is_allowed(before.status, after.status, asked), "I10: no such step");
        let begun = after.attempt.saturating_sub(before.attempt);
        rule(after.attempt >= before.attempt && begun <= 1, "I7: tokens rise one by one");
        if begun > 0 {
            rule(!head.stopping || asked.decides, "I6: nothing begins once the task is being stopped");
            rule(!head.status.is_ended() || asked.decides, "I6: nothing begins in a task that has ended");
            rule(before.status != SubTaskStatus::Successful, "I4: what succeeded does not run again");
            let repeatable = record.definition(index).repeatable || after.fan.is_some();
            rule(repeatable || !before.in_doubt, "what must not be repeated is repeated in doubt");
            rule(before.attempt > 0 || needs_ended(record, index), "I5: what it needs has not ended");
        }
        // A result counts only with the token of the live attempt, and only from its holder.
        if asked.sub_task == Some(index) && asked.token.is_some() && !same {
            rule(asked.token == Some(Token(u64::from(before.attempt))), "I8: a stale result counts");
        }
        if after.outcome_unknown && !before.unknown {
            rule(!record.definition(index).repeatable, "what can be repeated is parked");
            let key = (task, index, Token(u64::from(before.attempt)));
            rule(!self.never_began(&key, asked), "an attempt is parked that never began");
            self.saw("parked");
        }
        self.note_sub(task, index, record, asked, begun);
    }

    fn note_sub(&mut self, task: usize, index: u32, record: &Record, asked: &Asked, begun: u32) {
        let after = &record.sub_tasks[index as usize];
        let generation = self.tasks[task].generation;
        let noted = &mut self.tasks[task].subs[index as usize];
        if asked.decides && record.state.generation > generation {
            noted.tries = 0;
            noted.failed_at = None;
            // An operator has told the outcome, or decided to go on without it.
            if asked.name == "Resolve" && noted.unknown && !after.outcome_unknown {
                noted.in_doubt = false;
                noted.next_key = KeyRule::New;
            }
        }
        noted.tries += begun;
        if asked.name == "HandBack" && asked.sub_task == Some(index) {
            noted.tries = noted.tries.saturating_sub(1);
        }
        noted.status = after.status;
        noted.attempt = after.attempt;
        noted.completed_at = after.completed_at;
        noted.unknown = after.outcome_unknown;
    }

    /// Checks I13, and that the history tells what happened.
    fn check_attempts(
        &mut self,
        (task, now): (usize, Timestamp),
        record: &Record,
        asked: &Asked,
        change: &Change,
        broken: &mut Vec<String>,
    ) {
        for attempt in &change.attempts {
            let key = (task, attempt.sub_task, Token(u64::from(attempt.number)));
            if self.never_began(&key, asked) {
                broken.push(format!("s{}: an attempt that never began is in the history", attempt.sub_task));
            }
            let noted = &mut self.tasks[task].subs[attempt.sub_task as usize];
            let known = attempt.outcome == Outcome::Failed && !asked.in_doubt;
            noted.in_doubt =
                !known && attempt.outcome != Outcome::Stopped || asked.name == "Fail" && asked.in_doubt;
            let told = known && !asked.local;
            noted.next_key = if told { KeyRule::New } else { KeyRule::Same };
            noted.failed_at = known.then_some(now);
        }
        for index in &change.sub_tasks {
            let sub = &record.sub_tasks[*index as usize];
            let noted = &self.tasks[task].subs[*index as usize];
            let Some(policy) = &record.definition(*index).retry else { continue };
            if sub.fan.is_some() {
                continue;
            }
            if noted.tries > policy.attempts {
                broken.push(format!("I13: s{index} has {} attempts of {}", noted.tries, policy.attempts));
            }
            // By the clock of the node on which the pause ended: others may be behind it.
            let began = sub.status == SubTaskStatus::InProgress && asked.name == "Due";
            if let (true, Some(failed), Some(started)) = (began, noted.failed_at, sub.started_at) {
                let grown = policy.backoff.0 as f64 * policy.factor.powi(noted.tries as i32 - 2);
                if ((started.0 - failed.0) as f64) < grown.min(policy.max.0 as f64).floor() {
                    broken.push(format!("I13: s{index} is tried again too soon"));
                }
                self.tasks[task].subs[*index as usize].failed_at = None;
            }
        }
        for effect in &change.effects {
            if let Effect::Start(launch) = effect {
                let live = record.sub_tasks[launch.sub_task as usize].token();
                if launch.token != live {
                    broken.push(format!(
                        "I7: s{} starts with a token that is not the live one",
                        launch.sub_task
                    ));
                }
            }
        }
    }

    /// Checks the key of an attempt that is about to run.
    pub(crate) fn launched(&mut self, task: usize, launch: &Launch, known_by: &str) {
        let before = self.keys.insert((task, launch.sub_task), known_by.to_owned());
        let noted = &mut self.tasks[task].subs[launch.sub_task as usize];
        noted.in_doubt = false;
        let rule = std::mem::take(&mut noted.next_key);
        let Some(before) = before else { return };
        let same = before == known_by;
        if rule == KeyRule::Same && !same || rule == KeyRule::New && same {
            let sub_task = launch.sub_task;
            self.breaks(format!("I15: t{task} s{sub_task} goes on as {known_by} behind {before}: {rule:?}"));
        }
    }

    /// Checks the lease that a worker is told of, in milliseconds. The server ends an attempt at its timeout;
    /// a worker begins as long as its lease may last.
    pub(crate) fn leased(&mut self, key: Key, lasts: u64, timeout: Option<Span>) {
        if timeout.is_some_and(|timeout| lasts > timeout.0) {
            self.breaks(format!("the lease of {key:?} lasts longer than the attempt may"));
        }
    }

    /// Notes that a built-in attempt waits for a permit.
    pub(crate) fn lined_up(&mut self, key: Key) {
        self.in_line.insert(key);
        if !self.is_known(key) {
            self.breaks(format!("{key:?} starts, and no commit says so"));
        }
    }

    /// Notes that a node hands back an attempt that never began.
    pub(crate) fn hands_back(&mut self, key: Key) {
        self.saw("handed back");
        self.handing_back.insert(key);
    }

    /// True if an attempt that never began must not be ended by this command as one that may have run. Until
    /// its hand-back is stored, all that the store knows is that the attempt was granted room: a takeover, or
    /// the timer of a task that is being stopped, has to assume that it ran.
    fn never_began(&self, key: &Key, asked: &Asked) -> bool {
        let is_unaware = matches!(asked.name, "Recover" | "Due") && self.handing_back.contains(key);
        self.in_line.contains(key) && !is_unaware
    }

    /// True if a commit gave that attempt to somebody, now or before.
    fn is_known(&self, (task, sub_task, token): Key) -> bool {
        let noted = self.tasks.get(task).and_then(|noted| noted.subs.get(sub_task as usize));
        token.0 > 0 && noted.is_some_and(|sub| u64::from(sub.attempt) >= token.0)
    }

    /// Notes that a built-in attempt is at work.
    pub(crate) fn run_begins(&mut self, _now: u64, key: Key, node: usize) {
        self.in_line.remove(&key);
        self.saw("built-in attempt");
        let at_work = self.at_work.entry((key.0, key.1)).or_default();
        at_work.insert((key.2, node));
        let same_node = at_work.iter().filter(|(_, other)| *other == node).count();
        if same_node > 1 {
            self.breaks(format!("I7: {key:?} begins at n{node}, where one of its attempts is at work"));
        }
    }

    pub(crate) fn run_ends(&mut self, key: Key) {
        if let Some(at_work) = self.at_work.get_mut(&(key.0, key.1)) {
            at_work.retain(|(token, _)| *token != key.2);
        }
    }

    /// Checks that an attempt that a worker begins was given to somebody by the store.
    pub(crate) fn worker_begins(&mut self, key: Key) {
        self.saw("worker's attempt");
        if !self.is_known(key) {
            self.breaks(format!("I6: a worker has {key:?}, which was leased to nobody"));
        }
    }
}

/// The oracle's notes of a task itself.
struct Head {
    status: TaskStatus,
    generation: u32,
    revision: u64,
    stopping: bool,
}

impl Noted {
    fn clone_head(&self) -> Head {
        let Noted { status, generation, revision, stopping, .. } = *self;
        Head { status, generation, revision, stopping }
    }
}

impl Head {
    /// Checks I10 and I11 for the task itself.
    fn check(&self, record: &Record, asked: &Asked, broken: &mut Vec<String>) {
        let state = &record.state;
        let mut rule = |holds: bool, text: &str| {
            if !holds {
                broken.push(format!("{:?} -> {:?}: {text}", self.status, state.status));
            }
        };
        rule(state.revision > self.revision, "the revision does not rise");
        rule(state.generation >= self.generation, "the generation falls");
        if state.generation == self.generation {
            rule(rank(state.status) >= rank(self.status), "I10: a step back within a generation");
            rule(!self.status.is_ended() || state.status == self.status, "I10: what has ended stays so");
        } else {
            let decided = asked.decides && self.status == TaskStatus::Failed;
            rule(decided, "I10: only a decision about a failed task begins a generation");
        }
        rule(
            state.completed_at.is_none_or(|at| at >= state.created_at),
            "I11: it ends before it was created",
        );
        let running = record.sub_tasks.iter().any(|sub| sub.status == SubTaskStatus::InProgress);
        rule(!(state.status.is_ended() && running), "I11: something runs in a task that has ended");
    }
}

fn rank(status: TaskStatus) -> u8 {
    match status {
        TaskStatus::Pending => 0,
        TaskStatus::InProgress => 1,
        _ => 2,
    }
}

/// True if a sub-task may take that step in one change.
fn is_allowed(before: SubTaskStatus, after: SubTaskStatus, asked: &Asked) -> bool {
    use SubTaskStatus::*;
    match (before, after) {
        (before, after) if before == after => true,
        (Pending, InProgress | NotApplicable | Failed | Successful) => true,
        (InProgress, Successful | Failed | Pending) => true,
        (Failed, Pending | InProgress | Skipped | Successful) => asked.decides,
        _ => false,
    }
}

fn needs_ended(record: &Record, index: u32) -> bool {
    let ended = |need: &u32| {
        let goes_on = record.workflow.sub_tasks[*need as usize].goes_on;
        match record.sub_tasks[*need as usize].status {
            SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => true,
            SubTaskStatus::Failed => goes_on,
            // A retry resets a need that was passed over, while sub-tasks behind it may run.
            SubTaskStatus::Pending | SubTaskStatus::InProgress => goes_on && record.state.generation > 0,
        }
    };
    record.definition(index).needs.iter().all(ended)
}
