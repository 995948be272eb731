//! Expressions: `{{ input.host }}` in texts, bare in `when` and `forEach`. No statements, no loops, no macros; a
//! template library evaluates them, bounded in steps and in the size of what they give.

use std::sync::LazyLock;

use minijinja::{Environment, Expression, UndefinedBehavior};
use serde_json::Value;
use thiserror::Error;

/// The longest text that may hold expressions, in bytes.
pub const LONGEST_TEMPLATE: usize = 8 * 1024;
/// The longest text that an expression may give, in bytes.
pub const LONGEST_RESULT: usize = 1024 * 1024;
/// The most steps that one expression may take.
const FUEL: u64 = 20_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine
});

/// Why an expression could not be read or evaluated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("in the expression `{expression}`: {reason}")]
pub struct ExprError {
    /// The expression, as written.
    pub expression: String,
    /// What is wrong with it.
    pub reason: String,
}

impl ExprError {
    fn new(expression: &str, reason: impl ToString) -> Self {
        ExprError { expression: expression.to_owned(), reason: reason.to_string() }
    }
}

/// The values that an expression sees, by root. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    roots: Vec<(&'static str, minijinja::Value)>,
    all: minijinja::Value,
}

impl Scope {
    /// From the roots by name, such as `input` and `subTasks`.
    pub fn new(roots: impl IntoIterator<Item = (&'static str, minijinja::Value)>) -> Self {
        let roots: Vec<_> = roots.into_iter().collect();
        let all = minijinja::Value::from_pairs(roots.iter().cloned());
        Scope { roots, all }
    }

    /// This scope with one more root, for the parts of an answer.
    pub fn with(&self, name: &'static str, value: minijinja::Value) -> Self {
        Scope::new(self.roots.iter().cloned().chain([(name, value)]))
    }

    /// This scope with another value for a root that it has.
    pub fn replaced(&self, name: &'static str, value: &Value) -> Self {
        let value = visible(value);
        Scope::new(
            self.roots
                .iter()
                .map(|(root, old)| (*root, if *root == name { value.clone() } else { old.clone() })),
        )
    }
}

/// One expression, parsed once.
pub struct Expr {
    source: String,
    compiled: Expression<'static, 'static>,
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expr({})", self.source)
    }
}

impl Expr {
    /// Parses; `{{ … }}` around the whole is allowed and taken off.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        let trimmed = text.trim();
        let inner =
            trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or(trimmed).trim();
        if text.len() > LONGEST_TEMPLATE {
            let start: String = inner.chars().take(40).collect();
            return Err(ExprError::new(
                &format!("{start}…"),
                format!("longer than {LONGEST_TEMPLATE} bytes"),
            ));
        }
        let compiled = ENGINE
            .compile_expression_owned(inner.to_owned())
            .map_err(|e| ExprError::new(inner, e.detail().map_or_else(|| e.to_string(), str::to_owned)))?;
        Ok(Expr { source: inner.to_owned(), compiled })
    }

    /// The dotted names it reads, such as `input.host` and `subTasks.Fetch.output`, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.compiled.undeclared_variables(true).into_iter().collect();
        names.sort();
        names
    }

    /// As written, without braces.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn run(&self, scope: &Scope) -> Result<minijinja::Value, ExprError> {
        let value = self.compiled.eval(&scope.all).map_err(|e| {
            let detail = e.detail().map_or_else(|| e.kind().to_string(), str::to_owned);
            ExprError::new(&self.source, detail)
        })?;
        if value.is_undefined() {
            return Err(ExprError::new(&self.source, "it names a value that does not exist"));
        }
        Ok(value)
    }

    /// Its value, with its type kept.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        let value = self.run(scope)?;
        let json = serde_json::to_value(&value).map_err(|e| ExprError::new(&self.source, e))?;
        if json.as_str().is_some_and(|text| text.len() > LONGEST_RESULT) {
            return Err(ExprError::new(&self.source, format!("it gives more than {LONGEST_RESULT} bytes")));
        }
        Ok(json)
    }

    /// Whether its value counts as true.
    pub fn holds(&self, scope: &Scope) -> Result<bool, ExprError> {
        Ok(self.run(scope)?.is_true())
    }

    fn append(&self, scope: &Scope, out: &mut String) -> Result<(), ExprError> {
        match self.value(scope)? {
            Value::String(text) => out.push_str(&text),
            other => out.push_str(&other.to_string()),
        }
        if out.len() > LONGEST_RESULT {
            return Err(ExprError::new(&self.source, format!("it gives more than {LONGEST_RESULT} bytes")));
        }
        Ok(())
    }
}

/// A text that may hold expressions.
#[derive(Debug)]
pub enum Template {
    /// None in it.
    Plain(String),
    /// One expression and nothing else: it keeps the value's type.
    Whole(Expr),
    /// Texts and expressions in turn.
    Mixed(Vec<Piece>),
}

/// A piece of a mixed text.
#[derive(Debug)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// To be evaluated.
    Expr(Expr),
}

