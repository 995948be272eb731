//! Expressions: `{{ input.host }}` in texts, bare in `when` and `forEach`. They have no statements, no loops,
//! no calls; a template library evaluates them, with bounds on steps, on memory on the way, and on results.

mod budget;
mod functions;
mod json;
mod paths;
mod source;
mod template;
mod url;
mod weigh;

use std::panic::{AssertUnwindSafe, catch_unwind};

use minijinja::{ErrorKind, Expression};
use serde_json::Value;
use thiserror::Error;

pub use budget::{Budget, LARGEST_GAIN, MOST_STEPS};
use budget::{End, STEPS};
use functions::{BUDGET, ENGINE, WHOLE};
pub use functions::{FILTERS, TESTS};
pub use json::JsonTemplate;
pub use paths::NamePath;
pub use source::DEEPEST_EXPRESSION;
pub use template::{Piece, Template};
pub use url::UrlTemplate;
use weigh::{Unusable, to_json};

/// The longest text that may hold expressions, in bytes.
pub const LONGEST_TEMPLATE: usize = 8 * 1024;
/// Maximum length of a text that an expression may return, in bytes.
pub const LONGEST_RESULT: usize = 1024 * 1024;

/// Error of reading or evaluating an expression.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("in the expression `{expression}`: {reason}")]
pub struct ExprError {
    /// Expression as it is written; the beginning of a long one.
    pub expression: String,
    /// The problem with the expression.
    pub reason: String,
    /// Advice on how to correct it, where there is some.
    pub hint: Option<String>,
    /// Further problems with the same expression.
    pub others: Vec<ExprError>,
}

impl ExprError {
    fn new(expression: &str, reason: impl ToString) -> Self {
        const SHOWN: usize = 200;
        let mut shown: String = expression.chars().take(SHOWN).collect();
        if shown.len() < expression.len() {
            shown.push('…');
        }
        ExprError { expression: shown, reason: reason.to_string(), hint: None, others: Vec::new() }
    }

    fn hint(self, hint: impl Into<Option<String>>) -> Self {
        ExprError { hint: hint.into(), ..self }
    }

    /// Iterates over this problem and the further ones with the same expression.
    pub fn each(&self) -> impl Iterator<Item = &ExprError> {
        std::iter::once(self).chain(&self.others)
    }

    /// Returns advice for an expression that could not be evaluated.
    pub fn remedy(&self) -> String {
        self.hint.clone().unwrap_or_else(|| {
            "Compare the names in the expression with the task's input and the outputs of earlier sub-tasks"
                .to_owned()
        })
    }
}

/// Strictness with which a definition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A new definition: an expression that cannot be parsed is an error.
    New,
    /// A definition that was accepted once, maybe by a version that knew other names: an expression that
    /// cannot be parsed fails where it is evaluated.
    Stored,
}

/// Values that an expression sees, by root, and the budget it spends. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    roots: Vec<(&'static str, minijinja::Value)>,
    all: minijinja::Value,
    budget: Budget,
}

impl Scope {
    /// Creates a scope of roots by name, such as `input` and `subTasks`, with a budget of its own.
    pub fn new(roots: impl IntoIterator<Item = (&'static str, minijinja::Value)>) -> Self {
        Scope::within(roots.into_iter().collect(), Budget::default())
    }

    fn within(roots: Vec<(&'static str, minijinja::Value)>, budget: Budget) -> Self {
        let spent = (BUDGET, minijinja::Value::from_object(budget.clone()));
        let all = minijinja::Value::from_pairs(roots.iter().cloned().chain([spent]));
        Scope { roots, all, budget }
    }

    /// Returns a scope with one more root, for the parts of an answer.
    pub fn with(&self, name: &'static str, value: minijinja::Value) -> Self {
        let roots = self.roots.iter().cloned().chain([(name, value)]).collect();
        Scope::within(roots, self.budget.clone())
    }

    /// Returns a scope that spends another budget.
    pub fn spending(self, budget: Budget) -> Self {
        Scope::within(self.roots, budget)
    }

    /// Charges the budget for text that is written beside expressions.
    fn charge(&self, bytes: usize) -> Result<(), ExprError> {
        if self.budget.take(bytes) { Ok(()) } else { Err(ExprError::new("", Unusable::Spent)) }
    }

    /// Returns a scope with another value for a root that it has.
    pub fn replaced(&self, name: &'static str, value: &Value) -> Self {
        let value = visible(value);
        let roots = self
            .roots
            .iter()
            .map(|(root, old)| (*root, if *root == name { value.clone() } else { old.clone() }));
        Scope::within(roots.collect(), self.budget.clone())
    }
}

/// Expression, parsed once.
pub struct Expr {
    source: String,
    paths: Vec<NamePath>,
    /// Compiled expression, or the reason why there is none.
    compiled: Result<Expression<'static, 'static>, ExprError>,
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expr({})", self.source)
    }
}

impl Expr {
    /// Parses an expression; `{{ … }}` around the whole is allowed and removed.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        Expr::read(text, Reading::New)
    }

