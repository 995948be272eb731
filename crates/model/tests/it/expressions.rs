//! Expressions: they mean what the template library says, they stay within their bounds whatever they are
//! made of, and a failure names the place where it is written.

use longhaul_model::expr::{
    Budget, DEEPEST_EXPRESSION, Expr, FILTERS, LARGEST_GAIN, LONGEST_RESULT, Scope, TESTS, Template, visible,
};
use longhaul_model::weight;
use longhaul_model::workflow::{Definition, Workflow};
use minijinja::{Environment, UndefinedBehavior};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::workflow::with;

/// Builds an input with a list of so many objects, and a text of so many lines.
fn input(items: u32, lines: usize) -> Value {
    let item =
        |n: u32| json!({"id": format!("host-{n}"), "n": n % 97, "up": n.is_multiple_of(3), "site": n % 7});
    json!({
        "n": 100_000_000, "text": "<é\n".repeat(lines), "short": "a.b", "one": 1, "none": null, "yes": true,
        "list": (0..items).map(item).collect::<Vec<_>>(), "few": [3, 1, 2], "map": {"a": 1, "b": [true]},
        "deep": (0..90).fold(json!(1), |inner, _| json!([inner])),
    })
}

fn scope(items: u32, lines: usize) -> Scope {
    Scope::new([("input", visible(&input(items, lines)))])
}

fn value(scope: &Scope, text: &str) -> Result<Value, String> {
    let scope = scope.clone().spending(Budget::default());
    Template::parse(text).and_then(|template| template.value(&scope)).map_err(|e| e.to_string())
}

/// The most memory that this process has had, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok()).expect("a number") * 1024
}

/// Expressions that could make much out of little: `X` stands for something that is large already.
const AMPLIFIERS: &[&str] = &[
    "[0] * input.n",
    "[X] * input.n",
    "(X, X) * input.n",
    "input.text * input.n",
    "input.n * 'x'",
    "[X, X, X, X]",
    "{'a': X, 'b': X, 'c': X}",
    "X ~ X",
    "X + X",
    "X|tojson",
    "X|tojson(indent=100)",
    "X|tojson(indent=1000000000)",
    "X|string",
    "X|list",
    "X|pprint",
    "X|join(input.text)",
    "X|join",
    "X|batch(1000000000, X)",
    "X|batch(2)",
    "X|slice(1000000000)",
    "X|slice(3, X)",
    "X|replace('', input.text)",
    "X|replace('<', X)",
    "X|urlencode",
    "X|indent(1000000000)",
    "X|indent(100, true, true)",
    "X|escape",
    "X|upper",
    "X|title",
    "X|split('')",
    "X|lines",
    "X|chain(X)|list",
    "X|zip(X, X)|list",
    "X|map('tojson')|list",
    "X|map('string')|join",
    "X|map('default', X)|list",
    "X|map('list')|list",
    "X|unique|list",
    "X|sort|list",
    "X|groupby(0)",
    "X|reverse",
    "X|sum(start=[])",
    "X|items|list",
    "X|dictsort",
    "X|first",
    "X|last",
    "X|min",
    "X|length",
    "X[::-1]",
    "X[1:]",
    "X == X",
    "X < X",
    "X in X",
    "[X] in [X]",
    "0 < X < X",
    "X is eq(X)",
    "X|select('eq', X)|list",
    "'%1000000000d'|format(1)",
    "'%.1000000000f'|format(1.5)",
    "'%*d'|format(1000000000, 1)",
    "('%s' * 2000)|format(X)",
    "('%(a)s' * 2000)|format(a=X)",
    "10 ** 10 ** 10",
    "input.n ** input.n",
    "-X",
    "not X",
    "X if X else X",
    "X and X",
    "X or X",
    "input",
    "[input] * 1000",
    "input.deep",
    "[[[[[[[[[[[[input.deep]]]]]]]]]]]]",
];

/// Returns each amplifier of each other one of some plain values.
fn piled(levels: usize) -> Vec<String> {
    let plain =
        ["input.list", "input.text", "[[0] * 1000] * 1000", "input.n", "[[[0] * 100000000] * 100000000]"];
    let mut all: Vec<String> = plain.map(str::to_owned).to_vec();
    for level in 0..levels {
        // All of the first level, and of what that gives some, in turn.
        let step = if level == 0 { 1 } else { 37 };
        let inner: Vec<String> = all.iter().step_by(step).cloned().collect();
        all.extend(inner.iter().enumerate().flat_map(|(n, inner)| {
            let some = AMPLIFIERS.iter().skip(if level == 0 { 0 } else { n % 5 }).step_by(if level == 0 {
                1
            } else {
                5
            });
            some.map(move |amplifier| amplifier.replace('X', &format!("({inner})")))
        }));
    }
    all
}

