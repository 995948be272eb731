//! A definition made ready: expressions parsed, schema compiled, graph known. Made once per workflow version.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::check::{self, Names, Problem, Problems};
use super::definition::*;
use super::graph;
use super::route::Route;
use super::schema::{InputSchema, no_input};
use crate::expr::{Expr, ExprError, JsonTemplate, Scope, Template};
use crate::id::WorkflowVersion;
use crate::resource::Resource;
use crate::time::Span;

/// A workflow version, ready to run.
#[derive(Debug)]
pub struct Workflow {
    /// The version that the store gave it.
    pub version: WorkflowVersion,
    /// As written.
    pub definition: Definition,
    /// The request that starts it.
    pub route: Option<Route>,
    /// What an input must be.
    pub schema: InputSchema,
    /// The task's condition.
    pub when: Option<Expr>,
    /// The sub-tasks, in the order written: their index is their identity within a task.
    pub sub_tasks: Vec<CompiledSubTask>,
    /// What its author should know though it is accepted.
    pub warnings: Vec<Problem>,
    title: Template,
    resources: Vec<ResourceTemplates>,
    by_name: HashMap<String, u32>,
}

/// A sub-task, ready to run.
#[derive(Debug)]
pub struct CompiledSubTask {
    /// Its key.
    pub name: String,
    /// Its name in the API, when that is not its key.
    pub title: Option<Template>,
    /// What it does.
    pub description: Template,
    /// The sub-tasks it waits for.
    pub needs: Vec<u32>,
    /// The sub-tasks that wait for it.
    pub dependents: Vec<u32>,
    /// Its condition.
    pub when: Option<Expr>,
    /// What it runs.
    pub action: CompiledAction,
    /// Its automatic retries.
    pub retry: Option<RetryPolicy>,
    /// How long one attempt may take.
    pub timeout: Option<Span>,
    /// Whether its failure lets the task go on.
    pub goes_on: bool,
    /// Whether an attempt of unknown outcome may be repeated.
    pub repeatable: bool,
}

/// What a sub-task runs, with its expressions parsed. Shared, as every attempt needs it.
#[derive(Clone, Debug)]
pub enum CompiledAction {
    /// A request.
    Http(Arc<HttpTemplate>),
    /// A program: its path and arguments, and its environment.
    Command(Arc<CommandTemplate>),
    /// A durable timer; the machine itself runs it.
    Wait(Arc<WaitTemplate>),
    /// A simulated outcome.
    Simulate(Arc<SimulateTemplate>),
}

impl CompiledAction {
    /// Whether it holds no expression, so that nothing need be evaluated for it.
    pub fn is_constant(&self) -> bool {
        let plain = |template: &Template| matches!(template, Template::Plain(_));
        let plain_json =
            |template: &Option<JsonTemplate>| matches!(template, None | Some(JsonTemplate::Plain(_)));
        match self {
            CompiledAction::Http(http) => {
                plain(&http.url)
                    && http.headers.iter().all(|(_, text)| plain(text))
                    && plain_json(&http.body)
                    && http.output.is_none()
            }
            CompiledAction::Command(command) => {
                command.arguments.iter().all(plain) && command.env.iter().all(|(_, text)| plain(text))
            }
            CompiledAction::Wait(wait) => match &**wait {
                WaitTemplate::For(text) | WaitTemplate::Until(text) => plain(text),
            },
            CompiledAction::Simulate(simulate) => {
                plain(&simulate.duration)
                    && plain_json(&simulate.output)
                    && matches!(simulate.fail_attempts, FailTemplate::These(_))
            }
        }
    }
}

/// An `http` action.
#[derive(Debug)]
pub struct HttpTemplate {
    /// Method.
    pub method: String,
    /// Address.
    pub url: Template,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Body.
    pub body: Option<JsonTemplate>,
    /// Status codes that are a success.
    pub expect: Vec<StatusRange>,
    /// What becomes the output, over `status`, `headers` and `body`.
    pub output: Option<Expr>,
}

/// A `command` action.
#[derive(Debug)]
pub struct CommandTemplate {
    /// The program, which is never an expression.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<Template>,
    /// Its environment.
    pub env: Vec<(String, Template)>,
}

/// A `wait` action.
#[derive(Debug)]
pub enum WaitTemplate {
    /// For a duration.
    For(Template),
    /// Until an instant.
    Until(Template),
}

/// Which attempts of a `simulate` action fail.
#[derive(Debug)]
pub enum FailTemplate {
    /// These.
    These(Vec<u32>),
    /// Those that this gives.
    Expression(Template),
}

/// A `simulate` action.
#[derive(Debug)]
pub struct SimulateTemplate {
    /// How long.
    pub duration: Template,
    /// The attempts that fail.
    pub fail_attempts: FailTemplate,
    /// How.
    pub error: Option<FaultTemplate>,
    /// What a success gives.
    pub output: Option<JsonTemplate>,
}

