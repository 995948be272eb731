//! Drives a task, remembers its past, and checks every change against it. The numbers of the rules are those
//! of docs/reliability.md.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longhaul_model::invariant::violations;
use longhaul_model::workflow::{CompiledAction, Workflow};
use longhaul_model::{
    Attempt, Change, Command, Effect, Failure, Launch, NodeId, Permit, Record, Refused, Room, Spec, State,
    SubTask, SubTaskStatus, Task, TaskId, TaskStatus, Timestamp, Token,
};
use serde_json::Value;

use crate::counts::Counts;
use crate::keys::Keys;
use crate::op::attempts;

/// Task, with all that its past excludes.
pub(crate) struct Observer {
    pub(crate) task: Task,
    pub(crate) now: Timestamp,
    /// Node that applies the next command.
    pub(crate) node: NodeId,
    /// Number of permits that the node has for attempts of its own.
    pub(crate) room: u32,
    /// Sub-tasks that succeeded, as they were then, with their outputs.
    succeeded: BTreeMap<u32, (SubTask, Option<Value>)>,
    /// Attempts by sub-task and number that history has.
    history: BTreeMap<(u32, u32), Attempt>,
    /// Attempts started by number, and those handed back.
    started: BTreeSet<(u32, u32)>,
    handed_back: BTreeSet<(u32, u32)>,
    /// Attempts by sub-task and generation.
    tries: BTreeMap<(u32, u32), u32>,
    timers: BTreeSet<Timestamp>,
    /// Sub-tasks that a node's queue knows.
    offered: BTreeSet<(u32, NodeId)>,
    /// Node that runs each attempt, or watches its lease.
    looked_after: BTreeMap<(u32, Token), NodeId>,
    /// Sub-tasks not to be repeated whose last attempt has an unknown outcome.
    in_doubt: BTreeSet<u32>,
    keys: Keys,
    counts: Counts,
    /// Beginning, and latest time so far: the clock may step back.
    begun: Timestamp,
    latest: Timestamp,
    cancelled: bool,
}

impl Observer {
    pub(crate) fn new(
        workflow: Arc<Workflow>,
        input: Value,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let spec = Spec { input, labels: BTreeMap::new(), requested_by: None, caller: None };
        let id = TaskId::from_bytes([7; 16]);
        let task = Task::new(id, workflow, spec, None, not_before, now).expect("a task");
        Observer {
            task,
            now,
            node: NodeId::default(),
            room: u32::MAX,
            succeeded: BTreeMap::new(),
            history: BTreeMap::new(),
            started: BTreeSet::new(),
            handed_back: BTreeSet::new(),
            tries: BTreeMap::new(),
            timers: BTreeSet::new(),
            offered: BTreeSet::new(),
            looked_after: BTreeMap::new(),
            in_doubt: BTreeSet::new(),
            keys: Keys::default(),
            counts: Counts::default(),
            begun: now,
            latest: now,
            cancelled: false,
        }
    }

    pub(crate) fn record(&self) -> &Record {
        self.task.record()
    }

    /// Applies a command, to the task and to one loaded from its parts, and checks everything.
    pub(crate) fn apply(&mut self, command: Command) -> Result<Change, Refused> {
        let before = self.record().clone();
        let outputs = self.outputs();
        let mut reloaded = self.reload();
        let places = (Places::new(self.room), Places::new(self.room));
        let result = self.task.apply_in(self.node, &places.0, command.clone(), self.now);
        let again = reloaded.apply_in(self.node, &places.1, command.clone(), self.now);

        assert_same(&result, &again);
        assert_equal(self.record(), reloaded.record());
        assert_eq!(violations(&self.task), Vec::<String>::new());
        match &result {
            Err(_) => {
                assert_equal(&before, self.record());
                assert_eq!(outputs, self.outputs(), "a refused command changed an output");
            }
            Ok(change) => {
                self.observe(&command, &before, &outputs, change);
                self.check_lost_update(before, outputs, change);
            }
        }
        result
    }