    /// Parses an expression as strictly as its definition is read.
    pub(crate) fn read(text: &str, reading: Reading) -> Result<Self, ExprError> {
        let trimmed = text.trim();
        let inner =
            trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(trimmed).trim();
        let (paths, compiled) = if text.len() > LONGEST_TEMPLATE {
            (Vec::new(), Err(ExprError::new(inner, format!("longer than {LONGEST_TEMPLATE} bytes"))))
        } else {
            compile(inner)
        };
        match (compiled, reading) {
            (Err(e), Reading::New) => Err(e),
            (compiled, _) => Ok(Expr { source: inner.to_owned(), paths, compiled }),
        }
    }

    /// Returns the values that the expression reads, such as `input.host` and `subTasks.Fetch.output`,
    /// sorted.
    pub fn paths(&self) -> &[NamePath] {
        &self.paths
    }

    /// Returns the reason for which the expression cannot be evaluated, whatever the values are.
    pub fn fault(&self) -> Option<&ExprError> {
        self.compiled.as_ref().err()
    }

    /// Returns the expression as it is written, without braces.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates the expression, and converts the value. Any failure is this expression's own error.
    fn run<T>(
        &self,
        scope: &Scope,
        made: impl FnOnce(minijinja::Value) -> Result<T, ExprError>,
    ) -> Result<T, ExprError> {
        let compiled = self.compiled.as_ref().map_err(ExprError::clone)?;
        if !scope.budget.has_steps() {
            let reason =
                format!("the expressions that are evaluated together take more than {MOST_STEPS} steps");
            return Err(self.too_much(reason));
        }
        let evaluated = catch_unwind(AssertUnwindSafe(|| match compiled.eval(&scope.all) {
            Ok(value) if value.is_undefined() => {
                (End::Well, Err(ExprError::new(&self.source, "it names a value that does not exist")))
            }
            Ok(value) => (End::Well, made(value)),
            Err(e) if e.kind() == ErrorKind::OutOfFuel => {
                (End::OutOfSteps, Err(self.too_much(format!("it takes more than {STEPS} steps"))))
            }
            Err(e) => {
                let reason = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
                (End::Failed, Err(ExprError::new(&self.source, reason)))
            }
        }));
        let (end, value) = evaluated.unwrap_or_else(|_| {
            let e =
                ExprError::new(&self.source, "its evaluation ended in a way that Longhaul did not foresee");
            let hint =
                "Write it in another way, and report this with the server's log of that moment".to_owned();
            (End::OutOfSteps, Err(e.hint(hint)))
        });
        scope.budget.end(end);
        value
    }

    fn too_much(&self, reason: String) -> ExprError {
        let hint = "Let it work on less: shorter lists and texts, or one part in each of several sub-tasks";
        ExprError::new(&self.source, reason).hint(hint.to_owned())
    }

    fn unusable(&self, why: &Unusable) -> ExprError {
        match why {
            Unusable::Heavy | Unusable::Spent | Unusable::Deep => self.too_much(why.to_string()),
            Unusable::Broken(_) | Unusable::NoJson(_) => ExprError::new(&self.source, why),
        }
    }

    fn too_long(&self) -> ExprError {
        self.too_much(format!("it gives more than {LONGEST_RESULT} bytes"))
    }