#[derive(Debug)]
struct ResourceTemplates {
    kind: String,
    id: Template,
    fqdn: Option<Template>,
    name: Option<Template>,
}

impl Workflow {
    /// Checks and compiles. Refused with every problem found; warnings stay on the workflow.
    pub fn compile(definition: Definition, version: WorkflowVersion) -> Result<Workflow, Vec<Problem>> {
        let mut problems = Problems::default();
        check::structure(&definition, &mut problems);
        let schema_text = definition.input.clone().unwrap_or_else(no_input);
        let schema = InputSchema::compile(&schema_text).map_err(|reason| {
            let hint = "write a JSON Schema, such as `type: object` with `properties`".to_owned();
            problems.error("/input".into(), format!("is no JSON Schema: {reason}"), Some(hint));
        });
        let route = definition.route.as_deref().and_then(|text| {
            let hint = || Some("such as `POST /v1/hosts` or `PATCH /v1/hosts/{hostId}`".to_owned());
            Route::parse(text).map_err(|e| problems.error("/route".into(), e.to_string(), hint())).ok()
        });
        let needs = graph::needs(&definition.sub_tasks, &mut problems);
        if problems.any_error() {
            return Err(problems.0);
        }
        let mut compiler =
            Compiler { definition: &definition, input: check::declared(&schema_text), problems };
        let title = compiler.template("/title", &definition.title, None, &[]);
        let when = definition.when.as_deref().map(|text| compiler.expr("/when", text, None, &[]));
        let resources = compiler.resources();
        let sub_tasks = compiler.sub_tasks(&needs);
        let problems = compiler.problems;
        match (schema, title, flip(when), resources, sub_tasks) {
            (Ok(schema), Some(title), Some(when), Some(resources), Some(sub_tasks))
                if !problems.any_error() =>
            {
                let by_name = sub_tasks.iter().zip(0..).map(|(sub, i)| (sub.name.clone(), i)).collect();
                let warnings = problems.0;
                Ok(Workflow {
                    version,
                    definition,
                    route,
                    schema,
                    when,
                    sub_tasks,
                    warnings,
                    title,
                    resources,
                    by_name,
                })
            }
            _ => Err(problems.0),
        }
    }

    /// The sub-task of a name.
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// What a task of this input is called.
    pub fn title(&self, scope: &Scope) -> Result<String, ExprError> {
        self.title.text(scope)
    }