    /// Checks that successes are found and restored if all of a change is lost but the outputs that it
    /// stored, and that a sound task is left as it is.
    fn check_lost_update(&self, before: Record, mut outputs: BTreeMap<u32, Value>, change: &Change) {
        let own = Command::OutputsStored { outputs: self.outputs().into_iter().collect() };
        assert_eq!(self.reload().apply(own, self.now).err(), Some(Refused::Nothing), "nothing was lost");
        // One that began and ended in the same change begins once more.
        let under_way = |i: &&u32| before.sub_tasks.get(**i as usize).is_some_and(SubTask::is_active);
        let stored = change.outputs.iter().filter(under_way);
        let stored: Vec<(u32, Value)> =
            stored.filter_map(|i| Some((*i, self.task.output(*i)?.clone()))).collect();
        if stored.is_empty() || before.state.status != TaskStatus::InProgress {
            return;
        }
        let mut unaware = Task::load(before.clone(), self.task.spec().clone(), outputs.clone());
        outputs.extend(stored.iter().cloned());
        let mut restarted = Task::load(before, self.task.spec().clone(), outputs);
        unaware.apply(Command::OutputsStored { outputs: stored.clone() }, self.now).expect("found");
        restarted.apply(Command::Recover { node: None }, self.now).expect("something of it ran");
        for task in [unaware, restarted] {
            for (i, output) in &stored {
                let status = task.record().sub_tasks[*i as usize].status;
                assert_eq!((status, task.output(*i)), (SubTaskStatus::Successful, Some(output)));
            }
            assert_eq!(violations(&task), Vec::<String>::new());
        }
    }

    /// Returns the task as a store loads it.
    pub(crate) fn reload(&self) -> Task {
        Task::load(self.record().clone(), self.task.spec().clone(), self.outputs())
    }

    fn outputs(&self) -> BTreeMap<u32, Value> {
        let all = 0..self.record().sub_tasks.len() as u32;
        all.filter_map(|i| Some((i, self.task.output(i)?.clone()))).collect()
    }

