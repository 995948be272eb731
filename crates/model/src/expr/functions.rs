//! Filters, tests and operators of expressions. Most are the template library's own, and get values that were
//! weighed. Those that could make much out of little are bounded here.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, Expression, State, UndefinedBehavior, Value};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::budget::{Budget, NODE, STEPS};
use super::weigh::{HEAVIEST, LONGEST_TEXT, Unusable, Weight, weigh};

/// Every filter that may be written, sorted.
pub const FILTERS: &[&str] = &[
    "abs",
    "attr",
    "batch",
    "bool",
    "capitalize",
    "chain",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "urlencode",
    "zip",
];

/// Names of the tests, sorted. Signs are for `select` and its like.
pub const TESTS: &[&str] = &[
    "!=",
    "<",
    "<=",
    "==",
    ">",
    ">=",
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "escaped",
    "even",
    "false",
    "filter",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "safe",
    "sameas",
    "sequence",
    "startingwith",
    "string",
    "test",
    "true",
    "undefined",
    "upper",
];

/// Name of the filter that weighs a value and passes it on.
pub(super) const WEIGHED: &str = "op_weighed";
/// The filter around a whole expression.
pub(super) const WHOLE: &str = "op_whole";
/// Name by which filters find the budget: nobody can write it.
pub(super) const BUDGET: &str = " budget";

/// Operators by the filters that stand for them.
const OPERATORS: &[(&str, &str)] = &[
    ("op_eq", "=="),
    ("op_ne", "!="),
    ("op_lt", "<"),
    ("op_le", "<="),
    ("op_gt", ">"),
    ("op_ge", ">="),
    ("op_add", "+"),
    ("op_sub", "-"),
    ("op_mul", "*"),
    ("op_div", "/"),
    ("op_floordiv", "//"),
    ("op_rem", "%"),
    ("op_pow", "**"),
    ("op_concat", "~"),
    ("op_in", "in"),
];

/// Filters whose result is estimated before they are applied.
const ESTIMATES: &[(&str, Estimate)] = &[
    ("capitalize", shown),
    ("format", formatted),
    ("indent", indented),
    ("join", joined),
    ("lines", divided),
    ("lower", shown),
    ("pprint", printed),
    ("replace", replaced),
    ("safe", shown),
    ("split", divided),
    ("string", shown),
    ("sum", summed),
    ("title", shown),
    ("trim", shown),
    ("upper", shown),
];

/// Maximum indentation of `tojson` and `indent`, in characters.
const WIDEST: usize = 100;

/// Characters that a URL has as they are, wherever they stand in it.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The environment that expressions are compiled for.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = plain();
    for name in ["range", "dict", "debug", "namespace"] {
        engine.remove_global(name);
    }
    engine
        .add_filter(WEIGHED, |state: &mut State, value: &Value| weighed(state, value).map(|_| value.clone()));
    engine.add_filter(WHOLE, |state: &mut State, value: &Value| {
        see(state);
        value.clone()
    });
    for (name, sign) in OPERATORS {
        engine.add_filter(*name, |state: &mut State, a: &Value, b: &Value| operate(state, sign, a, b));
    }
    engine.add_filter("tojson", tojson);
    engine.add_filter("escape", escape);
    engine.add_filter("e", escape);
    engine.add_filter("urlencode", urlencode);
    for (name, estimate) in ESTIMATES {
        engine.add_filter(*name, |args: Rest<ValueOrKwargs>| {
            let args: Vec<Value> = args.0.into_iter().map(ValueOrKwargs::into_value).collect();
            estimate(&args)?;
            PLAIN.empty_state().apply_filter(name, &args)
        });
    }
    engine
});

/// The template library's own environment, for values that were weighed.
static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(plain);

