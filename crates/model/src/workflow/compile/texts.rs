//! Expressions at their places: parsed, and checked for names that do not exist, or not yet, or are secret.

use std::collections::BTreeSet;

use serde_json::Value;

use super::actions::escaped;
use super::{Compiler, all_of};
use crate::expr::{Expr, ExprError, JsonTemplate, Reading, Template};
use crate::time::Span;
use crate::workflow::names::{Names, Place};

impl<'a> Compiler<'a> {
    fn names<'p>(&self, place: Place<'p>, roots: &'static [&'static str]) -> Names<'a, 'p> {
        let sub_tasks = self.definition.sub_tasks.iter().map(|sub| sub.name.as_str()).collect();
        Names {
            input: self.input.clone(),
            has_input: self.definition.input.is_some(),
            sub_tasks,
            place,
            roots,
        }
    }

    fn keep<T>(&mut self, pointer: &str, parsed: Result<T, ExprError>) -> Option<T> {
        parsed.map_err(|e| self.unreadable(pointer, &e)).ok()
    }

    /// Reports everything that is wrong with an expression.
    fn unreadable(&mut self, pointer: &str, e: &ExprError) {
        for one in e.each() {
            let usual = || "write it as `{{ input.name }}` or `{{ subTasks.Name.output.member }}`".to_owned();
            let hint = one.hint.clone().unwrap_or_else(usual);
            self.problems.error(pointer.to_owned(), one.to_string(), Some(hint));
        }
    }

    /// Reports statements and comments of template languages: they would be taken for text.
    fn no_statement(&mut self, pointer: &str, text: &str) {
        let inside =
            |open: &str, close: &str| text.split_once(open).is_some_and(|(_, rest)| rest.contains(close));
        let statement = "write `{{ a if b else c }}`, or `when` and `forEach`; as text it is `{{ '{%' }}`";
        let comment = "write a comment of YAML; as text it is `{{ '{#' }}`";
        for (open, close, what, hint) in
            [("{%", "%}", "`{% … %}`", statement), ("{#", "#}", "`{# … #}`", comment)]
        {
            if inside(open, close) {
                self.problem(pointer, format!("{what} means nothing here: there are expressions only"), hint);
            }
        }
    }

    /// Reports a mistake in the place of an expression; in a definition that was accepted once, that shows
    /// where it is evaluated.
    pub(super) fn problem(&mut self, pointer: &str, message: String, hint: &str) {
        if self.reading == Reading::New {
            self.problems.error(pointer.to_owned(), message, Some(hint.to_owned()));
        }
    }

    fn look<'e>(
        &mut self,
        pointer: &str,
        expressions: impl IntoIterator<Item = &'e Expr>,
        place: Place<'_>,
        roots: &'static [&'static str],
    ) {
        let names = self.names(place, if roots.is_empty() { self.more } else { roots });
        for expr in expressions {
            self.knows_item |= expr.paths().iter().any(|path| matches!(path.root(), "item" | "index"));
            // An expression of a definition that was accepted once fails where it is evaluated.
            if self.reading == Reading::Stored {
                continue;
            }
            if let Some(e) = expr.fault() {
                self.unreadable(pointer, e);
            }
            names.check(expr, pointer, &mut self.problems);
        }
    }

    pub(super) fn expr(
        &mut self,
        pointer: &str,
        text: &str,
        place: Place<'_>,
        roots: &'static [&'static str],
    ) -> Option<Expr> {
        let expr = self.keep(pointer, Expr::read(text, Reading::Stored))?;
        self.no_statement(pointer, text);
        self.look(pointer, [&expr], place, roots);
        Some(expr)
    }

    pub(super) fn template(
        &mut self,
        pointer: &str,
        text: &str,
        place: Place<'_>,
        roots: &'static [&'static str],
    ) -> Option<Template> {
        let template = self.keep(pointer, Template::read(text, Reading::Stored))?;
        self.no_statement(pointer, text);
        self.look(pointer, template.expressions(), place, roots);
        if place.is_shown() && !self.may_show_secrets {
            self.no_secret(pointer, &template);
        }
        Some(template)
    }

    /// Checks that a text shown to everybody names no secret.
    fn no_secret(&mut self, pointer: &str, template: &Template) {
        let paths = template.expressions().into_iter().flat_map(Expr::paths);
        let secret = paths.filter(|path| self.secrets.are_read_by(path.names()));
        let names: BTreeSet<String> = secret.map(|path| format!("{path}")).collect();
        for name in names {
            self.problems.error(
                pointer.to_owned(),
                format!("`{name}` is a secret (`writeOnly`), and this text is shown to everybody"),
                Some("use secrets in actions only".into()),
            );
        }
    }

    /// Compiles every text of a value, each at its own place.
    pub(super) fn json(&mut self, pointer: &str, value: &Value, place: Place<'_>) -> Option<JsonTemplate> {
        match value {
            Value::String(text) => match self.template(pointer, text, place, &[])? {
                Template::Plain(_) => Some(JsonTemplate::Plain(value.clone())),
                template => Some(JsonTemplate::Text(template)),
            },
            Value::Array(items) => {
                let each = items.iter().enumerate();
                let items = all_of(each.map(|(n, item)| self.json(&format!("{pointer}/{n}"), item, place)));
                items.map(|items| JsonTemplate::list(items, value))
            }
            Value::Object(members) => {
                let members = all_of(members.iter().map(|(name, inner)| {
                    let inner = self.json(&format!("{pointer}/{}", escaped(name)), inner, place);
                    inner.map(|inner| (name.clone(), inner))
                }));
                members.map(|members| JsonTemplate::members(members, value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(JsonTemplate::Plain(value.clone())),
        }
    }

    /// Compiles a template that returns a duration; a plain one is checked at once.
    pub(super) fn span(&mut self, pointer: &str, text: &str, place: Place<'_>) -> Option<Template> {
        let template = self.template(pointer, text, place, &[])?;
        if let Template::Plain(text) = &template
            && let Err(e) = text.parse::<Span>()
        {
            self.problems.error(pointer.to_owned(), e.to_string(), Some("such as 30s or 5m".into()));
        }
        Some(template)
    }
}