    fn observe(
        &mut self,
        command: &Command,
        before: &Record,
        outputs: &BTreeMap<u32, Value>,
        change: &Change,
    ) {
        let after = self.record().clone();
        assert_eq!(after.state.revision, before.state.revision + 1);
        for (i, (old, new)) in before.sub_tasks.iter().zip(&after.sub_tasks).enumerate() {
            let i = i as u32;
            assert!(old == new || change.sub_tasks.contains(&i), "a change of sub-task {i} is not named");
            let same = outputs.get(&i) == self.task.output(i);
            assert!(same || change.outputs.contains(&i), "a new output of sub-task {i} is not named");
            self.check_status(command, before, &after, i);
        }
        for i in before.sub_tasks.len()..after.sub_tasks.len() {
            assert!(change.sub_tasks.contains(&(i as u32)), "a new child {i} is not named");
        }
        assert_round_trip(&after, change);
        self.check_task(command, before, &after, change);
        if let Command::HandBack { sub_task, .. } = command {
            self.handed_back.insert((*sub_task, after.sub_tasks[*sub_task as usize].attempt));
            self.tries.entry((*sub_task, after.state.generation)).and_modify(|tries| *tries -= 1);
        }
        for attempt in &change.attempts {
            assert!(
                attempt.ended_at >= Some(attempt.started_at),
                "an attempt ends before it starts: {attempt:?}"
            );
            let known = self.history.insert((attempt.sub_task, attempt.number), attempt.clone());
            assert!(known.is_none(), "the history has an attempt twice: {attempt:?}");
        }
        self.note_doubts(command, before);
        self.keys.note(command);
        for effect in &change.effects {
            match effect {
                Effect::Start(launch) => {
                    self.looked_after.insert((launch.sub_task, launch.token), self.node);
                    self.check_start(before, &after, launch, change);
                }
                Effect::Timer(at) => {
                    self.timers.insert(*at);
                }
                Effect::InLine { sub_task } => {
                    assert!(after.definition(*sub_task).action.is_built_in());
                    self.offered.insert((*sub_task, self.node));
                }
                Effect::OutOfLine { sub_task, node } => {
                    let sub = &after.sub_tasks[*sub_task as usize];
                    assert!(sub.queued_at.is_none() || sub.node != *node);
                    assert!(self.offered.remove(&(*sub_task, *node)), "it did not stand in line there");
                }
                Effect::Queued { sub_task, .. } => {
                    self.offered.insert((*sub_task, self.node));
                }
                Effect::Unqueued { sub_task, node, .. } => {
                    let sub = &after.sub_tasks[*sub_task as usize];
                    assert!(sub.queued_at.is_none() || sub.node != *node);
                    assert!(self.offered.remove(&(*sub_task, *node)), "it did not wait there");
                }
                Effect::Leased(leased) => {
                    self.looked_after.insert((leased.sub_task, leased.token), self.node);
                    let sub = &after.sub_tasks[leased.sub_task as usize];
                    // It may have been taken away again in the same command, by a task that is stopped.
                    assert!(
                        sub.token() == leased.token
                            && sub.lease.as_deref().is_none_or(|held| *held == leased.lease)
                    );
                }
                Effect::LeaseEnded { sub_task, token, node } => {
                    assert_eq!(
                        self.looked_after.get(&(*sub_task, *token)),
                        Some(node),
                        "I7: watched elsewhere"
                    );
                    let sub = &after.sub_tasks[*sub_task as usize];
                    assert!(sub.token() > *token || sub.lease.is_none(), "I7: an ended lease is held");
                }
                Effect::Stop { sub_task, token, node } => {
                    assert_eq!(
                        self.looked_after.get(&(*sub_task, *token)),
                        Some(node),
                        "I6: it runs elsewhere"
                    );
                    assert!(after.state.stopping.is_some() || after.state.status.is_ended());
                    assert_eq!(after.sub_tasks[*sub_task as usize].token(), *token);
                }
                Effect::Ended(status) => assert_eq!(*status, after.state.status),
                Effect::Measured(measures) => self.counts.add(&measures.all),
            }
        }
        // An attempt that is leased again does not start.
        let again = matches!(command, Command::LeaseAgain { .. });
        for launch in change.grants.iter().filter(|_| !again) {
            self.check_start(before, &after, launch, change);
        }
        for (i, sub) in after.sub_tasks.iter().enumerate() {
            let told = sub.queued_at.is_none() || self.offered.contains(&(i as u32, sub.node));
            assert!(told, "sub-task {i} waits for a worker, and the queue of its node does not know");
        }
        for (i, token) in attempts(&after) {
            let known = self.looked_after.get(&(i, token)).copied();
            assert_eq!(known, Some(after.sub_tasks[i as usize].node), "nobody looks after sub-task {i}");
        }
        if let Some(at) = after.due_at() {
            assert!(self.timers.contains(&at), "nothing will ask when {at} comes");
        }
        if again {
            let [launch] = &change.grants[..] else { panic!("one is given again, not {:?}", change.grants) };
            let (old, new) =
                (&before.sub_tasks[launch.sub_task as usize], &after.sub_tasks[launch.sub_task as usize]);
            assert_eq!(old, new, "giving a lease again changed it");
            self.keys.check_again(launch);
        }
        self.check_room(command, change);
        self.check_history(&after);
        self.counts.note(command, before, change);
        self.latest = self.latest.max(self.now);
        let span = (self.begun, self.latest);
        self.counts.check(&after, self.history.values(), self.handed_back.len(), span);
        self.cancelled |= matches!(command, Command::Cancel { .. });
    }

    /// Checks that no more attempts begin at a node than it has permits for.
    fn check_room(&self, command: &Command, change: &Change) {
        let started = change.effects.iter().filter(|effect| matches!(effect, Effect::Start(_))).count();
        let brought = usize::from(matches!(command, Command::Start { .. }));
        assert!(
            started <= (self.room as usize).saturating_add(brought),
            "{started} began, with room for {}",
            self.room
        );
    }

