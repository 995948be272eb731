//! The memory of expressions, counted by the allocator: whatever is written, the peak of an evaluation stays
//! within a multiple of what one may work on. A binary of its own, as the count is that of the whole process.

use longhaul_model::expr::{Budget, FILTERS, LARGEST_GAIN, Scope, Template, visible};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The most that one evaluation may take at any moment, in bytes: what it works on, what it makes of that,
/// and the room that a growing text or list has left.
const PEAK: usize = 3 * LARGEST_GAIN;

/// Values that a filter makes most of, as expressions.
const LARGE: [&str; 7] = [
    "input.signs * 16",
    "[input.signs * 16] * 7",
    "[input.control * 16] * 7",
    "input.list",
    "[[1] * 1000] * 300",
    "{'a<': input.signs * 16, 'b': input.control * 16}",
    "input.lines * 100",
];

/// Arguments by filter; all others are applied without any.
const ARGUMENTS: [(&str, &[&str]); 14] = [
    ("attr", &["('a')"]),
    ("batch", &["(1)", "(1000000, '-')"]),
    ("format", &["('%s%s', 1, 2)"]),
    ("groupby", &["('n')"]),
    ("indent", &["(100)", "(100, true, true)"]),
    ("join", &["", "(input.lines)"]),
    ("map", &["('tojson')|list", "('string')|list", "('urlencode')|list"]),
    ("replace", &["('<', '&lt;&lt;')", "('', 'x')"]),
    ("select", &["('string')|list"]),
    ("slice", &["(3)", "(100000)"]),
    ("split", &["('')", "('<')"]),
    ("tojson", &["", "(indent=100)", "(true)"]),
    ("zip", &["(input.list)|list"]),
    ("default", &["('x')"]),
];

fn scope() -> Scope {
    let item = |n: u32| json!({"id": format!("host-{n}"), "n": n % 97, "up": n.is_multiple_of(3)});
    let input = json!({
        "signs": "<".repeat(256 << 10), "control": "\u{1}".repeat(256 << 10), "lines": "<é\n".repeat(10_000),
        "list": (0..2_000).map(item).collect::<Vec<Value>>(),
    });
    Scope::new([("input", visible(&input))])
}

/// Every filter over a list of large texts, and what some operators make. All values and arguments of a
/// filter take minutes, so one of each is drawn here.
fn expressions() -> Vec<String> {
    let mut all = vec![
        "'' ~ [input.signs * 16] * 7".to_owned(),
        "[input.control * 16] * 7 ~ ''".to_owned(),
        "[input.list] * 100".to_owned(),
        "input.list + input.list * 20".to_owned(),
        "input.list|tojson(indent=100)".to_owned(),
        "(input.signs * 16)|tojson|escape|urlencode".to_owned(),
    ];
    for (n, filter) in FILTERS.iter().enumerate() {
        let arguments = ARGUMENTS.iter().find(|(name, _)| name == filter).map_or(&[""][..], |(_, some)| some);
        all.push(format!("([input.signs * 16] * 7)|{filter}{}", arguments[0]));
        all.push(format!("({})|{filter}{}", LARGE[n % LARGE.len()], arguments[n % arguments.len()]));
    }
    all
}

#[test]
fn the_peak_of_every_filter_is_bounded() {
    let scope = scope();
    let mut over = Vec::new();
    for expression in expressions() {
        let Ok(template) = Template::parse(&format!("{{{{ {expression} }}}}")) else {
            panic!("{expression}");
        };
        let scope = scope.clone().spending(Budget::default());
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        drop(template.value(&scope));
        let peak = MEMORY.peak_usage().saturating_sub(before);
        if peak > PEAK {
            over.push(format!("{expression}: {} MiB", peak >> 20));
        }
    }
    assert!(over.is_empty(), "over {} MiB: {over:#?}", PEAK >> 20);
}
