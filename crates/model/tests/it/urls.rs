//! URLs made of values: a value stays within the part of the URL that it was written for.

use longhaul_model::expr::{Scope, Template, UrlTemplate, visible};
use percent_encoding::percent_decode_str;
use proptest::prelude::*;
use serde_json::{Value, json};

fn url(text: &str, input: &Value) -> Result<String, String> {
    let template = UrlTemplate::new(Template::parse(text).map_err(|e| e.to_string())?);
    if let Some(misplaced) = template.misplaced() {
        return Err(misplaced);
    }
    template.text(&Scope::new([("input", visible(input))])).map_err(|e| e.to_string())
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8().expect("UTF-8").into_owned()
}

#[test]
fn values_are_encoded_for_their_place() {
    let input = json!({
        "base": "https://inventory.example:8443/api/", "host": "esx-1.example", "address": "[fe80::1]:443",
        "id": "a/b ?#&=%;+é", "up": "..", "dot": "%2e%2E", "empty": "", "n": 17, "scheme": "http",
        "query": {"a b": "c&d", "e": 1, "none": null}, "ready": "a%2Fb/c",
        "evil": "x.example/", "user": "me@x.example", "sub": "h.example?",
    });
    for (text, wanted) in [
        ("{{ input.base }}/hosts/{{ input.n }}", Ok("https://inventory.example:8443/api/hosts/17")),
        ("{{ input.base }}?q={{ input.n }}", Ok("https://inventory.example:8443/api?q=17")),
        ("https://{{ input.host }}:9443/about", Ok("https://esx-1.example:9443/about")),
        ("https://{{ input.address }}/", Ok("https://[fe80::1]:443/")),
        ("{{ input.scheme }}://{{ input.host }}/", Ok("http://esx-1.example/")),
        ("https://h/{{ input.id }}/x", Ok("https://h/a%2Fb%20%3F%23%26%3D%25%3B%2B%C3%A9/x")),
        ("https://h/?q={{ input.id }}&r=1", Ok("https://h/?q=a%2Fb%20%3F%23%26%3D%25%3B%2B%C3%A9&r=1")),
        ("https://h/?q={{ input.id|urlencode }}", Ok("https://h/?q=a%2Fb%20%3F%23%26%3D%25%3B%2B%C3%A9")),
        ("https://h/?{{ input.query|urlencode }}", Ok("https://h/?a%20b=c%26d&e=1")),
        ("https://h/{{ input.ready|safe }}/x", Ok("https://h/a%2Fb/c/x")),
        ("https://h/{{ input.id|safe }}", Ok("https://h/a/b%20%3F%23&=%;+%C3%A9")),
        (
            "https://h/?q={{ input.query|tojson }}",
            Ok(
                "https://h/?q=%7B%22a%20b%22%3A%20%22c%5Cu0026d%22%2C%20%22e%22%3A%201%2C%20%22none%22%3A%20null%7D",
            ),
        ),
        ("https://h/a{{ input.up }}", Ok("https://h/a..")),
        ("https://h/{{ input.empty }}x", Ok("https://h/x")),
        ("https://h/../{{ input.n }}", Ok("https://h/../17")),
        ("https://h/{{ input.up }}/x", Err("would be another path")),
        ("https://h/{{ input.up }}", Err("would be another path")),
        ("https://h/{{ input.up }}?x", Err("would be another path")),
        ("https://h/.{{ '.' }}/x", Err("would be another path")),
        ("https://h/{{ input.dot|safe }}/x", Err("would be another path")),
        ("https://h/{{ 'a/../b'|safe }}", Err("would be another path")),
        ("https://h/hosts/{{ input.empty }}", Err("needs a part there")),
        ("https://h/{{ input.empty }}/x", Err("needs a part there")),
        ("https://{{ input.evil }}/x", Err("no name or address of a host")),
        ("https://{{ input.user }}/x", Err("no name or address of a host")),
        ("https://{{ input.sub }}/x", Err("no name or address of a host")),
        ("https://{{ input.empty }}/x", Err("no name or address of a host")),
        ("{{ input.host }}/x", Err("no address that begins with https://")),
        ("{{ 'ftp://h' }}/x", Err("no address that begins with https://")),
        ("{{ 'https://h?x' }}/x", Err("`?`, `#`, `@`")),
        ("{{ 'https://h#x' }}/x", Err("`?`, `#`, `@`")),
        ("{{ 'https://a@h' }}/x", Err("`?`, `#`, `@`")),
        ("{{ input.host }}://h/", Err("a scheme that is not http or https")),
        ("https://h/#{{ input.n }}", Err("behind `#`")),
        ("ht{{ input.n }}://h/", Err("before `://`")),
        ("{{ input.base }}{{ input.n }}", Err("a `/` or `?` must follow")),
        ("{{ input.base }}.evil.example/", Err("a `/` or `?` must follow")),
    ] {
        let given = url(text, &input);
        match wanted {
            Ok(wanted) => assert_eq!(given.as_deref(), Ok(wanted), "{text}"),
            Err(part) => assert!(given.clone().is_err_and(|e| e.contains(part)), "{text}: {given:?}"),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "..", ".", "/", "\\", "?", "#", "%", "%2e", "%2F", "&", "=", "@", ":", "\t", "\n", "\r", " ", "é",
        "\u{ff0f}", "a", "\0", ";", "//", "://", "[", "]", "{{", "'", "\"",
    ]);
    prop_oneof![prop::collection::vec(special, 0..6).prop_map(|parts| parts.concat()), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_stays_in_its_part(a in text(), b in text(), c in text(), d in text()) {
        let input = json!({"a": a, "b": b, "c": c, "d": d});
        let written = "https://host.example/v1/{{ input.a }}/x-{{ input.b }}?q={{ input.c }}&k={{ input.d }}";
        let Ok(made) = url(written, &input) else {
            prop_assert!(matches!(a.as_str(), "" | "." | ".."), "{:?} was refused", a);
            return Ok(());
        };
        let rest = made.strip_prefix("https://host.example/v1/").expect("the beginning");
        let (path, query) = rest.split_once('?').expect("a query");
        let parts: Vec<&str> = path.split('/').collect();
        prop_assert_eq!(parts.len(), 2);
        prop_assert_eq!(decoded(parts[0]), a);
        prop_assert_eq!(decoded(parts[1]), format!("x-{b}"));
        let (q, k) = query.split_once('&').expect("two members");
        prop_assert_eq!(decoded(q), format!("q={c}"));
        prop_assert_eq!(decoded(k), format!("k={d}"));
        prop_assert!(made.bytes().all(|byte| byte.is_ascii_graphic()) && !made.contains(['#', '\\']));
    }

    #[test]
    fn a_value_for_a_host_is_only_a_host(a in text()) {
        if let Ok(made) = url("https://{{ input.a }}/v1/x", &json!({"a": a})) {
            prop_assert_eq!(made.matches('/').count(), 4);
            prop_assert!(!made.contains(['?', '#', '@', '\\', '%']));
        }
    }
}
