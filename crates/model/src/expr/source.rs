//! Reads an expression as written, before it is compiled. Three things the template library does not do: it
//! does not bound the nesting of an expression (its parser and compiler recurse), it does not report at once
//! that a filter or test does not exist, and its operators do not ask for the weight of a value. So tokens
//! are counted before anything recurses, names are compared with those that exist, and the expression is
//! rewritten with each operator as a filter of ours and each value weighed before a filter or test gets it.

use std::fmt::Write;

use minijinja::machinery::ast::{BinOpKind, CallArg, CompareOpKind, Expr, UnaryOpKind};
use minijinja::machinery::{Token, parse_expr, tokenize};

use super::functions::{FILTERS, TESTS, WEIGHED};
use super::paths::{self, NamePath};
use crate::workflow::did_you_mean;

/// Deepest allowed nesting of an expression: brackets, and operators, filters and members behind one another.
pub const DEEPEST_EXPRESSION: usize = 120;

/// Mistake in an expression as it is written, with its correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    fn new(reason: impl Into<String>, hint: Option<String>) -> Self {
        Wrong { reason: reason.into(), hint }
    }
}

/// An expression that was read.
pub(super) struct Source {
    /// Values that the expression reads.
    pub(super) paths: Vec<NamePath>,
    /// Source as it is compiled, or everything that is wrong with it.
    pub(super) written: Result<String, Vec<Wrong>>,
}

/// Reads an expression. One that cannot be parsed reads nothing.
pub(super) fn read(source: &str) -> Source {
    let unreadable = |wrong| Source { paths: Vec::new(), written: Err(vec![wrong]) };
    if let Err(wrong) = bounded(source) {
        return unreadable(wrong);
    }
    let parsed = match parse_expr(source) {
        Ok(parsed) => parsed,
        Err(e) => {
            let reason = e.detail().map_or_else(|| e.to_string(), str::to_owned);
            return unreadable(Wrong::new(reason, None));
        }
    };
    let mut writer = Writer { source, out: String::with_capacity(2 * source.len()), wrong: Vec::new() };
    writer.any(&parsed);
    let written = if writer.wrong.is_empty() { Ok(writer.out) } else { Err(writer.wrong) };
    Source { paths: paths::read(&parsed), written }
}

/// Bounds the depth that the parser could reach. It recurses for brackets and for most operators; its result
/// for a chain (`a + b + c`, `a|f|g`, `a.b.c`) is as deep as the chain is long. A comma begins a new chain.
fn bounded(source: &str) -> Result<(), Wrong> {
    // Depth of the chain at each open bracket.
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0;
    for token in tokenize(source, true, Default::default()) {
        // Nothing after it is parsed; the parser says what is wrong.
        let Ok((token, _)) = token else { return Ok(()) };
        match token {
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                depth += 1;
                open.push(depth);
            }
            // Tokens after a bracket continue the chain in which it was opened.
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                depth = open.pop().unwrap_or(depth);
            }
            Token::Comma => depth = open.last().copied().unwrap_or_default(),
            Token::Ident("if" | "else" | "and" | "or" | "not" | "is" | "in") => depth += 1,
            Token::Ident(_) | Token::Str(_) | Token::String(_) => {}
            Token::Int(_) | Token::Int128(_) | Token::Float(_) | Token::Colon | Token::Assign => {}
            _ => depth += 1,
        }
        if depth > DEEPEST_EXPRESSION {
            let hint = "split it: let one sub-task give what the next one goes on with";
            return Err(Wrong::new(
                format!("it is nested deeper than {DEEPEST_EXPRESSION} levels"),
                Some(hint.to_owned()),
            ));
        }
    }
    Ok(())
}

/// Rewrites an expression.
struct Writer<'s> {
    source: &'s str,
    out: String,
    wrong: Vec<Wrong>,
}