#[test]
fn amplifiers_stay_within_their_bounds() {
    let scope = scope(1_000, 20_000);
    let before = peak();
    let (mut given, mut refused) = (0, 0);
    for text in piled(2) {
        match value(&scope, &format!("{{{{ {text} }}}}")) {
            Ok(value) => {
                given += 1;
                assert!(weight::of(&value) <= 2 * LARGEST_GAIN, "{text}");
                assert!(value.as_str().is_none_or(|text| text.len() <= LONGEST_RESULT), "{text}");
            }
            Err(e) => {
                refused += 1;
                assert!(!e.contains("did not foresee"), "{text}: {e}");
                assert!(e.len() < 1_500, "{text}: {} bytes of error", e.len());
            }
        }
    }
    assert!(given > 50 && refused > 100, "{given} given, {refused} refused");
    let grown = peak() - before;
    assert!(grown < 600 << 20, "{} MiB", grown >> 20);
}

#[test]
fn usual_filters_work_on_ten_thousand_items_and_a_mebibyte() {
    let scope = scope(10_000, 225_000);
    for (text, wanted) in [
        ("input.list|sort(attribute='n,id')|map(attribute='id')|first", json!("host-0")),
        ("input.list|sort(attribute='n', reverse=true)|length", json!(10_000)),
        ("input.list|selectattr('up')|map(attribute='id')|list|length", json!(3_334)),
        ("input.list|selectattr('site', 'in', [1, 2])|list|length", json!(2_858)),
        ("input.list|rejectattr('n', 'gt', 5)|list|length", json!(624)),
        ("input.list|unique(attribute='site')|map(attribute='site')|sort", json!([0, 1, 2, 3, 4, 5, 6])),
        ("input.list|groupby('site')|map(attribute=0)|list", json!([0, 1, 2, 3, 4, 5, 6])),
        ("input.list|map(attribute='n')|sum", json!(479_604)),
        ("input.list|map(attribute='id')|join(',')|length", json!(98_889)),
        ("input.list|tojson|length", Value::Null),
        ("input.list|map('tojson')|list|length", json!(10_000)),
        ("input.text|replace('<', '')|length", json!(450_000)),
        ("input.text|upper|length", json!(675_000)),
        ("input.text|tojson|length", Value::Null),
        ("input.text|lines|length", json!(225_000)),
        ("input.list", input(10_000, 0)["list"].clone()),
    ] {
        let given = value(&scope, &format!("{{{{ {text} }}}}")).unwrap_or_else(|e| panic!("{e}"));
        assert!(wanted.is_null() && given.as_u64() > Some(400_000) || given == wanted, "{text}: {given}");
    }
    let too_much = value(
        &scope,
        "{{ input.list|map('tojson')|map('upper')|map('lower')|map('title')|sort|sort|sort \
        |sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort|sort }}",
    );
    assert!(too_much.clone().is_err_and(|e| e.contains("more than 1000000 steps")), "{too_much:?}");
}

#[test]
fn deep_expressions_are_refused_before_anything_recurses() {
    let nested = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    let kinds: Vec<Box<dyn Fn(usize) -> String + Send>> = vec![
        Box::new(move |n| nested("-", "", n)),
        Box::new(move |n| nested("not ", "", n)),
        Box::new(move |n| nested("(", ")", n)),
        Box::new(move |n| nested("[", "]", n)),
        Box::new(move |n| nested("{'a': ", "}", n)),
        Box::new(move |n| nested("input.few[", "]", n)),
        Box::new(move |n| nested("1 if 1 else ", "", n)),
        Box::new(move |n| nested("1|default(", ")", n)),
        Box::new(move |n| nested("1 + (", ")", n)),
        Box::new(move |n| nested("1 ** ", "", n)),
        Box::new(move |n| nested("1 is eq ", "", n)),
        Box::new(move |n| nested("", "|abs", n)),
        Box::new(move |n| nested("", " + 1", n)),
        Box::new(move |n| nested("", " is defined", n)),
        Box::new(move |n| nested("", " and 1", n)),
        Box::new(move |n| nested("", " == 1", n)),
        Box::new(move |n| nested("", "[0]", n)),
        Box::new(move |n| format!("input{}", ".a".repeat(n))),
        Box::new(move |n| format!("input.short{}", " ~ input.short".repeat(n))),
    ];
    // Less than any thread of the server has.
    let small = std::thread::Builder::new().stack_size(1 << 20).spawn(move || {
        for make in &kinds {
            let few = make(5);
            assert!(Expr::parse(&few).is_ok(), "{few}");
            for n in [40, DEEPEST_EXPRESSION, 1_000, 4_000] {
                let text = make(n);
                if let Ok(expr) = Expr::parse(&text) {
                    assert!(n <= DEEPEST_EXPRESSION, "{n}: {few}");
                    let _ =
                        expr.value(&Scope::new([("input", visible(&json!({"few": [0, 1], "short": "a"})))]));
                }
            }
        }
    });
    small.expect("a thread").join().expect("no overflow");
    let long = format!("[{}]", vec!["{'a': -1}"; 800].join(","));
    assert!(Expr::parse(&long).is_ok(), "a long list is not deep");
}

