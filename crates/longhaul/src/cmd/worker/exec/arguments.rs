//! `{path.to.member}` in the program's arguments.

use std::ffi::OsString;

use longhaul_worker::ActionError;
use serde_json::Value;

/// The arguments of an attempt.
pub(super) fn of(templates: &[OsString], input: &Value) -> Result<Vec<OsString>, ActionError> {
    let one = |template: &OsString| match template.to_str() {
        Some(text) => replaced(text, input).map(OsString::from),
        None => Ok(template.clone()),
    };
    templates.iter().map(one).collect()
}

fn replaced(template: &str, input: &Value) -> Result<String, ActionError> {
    let (mut text, mut rest) = (String::with_capacity(template.len()), template);
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((path, behind)) = named(&rest[1..]).filter(|_| rest.starts_with("{{")) {
            let behind = behind.strip_prefix('}');
            if let Some(behind) = behind {
                text.push_str(&format!("{{{path}}}"));
                rest = behind;
                continue;
            }
        }
        match named(rest) {
            Some((path, behind)) => {
                text.push_str(&value(path, input, template)?);
                rest = behind;
            }
            None => {
                text.push('{');
                rest = &rest[1..];
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// Splits a text that begins with `{path}` into `path` and the rest.
fn named(text: &str) -> Option<(&str, &str)> {
    let (path, behind) = text.strip_prefix('{')?.split_once('}')?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let is_path = path.split('.').all(|name| !name.is_empty() && name.chars().all(plain));
    let begins = path.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (is_path && begins).then_some((path, behind))
}

fn value(path: &str, input: &Value, template: &str) -> Result<String, ActionError> {
    let mut found = input;
    for name in path.split('.') {
        let member = match found {
            Value::Object(members) => members.get(name),
            Value::Array(elements) => name.parse().ok().and_then(|n: usize| elements.get(n)),
            _ => None,
        };
        found = member.ok_or_else(|| unknown(path, name, found, template))?;
    }
    let text = match found {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains('\0') {
        let message = format!("{{{path}}} has a NUL character, which no program can be given");
        return Err(ActionError::new("ARGUMENT_INVALID", message).permanent());
    }
    Ok(text)
}

fn unknown(path: &str, name: &str, inside: &Value, template: &str) -> ActionError {
    let there = match inside {
        Value::Object(members) if members.is_empty() => "there is nothing in it".to_owned(),
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().map(String::as_str).take(20).collect();
            format!("there are {}", names.join(", "))
        }
        Value::Array(elements) => format!("there is a list of {}", elements.len()),
        Value::Null => "there is no input".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "there is a single value".to_owned(),
    };
    let message =
        format!("the input has no `{path}`, which the argument `{template}` asks for: no `{name}`, {there}");
    ActionError::new("ARGUMENT_UNKNOWN", message)
        .remediation("Give it in the `input` of the `worker` action, or correct the worker's arguments")
        .permanent()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_replaced_and_all_else_stays() {
        let input =
            json!({ "host": "esx 1", "vm": { "cpu-count": 4, "disks": [{ "gb": 1.5 }] }, "on": true });
        for (template, wanted) in [
            ("{host}", "esx 1"),
            ("--cpu={vm.cpu-count}", "--cpu=4"),
            ("{vm.disks.0.gb}/{on}", "1.5/true"),
            ("{vm.disks}", r#"[{"gb":1.5}]"#),
            ("{{host}}", "{host}"),
            ("{{{host}}}", "{{host}}"),
            ("{}", "{}"),
            ("{print $1}", "{print $1}"),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            ("a{0}", "a{0}"),
            ("{{host}", "{esx 1"),
            ("{", "{"),
            ("é{host}é", "éesx 1é"),
        ] {
            assert_eq!(replaced(template, &input).unwrap(), wanted, "{template}");
        }
    }

    #[test]
    fn unknown_names_fail_and_say_what_there_is() {
        let input = json!({ "host": "esx1", "vm": { "name": "a" }, "list": [1] });
        for (template, wanted) in [
            ("{hots}", "no `hots`, there are host, vm, list"),
            ("{vm.cpu}", "no `cpu`, there are name"),
            ("{list.1}", "no `1`, there is a list of 1"),
            ("{host.name}", "no `name`, there is a single value"),
        ] {
            let error = replaced(template, &input).unwrap_err();
            assert!(error.message.ends_with(wanted), "{}", error.message);
            assert_eq!((error.code.as_str(), error.retryable), ("ARGUMENT_UNKNOWN", false));
        }
        let error = replaced("{host}", &json!({ "host": "a\0b" })).unwrap_err();
        assert_eq!(error.code, "ARGUMENT_INVALID");
    }
}
