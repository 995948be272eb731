//! Compilation of a definition: expressions parsed, schema compiled, graph known. Done once per workflow
//! version.

mod actions;
mod compiled;
mod resources;
mod sub_tasks;
mod texts;

use std::collections::HashMap;

use serde_json::Value;

use super::binding;
use super::check::{self, Problem, Problems};
use super::definition::Definition;
use super::graph;
use super::names::Place;
use super::query;
use super::route::Route;
use super::schema::{InputSchema, Violation, no_input};
use super::schema_faults::{Faults, faults};
use super::secret::{Secrets, Unclear};
use crate::credentials;
use crate::expr::{Expr, ExprError, Reading, Scope, Template};
use crate::id::WorkflowVersion;
use crate::value::LONGEST_NAME;

pub use compiled::{
    CommandTemplate, CompiledAction, CompiledSubTask, FailTemplate, HttpTemplate, SimulateTemplate,
    WaitTemplate, WorkerTemplate,
};
use resources::ResourceTemplates;

/// A workflow version, ready to run.
#[derive(Debug)]
pub struct Workflow {
    /// Version that the store assigned.
    pub version: WorkflowVersion,
    /// Definition, as written.
    pub definition: Definition,
    /// Request that starts a task of the workflow.
    pub route: Option<Route>,
    /// Schema of the input.
    pub schema: InputSchema,
    /// Parts of an input that are secrets.
    pub secrets: Secrets,
    /// True if the schema is unclear about its secrets, which is accepted of stored definitions only: tasks
    /// go on, and no new one starts.
    pub is_unclear: bool,
    /// The task's condition.
    pub when: Option<Expr>,
    /// Sub-tasks, in the order written: their index is their identity within a task.
    pub sub_tasks: Vec<CompiledSubTask>,
    /// Warnings to the author about an accepted definition.
    pub warnings: Vec<Problem>,
    title: Template,
    resources: Vec<ResourceTemplates>,
    slot: Option<Template>,
    by_name: HashMap<String, u32>,
}

impl Workflow {
    /// Checks and compiles. Refused with every problem found; warnings stay on the workflow.
    pub fn compile(definition: Definition, version: WorkflowVersion) -> Result<Workflow, Vec<Problem>> {
        Workflow::read(definition, version, Reading::New)
    }

    /// Compiles a version that was accepted once. An expression in it that can no longer be parsed fails
    /// where it is evaluated: neither the tasks of the version nor a start fail because of it. Where its
    /// schema is unclear about its secrets, the whole input is one, and no new task starts.
    pub fn stored(definition: Definition, version: WorkflowVersion) -> Result<Workflow, Vec<Problem>> {
        Workflow::read(definition, version, Reading::Stored)
    }

