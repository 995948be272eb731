//! Compilation of actions: rules that only one of them has.

use std::sync::Arc;

use super::{
    CommandTemplate, CompiledAction, Compiler, FailTemplate, HttpTemplate, SimulateTemplate, WaitTemplate,
    WorkerTemplate, all_of, flip,
};
use crate::expr::{Template, UrlTemplate};
use crate::time::BadTimestamp;
use crate::workflow::names::Place;
use crate::workflow::{
    Action, CommandAction, FailAttempts, HttpAction, SimulateAction, StatusRange, WaitAction, WorkerAction,
    graph,
};

impl Compiler<'_> {
    pub(super) fn action(
        &mut self,
        pointer: &str,
        action: &Action,
        place: Place<'_>,
    ) -> Option<CompiledAction> {
        match action {
            Action::Http(http) => self.http(&format!("{pointer}/http"), http, place),
            Action::Command(command) => self.command(&format!("{pointer}/command"), command, place),
            Action::Wait(wait) => self.wait(&format!("{pointer}/wait"), wait, place),
            Action::Simulate(simulate) => self.simulate(&format!("{pointer}/simulate"), simulate, place),
            Action::Worker(worker) => self.worker(&format!("{pointer}/worker"), worker, place),
            // Refused by check::structure before anything is compiled.
            Action::Approval(_) | Action::Task(_) => None,
        }
    }

    fn simulate(
        &mut self,
        pointer: &str,
        simulate: &SimulateAction,
        place: Place<'_>,
    ) -> Option<CompiledAction> {
        let duration = self.span(&format!("{pointer}/duration"), &simulate.duration, place);
        let output =
            flip(simulate.output.as_ref().map(|value| self.json(&format!("{pointer}/output"), value, place)));
        let fail_attempts = match &simulate.fail_attempts {
            FailAttempts::These(list) => Some(FailTemplate::These(list.clone())),
            FailAttempts::Expression(text) => {
                self.fail_attempts(&format!("{pointer}/failAttempts"), text, place)
            }
        };
        Some(CompiledAction::Simulate(Arc::new(SimulateTemplate {
            duration: duration?,
            fail_attempts: fail_attempts?,
            error: simulate.error.clone(),
            output: output?,
        })))
    }

    fn fail_attempts(&mut self, pointer: &str, text: &str, place: Place<'_>) -> Option<FailTemplate> {
        let template = self.template(pointer, text, place, &[])?;
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

    fn http(&mut self, pointer: &str, http: &HttpAction, place: Place<'_>) -> Option<CompiledAction> {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        if !METHODS.contains(&http.method.as_str()) {
            let hint = graph::one_of(&http.method, METHODS);
            self.problems.error(format!("{pointer}/method"), format!("`{}` is no method", http.method), hint);
        }
        let url = self.template(&format!("{pointer}/url"), &http.url, place, &[]);
        if let Some(Template::Plain(text)) = &url
            && !(text.starts_with("http://") || text.starts_with("https://"))
        {
            self.problems.error(
                format!("{pointer}/url"),
                format!("`{text}` is no absolute address"),
                Some("begin it with https:// or http://".into()),
            );
        }
        let url = url.map(UrlTemplate::new);
        if let Some(reason) = url.as_ref().and_then(UrlTemplate::misplaced) {
            let hint = "write it as https://host/{{ input.part }}, \"{{ input.base }}/part\", or \"{{ input.url }}\"";
            self.problem(&format!("{pointer}/url"), reason, hint);
        }
        let headers = all_of(http.headers.iter().map(|(name, text)| {
            let value = self.template(&format!("{pointer}/headers/{}", escaped(name)), text, place, &[]);
            value.map(|value| (name.clone(), value))
        }));
        let body = flip(http.body.as_ref().map(|value| self.json(&format!("{pointer}/body"), value, place)));
        let roots: &'static [&'static str] = match self.more {
            [] => &["status", "headers", "body"],
            _ => &["status", "headers", "body", "item", "index"],
        };
        let output = flip(
            http.output.as_deref().map(|text| self.expr(&format!("{pointer}/output"), text, place, roots)),
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

    fn command(
        &mut self,
        pointer: &str,
        command: &CommandAction,
        place: Place<'_>,
    ) -> Option<CompiledAction> {
        let named = command.run.split_first();
        let (program, arguments) = named.map_or(("", &[][..]), |(program, more)| (program.as_str(), more));
        if named.is_none() {
            let hint = Some("run: [/usr/bin/uptime]".into());
            self.problems.error(format!("{pointer}/run"), "name a program", hint);
        } else if !program.starts_with('/') || program.contains("{{") {
            self.problems.error(
                format!("{pointer}/run/0"),
                "the program must be an absolute path, without expressions",
                Some("such as /usr/bin/uptime".into()),
            );
        }
        let arguments = all_of((1..).zip(arguments).map(|(n, text)| {
            let n: usize = n;
            self.template(&format!("{pointer}/run/{n}"), text, place, &[])
        }));
        let env = all_of(command.env.iter().map(|(name, text)| {
            let value = self.template(&format!("{pointer}/env/{}", escaped(name)), text, place, &[]);
            value.map(|value| (name.clone(), value))
        }));
        Some(CompiledAction::Command(Arc::new(CommandTemplate {
            program: program.to_owned(),
            arguments: arguments?,
            env: env?,
        })))
    }

    fn worker(&mut self, pointer: &str, worker: &WorkerAction, place: Place<'_>) -> Option<CompiledAction> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if worker.queue.is_empty() || worker.queue.len() > 100 || !worker.queue.chars().all(known) {
            self.problems.error(
                format!("{pointer}/queue"),
                format!("`{}` is no name of a queue", worker.queue),
                Some("use up to 100 letters, digits, `.`, `_` and `-`".into()),
            );
        }
        if !(-100..=100).contains(&worker.priority) {
            let hint = "0 is usual; a higher one goes first".to_owned();
            self.problems.error(format!("{pointer}/priority"), "a priority is -100 to 100", Some(hint));
        }
        let input =
            flip(worker.input.as_ref().map(|value| self.json(&format!("{pointer}/input"), value, place)));
        Some(CompiledAction::Worker(Arc::new(WorkerTemplate {
            queue: worker.queue.as_str().into(),
            priority: worker.priority,
            input: input?,
        })))
    }

    fn wait(&mut self, pointer: &str, wait: &WaitAction, place: Place<'_>) -> Option<CompiledAction> {
        if wait.for_.is_some() == wait.until.is_some() {
            let hint = "such as `wait: { for: 5m }`".to_owned();
            self.problems.error(pointer.to_owned(), "write exactly one of `for` and `until`", Some(hint));
        }
        let span = wait.for_.as_deref().map(|text| self.span(&format!("{pointer}/for"), text, place));
        let until = wait.until.as_deref().map(|text| self.instant(&format!("{pointer}/until"), text, place));
        let template = match (span, until) {
            (Some(span), None) => WaitTemplate::For(span?),
            (None, Some(until)) => WaitTemplate::Until(until?),
            (Some(_), Some(_)) | (None, None) => return None,
        };
        Some(CompiledAction::Wait(Arc::new(template)))
    }

    /// Compiles a template that returns an instant; a plain one is checked at once.
    fn instant(&mut self, pointer: &str, text: &str, place: Place<'_>) -> Option<Template> {
        let template = self.template(pointer, text, place, &[])?;
        if let Template::Plain(text) = &template
            && let Err(e) = text.parse::<crate::time::Timestamp>()
        {
            let hint = match e {
                BadTimestamp::Form => "write it in UTC, with `Z` at its end".to_owned(),
                BadTimestamp::Day => "write a day that its month has".to_owned(),
            };
            self.problems.error(pointer.to_owned(), e.to_string(), Some(hint));
        }
        Some(template)
    }
}

/// Escapes a member's name for a JSON pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
