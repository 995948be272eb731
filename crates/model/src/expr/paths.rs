//! The values that an expression reads, as paths: `input.host`, `subTasks['Fetch it'].output.n`,
//! `input.list[0]`.

use std::fmt;

use minijinja::machinery::ast::{CallArg, Expr};

/// Names that lead to a value, from its root. A member is one however it is written: `a.b` and `a['b']`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamePath(Vec<String>);

impl NamePath {
    /// The path of these names.
    pub(crate) fn of(names: &[String]) -> Self {
        NamePath(names.to_vec())
    }

    /// Returns the names, the root first. An index of a list is its digits.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The root.
    pub fn root(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

impl fmt::Display for NamePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, name) in self.0.iter().enumerate() {
            let index = name.bytes().all(|byte| byte.is_ascii_digit());
            let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !index && !name.is_empty();
            match (n, plain) {
                (0, _) => f.write_str(name)?,
                (_, true) => write!(f, ".{name}")?,
                (_, false) if index && !name.is_empty() => write!(f, "[{name}]")?,
                (_, false) => write!(f, "['{name}']")?,
            }
        }
        Ok(())
    }
}

/// The paths that an expression reads, sorted, each once.
pub(super) fn read(expr: &Expr<'_>) -> Vec<NamePath> {
    let mut found = Vec::new();
    collect(expr, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect(expr: &Expr<'_>, found: &mut Vec<NamePath>) {
    match expr {
        Expr::Var(_) | Expr::GetAttr(_) | Expr::GetItem(_) => {
            let known = chain(expr, found);
            found.extend(known.map(|(path, _)| path));
        }
        Expr::Const(_) => {}
        Expr::IfExpr(e) => {
            collect(&e.test_expr, found);
            collect(&e.true_expr, found);
            e.false_expr.iter().for_each(|other| collect(other, found));
        }
        Expr::BinOp(e) => [&e.left, &e.right].into_iter().for_each(|side| collect(side, found)),
        Expr::UnaryOp(e) => collect(&e.expr, found),
        Expr::Compare(e) => {
            collect(&e.expr, found);
            e.ops.iter().for_each(|op| collect(&op.expr, found));
        }
        Expr::Filter(e) => {
            e.expr.iter().for_each(|value| collect(value, found));
            arguments(&e.args, found);
        }
        Expr::Test(e) => {
            collect(&e.expr, found);
            arguments(&e.args, found);
        }
        Expr::Slice(e) => {
            collect(&e.expr, found);
            [&e.start, &e.stop, &e.step].into_iter().flatten().for_each(|part| collect(part, found));
        }
        Expr::List(e) => e.items.iter().for_each(|item| collect(item, found)),
        Expr::Tuple(e) => e.items.iter().for_each(|item| collect(item, found)),
        Expr::Map(e) => e.keys.iter().chain(&e.values).for_each(|part| collect(part, found)),
        // The name of a called function is not that of a value.
        Expr::Call(e) => {
            match &e.expr {
                Expr::Var(_) => {}
                Expr::GetAttr(method) => collect(&method.expr, found),
                other => collect(other, found),
            }
            arguments(&e.args, found);
        }
    }
}

fn arguments(arguments: &[CallArg<'_>], found: &mut Vec<NamePath>) {
    for argument in arguments {
        match argument {
            CallArg::Pos(value) | CallArg::PosSplat(value) | CallArg::KwargSplat(value) => {
                collect(value, found)
            }
            CallArg::Kwarg(_, value) => collect(value, found),
        }
    }
}

/// Returns the path of a chain of members, and true if it reaches to the chain's end; `None` if it does not
/// begin with a name. Values that are read on the way, in brackets and before the first member, are
/// collected.
fn chain(expr: &Expr<'_>, found: &mut Vec<NamePath>) -> Option<(NamePath, bool)> {
    let (container, member) = match expr {
        Expr::Var(e) => return Some((NamePath(vec![e.id.to_owned()]), true)),
        Expr::GetAttr(e) => (&e.expr, Some(e.name.to_owned())),
        Expr::GetItem(e) => {
            let member = match &e.subscript_expr {
                Expr::Const(e) => e.value.as_str().map(str::to_owned).or_else(|| {
                    e.value.as_usize().filter(|_| e.value.is_integer()).map(|index| index.to_string())
                }),
                computed => {
                    collect(computed, found);
                    None
                }
            };
            (&e.expr, member)
        }
        other => {
            collect(other, found);
            return None;
        }
    };
    let (mut path, whole) = chain(container, found)?;
    if let (true, Some(member)) = (whole, &member) {
        path.0.push(member.clone());
    }
    Some((path, whole && member.is_some()))
}

#[cfg(test)]
mod tests {
    use minijinja::machinery::parse_expr;

    fn paths(text: &str) -> Vec<String> {
        super::read(&parse_expr(text).unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn members_are_found_however_they_are_written() {
        for (text, wanted) in [
            ("input.host", &["input.host"][..]),
            ("input['host']", &["input.host"]),
            ("subTasks[\"Fetch it\"].output.n > 1", &["subTasks['Fetch it'].output.n"]),
            ("input.list[0].name", &["input.list[0].name"]),
            ("input.list[input.n].name", &["input.list", "input.n"]),
            ("(input|first).name", &["input"]),
            ("a.b|join(c.d) if e['f'] is defined else [g, {h: i}]", &["a.b", "c.d", "e.f", "g", "h", "i"]),
            ("not x or -y.z == w[1:v]", &["v", "w", "x", "y.z"]),
            ("'text'", &[]),
        ] {
            assert_eq!(paths(text), wanted, "{text}");
        }
    }
}
