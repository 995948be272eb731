use serde_json::json;

use super::*;
use longhaul_model::Timestamp;

fn redactor_of(secret: &Value) -> Redactor {
    let mut learner = Learner::default();
    learner.learn(secret, false);
    learner.into()
}

fn redactor() -> Redactor {
    redactor_of(&json!({ "password": "p\"ss wörd/1", "pin": 1234, "short": "ab", "nothing": null }))
}

#[test]
fn secrets_go_in_every_spelling() {
    for (said, wanted) in [
        ("login with p\"ss wörd/1 failed", "login with <redacted> failed"),
        (r#"{"password":"p\"ss wörd/1"}"#, r#"{"password":"<redacted>"}"#),
        ("https://h/?p=p%22ss%20w%C3%B6rd%2F1&q", "https://h/?p=<redacted>&q"),
        ("https://h/?p=p%22ss+w%c3%b6rd%2f1&q", "https://h/?p=<redacted>&q"),
        ("token cCJzcyB3w7ZyZC8x.", "token <redacted>."),
        ("the pin is 1234.", "the pin is <redacted>."),
        ("abacus", "abacus"),
        ("ab", "<redacted>"),
        ("cut short: p\"ss wö", "cut short: <redacted>"),
        ("cut short: p%22ss%20w%C3", "cut short: <redacted>"),
        ("wörd/1 is the end", "<redacted> is the end"),
        ("nothing to hide", "nothing to hide"),
    ] {
        assert_eq!(redactor().text(said.to_owned()), wanted);
    }
}

#[test]
fn values_and_failures_are_cleaned_all_through() {
    let value = json!({ "a": ["p\"ss wörd/1", 1234, 12345], "p\"ss wörd/1": true, "b": { "c": "ab" } });
    let wanted = json!({ "a": [CLOSED, CLOSED, 12345], CLOSED: true, "b": { "c": CLOSED } });
    assert_eq!(redactor().value(value), wanted);
    let names = json!({ "x1234": 1, "y": { "x1234": 2, "x<redacted>": 3 } });
    let wanted = json!({ "x<redacted>": 1, "y": { "x<redacted>": 2, "x<redacted>'": 3 } });
    assert_eq!(redactor().value(names), wanted);
}

#[test]
fn each_line_of_a_key_is_a_secret() {
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----\n";
    let redactor = redactor_of(&json!(key));
    for said in [
        "line 2: MIIEvQIBADANBgkqhkiG9w0B",
        r"all: -----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB",
        "  MIIEvQIBADANBgkqhkiG9w0B\r\n  AQEFAASCBKcwggSjAgEAAoIB",
    ] {
        let clean = redactor.text(said.to_owned());
        assert!(!clean.contains("MIIE") && !clean.contains("AQEF"), "{clean}");
    }
}

#[test]
fn parts_of_documents_and_addresses_are_secrets() {
    let document = json!({ "private_key": "one-long-key\nof-two-lines" }).to_string();
    let redactor = redactor_of(&json!([document, "postgres://ann:s3cr%40t!@db/x"]));
    for said in ["of-two-lines", "the password s3cr@t!", "s3cr%40t!"] {
        assert!(redactor.text(said.to_owned()).contains(CLOSED), "{said}");
    }
}

#[test]
fn lines_are_searched_together_and_stay_lines() {
    let redactor = redactor_of(&json!("correct-horse-battery"));
    let line = |stream, text: &str| LogLine { at: Timestamp(1), stream, text: text.to_owned() };
    let lines = vec![
        line(LogStream::Out, "one correct-ho"),
        line(LogStream::Err, "between"),
        line(LogStream::Out, "rse-battery two"),
        line(LogStream::Out, ""),
        line(LogStream::Out, "Y29ycmVjdC1ob3Jz"),
        line(LogStream::Out, "ZS1iYXR0ZXJ5 end"),
    ];
    let texts: Vec<String> = redactor.lines(lines).into_iter().map(|line| line.text).collect();
    assert_eq!(texts, ["one <redacted>", "between", "<redacted> two", "", "<redacted>", "<redacted> end"]);
}

/// A coding of texts.
type Coding = (&'static str, fn(&str) -> String);

fn base64_of(text: &str, engine: &impl base64::Engine) -> String {
    engine.encode(text)
}

fn hexed(text: &str, upper: bool) -> String {
    let one = |byte: u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
    text.bytes().map(one).collect()
}

fn base64_of_bytes(bytes: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes)
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

fn spaced(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}

/// Lists bytes as `hexdump -C` does, or in words as xxd does.
fn dump(bytes: &[u8], words: bool) -> String {
    let line = |(n, row): (usize, &[u8])| {
        let shown: String =
            row.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' }).collect();
        let pairs = row.chunks(2).map(|pair| spaced(pair, "")).collect::<Vec<_>>().join(" ");
        match (words, row.split_at_checked(8)) {
            (true, _) => format!("{:08x}: {pairs}  {shown}\n", 16 * n),
            (false, Some((first, second))) => {
                format!("{:08x}  {}  {}  |{shown}|\n", 16 * n, spaced(first, " "), spaced(second, " "))
            }
            (false, None) => format!("{:08x}  {}  |{shown}|\n", 16 * n, spaced(row, " ")),
        }
    };
    bytes.chunks(16).enumerate().map(line).collect()
}

/// The usual codings, alone.
const CODINGS: &[Coding] = &[
    ("plain", str::to_owned),
    ("JSON", |text| {
        let json = serde_json::Value::from(text).to_string();
        json[1..json.len() - 1].to_owned()
    }),
    ("JSON with escaped slashes", |text| text.replace('\\', "\\\\").replace('"', "\\\"").replace('/', "\\/")),
    ("percent", |text| text.bytes().map(|byte| format!("%{byte:02X}")).collect()),
    ("percent, what must", |text| {
        let one = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02x}"),
        };
        text.bytes().map(one).collect()
    }),
    ("\\u", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ("\\x", |text| text.bytes().map(|byte| format!("\\x{byte:02X}")).collect()),
    ("HTML", |text| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;")
    }),
    ("HTML by number", |text| text.chars().map(|c| format!("&#x{:x};", u32::from(c))).collect()),
    ("Base64", |text| base64_of(text, &base64::engine::general_purpose::STANDARD)),
    ("Base64 for addresses", |text| base64_of(text, &base64::engine::general_purpose::URL_SAFE_NO_PAD)),
    ("Base64, second letter", |text| {
        base64_of(&format!("u{text}"), &base64::engine::general_purpose::STANDARD_NO_PAD)
    }),
    ("Base64, third letter", |text| {
        base64_of(&format!("u:{text}!"), &base64::engine::general_purpose::STANDARD)
    }),
    ("Base64 of UTF-16", |text| base64_of_bytes(&utf16(text, u16::to_le_bytes))),
    ("Base64 of UTF-16, the other order", |text| base64_of_bytes(&utf16(text, u16::to_be_bytes))),
    ("quoted-printable", |text| text.bytes().map(|byte| format!("={byte:02X}")).collect()),
    ("quoted-printable, what must", |text| {
        let one = |(n, byte): (usize, u8)| {
            let soft = if n % 9 == 8 { "=\r\n" } else { "" };
            match byte {
                b'!'..=b'<' | b'>'..=b'~' => format!("{soft}{}", char::from(byte)),
                _ => format!("{soft}={byte:02X}"),
            }
        };
        text.bytes().enumerate().map(one).collect()
    }),
    ("spaced hex", |text| spaced(text.as_bytes(), " ")),
    ("hex with colons", |text| spaced(text.as_bytes(), ":")),
    ("hex of a program", |text| format!("0x{}", spaced(text.as_bytes(), ", 0x"))),
    ("hex of UTF-16", |text| spaced(&utf16(text, u16::to_le_bytes), " ")),
    ("dump", |text| dump(text.as_bytes(), false)),
    ("dump of words", |text| dump(text.as_bytes(), true)),
    ("hex", |text| hexed(text, false)),
    ("HEX", |text| hexed(text, true)),
];

