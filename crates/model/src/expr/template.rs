//! Texts that may hold expressions.

use serde_json::Value;

use super::{Expr, ExprError, LONGEST_TEMPLATE, Reading, Scope};

/// A text that may hold expressions.
#[derive(Debug)]
pub enum Template {
    /// A text without an expression.
    Plain(String),
    /// A single expression and nothing else: it keeps the value's type.
    Whole(Expr),
    /// A sequence of texts and expressions.
    Mixed(Vec<Piece>),
}

/// A piece of a mixed text.
#[derive(Debug)]
pub enum Piece {
    /// A part that stays as it is.
    Text(String),
    /// An expression to be evaluated.
    Expr(Expr),
}

impl Template {
    /// Parses a text.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        Template::read(text, Reading::New)
    }

    /// Parses a text as strictly as its definition is read.
    pub(crate) fn read(text: &str, reading: Reading) -> Result<Self, ExprError> {
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
            pieces.push(Piece::Expr(Expr::read(&body[..end], reading)?));
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

    /// Returns the expressions of the template.
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

    /// Evaluates the template: a whole expression keeps its type, anything else is a text.
    pub fn value(&self, scope: &Scope) -> Result<Value, ExprError> {
        match self {
            Template::Whole(expr) => expr.value(scope),
            Template::Plain(_) | Template::Mixed(_) => self.text(scope).map(Value::String),
        }
    }

    /// Evaluates the template as a text of at most `most` bytes, for members that every list of tasks shows.
    pub fn short(&self, scope: &Scope, most: usize) -> Result<String, ExprError> {
        let text = self.text(scope)?;
        if text.len() <= most || matches!(self, Template::Plain(_)) {
            return Ok(text);
        }
        let source = self.expressions().first().map_or("", |expr| expr.source());
        let reason = format!("the text is {} bytes long, and {most} is the most here", text.len());
        Err(ExprError::new(source, reason).hint("Show a short name of it, such as a member".to_owned()))
    }

    /// Evaluates the template as a text.
    pub fn text(&self, scope: &Scope) -> Result<String, ExprError> {
        let mut out = String::new();
        match self {
            Template::Plain(text) => out.push_str(text),
            Template::Whole(expr) => expr.append(scope, &mut out)?,
            Template::Mixed(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => {
                            scope.charge(text.len())?;
                            out.push_str(text);
                        }
                        Piece::Expr(expr) => expr.append(scope, &mut out)?,
                    }
                }
            }
        }
        Ok(out)
    }
}

/// Position of the `}}` that ends an expression; texts in quotes and nested braces are passed over.
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