    /// Returns the value of the expression, with its type kept.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        self.run(scope, |value| {
            if value.as_str().is_some_and(|text| text.len() > LONGEST_RESULT) {
                return Err(self.too_long());
            }
            to_json(&value, &scope.budget).map_err(|why| self.unusable(&why))
        })
    }

    /// Returns true if the value of the expression counts as true.
    pub fn holds(&self, scope: &Scope) -> Result<bool, ExprError> {
        self.run(scope, |value| Ok(value.is_true()))
    }

    /// Returns the value as a text, and true if that is marked as encoded for its place.
    fn text(&self, scope: &Scope) -> Result<(String, bool), ExprError> {
        let mut safe = false;
        let value = self.run(scope, |value| {
            safe = value.is_safe();
            if value.as_str().is_some_and(|text| text.len() > LONGEST_RESULT) {
                return Err(self.too_long());
            }
            to_json(&value, &scope.budget).map_err(|why| self.unusable(&why))
        })?;
        match value {
            Value::String(text) => Ok((text, safe)),
            other if crate::value::size(&other) > LONGEST_RESULT => Err(self.too_long()),
            other => Ok((other.to_string(), safe)),
        }
    }

    fn append(&self, scope: &Scope, out: &mut String) -> Result<(), ExprError> {
        let (text, _) = self.text(scope)?;
        if out.len() + text.len() > LONGEST_RESULT {
            return Err(self.too_long());
        }
        out.push_str(&text);
        Ok(())
    }
}

/// Compiles an expression as the library is to evaluate it. The values that it reads are known even where it
/// is wrong.
fn compile(source: &str) -> (Vec<NamePath>, Result<Expression<'static, 'static>, ExprError>) {
    let source::Source { paths, written } = source::read(source);
    let compiled = written
        .map_err(|wrong| {
            let mut all = wrong.into_iter().map(|one| ExprError::new(source, one.reason).hint(one.hint));
            let first = all.next().unwrap_or_else(|| ExprError::new(source, "it cannot be read"));
            ExprError { others: all.collect(), ..first }
        })
        .and_then(|written| {
            ENGINE
                .compile_expression_owned(format!("({written})|{WHOLE}"))
                .map_err(|e| ExprError::new(source, e.detail().map_or_else(|| e.to_string(), str::to_owned)))
        });
    (paths, compiled)
}

/// Converts a JSON value into the form that an expression sees.
pub fn visible(value: &Value) -> minijinja::Value {
    minijinja::Value::from(minijinja::value::Serde(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope() -> Scope {
        let input = json!({"host": "esx1", "count": 3, "list": [1, 2], "on": false, "deep": {"a": null}});
        Scope::new([("input", visible(&input))])
    }

    #[test]
    fn a_whole_expression_keeps_its_type() {
        for (text, expected) in [
            ("{{ input.count }}", json!(3)),
            ("{{ input.list }}", json!([1, 2])),
            ("{{ input.on }}", json!(false)),
            ("{{ input.count + 1 }}", json!(4)),
            ("{{ -(input.count + 1) }}", json!(-4)),
            ("{{ -input.count|abs }}", json!(3)),
            ("{{ {'a': input.count} }}", json!({"a": 3})),
            ("host {{ input.host }}!", json!("host esx1!")),
            ("{{ input.host }}{{ input.count }}", json!("esx13")),
            ("{{ '}}' }}", json!("}}")),
            ("plain", json!("plain")),
        ] {
            assert_eq!(Template::parse(text).unwrap().value(&scope()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_exist_is_an_error() {
        for text in ["{{ input.nope }}", "{{ nope }}", "x {{ input.nope.deeper }}"] {
            assert!(Template::parse(text).unwrap().value(&scope()).is_err(), "{text}");
        }
        for text in ["{{ input.host", "{{ }}", "{{ input. }}", "{{ 1 + }}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_found_and_conditions_hold() {
        let expr = Expr::parse("input.host == 'esx1' and subTasks.Fetch.output.n > 1").unwrap();
        let paths: Vec<String> = expr.paths().iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["input.host", "subTasks.Fetch.output.n"]);
        assert_eq!(Expr::parse("{{ input.host == 'esx1' }}").unwrap().holds(&scope()), Ok(true));
        assert_eq!(Expr::parse("input.on").unwrap().holds(&scope()), Ok(false));
    }

    #[test]
    fn work_and_results_are_bounded() {
        let huge = Expr::parse("'-' * 100000000").unwrap();
        assert!(huge.value(&scope()).is_err());
        assert!(Expr::parse(&"a".repeat(LONGEST_TEMPLATE + 1)).is_err());
    }
}