    fn note_doubts(&mut self, command: &Command, before: &Record) {
        let repeatable = |i: u32| before.definition(i).repeatable;
        match command {
            Command::Fail { sub_task, failure, .. } if !repeatable(*sub_task) => {
                let known =
                    matches!(failure, Failure::Error { .. } | Failure::Local { .. } | Failure::Stopped);
                if !known {
                    self.in_doubt.insert(*sub_task);
                }
            }
            Command::Recover { node } => {
                let unleased = |i: &u32| {
                    let sub = &before.sub_tasks[*i as usize];
                    sub.lease.is_none() && node.is_none_or(|node| node == sub.node)
                };
                let lost = attempts(before).into_iter().map(|(i, _)| i).filter(unleased);
                self.in_doubt.extend(lost.filter(|i| !repeatable(*i)));
            }
            // Whatever runs is in doubt, also what may be repeated; a task that was being stopped is given
            // up.
            Command::Park { .. } if before.state.stopping.is_none() => {
                self.in_doubt.extend(attempts(before).into_iter().map(|(i, _)| i));
            }
            Command::Decide { sub_tasks, .. } => self.in_doubt.retain(|index| !sub_tasks.contains(index)),
            Command::Resolve { verdict: Some(verdict), .. } => {
                self.in_doubt.remove(&verdict.sub_task);
            }
            _ => {}
        }
    }

    fn check_start(&mut self, before: &Record, after: &Record, launch: &Launch, change: &Change) {
        let index = launch.sub_task;
        assert!(!self.cancelled, "I6: an attempt started after the cancel");
        assert!(after.state.stopping.is_none(), "I6: an attempt started of a task that is being stopped");
        assert!(
            !self.succeeded.contains_key(&index),
            "I4: an attempt started of a sub-task that had succeeded"
        );
        assert!(!self.in_doubt.contains(&index), "an attempt was repeated of which nobody knows what it did");
        assert!(change.sub_tasks.contains(&index));
        let definition = after.definition(index);
        for &need in &definition.needs {
            let status = after.sub_tasks[need as usize].status;
            let over = match status {
                SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => true,
                SubTaskStatus::Failed => after.workflow.sub_tasks[need as usize].goes_on,
                SubTaskStatus::Pending | SubTaskStatus::InProgress => false,
            };
            assert!(over, "I5: sub-task {index} started while {need}, which it needs, was {status:?}");
        }
        self.keys.check(launch);
        // A child that was made by the same command had not started.
        let old = before.sub_tasks.get(index as usize);
        assert_eq!(u64::from(launch.number), launch.token.0);
        assert!(launch.number > old.map_or(0, |old| old.attempt), "I7: the token did not rise");
        assert!(self.started.insert((index, launch.number)), "I7: a token was used twice");
        if let (Some((SubTaskStatus::Pending, Some(due))), true) =
            (old.map(|old| (old.status, old.due_at)), before.state.generation == after.state.generation)
        {
            // A task's own time does not step back with the clock.
            let now = self.now.max(before.state.started_at.unwrap_or(self.now));
            assert!(now >= due, "I13: an attempt started before its pause was over");
        }
        let tries = self.tries.entry((index, after.state.generation)).or_default();
        *tries += 1;
        let limit = definition.retry.as_ref().map_or(10, |policy| policy.attempts);
        assert!(*tries <= limit, "I13: attempt {tries} of at most {limit}");
    }