    fn read(
        definition: Definition,
        version: WorkflowVersion,
        reading: Reading,
    ) -> Result<Workflow, Vec<Problem>> {
        let mut problems = Problems::default();
        check::structure(&definition, &mut problems);
        let own = definition.credentials.map_or_else(no_input, |_| credentials::spec_schema());
        let schema_text = definition.input.clone().unwrap_or(own);
        // What is sound in a faulty schema is checked as if it stood alone.
        let schema = InputSchema::compile(&schema_text);
        let sound = match &schema {
            Ok(_) => None,
            Err(_) => Some(faults(&schema_text)),
        };
        if let Some(faults) = &sound {
            not_a_schema(faults, &mut problems);
        }
        let has_lost_reference = sound.as_ref().is_some_and(|faults| faults.has_lost_reference);
        let sound = sound.as_ref().map_or(&schema_text, |faults| &faults.rest);
        let surveyed = Secrets::survey(sound);
        let is_unclear = surveyed.is_err();
        let mut secrets = surveyed.unwrap_or_else(|found| {
            if reading == Reading::New && !has_lost_reference {
                unclear_secrets(found, &mut problems);
            }
            Secrets::everything()
        });
        if definition.credentials.is_some() {
            // These are secrets whatever the author's schema says of them.
            secrets = secrets.and(Secrets::of(&credentials::spec_schema()));
        }
        let route = definition.route.as_deref().and_then(|text| {
            let hint = || Some("such as `POST /v1/hosts` or `PATCH /v1/hosts/{hostId}`".to_owned());
            Route::parse(text).map_err(|e| problems.error("/route".into(), e.to_string(), hint())).ok()
        });
        binding::check(&definition, route.as_ref(), sound, &mut problems);
        query::check(&definition, route.as_ref(), sound, &mut problems);
        let needs = graph::needs(&definition.sub_tasks, &mut problems);
        let mut compiler = Compiler {
            definition: &definition,
            input: check::declared(&schema_text),
            secrets,
            may_show_secrets: is_unclear,
            more: &[],
            knows_item: false,
            reading,
            problems,
        };
        let title = compiler.template("/title", &definition.title, Place::Start, &[]);
        let when = definition.when.as_deref().map(|text| compiler.expr("/when", text, Place::Task, &[]));
        let resources = compiler.resources();
        let slot = flip(
            definition
                .concurrency
                .as_ref()
                .map(|c| compiler.template("/concurrency/key", &c.key, Place::Start, &[])),
        );
        let sub_tasks = compiler.sub_tasks(&needs);
        let Compiler { problems, secrets, .. } = compiler;
        match (schema, title, flip(when), resources, slot, sub_tasks) {
            (Ok(schema), Some(title), Some(when), Some(resources), Some(slot), Some(sub_tasks))
                if !problems.any_error() =>
            {
                let by_name = sub_tasks.iter().zip(0..).map(|(sub, i)| (sub.name.clone(), i)).collect();
                let warnings = problems.0;
                Ok(Workflow {
                    version,
                    definition,
                    route,
                    schema,
                    secrets,
                    is_unclear,
                    when,
                    sub_tasks,
                    warnings,
                    title,
                    resources,
                    slot,
                    by_name,
                })
            }
            _ => Err(problems.0),
        }
    }

    /// Returns the JSON pointer of a value that the validator's own annotations call `writeOnly` and that is
    /// no part of a known secret; there should be none.
    pub fn missed_secret(&self, input: &Value) -> Result<Option<String>, Violation> {
        if self.secrets.is_empty() {
            return Ok(None);
        }
        let places = self.secrets.places(input);
        let known = |pointer: &String| {
            places.iter().any(|place| {
                pointer
                    .strip_prefix(place.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        Ok(self.schema.write_only(input)?.into_iter().find(|pointer| !known(pointer)))
    }

    /// The sub-task of a name.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Returns the concurrency key, under which only so many tasks of this workflow run at once.
    pub fn slot(&self, scope: &Scope) -> Result<Option<String>, ExprError> {
        self.slot.as_ref().map(|slot| slot.short(scope, LONGEST_NAME)).transpose()
    }

    /// Returns the name of a task with this input.
    pub fn title(&self, scope: &Scope) -> Result<String, ExprError> {
        self.title.short(scope, LONGEST_NAME)
    }
}

/// Reports the faults of a schema.
fn not_a_schema(faults: &Faults, problems: &mut Problems) {
    for (pointer, reason) in &faults.found {
        let hint = "write a JSON Schema, such as `type: object` with `properties`".to_owned();
        problems.error(format!("/input{pointer}"), format!("is no JSON Schema: {reason}"), Some(hint));
    }
}

/// Reports where a schema is unclear about its secrets.
fn unclear_secrets(found: Vec<Unclear>, problems: &mut Problems) {
    for Unclear { pointer, message, hint } in found {
        problems.error(format!("/input{pointer}"), message, Some(hint));
    }
}

/// `None` for "had problems", inside out.
fn flip<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(some) => Some(some),
    }
}

/// Returns all values, or `None` if one had problems: each is compiled, so that its problems are found.
fn all_of<T>(compiled: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    compiled.collect::<Vec<_>>().into_iter().collect()
}

/// Definition in compilation, with the problems found so far.
struct Compiler<'a> {
    definition: &'a Definition,
    input: Option<Vec<&'a str>>,
    secrets: Secrets,
    /// True to accept expressions that name a secret where it would be shown; they see it sealed.
    may_show_secrets: bool,
    /// Names that a child of a `forEach` knows, while one is compiled.
    more: &'static [&'static str],
    /// True if an expression may name `item`.
    knows_item: bool,
    reading: Reading,
    problems: Problems,
}
