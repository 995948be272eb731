//! JSON values whose texts may hold expressions.

use serde_json::Value;

use super::{Expr, ExprError, Reading, Scope, Template};

/// JSON value whose texts may hold expressions.
#[derive(Debug)]
pub enum JsonTemplate {
    /// A value without an expression.
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
        JsonTemplate::read(value, Reading::New)
    }

    /// Parses every text as strictly as its definition is read.
    pub(crate) fn read(value: &Value, reading: Reading) -> Result<Self, ExprError> {
        Ok(match value {
            Value::String(text) => match Template::read(text, reading)? {
                Template::Plain(_) => JsonTemplate::Plain(value.clone()),
                template => JsonTemplate::Text(template),
            },
            Value::Array(items) => {
                let items = items
                    .iter()
                    .map(|item| JsonTemplate::read(item, reading))
                    .collect::<Result<Vec<_>, _>>()?;
                JsonTemplate::list(items, value)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| Ok((name.clone(), JsonTemplate::read(value, reading)?)))
                    .collect::<Result<Vec<_>, ExprError>>()?;
                JsonTemplate::members(members, value)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => JsonTemplate::Plain(value.clone()),
        })
    }

    /// Returns the template of a list whose items are compiled.
    pub(crate) fn list(items: Vec<JsonTemplate>, value: &Value) -> Self {
        let plain = items.iter().all(JsonTemplate::is_plain);
        if plain { JsonTemplate::Plain(value.clone()) } else { JsonTemplate::List(items) }
    }

    /// Returns the template of an object whose members are compiled.
    pub(crate) fn members(members: Vec<(String, JsonTemplate)>, value: &Value) -> Self {
        let plain = members.iter().all(|(_, value)| value.is_plain());
        if plain { JsonTemplate::Plain(value.clone()) } else { JsonTemplate::Members(members) }
    }

    fn is_plain(&self) -> bool {
        matches!(self, JsonTemplate::Plain(_))
    }

    /// Returns the expressions of the template.
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