impl Template {
    /// Parses a text.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        if !text.contains("{{") {
            return Ok(Template::Plain(text.to_owned()));
        }
        if text.len() > LONGEST_TEMPLATE {
            return Err(ExprError::new("{{", format!("the text is longer than {LONGEST_TEMPLATE} bytes")));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            if start > 0 {
                pieces.push(Piece::Text(rest[..start].to_owned()));
            }
            let body = &rest[start + 2..];
            let end =
                closing(body).ok_or_else(|| ExprError::new(body.trim(), "`}}` is missing at its end"))?;
            pieces.push(Piece::Expr(Expr::parse(&body[..end])?));
            rest = &body[end + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        match <[Piece; 1]>::try_from(pieces) {
            Ok([Piece::Expr(whole)]) => Ok(Template::Whole(whole)),
            Ok([piece]) => Ok(Template::Mixed(vec![piece])),
            Err(pieces) => Ok(Template::Mixed(pieces)),
        }
    }

    /// Its expressions.
    pub fn expressions(&self) -> Vec<&Expr> {
        match self {
            Template::Plain(_) => Vec::new(),
            Template::Whole(expr) => vec![expr],
            Template::Mixed(pieces) => pieces
                .iter()
                .filter_map(|piece| match piece {
                    Piece::Text(_) => None,
                    Piece::Expr(expr) => Some(expr),
                })
                .collect(),
        }
    }

    /// Its value: the type of a whole expression is kept, anything else is a text.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        match self {
            Template::Whole(expr) => expr.value(scope),
            Template::Plain(_) | Template::Mixed(_) => self.text(scope).map(Value::String),
        }
    }

    /// Its value as a text.
    pub fn text(&self, scope: &Scope) -> Result<String, ExprError> {
        let mut out = String::new();
        match self {
            Template::Plain(text) => out.push_str(text),
            Template::Whole(expr) => expr.append(scope, &mut out)?,
            Template::Mixed(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Expr(expr) => expr.append(scope, &mut out)?,
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Where the `}}` that ends an expression stands, texts in quotes and nested braces passed over.
fn closing(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    let mut quote: Option<u8> = None;
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'"' | b'\'')) => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}

/// A JSON value whose texts may hold expressions.
#[derive(Debug)]
pub enum JsonTemplate {
    /// No expression in it.
    Plain(Value),
    /// A text.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// Members, in the order written.
    Members(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// Parses every text in a value.
    pub fn parse(value: &Value) -> Result<Self, ExprError> {
        let has_expression = |parsed: &JsonTemplate| !matches!(parsed, JsonTemplate::Plain(_));
        Ok(match value {
            Value::String(text) => match Template::parse(text)? {
                Template::Plain(_) => JsonTemplate::Plain(value.clone()),
                template => JsonTemplate::Text(template),
            },
            Value::Array(items) => {
                let items = items.iter().map(JsonTemplate::parse).collect::<Result<Vec<_>, _>>()?;
                if items.iter().any(has_expression) {
                    JsonTemplate::List(items)
                } else {
                    JsonTemplate::Plain(value.clone())
                }
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), JsonTemplate::parse(value)?)))
                    .collect::<Result<Vec<_>, ExprError>>()?;
                if members.iter().any(|(_, value)| has_expression(value)) {
                    JsonTemplate::Members(members)
                } else {
                    JsonTemplate::Plain(value.clone())
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => JsonTemplate::Plain(value.clone()),
        })
    }

    /// Its expressions.
    pub fn expressions(&self) -> Vec<&Expr> {
        match self {
            JsonTemplate::Plain(_) => Vec::new(),
            JsonTemplate::Text(template) => template.expressions(),
            JsonTemplate::List(items) => items.iter().flat_map(JsonTemplate::expressions).collect(),
            JsonTemplate::Members(members) => {
                members.iter().flat_map(|(_, value)| value.expressions()).collect()
            }
        }
    }

    /// The value with every expression evaluated.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        Ok(match self {
            JsonTemplate::Plain(value) => value.clone(),
            JsonTemplate::Text(template) => template.value(scope)?,
            JsonTemplate::List(items) => {
                Value::Array(items.iter().map(|item| item.value(scope)).collect::<Result<_, _>>()?)
            }
            JsonTemplate::Members(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), value.value(scope)?)))
                    .collect::<Result<_, ExprError>>()?,
            ),
        })
    }
}

/// A JSON value as an expression sees it.
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
        assert_eq!(expr.names(), ["input.host", "subTasks.Fetch.output.n"]);
        assert_eq!(Expr::parse("{{ input.host == 'esx1' }}").unwrap().holds(&scope()), Ok(true));
        assert_eq!(Expr::parse("input.on").unwrap().holds(&scope()), Ok(false));
    }

    #[test]
    fn work_and_results_are_bounded() {
        let endless = Expr::parse("range(100000)|map('string')|join('')").unwrap();
        assert!(endless.value(&scope()).is_err());
        let huge = Expr::parse("'-' * 100000000").unwrap();
        assert!(huge.value(&scope()).is_err());
        assert!(Expr::parse(&"a".repeat(LONGEST_TEMPLATE + 1)).is_err());
    }
}