/// Operators without any bound, applied to values that were weighed.
static SIGNS: LazyLock<BTreeMap<&'static str, Expression<'static, 'static>>> = LazyLock::new(|| {
    let signs = OPERATORS.iter().map(|(_, sign)| *sign);
    signs
        .filter_map(|sign| Some((sign, PLAIN.compile_expression_owned(format!("a {sign} b")).ok()?)))
        .collect()
});

fn plain() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(STEPS as u64));
    engine
}

/// Notes the steps of an expression in the budget.
fn see(state: &State) {
    let steps = state.fuel_levels().map_or(0, |(taken, _)| taken);
    if let Some(budget) = state.lookup(BUDGET).and_then(|value| value.downcast_object::<Budget>()) {
        budget.see(steps);
    }
}

/// Weighs a value, and counts the steps of that.
fn weighed(state: &State, value: &Value) -> Result<Weight, Error> {
    let weight = weigh(value).map_err(refused)?;
    state.consume_fuel((weight.nodes / 4 + weight.bytes / 4096) as u64)?;
    see(state);
    Ok(weight)
}

fn refused(why: Unusable) -> Error {
    match why {
        Unusable::Broken(error) => error,
        other => wrong(other.to_string()),
    }
}

fn wrong(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.into())
}

fn too_long() -> Error {
    wrong(format!("it makes a text of more than {LONGEST_TEXT} bytes"))
}

/// Refuses a text of so many bytes if that is too long.
fn room_for(bytes: usize) -> Result<(), Error> {
    if bytes > LONGEST_TEXT { Err(too_long()) } else { Ok(()) }
}

/// Applies an operator once both sides were weighed.
fn operate(state: &State, sign: &str, a: &Value, b: &Value) -> Result<Value, Error> {
    let (left, right) = (weighed(state, a)?, weighed(state, b)?);
    match sign {
        "*" => {
            let times = |value: &Value| value.as_i64().map_or(0, |n| usize::try_from(n).unwrap_or_default());
            let made = left.bytes.saturating_mul(times(b)).max(right.bytes.saturating_mul(times(a)));
            let is_text = a.as_str().is_some() || b.as_str().is_some();
            let is_container = a.as_object().is_some() || b.as_object().is_some();
            if is_text && made.saturating_sub(NODE * times(a).max(times(b))) > LONGEST_TEXT {
                return Err(too_long());
            }
            if is_container && made > HEAVIEST {
                return Err(refused(Unusable::Heavy));
            }
        }
        "+" | "~" if left.bytes + right.bytes > HEAVIEST => return Err(refused(Unusable::Heavy)),
        // A side that is not a text is made into one on the way.
        "~" => [a, b].into_iter().try_for_each(|side| Counter::measure(side, |_| 1))?,
        _ => {}
    }
    let operator = SIGNS.get(sign).ok_or_else(|| wrong(format!("there is no operator `{sign}`")))?;
    operator.eval(Value::from_pairs([("a", a.clone()), ("b", b.clone())]))
}

/// Converts a value to JSON, as a text that is no more trusted than the value: in a URL it is encoded.
fn tojson(state: &mut State, value: &Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut args: Vec<Value> = args.0.into_iter().map(ValueOrKwargs::into_value).collect();
    let weight = weighed(state, value)?;
    let indent = args.iter().find_map(|arg| match arg.is_kwargs() {
        true => arg.get_attr("indent").ok().filter(|indent| !indent.is_undefined()),
        false => Some(arg.clone()),
    });
    // Without a width there is a space behind each sign; `true` is a width of two.
    let mut width = 2;
    if let Some(given) = indent.filter(|indent| indent.kind() == ValueKind::Number) {
        let given = usize::try_from(given).ok().filter(|width| *width <= WIDEST);
        width = given.ok_or_else(|| wrong(format!("`indent` is 0 to {WIDEST}")))?.max(width);
    }
    let mut counter = Counter::of(|byte| if b"<>&'".contains(&byte) { 6 } else { 1 });
    counter.bytes = weight.nodes.saturating_mul(width * weight.levels);
    // What has no form in JSON is refused by the filter itself.
    let _ = serde_json::to_writer(&mut counter, value);
    room_for(counter.bytes)?;
    args.insert(0, value.clone());
    let json = PLAIN.empty_state().apply_filter("tojson", &args)?;
    let text = json.as_str().unwrap_or_default();
    state.consume_fuel((text.len() / 16) as u64)?;
    Ok(Value::from(text))
}

