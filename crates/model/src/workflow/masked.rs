//! Definitions for readers who may not write them: values that look like credentials are masked where they
//! are written out.

use serde_json::{Map, Value, json};

use super::definition::Definition;

/// Text in the place of a credential.
const MASK: &str = "<redacted>";

/// Headers whose values are not credentials.
const PLAIN_HEADERS: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "prefer",
    "user-agent",
];

/// Parts of names of credentials, without their separators.
const CREDENTIALS: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "authorization",
    "cookie",
    "session",
    "signature",
];

/// Names that mean a credential only as a whole.
const WHOLE_CREDENTIALS: [&str; 5] = ["auth", "pass", "pwd", "pin", "sig"];

/// Keywords of a schema that give values.
const GIVEN: [&str; 4] = ["default", "const", "enum", "examples"];

impl Definition {
    /// Returns the definition as JSON, with a mask in the place of literal credentials: values of headers and
    /// of environments, passwords in addresses, texts under names such as `password`, and values that a
    /// schema gives for secrets. Expressions that only name values are shown.
    pub fn masked(&self) -> Value {
        let mut whole = json!(self);
        for part in ["subTasks", "input"] {
            if let Some(part) = whole.get_mut(part) {
                mask(part);
            }
        }
        whole
    }
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = in_text(text),
        Value::Array(items) => {
            let mut secret = false;
            for item in items {
                // Behind `--password` stands one.
                if secret && item.as_str().is_some_and(is_literal) {
                    *item = MASK.into();
                }
                secret = item.as_str().is_some_and(is_flag_of_credential);
                mask(item);
            }
        }
        Value::Object(members) => mask_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn mask_members(members: &mut Map<String, Value>) {
    let write_only = members.get("writeOnly") == Some(&Value::Bool(true));
    for (name, value) in members.iter_mut() {
        match value {
            given if write_only && GIVEN.contains(&name.as_str()) => *given = MASK.into(),
            Value::Object(all) if matches!(name.as_str(), "headers" | "env") => {
                for (name, value) in all.iter_mut() {
                    let plain = PLAIN_HEADERS.contains(&name.to_ascii_lowercase().as_str());
                    match value {
                        Value::String(text) if !plain && is_literal(text) => *text = MASK.to_owned(),
                        other => mask(other),
                    }
                }
            }
            Value::Object(schema) if names_credential(name) => {
                for keyword in GIVEN {
                    if schema.get(keyword).is_some_and(|given| !given.is_object()) {
                        schema.insert(keyword.to_owned(), MASK.into());
                    }
                }
                mask(value);
            }
            Value::String(text) if names_credential(name) && is_literal(text) => *text = MASK.to_owned(),
            Value::Number(_) if names_credential(name) => *value = MASK.into(),
            other => mask(other),
        }
    }
}

/// Returns true if a name says that its value is a credential.
fn names_credential(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    CREDENTIALS.iter().any(|part| plain.contains(part)) || WHOLE_CREDENTIALS.contains(&plain.as_str())
}

/// Returns true for an argument such as `--password`, behind which a credential stands.
fn is_flag_of_credential(text: &str) -> bool {
    text.starts_with('-') && !text.contains('=') && names_credential(text)
}

/// Returns true if a text has more than placeholders of values: `Bearer {{ input.token }}` does not.
fn is_literal(text: &str) -> bool {
    let (mut rest, mut outside) = (text, String::new());
    while let Some((before, behind)) = rest.split_once("{{") {
        outside.push_str(before);
        let Some((expression, after)) = behind.split_once("}}") else { return true };
        if expression.contains(['\'', '"']) {
            return true;
        }
        rest = after;
    }
    outside.push_str(rest);
    let outside = outside.trim();
    !(outside.is_empty() || ["Basic", "Bearer", "Token"].contains(&outside))
}

/// Returns a text with the passwords of addresses in it masked, and the values under a name such as `token=`.
fn in_text(text: &str) -> String {
    let text = without_passwords(text);
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('=') {
        let (before, behind) = rest.split_at(at + 1);
        clean.push_str(before);
        let begin =
            before[..at].rfind(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').map_or(0, |n| n + 1);
        let begin = before.ceil_char_boundary(begin);
        let end = match behind.starts_with("{{") {
            true => behind.find("}}").map_or(behind.len(), |at| at + 2),
            false => behind.find(['&', ' ', '#', ';', ',']).unwrap_or(behind.len()),
        };
        rest = behind;
        if names_credential(&before[begin..at]) && is_literal(&behind[..end]) {
            clean.push_str(MASK);
            rest = &behind[end..];
        }
    }
    clean.push_str(rest);
    clean
}

fn without_passwords(text: &str) -> String {
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find("://") {
        let (scheme, behind) = rest.split_at(at + 3);
        clean.push_str(scheme);
        let end = behind.find(['/', '?', '#', ' ']).unwrap_or(behind.len());
        let authority = &behind[..end];
        match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?, host))) {
            Some(((user, password), host)) if is_literal(password) => {
                clean.push_str(&format!("{user}:{MASK}@{host}"));
            }
            _ => clean.push_str(authority),
        }
        rest = &behind[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_credentials_are_masked_and_what_names_values_is_shown() {
        let definition = json!({
            "name": "w", "type": "T", "title": "t",
            "input": { "properties": {
                "password": { "type": "string", "writeOnly": true, "enum": ["CANARY-1"] },
                "apiToken": { "type": "string", "default": "CANARY-2" }, "host": { "default": "shown-1" } } },
            "subTasks": [
                { "name": "A", "description": "d", "action": { "http": {
                    "url": "https://ann:CANARY-3@host/shown-2?token=CANARY-4&key_token={{ 'CANARY-14' }}&page={{ input.page }}",
                    "headers": { "Authorization": "Basic CANARY-5", "X-Mine": "{{ 'CANARY-6' }}",
                        "X-Token": "Bearer {{ input.shown3 }}", "Accept": "shown/4" },
                    "body": { "a": [{ "client_secret": "CANARY-7", "pin": 77123, "name": "shown-5" }] } } } },
                { "name": "B", "description": "d", "action": { "command": {
                    "run": ["/bin/x", "--password", "CANARY-8", "--api-key=CANARY-9", "shown-6"],
                    "env": { "LANGUAGE": "CANARY-10", "P": "{{ input.shown7 }}" } } } },
                { "name": "C", "description": "d", "action": { "worker": { "queue": "shown-8",
                    "input": { "password": "CANARY-11", "dsn": "postgres://u:CANARY-12@db/x" } } } },
                { "name": "D", "description": "d", "action": { "simulate": { "output": { "token": "CANARY-13" } } } },
            ],
        });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let masked = definition.masked().to_string();
        assert!(!masked.contains("CANARY") && !masked.contains("77123"), "{masked}");
        for n in 1..=8 {
            let shown = [format!("shown-{n}"), format!("shown{n}"), format!("shown/{n}")];
            assert!(shown.iter().any(|text| masked.contains(text)), "{n}: {masked}");
        }
    }
}