#[test]
fn names_that_may_be_written_exist_and_are_sorted() {
    let scope = scope(0, 0);
    for (names, kind) in [(FILTERS, "filter"), (TESTS, "test")] {
        assert!(names.is_sorted() && names.windows(2).all(|two| two[0] != two[1]));
        for name in names {
            assert_eq!(value(&scope, &format!("{{{{ '{name}' is {kind} }}}}")), Ok(json!(true)), "{name}");
        }
    }
}

#[test]
fn stored_definition_with_an_expression_that_is_refused_today_fails_where_it_is_evaluated() {
    let texts = ["{{ input.fqdn|nope }}", "{{ range(3) }}", "{{ input.fqdn is nope }}", "{{ -"];
    for text in texts.map(str::to_owned).into_iter().chain([format!("{{{{ {}1 }}}}", "-".repeat(5_000))]) {
        let definition = |pointer: &str| -> Definition {
            serde_json::from_value(with(pointer, json!(text))).expect("a definition")
        };
        for pointer in ["/title", "/when", "/subTasks/0/description", "/subTasks/1/action/http/url"] {
            assert!(Workflow::compile(definition(pointer), 1).is_err(), "{pointer}: {text}");
            let stored = Workflow::stored(definition(pointer), 1);
            assert!(stored.is_ok() || text == "{{ -", "{pointer}: {text}: {stored:?}");
        }
        if let Ok(workflow) = Workflow::stored(definition("/title"), 1) {
            let e = workflow.title(&Scope::new([("input", visible(&json!({"fqdn": "a"})))])).unwrap_err();
            assert!(!e.reason.is_empty() && e.to_string().len() < 600, "{e}");
        }
    }
}

/// Generates expressions of a few values with every operator and some filters.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-3..4_i32).prop_map(|n| n.to_string()),
        prop_oneof![
            Just("1.5"),
            Just("'a'"),
            Just("\"it's\" ' a\\n'"),
            Just("true"),
            Just("none"),
            Just("[]"),
            Just("''"),
            Just("input.few"),
            Just("input.map"),
            Just("input.short"),
            Just("input.missing"),
            Just("input.few[0]"),
            Just("input.map['b'][0]"),
            Just("input.few[1:]"),
            Just("input.deep"),
            Just("(1,)"),
            Just("{}"),
        ]
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let binary = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in",
            "not in",
        ]);
        let postfix = prop::sample::select(vec![
            "|default('d')",
            "|string",
            "|length",
            "|list",
            "|first",
            "|sort(reverse=true)",
            "|join('-')",
            "[0]",
            ".a",
            " is defined",
            " is not none",
            " is divisibleby 2",
            " is in [1, 2]",
            "|map('string')|list",
            "[::-1]",
            "|int(7)",
            "|upper",
            "|replace('a', 'b')",
            "|replace('a', 'b', 1)",
            "|split('.')",
            "|abs",
            "|batch(2)|list",
        ]);
        prop_oneof![
            (inner.clone(), binary.clone(), inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("({a}) {op} ({b})")),
            (inner.clone(), postfix.clone()).prop_map(|(a, after)| format!("{a}{after}")),
            (inner.clone(), postfix).prop_map(|(a, after)| format!("({a}){after}")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} if {b} else {c})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} < {b} == {c}")),
            inner.clone().prop_map(|a| format!("(not {a})")),
            inner.clone().prop_map(|a| format!("-{a}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, {b}]")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{{'a': {a}, 'b': {b}}}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_expression_means_what_the_library_says(text in expression()) {
        let small = json!({"few": [3, 1, 2], "map": {"a": 1, "b": [true]}, "short": "a.b", "deep": [[[1]]]});
        let scope = Scope::new([("input", visible(&small))]);
        let mut plain = Environment::new();
        plain.set_undefined_behavior(UndefinedBehavior::Strict);
        let all = minijinja::Value::from_pairs([("input", visible(&small))]);
        let wanted = plain.compile_expression(&text).and_then(|expr| expr.eval(all));
        let wanted = wanted.ok().filter(|value| !value.is_undefined());
        let wanted = wanted.and_then(|value| serde_json::to_value(&value).ok());
        let parsed = Expr::parse(&text);
        // `a|string.b` names the filter `string.b`: refused though it may never be reached.
        if parsed.as_ref().is_err_and(|e| e.reason.starts_with("there is no ")) {
            return Ok(());
        }
        let given = parsed.and_then(|expr| expr.value(&scope)).ok();
        prop_assert_eq!(given, wanted);
    }
}
