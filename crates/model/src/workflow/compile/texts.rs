//! Expressions where they stand: parsed, and looked at for names that are not there, or not yet, or secret.

use serde_json::Value;

use super::Compiler;
use crate::expr::{Expr, ExprError, JsonTemplate, Reading, Template};
use crate::time::Span;
use crate::workflow::check::Names;

impl<'a> Compiler<'a> {
    fn names(&self, ended: Option<&[bool]>, roots: &'static [&'static str]) -> Names<'a> {
        let subs = self.definition.sub_tasks.iter().enumerate();
        let sub_tasks = subs.map(|(i, sub)| (sub.name.as_str(), ended.is_some_and(|e| e[i]))).collect();
        Names { input: self.input.clone(), sub_tasks, roots }
    }

    fn keep<T>(&mut self, pointer: &str, parsed: Result<T, ExprError>) -> Option<T> {
        let usual = || "write it as `{{ input.name }}` or `{{ subTasks.Name.output.member }}`".to_owned();
        let hint = |e: &ExprError| Some(e.hint.clone().unwrap_or_else(usual));
        parsed.map_err(|e| self.problems.error(pointer.to_owned(), e.to_string(), hint(&e))).ok()
    }

    /// Reports what is wrong with the place of an expression; in a definition that was accepted once, that
    /// shows where it is evaluated.
    pub(super) fn problem(&mut self, pointer: &str, message: String, hint: &str) {
        if self.reading == Reading::New {
            self.problems.error(pointer.to_owned(), message, Some(hint.to_owned()));
        }
    }

    fn look<'e>(
        &mut self,
        pointer: &str,
        expressions: impl IntoIterator<Item = &'e Expr>,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) {
        let names = self.names(ended, if roots.is_empty() { self.more } else { roots });
        for expr in expressions {
            let of_item = |name: &String| matches!(name.split('.').next(), Some("item" | "index"));
            self.knows_item |= expr.names().iter().any(of_item);
            names.check(expr, pointer, &mut self.problems);
        }
    }

    pub(super) fn expr(
        &mut self,
        pointer: &str,
        text: &str,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) -> Option<Expr> {
        let expr = self.keep(pointer, Expr::read(text, self.reading))?;
        self.look(pointer, [&expr], ended, roots);
        Some(expr)
    }

    pub(super) fn template(
        &mut self,
        pointer: &str,
        text: &str,
        ended: Option<&[bool]>,
        roots: &'static [&'static str],
    ) -> Option<Template> {
        let template = self.keep(pointer, Template::read(text, self.reading))?;
        self.look(pointer, template.expressions(), ended, roots);
        if ended.is_none() && !self.may_show_secrets {
            self.no_secret(pointer, &template);
        }
        Some(template)
    }

    /// What is shown to everybody names no secret.
    fn no_secret(&mut self, pointer: &str, template: &Template) {
        let names = template.expressions().into_iter().flat_map(Expr::names);
        if let Some(name) = names.into_iter().find(|name| self.secrets.are_read_by(name)) {
            self.problems.error(
                pointer.to_owned(),
                format!("`{name}` is a secret (`writeOnly`), and this text is shown to everybody"),
                Some("use secrets in actions only".into()),
            );
        }
    }

    pub(super) fn json(&mut self, pointer: &str, value: &Value, ended: &[bool]) -> Option<JsonTemplate> {
        let template = self.keep(pointer, JsonTemplate::read(value, self.reading))?;
        self.look(pointer, template.expressions(), Some(ended), &[]);
        Some(template)
    }

    /// A template that gives a duration; a plain one is checked at once.
    pub(super) fn span(&mut self, pointer: &str, text: &str, ended: &[bool]) -> Option<Template> {
        let template = self.template(pointer, text, Some(ended), &[])?;
        if let Template::Plain(text) = &template
            && let Err(e) = text.parse::<Span>()
        {
            self.problems.error(pointer.to_owned(), e.to_string(), Some("such as 30s or 5m".into()));
        }
        Some(template)
    }
}