const SECRETS: [&str; 5] = [
    "ba\".'{\"\\%0c #x\\:u+X<%% Y",
    "hunter2-Tr0ub4dor",
    "p\"a's<s>&%41 wörd/1+2",
    "x\\u0041y==ZZZ",
    "12345678",
];

#[test]
fn codings_within_codings_hide_nothing() {
    for secret in SECRETS {
        let redactor = redactor_of(&json!(secret));
        for (o, (outer, code)) in CODINGS.iter().enumerate() {
            for (i, (inner, code_inside)) in CODINGS.iter().enumerate() {
                let coded = code(&code_inside(secret));
                // What lists bytes takes long to read, and is read in the same way wherever it stands.
                let is_long =
                    [outer, inner].iter().any(|name| name.contains("dump") || name.contains("hex "));
                let around = [("", ""), ("a=", "&b=1"), ("[\"", "\"]")];
                let around = [("said: ", "."), around[(o + i) % around.len()]];
                for (before, after) in around.into_iter().take(if is_long { 1 } else { 2 }) {
                    // A quoted-printable text has no other `=` than those of its escapes.
                    let sign = if outer.starts_with("quoted") { "=3D" } else { "=" };
                    let (before, after) = (&before.replace('=', sign), &after.replace('=', sign));
                    let clean = redactor.text(format!("{before}{coded}{after}"));
                    let context = format!("{secret} in {inner} in {outer}: {coded} became {clean}");
                    assert!(clean.contains(CLOSED), "{context}");
                    assert!(!clean.contains(&coded), "{context}");
                    // Beside a list of bytes, a few signs may be the rest of a byte that was cut.
                    let is_list = [outer, inner].iter().any(|name| name.contains("hex"));
                    assert!(clean.starts_with(before.as_str()) || is_list && before.len() < 5, "{context}");
                    // The rest of the coded text is what was put around the secret inside.
                    let left = clean.len() - CLOSED.len() * clean.matches(CLOSED).count();
                    assert!(left <= before.len() + after.len() + coded.len() / 2, "{context}");
                }
            }
        }
    }
}