impl<'s> Writer<'s> {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writes an expression where nothing can come between it and what is around it.
    fn any(&mut self, expr: &Expr<'s>) {
        match expr {
            Expr::IfExpr(e) => {
                self.operand(&e.true_expr);
                self.text(" if ");
                self.operand(&e.test_expr);
                let Some(otherwise) = &e.false_expr else { return };
                self.text(" else ");
                self.any(otherwise);
            }
            Expr::BinOp(e) if matches!(e.op, BinOpKind::ScAnd | BinOpKind::ScOr) => {
                self.side(&e.left, e.op);
                self.text(if matches!(e.op, BinOpKind::ScAnd) { " and " } else { " or " });
                self.operand(&e.right)
            }
            Expr::UnaryOp(e) if matches!(e.op, UnaryOpKind::Not) => {
                self.text("not ");
                self.operand(&e.expr)
            }
            // A filter behind it would get the negated value.
            Expr::UnaryOp(e) => {
                self.text("-(");
                self.any(&e.expr);
                self.text(")");
            }
            // A chain ends at the first that does not hold, which no filter could do.
            Expr::Compare(e) => {
                self.weighed(&e.expr);
                for op in &e.ops {
                    let _ = write!(self.out, " {} ", comparison(op.op));
                    self.weighed(&op.expr);
                }
            }
            other => self.postfix(other),
        }
    }

    /// Writes the left side of `and` and `or`: a chain of the same needs no brackets.
    fn side(&mut self, expr: &Expr<'s>, op: BinOpKind) {
        match expr {
            Expr::BinOp(e) if std::mem::discriminant(&e.op) == std::mem::discriminant(&op) => self.any(expr),
            _ => self.operand(expr),
        }
    }

    /// Writes an operand, in brackets if anything could come between.
    fn operand(&mut self, expr: &Expr<'s>) {
        let loose = match expr {
            Expr::IfExpr(_) | Expr::UnaryOp(_) | Expr::Compare(_) => true,
            Expr::BinOp(e) => matches!(e.op, BinOpKind::ScAnd | BinOpKind::ScOr),
            _ => false,
        };
        if !loose {
            return self.postfix(expr);
        }
        self.text("(");
        self.any(expr);
        self.text(")");
    }

    /// Writes an expression as a value that filters can follow.
    fn postfix(&mut self, expr: &Expr<'s>) {
        match expr {
            Expr::Var(e) => self.text(e.id),
            Expr::Const(e) => {
                let span = e.span();
                let written = self.source.get(span.start_offset as usize..span.end_offset as usize);
                self.text(written.unwrap_or("none"));
            }
            Expr::BinOp(e) => {
                self.operand(&e.left);
                let _ = write!(self.out, "|{}(", operator(e.op));
                self.any(&e.right);
                self.text(")");
            }
            Expr::Filter(e) => {
                self.wrong.extend(unknown("filter", e.name, FILTERS));
                let Some(value) = &e.expr else {
                    return self.wrong.push(Wrong::new("a filter needs a value", None));
                };
                if matches!(e.name, "map" | "select" | "reject" | "selectattr" | "rejectattr") {
                    self.wrong.extend(named_inside(e.name, &e.args));
                }
                self.weighed(value);
                self.text("|");
                self.text(e.name);
                self.arguments(&e.args);
            }
            Expr::Test(e) => {
                self.wrong.extend(unknown("test", e.name, TESTS));
                self.weighed(&e.expr);
                self.text(" is ");
                self.text(e.name);
                self.arguments(&e.args);
            }
            Expr::GetAttr(e) => {
                self.container(&e.expr);
                self.text(".");
                self.text(e.name);
            }
            Expr::GetItem(e) => {
                self.container(&e.expr);
                self.text("[");
                self.weighed(&e.subscript_expr);
                self.text("]");
            }
            Expr::Slice(e) => {
                self.container(&e.expr);
                self.text("[");
                for (n, part) in [&e.start, &e.stop, &e.step].into_iter().enumerate() {
                    self.text(if n > 0 { ":" } else { "" });
                    part.iter().for_each(|part| self.weighed(part));
                }
                self.text("]");
            }
            Expr::List(e) => self.listed("[", &e.items, "]"),
            Expr::Tuple(e) if e.items.len() == 1 => self.listed("(", &e.items, ",)"),
            Expr::Tuple(e) => self.listed("(", &e.items, ")"),
            Expr::Map(e) => {
                self.text("{");
                for (key, value) in e.keys.iter().zip(&e.values) {
                    self.weighed(key);
                    self.text(": ");
                    self.any(value);
                    self.text(", ");
                }
                self.text("}");
            }
            Expr::Call(e) => {
                self.wrong.push(no_call(&e.expr));
                self.arguments(&e.args);
            }
            Expr::IfExpr(_) | Expr::UnaryOp(_) | Expr::Compare(_) => self.operand(expr),
        }
    }

