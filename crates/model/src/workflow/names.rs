//! Names in expressions: what is known at a place of a definition, and what is said of everything else.

use super::check::Problems;
use super::graph::{did_you_mean, one_of};
use crate::expr::{Expr, NamePath};

/// Places of expressions, by what is known where they are evaluated.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// Texts that are made before there is a task: the input is known.
    Start,
    /// The start of a task, or of the children of a `forEach`: the input and the task are known.
    Task,
    /// A sub-task: what ended before it is known, too.
    SubTask {
        /// Index of the sub-task.
        own: usize,
        /// For each sub-task, which others have ended when it starts.
        before: &'p [Vec<bool>],
    },
}

impl Place<'_> {
    /// Returns true for texts that everybody is shown.
    pub(super) fn is_shown(self) -> bool {
        match self {
            Place::Start | Place::Task => true,
            Place::SubTask { .. } => false,
        }
    }
}

/// The names that an expression may use at its place.
pub(super) struct Names<'a, 'p> {
    /// Declared properties of the input; `None` when any is allowed.
    pub(super) input: Option<Vec<&'a str>>,
    /// True if the workflow declares its input.
    pub(super) has_input: bool,
    /// Sub-tasks by name.
    pub(super) sub_tasks: Vec<&'a str>,
    /// Place of the expression.
    pub(super) place: Place<'p>,
    /// Further roots, such as `body` in the output of an `http` action.
    pub(super) roots: &'static [&'static str],
}

/// Fault of a name, and advice on what to write instead.
type Wrong = (String, Option<String>);

impl Names<'_, '_> {
    pub(super) fn check(&self, expr: &Expr, pointer: &str, problems: &mut Problems) {
        for name in expr.paths() {
            let members: Vec<&str> = name.names().iter().map(String::as_str).skip(1).collect();
            let wrong = match name.root() {
                "input" => self.input(&members),
                "subTasks" => self.sub_task(name, &members),
                "task" => self.task(&members),
                other if self.roots.contains(&other) => None,
                other => Some(self.unknown(other)),
            };
            if let Some((message, hint)) = wrong {
                problems.error(pointer.to_owned(), format!("`{name}`: {message}"), hint);
            }
        }
    }

    fn input(&self, members: &[&str]) -> Option<Wrong> {
        let (known, property) = (self.input.as_ref()?, members.first()?);
        if known.contains(property) {
            return None;
        }
        let hint = did_you_mean(property, known.iter().copied())
            .or_else(|| Some("declare it under `input: properties:`".into()));
        let message = match self.has_input {
            true => format!("the input has no property `{property}`"),
            false => {
                format!("the input has no property `{property}`: without `input:` the workflow takes none")
            }
        };
        Some((message, hint))
    }

    fn task(&self, members: &[&str]) -> Option<Wrong> {
        if let Place::Start = self.place {
            return Some(before_the_task());
        }
        let wrong = members.first().is_some_and(|member| !matches!(*member, "id" | "name"));
        wrong.then(|| ("a task has `id` and `name`".into(), Some("task.id or task.name".into())))
    }

    fn sub_task(&self, name: &NamePath, members: &[&str]) -> Option<Wrong> {
        if let Place::Start = self.place {
            return Some(before_the_task());
        }
        let sub = members.first()?;
        let Some(other) = self.sub_tasks.iter().position(|known| known == sub) else {
            let hint = one_of(sub, self.sub_tasks.iter().copied());
            return Some((format!("there is no sub-task `{sub}`"), hint));
        };
        let (own, before) = match self.place {
            Place::SubTask { own, before } => (own, before),
            Place::Start | Place::Task => {
                let hint = format!("use `input` here, or move it to a sub-task behind `{sub}`");
                return Some((format!("`{sub}` has not ended when this is evaluated"), Some(hint)));
            }
        };
        if own == other {
            let hint = "use it in a sub-task behind this one".to_owned();
            return Some((format!("`{sub}` is this sub-task, and has no output yet"), Some(hint)));
        }
        if before[own][other] {
            let wrong = members.get(1).is_some_and(|member| *member != "output");
            let path = || name.names().get(..2).map(NamePath::of).map(|path| format!("{path}.output"));
            return wrong.then(|| ("a sub-task has only `output`".into(), path()));
        }
        let hint = match before[other][own] {
            // Either would wait for the other.
            true => format!("`{sub}` waits for `{}`: move this behind `{sub}`", self.sub_tasks[own]),
            false => format!("add it: `needs: [{}]`, or write it further up", listed(sub)),
        };
        Some((format!("`{sub}` has not ended when this is evaluated"), Some(hint)))
    }

    fn unknown(&self, other: &str) -> Wrong {
        let own: &[&str] = match self.place {
            Place::Start => &["input"],
            Place::Task | Place::SubTask { .. } => &["input", "subTasks", "task"],
        };
        let hint = did_you_mean(other, own.iter().chain(self.roots).copied()).or_else(|| {
            Some(match self.place {
                Place::Start => "the root here is `input`, such as `{{ input.name }}`".into(),
                Place::Task | Place::SubTask { .. } => {
                    "the roots are `input`, `subTasks.<name>.output` and `task`".into()
                }
            })
        });
        (format!("there is no `{other}`"), hint)
    }
}

/// Reason for which `task` and `subTasks` are refused where there is no task yet.
fn before_the_task() -> Wrong {
    let message = "this is evaluated before there is a task, when only `input` is known".to_owned();
    (message, Some("write a value of the input, such as `{{ input.name }}`".to_owned()))
}

/// A name as a list of YAML has it: in quotes unless it is plainly a text.
fn listed(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && name.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', "''")) }
}