#[test]
fn each_of_several_places_is_found() {
    let redactor = redactor_of(&json!("hunter2 \"Tr0ub4dor\""));
    let coded =
        base64_of(r#"{"password":"hunter2 \"Tr0ub4dor\""}"#, &base64::engine::general_purpose::STANDARD);
    let clean = redactor.text(format!("{coded} and %41 \\u0041 {coded} and {coded}"));
    assert_eq!(clean.matches(CLOSED).count(), 3, "{clean}");
}

#[test]
fn cut_anywhere_a_secret_is_not_told() {
    let secret = "hunter2-Tr0ub4dor/9";
    let redactor = redactor_of(&json!(secret));
    for (name, code) in CODINGS {
        let coded = code(secret);
        for at in (0..=coded.len()).filter(|at| coded.is_char_boundary(*at)) {
            // The readable part of the secret in each half.
            for half in [format!("said {}", &coded[..at]), format!("{} it said", &coded[at..])] {
                let clean = redactor.text(half.clone());
                let known = [code(&secret[..8]), code(&secret[secret.len() - 8..])];
                let tells = known.iter().any(|part| {
                    let part = part.trim_end_matches('=');
                    part.len() >= 8 && clean.contains(&part[..part.len() - 2])
                });
                assert!(!tells || name.contains("letter"), "{name} at {at}: {half} became {clean}");
            }
        }
    }
}

#[test]
fn every_text_and_name_of_a_report_is_searched() {
    let secret = "hunter2-Tr0ub4dor";
    let redactor = redactor_of(&json!(secret));
    let said = || format!("x {secret} y");
    let mut fault = Fault::new(said(), said()).remedy(said()).cause(said(), said()).argument(said());
    fault.error_type = said();
    fault.reference_token = Some(said());
    fault = fault.with(&said(), json!({ said(): [said(), { said(): said() }] }));
    fault.nested_errors.push(fault.clone());
    let stage = Stage {
        name: said(),
        kind: said(),
        description: said(),
        status: longhaul_model::StageStatus::Failed,
        created_at: Timestamp(1),
        completed_at: None,
        errors: vec![fault.clone()],
    };
    let stage = serde_json::to_string(&redactor.stage(stage)).unwrap();
    assert!(!stage.contains(secret) && stage.matches(CLOSED).count() > 20, "{stage}");
    let failures: [fn(Fault) -> Failure; 4] = [
        |fault| Failure::Error { fault, retryable: true },
        |fault| Failure::Local { fault, retryable: true },
        |fault| Failure::Unknown { fault },
        |fault| Failure::Abandoned { fault },
    ];
    for failure in failures {
        let clean = format!("{:?}", redactor.failure(failure(fault.clone())));
        assert!(!clean.contains(secret) && clean.matches(CLOSED).count() > 20, "{clean}");
    }
    // Each text that a report can hold is one of these: a member that is added is missed by none of them.
    let untouched = serde_json::to_value(&fault).unwrap();
    assert_eq!(redactor.value(json!(redactor.fault(fault))), redactor.value(untouched));
}