    fn listed(&mut self, open: &str, items: &[Expr<'s>], close: &str) {
        self.text(open);
        for (n, item) in items.iter().enumerate() {
            self.text(if n > 0 { ", " } else { "" });
            self.any(item);
        }
        self.text(close);
    }

    /// Writes a value that is weighed before the next filter gets it.
    fn weighed(&mut self, expr: &Expr<'s>) {
        self.operand(expr);
        if !matches!(expr, Expr::Const(_)) {
            self.text("|");
            self.text(WEIGHED);
        }
    }

    /// Writes the container that a member or item is taken of. A path of names is left as it is: it is not
    /// walked.
    fn container(&mut self, expr: &Expr<'s>) {
        if is_path(expr) {
            return self.postfix(expr);
        }
        self.text("(");
        self.weighed(expr);
        self.text(")");
    }

    fn arguments(&mut self, arguments: &[CallArg<'s>]) {
        self.text("(");
        for (n, argument) in arguments.iter().enumerate() {
            self.text(if n > 0 { ", " } else { "" });
            match argument {
                CallArg::Pos(value) => self.weighed(value),
                CallArg::Kwarg(name, value) => {
                    self.text(name);
                    self.text("=");
                    self.weighed(value);
                }
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    let hint = "write the arguments one by one".to_owned();
                    self.wrong.push(Wrong::new("arguments cannot be unpacked with `*` or `**`", Some(hint)));
                }
            }
        }
        self.text(")");
    }
}

fn is_path(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Var(_) => true,
        Expr::GetAttr(e) => is_path(&e.expr),
        Expr::GetItem(e) => is_path(&e.expr),
        _ => false,
    }
}

/// Returns the filter or test that a filter applies to each item, where its name is written.
fn named_inside(filter: &str, arguments: &[CallArg<'_>]) -> Option<Wrong> {
    let at = usize::from(filter.ends_with("attr"));
    let mut positional = arguments.iter().filter_map(|argument| match argument {
        CallArg::Pos(value) => Some(value),
        _ => None,
    });
    let Some(Expr::Const(name)) = positional.nth(at) else { return None };
    let name = name.value.as_str()?;
    if filter == "map" { unknown("filter", name, FILTERS) } else { unknown("test", name, TESTS) }
}

/// Returns the problem with the name of a filter or test, if there is none of that name.
fn unknown(what: &str, name: &str, names: &[&str]) -> Option<Wrong> {
    if names.contains(&name) {
        return None;
    }
    let shown: String = name.chars().take(40).collect();
    let page = format!("docs/workflows.md lists every {what}");
    let hint = did_you_mean(name, names.iter().copied()).unwrap_or(page);
    Some(Wrong::new(format!("there is no {what} `{shown}`"), Some(hint)))
}

fn no_call(callee: &Expr<'_>) -> Wrong {
    let name = match callee {
        Expr::Var(e) => e.id,
        Expr::GetAttr(e) => e.name,
        _ => return Wrong::new("expressions call nothing", Some("use filters: `value|filter`".into())),
    };
    let hint = if FILTERS.contains(&name) {
        format!("use the filter: `value|{name}`")
    } else {
        "there are filters only: `value|filter`; docs/workflows.md lists them".to_owned()
    };
    let shown: String = name.chars().take(40).collect();
    Wrong::new(format!("there is no function `{shown}`"), Some(hint))
}

/// Returns the filter that stands for an operator.
fn operator(op: BinOpKind) -> &'static str {
    match op {
        BinOpKind::Eq => "op_eq",
        BinOpKind::Ne => "op_ne",
        BinOpKind::Lt => "op_lt",
        BinOpKind::Lte => "op_le",
        BinOpKind::Gt => "op_gt",
        BinOpKind::Gte => "op_ge",
        BinOpKind::Add => "op_add",
        BinOpKind::Sub => "op_sub",
        BinOpKind::Mul => "op_mul",
        BinOpKind::Div => "op_div",
        BinOpKind::FloorDiv => "op_floordiv",
        BinOpKind::Rem => "op_rem",
        BinOpKind::Pow => "op_pow",
        BinOpKind::Concat => "op_concat",
        BinOpKind::In => "op_in",
        BinOpKind::ScAnd => "op_and",
        BinOpKind::ScOr => "op_or",
    }
}

/// A comparison within a chain of them.
fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}