/// Counts a text instead of making it, up to the longest one that may be made.
struct Counter {
    bytes: usize,
    /// The bytes that one byte becomes.
    becomes: fn(u8) -> usize,
}

impl Counter {
    fn of(becomes: fn(u8) -> usize) -> Self {
        Counter { bytes: 0, becomes }
    }

    /// Refuses a value whose text is too long once each byte has become what it does.
    fn measure(value: &Value, becomes: fn(u8) -> usize) -> Result<(), Error> {
        let mut counter = Counter::of(becomes);
        // The counter fails where there is too much, which the count says.
        let _ = match value.as_str() {
            Some(text) => counter.write_str(text),
            None => write!(counter, "{value}"),
        };
        room_for(counter.bytes)
    }

    fn count(&mut self, bytes: &[u8]) -> bool {
        self.bytes = bytes.iter().fold(self.bytes, |sum, byte| sum.saturating_add((self.becomes)(*byte)));
        self.bytes <= LONGEST_TEXT
    }
}

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.count(text.as_bytes()) { Ok(()) } else { Err(std::fmt::Error) }
    }
}

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.count(bytes) { Ok(bytes.len()) } else { Err(std::io::ErrorKind::FileTooLarge.into()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Escapes a value for HTML, as a text that is no more trusted than the value: in a URL it is encoded.
fn escape(value: &Value) -> Result<Value, Error> {
    Counter::measure(value, |byte| if b"<>&'\"/".contains(&byte) { 6 } else { 1 })?;
    PLAIN
        .empty_state()
        .apply_filter("escape", std::slice::from_ref(value))
        .map(|escaped| Value::from(escaped.as_str().unwrap_or_default()))
}

/// Encodes a text for any place in a URL; a map as a query. The result is not encoded again.
fn urlencode(value: &Value) -> Result<Value, Error> {
    let encode = |value: &Value| match value.as_str() {
        Some(text) => utf8_percent_encode(text, UNRESERVED).to_string(),
        None => utf8_percent_encode(&value.to_string(), UNRESERVED).to_string(),
    };
    if value.is_undefined() {
        return Err(wrong("it names a value that does not exist"));
    }
    Counter::measure(value, |byte| if byte.is_ascii_alphanumeric() { 1 } else { 3 })?;
    if value.is_none() {
        return Ok(Value::from_safe_string(String::new()));
    }
    if value.kind() != ValueKind::Map {
        return Ok(Value::from_safe_string(encode(value)));
    }
    let mut query = String::new();
    for key in value.try_iter()?.checked() {
        let key = key?;
        let item = value.get_item(&key)?;
        if !item.is_none() && !item.is_undefined() {
            let sign = if query.is_empty() { "" } else { "&" };
            let _ = write!(query, "{sign}{}={}", encode(&key), encode(&item));
        }
    }
    Ok(Value::from_safe_string(query))
}

/// Refuses arguments of which a filter would make too much.
type Estimate = fn(&[Value]) -> Result<(), Error>;

fn text_of(args: &[Value], at: usize) -> &str {
    args.get(at).and_then(Value::as_str).unwrap_or_default()
}

/// An argument by position or by name.
fn argument(args: &[Value], at: usize, name: &str) -> Option<Value> {
    let given = |value: &Value| !value.is_undefined() && !value.is_none();
    let named = || args.last().filter(|last| last.is_kwargs())?.get_attr(name).ok();
    args.get(at).filter(|value| !value.is_kwargs()).cloned().or_else(named).filter(given)
}

/// Bounds a format: each sign may ask for a width and a precision, and for the text of an argument again and
/// again.
fn formatted(args: &[Value]) -> Result<(), Error> {
    let format = text_of(args, 0);
    let signs = format.matches('%').count();
    let mut widest = 0_usize;
    for digits in format.split(|c: char| !c.is_ascii_digit()) {
        widest = widest.max(if digits.is_empty() { 0 } else { digits.parse().unwrap_or(usize::MAX) });
    }
    // The library takes names apart byte by byte.
    let unescaped = format.replace("%%", "");
    let mut names = unescaped.split("%(").skip(1).filter_map(|rest| rest.split(')').next());
    if !names.all(str::is_ascii) {
        return Err(wrong("a name in `%(…)` may have ASCII characters only"));
    }
    if format.contains('*') {
        let asked = args.iter().filter_map(Value::as_i64).map(|n| n.unsigned_abs() as usize);
        widest = widest.max(asked.max().unwrap_or_default());
    }
    let mut heaviest = 0;
    for arg in args.iter().skip(1) {
        heaviest = heaviest.max(weigh(arg).map_err(refused)?.bytes);
    }
    room_for(format.len().saturating_add(signs.saturating_mul(heaviest.saturating_add(widest))))
}

fn indented(args: &[Value]) -> Result<(), Error> {
    let width = argument(args, 1, "width").map_or(Ok(4), usize::try_from)?;
    if width > WIDEST {
        return Err(wrong(format!("`width` is 0 to {WIDEST}")));
    }
    shown(args)?;
    let text = text_of(args, 0);
    room_for(text.len() + (text.matches('\n').count() + 1) * width)
}

fn joined(args: &[Value]) -> Result<(), Error> {
    let sign = argument(args, 1, "d").and_then(|sign| sign.as_str().map(str::len)).unwrap_or_default();
    let Some(list) = args.first() else { return Ok(()) };
    let weight = weigh(list).map_err(refused)?;
    room_for((weight.bytes - weight.nodes * NODE).saturating_add(sign.saturating_mul(weight.nodes)))
}

/// A list of pieces is many times larger than the text.
fn divided(args: &[Value]) -> Result<(), Error> {
    let text = text_of(args, 0);
    let pieces = match argument(args, 1, "sep") {
        Some(sign) if sign.as_str() == Some("") => text.len() + 2,
        Some(sign) => text.matches(sign.as_str().unwrap_or("\n")).count() + 1,
        None => text.len() / 2 + 1,
    };
    if text.len() + pieces * NODE > HEAVIEST { Err(refused(Unusable::Heavy)) } else { Ok(()) }
}

fn printed(args: &[Value]) -> Result<(), Error> {
    let Some(value) = args.first() else { return Ok(()) };
    let weight = weigh(value).map_err(refused)?;
    room_for(weight.bytes.saturating_add(weight.nodes * weight.levels * 4))
}

fn replaced(args: &[Value]) -> Result<(), Error> {
    args.iter().try_for_each(|arg| Counter::measure(arg, |_| 1))?;
    let (text, from, to) = (text_of(args, 0), text_of(args, 1), text_of(args, 2));
    let found = if from.is_empty() { text.len() + 1 } else { text.matches(from).count() };
    room_for(text.len().saturating_add(found.saturating_mul(to.len())))
}

/// Bounds the text of a value that is not a text.
fn shown(args: &[Value]) -> Result<(), Error> {
    args.first().map_or(Ok(()), |value| Counter::measure(value, |_| 1))
}

/// Bounds a sum: lists that are added up one by one would be copied again and again.
fn summed(args: &[Value]) -> Result<(), Error> {
    match argument(args, 2, "start") {
        Some(start) if !start.is_number() => Err(wrong("`sum` adds numbers, so its `start` is one")),
        _ => Ok(()),
    }
}