    /// What a task of this input works on.
    pub fn resources(&self, scope: &Scope) -> Result<Vec<Resource>, ExprError> {
        let text = |template: &Option<Template>| template.as_ref().map(|t| t.text(scope)).transpose();
        self.resources
            .iter()
            .map(|resource| {
                Ok(Resource {
                    resource_id: resource.id.text(scope)?,
                    kind: resource.kind.clone(),
                    fqdn: text(&resource.fqdn)?,
                    name: text(&resource.name)?,
                })
            })
            .collect()
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

/// A member's name as JSON pointers write it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

struct Compiler<'a> {
    definition: &'a Definition,
    input: Option<Vec<&'a str>>,
    problems: Problems,
}

impl<'a> Compiler<'a> {
    fn names(&self, ended: Option<&[bool]>, roots: &'static [&'static str]) -> Names<'a> {
        let subs = self.definition.sub_tasks.iter().enumerate();
        let sub_tasks = subs.map(|(i, sub)| (sub.name.as_str(), ended.is_some_and(|e| e[i]))).collect();
        Names { input: self.input.clone(), sub_tasks, roots }
    }

    fn keep<T>(&mut self, pointer: &str, parsed: Result<T, ExprError>) -> Option<T> {
        let hint =
            || Some("write it as `{{ input.name }}` or `{{ subTasks.Name.output.member }}`".to_owned());
        parsed.map_err(|e| self.problems.error(pointer.to_owned(), e.to_string(), hint())).ok()
    }

    fn look<'e>(
        &mut self,
        pointer: &str,
        expressions: impl IntoIterator<Item = &'e Expr>,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) {
        let names = self.names(ended, roots);
        for expr in expressions {
            names.check(expr, pointer, &mut self.problems);
        }
    }

    fn expr(
        &mut self,
        pointer: &str,
        text: &str,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) -> Option<Expr> {
        let expr = self.keep(pointer, Expr::parse(text))?;
        self.look(pointer, [&expr], ended, roots);
        Some(expr)
    }

    fn template(
        &mut self,
        pointer: &str,
        text: &str,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) -> Option<Template> {
        let template = self.keep(pointer, Template::parse(text))?;
        self.look(pointer, template.expressions(), ended, roots);
        Some(template)
    }

    fn json(&mut self, pointer: &str, value: &Value, ended: &[bool]) -> Option<JsonTemplate> {
        let template = self.keep(pointer, JsonTemplate::parse(value))?;
        self.look(pointer, template.expressions(), Some(ended), &[]);
        Some(template)
    }

    /// A template that gives a duration; a plain one is checked at once.
    fn span(&mut self, pointer: &str, text: &str, ended: &[bool]) -> Option<Template> {
        let template = self.template(pointer, text, Some(ended), &[])?;
        if let Template::Plain(text) = &template
            && let Err(e) = text.parse::<Span>()
        {
            self.problems.error(pointer.to_owned(), e.to_string(), Some("such as 30s or 5m".into()));
        }
        Some(template)
    }

    fn resources(&mut self) -> Option<Vec<ResourceTemplates>> {
        let definition = self.definition;
        let mut all = Vec::new();
        for (i, resource) in definition.resources.iter().enumerate() {
            let part = |compiler: &mut Self, member: &str, text: &Option<String>| {
                flip(
                    text.as_deref()
                        .map(|t| compiler.template(&format!("/resources/{i}/{member}"), t, None, &[])),
                )
            };
            let fqdn = part(self, "fqdn", &resource.fqdn);
            let name = part(self, "name", &resource.name);
            let id = self.template(&format!("/resources/{i}/resourceId"), &resource.resource_id, None, &[]);
            all.push(ResourceTemplates { kind: resource.kind.clone(), id: id?, fqdn: fqdn?, name: name? });
        }
        Some(all)
    }

    fn sub_tasks(&mut self, needs: &[Vec<u32>]) -> Option<Vec<CompiledSubTask>> {
        let definition = self.definition;
        let before = graph::before(needs);
        let compiled: Vec<Option<CompiledSubTask>> = definition
            .sub_tasks
            .iter()
            .enumerate()
            .map(|(i, sub)| self.sub_task(i, sub, &needs[i], &before[i]))
            .collect();
        let mut all = compiled.into_iter().collect::<Option<Vec<_>>>()?;
        for (i, waits) in needs.iter().enumerate() {
            for &other in waits {
                all[other as usize].dependents.push(i as u32);
            }
        }
        Some(all)
    }

    fn sub_task(
        &mut self,
        i: usize,
        sub: &SubTaskDefinition,
        needs: &[u32],
        ended: &[bool],
    ) -> Option<CompiledSubTask> {
        let at = |member: &str| format!("/subTasks/{i}/{member}");
        let title = flip(sub.title.as_deref().map(|text| self.template(&at("title"), text, None, &[])));
        let description = self.template(&at("description"), &sub.description, None, &[]);
        let when = flip(sub.when.as_deref().map(|text| self.expr(&at("when"), text, Some(ended), &[])));
        let action = self.action(&at("action"), &sub.action, ended);
        if sub.timeout.is_some() && matches!(sub.action, Action::Wait(_)) {
            let hint = "leave it out: a wait ends by itself".to_owned();
            self.problems.error(at("timeout"), "a `wait` has no timeout", Some(hint));
        }
        Some(CompiledSubTask {
            name: sub.name.clone(),
            title: title?,
            description: description?,
            needs: needs.to_vec(),
            dependents: Vec::new(),
            when: when?,
            action: action?,
            retry: sub.retry.clone(),
            timeout: sub.timeout,
            goes_on: sub.on_failure == Some(SubTaskOnFailure::Continue),
            repeatable: sub.repeatable,
        })
    }

    fn action(&mut self, pointer: &str, action: &Action, ended: &[bool]) -> Option<CompiledAction> {
        match action {
            Action::Http(http) => self.http(&format!("{pointer}/http"), http, ended),
            Action::Command(command) => self.command(&format!("{pointer}/command"), command, ended),
            Action::Wait(wait) => self.wait(&format!("{pointer}/wait"), wait, ended),
            Action::Simulate(simulate) => {
                let pointer = format!("{pointer}/simulate");
                let duration = self.span(&format!("{pointer}/duration"), &simulate.duration, ended);
                let output = flip(
                    simulate
                        .output
                        .as_ref()
                        .map(|value| self.json(&format!("{pointer}/output"), value, ended)),
                );
                let fail_attempts = match &simulate.fail_attempts {
                    FailAttempts::These(list) => Some(FailTemplate::These(list.clone())),
                    FailAttempts::Expression(text) => {
                        self.fail_attempts(&format!("{pointer}/failAttempts"), text, ended)
                    }
                };
                Some(CompiledAction::Simulate(Arc::new(SimulateTemplate {
                    duration: duration?,
                    fail_attempts: fail_attempts?,
                    error: simulate.error.clone(),
                    output: output?,
                })))
            }
            // Refused by check::structure before anything is compiled.
            Action::Approval(_) | Action::Task(_) | Action::Worker(_) => None,
        }
    }

    fn fail_attempts(&mut self, pointer: &str, text: &str, ended: &[bool]) -> Option<FailTemplate> {
        let template = self.template(pointer, text, Some(ended), &[])?;
        if !matches!(template, Template::Whole(_)) {
            let hint = Some("write a list, such as [1, 2], or \"{{ input.failAttempts }}\"".to_owned());
            self.problems.error(
                pointer.to_owned(),
                "must be a list, or one expression that gives a list",
                hint,
            );
        }
        Some(FailTemplate::Expression(template))
    }

    fn http(&mut self, pointer: &str, http: &HttpAction, ended: &[bool]) -> Option<CompiledAction> {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        if !METHODS.contains(&http.method.as_str()) {
            let hint = graph::one_of(&http.method, METHODS);
            self.problems.error(format!("{pointer}/method"), format!("`{}` is no method", http.method), hint);
        }
        let url = self.template(&format!("{pointer}/url"), &http.url, Some(ended), &[]);
        if let Some(Template::Plain(text)) = &url
            && !(text.starts_with("http://") || text.starts_with("https://"))
        {
            self.problems.error(
                format!("{pointer}/url"),
                format!("`{text}` is no absolute address"),
                Some("begin it with https:// or http://".into()),
            );
        }
        let headers: Option<Vec<_>> = http
            .headers
            .iter()
            .map(|(name, text)| {
                let value =
                    self.template(&format!("{pointer}/headers/{}", escaped(name)), text, Some(ended), &[]);
                value.map(|value| (name.clone(), value))
            })
            .collect();
        let body = flip(http.body.as_ref().map(|value| self.json(&format!("{pointer}/body"), value, ended)));
        let roots: &'static [&'static str] = &["status", "headers", "body"];
        let output = flip(
            http.output
                .as_deref()
                .map(|text| self.expr(&format!("{pointer}/output"), text, Some(ended), roots)),
        );
        let expect = if http.expect.is_empty() {
            vec![StatusRange { from: 200, to: 299 }]
        } else {
            http.expect.clone()
        };
        Some(CompiledAction::Http(Arc::new(HttpTemplate {
            method: http.method.clone(),
            url: url?,
            headers: headers?,
            body: body?,
            expect,
            output: output?,
        })))
    }

    fn command(&mut self, pointer: &str, command: &CommandAction, ended: &[bool]) -> Option<CompiledAction> {
        let Some((program, arguments)) = command.run.split_first() else {
            self.problems.error(
                format!("{pointer}/run"),
                "name a program",
                Some("run: [/usr/bin/uptime]".into()),
            );
            return None;
        };
        if !program.starts_with('/') || program.contains("{{") {
            self.problems.error(
                format!("{pointer}/run/0"),
                "the program must be an absolute path, without expressions",
                Some("such as /usr/bin/uptime".into()),
            );
        }
        let arguments: Option<Vec<_>> = arguments
            .iter()
            .enumerate()
            .map(|(n, text)| self.template(&format!("{pointer}/run/{}", n + 1), text, Some(ended), &[]))
            .collect();
        let env: Option<Vec<_>> = command
            .env
            .iter()
            .map(|(name, text)| {
                let value =
                    self.template(&format!("{pointer}/env/{}", escaped(name)), text, Some(ended), &[]);
                value.map(|value| (name.clone(), value))
            })
            .collect();
        Some(CompiledAction::Command(Arc::new(CommandTemplate {
            program: program.clone(),
            arguments: arguments?,
            env: env?,
        })))
    }

    fn wait(&mut self, pointer: &str, wait: &WaitAction, ended: &[bool]) -> Option<CompiledAction> {
        let template = match (&wait.for_, &wait.until) {
            (Some(text), None) => WaitTemplate::For(self.span(&format!("{pointer}/for"), text, ended)?),
            (None, Some(text)) => {
                let template = self.template(&format!("{pointer}/until"), text, Some(ended), &[])?;
                if let Template::Plain(text) = &template
                    && let Err(e) = text.parse::<crate::time::Timestamp>()
                {
                    let hint = "write it in UTC, with `Z` at its end".to_owned();
                    self.problems.error(format!("{pointer}/until"), e.to_string(), Some(hint));
                }
                WaitTemplate::Until(template)
            }
            (Some(_), Some(_)) | (None, None) => {
                let hint = "such as `wait: { for: 5m }`".to_owned();
                self.problems.error(pointer.to_owned(), "write exactly one of `for` and `until`", Some(hint));
                return None;
            }
        };
        Some(CompiledAction::Wait(Arc::new(template)))
    }
}
