//! Expressions over large data: whatever is written, its value stays within the documented bounds, and a
//! value in a URL stays in its part.

use std::sync::LazyLock;

use longhaul_model::expr::{Budget, LARGEST_GAIN, LONGEST_RESULT, Scope, Template, UrlTemplate, visible};
use longhaul_model::weight;
use serde_json::{Value, json};

static SCOPE: LazyLock<Scope> = LazyLock::new(|| {
    let item = |n: u32| json!({"id": format!("host-{n}"), "n": n % 97, "up": n.is_multiple_of(3)});
    let input = json!({
        "n": 100_000_000, "text": "<é\n".repeat(50_000), "list": (0..2_000).map(item).collect::<Vec<Value>>(),
        "few": [3, 1, 2], "map": {"a": 1}, "none": null, "short": "a/../b?#",
        "deep": (0..90).fold(json!(1), |inner, _| json!([inner])),
    });
    Scope::new([("input", visible(&input))])
});

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(text: &str) {
    let scope = SCOPE.clone().spending(Budget::default());
    let written = if text.contains("{{") { text.to_owned() } else { format!("{{{{ {text} }}}}") };
    let Ok(template) = Template::parse(&written) else { return };
    match template.value(&scope) {
        Ok(value) => {
            assert!(weight::of(&value) <= 2 * LARGEST_GAIN);
            assert!(value.as_str().is_none_or(|text| text.len() <= LONGEST_RESULT));
        }
        Err(e) => assert!(!e.reason.contains("did not foresee"), "{e}"),
    }
    let url = format!("https://host.example/v1/{written}/x?q={written}");
    let Ok(url) = Template::parse(&url).map(UrlTemplate::new) else { return };
    let is_one = matches!(&template, Template::Whole(_));
    if let Ok(made) = url.text(&scope)
        && is_one
    {
        let rest = made.strip_prefix("https://host.example/v1/").expect("the beginning as written");
        let (path, query) = rest.split_once('?').expect("a query");
        assert!(!rest.contains('#') && !query.contains('#'));
        let dots = |part: &str| matches!(part.to_lowercase().replace("%2e", ".").as_str(), "." | "..");
        assert!(path.ends_with("/x") && !path.split('/').any(dots), "{made}");
    }
}