    fn check_status(&mut self, command: &Command, before: &Record, after: &Record, i: u32) {
        use SubTaskStatus::{Failed, InProgress, NotApplicable, Pending, Skipped, Successful};
        let (old, new) = (&before.sub_tasks[i as usize], &after.sub_tasks[i as usize]);
        if let Some((then, output)) = self.succeeded.get(&i) {
            assert_eq!((then, output.as_ref()), (new, self.task.output(i)), "I3: a success changed");
        }
        if new.status == Successful && old.status != Successful {
            self.succeeded.insert(i, (new.clone(), self.task.output(i).cloned()));
        }
        let next_generation = after.state.generation > before.state.generation;
        let allowed = match (old.status, new.status) {
            (a, b) if a == b => true,
            (Pending, _) | (InProgress, Pending | Successful | Failed) => true,
            // Several steps within one command: retried, and over already.
            (Failed, _) => next_generation,
            (InProgress, InProgress | Skipped | NotApplicable)
            | (Successful | Skipped | NotApplicable, _) => false,
        };
        assert!(allowed, "I10: sub-task {i} went from {:?} to {:?} by {command:?}", old.status, new.status);
        assert!(new.attempt >= old.attempt, "I7: the token fell");
        let pause = new.due_at.filter(|_| new.status == Pending && old.status == InProgress);
        let policy = after.definition(i).retry.as_ref();
        if let (Some(due), Some(policy), Command::Fail { .. }) = (pause, policy, command) {
            let grown = policy.backoff.0 as f64 * policy.factor.powi(new.tries as i32 - 1);
            let shortest = grown.min(policy.max.0 as f64) as i64;
            assert!(
                due.0 - self.now.0 >= shortest,
                "I13: the pause is shorter than the policy's {shortest} ms"
            );
        }
    }

    fn check_task(&self, command: &Command, before: &Record, after: &Record, change: &Change) {
        let (old, new) = (&before.state, &after.state);
        let decides = match command {
            Command::Retry { .. }
            | Command::Skip { .. }
            | Command::Decide { .. }
            | Command::Resolve { verdict: Some(_), .. } => 1,
            _ => 0,
        };
        assert_eq!(new.generation, old.generation + decides, "the generation rises with decisions only");
        let allowed = match (old.status, new.status) {
            (a, b) if a == b => true,
            (TaskStatus::Pending | TaskStatus::InProgress, b) => b != TaskStatus::Pending,
            (TaskStatus::Failed, _) => decides == 1,
            (a, _) => !a.is_ended(),
        };
        assert!(allowed, "I10: the task went from {:?} to {:?} by {command:?}", old.status, new.status);
        let ended = change.effects.iter().filter(|effect| matches!(effect, Effect::Ended(_))).count();
        let ends = new.status.is_ended() && (!old.status.is_ended() || ended == 1 && decides == 1);
        assert_eq!(ended, usize::from(ends), "the end of a task is told once");
        let decided = match command {
            Command::Skip { sub_task, .. } => Some(*sub_task),
            Command::Resolve { verdict: Some(verdict), .. } => Some(verdict.sub_task),
            _ => None,
        };
        if let Some(decided) = decided {
            let blocks = |i: &u32| {
                let failed = before.sub_tasks[*i as usize].status == SubTaskStatus::Failed;
                failed && *i != decided && !before.definition(*i).goes_on
            };
            // A failed parent blocks by those of its children that failed, unless it is dealt with as a
            // whole.
            let failed = |i: &u32| before.sub_tasks[*i as usize].status == SubTaskStatus::Failed;
            let parent = Some(before.own(decided)).filter(|parent| *parent != decided && failed(parent));
            let children = parent.map_or(0..0, |parent| before.children(parent));
            let own = (0..before.own_sub_tasks()).filter(|i| Some(*i) != parent);
            let blocked = own.chain(children).any(|i| blocks(&i));
            assert!(
                !blocked || ended == 0 && new.completed_at == old.completed_at,
                "it went on while another blocks"
            );
        }
        if matches!(command, Command::Park { .. }) {
            assert!(new.status.is_ended() && new.stopping.is_none() == old.stopping.is_none());
            assert!(
                !change.effects.iter().any(|effect| matches!(effect, Effect::Start(_) | Effect::Timer(_)))
            );
        }
        if matches!(command, Command::Cancel { .. }) {
            assert!(new.stopping.is_some() || new.status == TaskStatus::Cancelled);
        }
        if self.cancelled && new.status.is_ended() {
            assert_eq!(new.status, TaskStatus::Cancelled, "a cancelled task ended otherwise");
        }
    }

    /// Checks that every attempt is shown exactly once: by the history, or as the latest of its sub-task.
    fn check_history(&self, after: &Record) {
        let latest: BTreeMap<(u32, u32), Attempt> =
            after.latest_attempts().map(|attempt| ((attempt.sub_task, attempt.number), attempt)).collect();
        // A parent's attempts are those of its children.
        let plain = after.sub_tasks.iter().enumerate().filter(|(i, _)| {
            after.sub_tasks[*i].child.is_some() || after.workflow.sub_tasks[*i].for_each.is_none()
        });
        for (index, sub) in plain {
            for number in 1..=sub.attempt {
                let key = (index as u32, number);
                // An operator's word makes a success of an attempt that the history has as lost.
                let told = self.history.contains_key(&key) || latest.contains_key(&key);
                assert!(told || self.handed_back.contains(&key), "attempt {key:?} is told by nobody");
            }
        }
        for attempt in latest.values() {
            let key = (attempt.sub_task, attempt.generation);
            let timer = matches!(after.definition(key.0).action, CompiledAction::Wait(_));
            let known = timer || self.tries.contains_key(&key);
            assert!(known, "{attempt:?} belongs to another generation: {:?}", self.tries);
        }
    }
}

/// Source of so many permits.
struct Places(Cell<u32>);

impl Places {
    fn new(room: u32) -> Self {
        Places(Cell::new(room))
    }
}

impl Room for Places {
    fn permit(&self) -> Option<Permit> {
        let left = self.0.get().checked_sub(1)?;
        self.0.set(left);
        Some(Permit::default())
    }
}

fn assert_equal(a: &Record, b: &Record) {
    assert_eq!(a.state, b.state);
    assert_eq!(a.sub_tasks, b.sub_tasks);
    assert_eq!((a.id, &a.name), (b.id, &b.name));
}

/// Checks that the stored form of a task is complete.
fn assert_round_trip(record: &Record, change: &Change) {
    let text = serde_json::to_string(&record.state).expect("stored");
    assert_eq!(serde_json::from_str::<State>(&text).expect("read"), record.state, "{text}");
    for &i in &change.sub_tasks {
        let sub = &record.sub_tasks[i as usize];
        let text = serde_json::to_string(sub).expect("stored");
        assert_eq!(&serde_json::from_str::<SubTask>(&text).expect("read"), sub, "{text}");
    }
    for attempt in &change.attempts {
        let text = serde_json::to_string(attempt).expect("stored");
        assert_eq!(&serde_json::from_str::<Attempt>(&text).expect("read"), attempt, "{text}");
    }
}

/// Checks that a task that was loaded does the same as one that was not.
fn assert_same(a: &Result<Change, Refused>, b: &Result<Change, Refused>) {
    match (a, b) {
        (Err(a), Err(b)) => assert_eq!(a, b),
        (Ok(a), Ok(b)) => {
            assert_eq!((&a.sub_tasks, &a.outputs, &a.attempts), (&b.sub_tasks, &b.outputs, &b.attempts));
            let (c, d): (Vec<_>, Vec<_>) =
                (a.grants.iter().map(given).collect(), b.grants.iter().map(given).collect());
            assert_eq!(c, d);
            let (a, b): (Vec<_>, Vec<_>) =
                (a.effects.iter().map(told).collect(), b.effects.iter().map(told).collect());
            assert_eq!(a, b);
        }
        (a, b) => panic!("one did it, the other not: {a:?}, {b:?}"),
    }
}

/// Describes an effect as text; of an attempt, what it is given too.
fn told(effect: &Effect) -> String {
    let Effect::Start(launch) = effect else { return format!("{effect:?}") };
    given(launch)
}

/// An attempt as text.
fn given(launch: &Launch) -> String {
    let given = match &launch.action {
        CompiledAction::Simulate(template) => {
            template.output.as_ref().map(|output| output.value(&launch.scope))
        }
        CompiledAction::Worker(template) => template.input.as_ref().map(|input| input.value(&launch.scope)),
        CompiledAction::Http(_) | CompiledAction::Command(_) | CompiledAction::Wait(_) => None,
    };
    format!("{} {:?} {} {} {given:?}", launch.sub_task, launch.token, launch.number, launch.idempotency_key)
}
