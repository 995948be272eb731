//! Secrets in codings within codings: a line of codings, a line with the secret, and the text around it. No
//! coding of the secret is left, and what is taken out are whole characters, in order.

#[path = "../../crates/engine/src/secrets/decode.rs"]
mod decode;
#[path = "../../crates/engine/src/secrets/dump.rs"]
mod dump;
#[path = "../../crates/engine/src/secrets/needles.rs"]
mod needles;
#[path = "../../crates/engine/src/secrets/search.rs"]
mod search;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

fn coded(text: &str, coding: u8) -> String {
    let json = Value::from(text).to_string();
    match coding % 9 {
        0 => json[1..json.len() - 1].to_owned(),
        1 => text.bytes().map(|byte| format!("%{byte:02x}")).collect(),
        2 => text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect(),
        3 => text.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        4 => STANDARD.encode(text),
        5 => URL_SAFE_NO_PAD.encode(format!("u:{text}")),
        6 => STANDARD.encode(format!("u{text}")),
        7 => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
        _ => text.to_owned(),
    }
}

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &[u8]) {
    let Ok(data) = std::str::from_utf8(data) else { return };
    let mut lines = data.splitn(3, '\n');
    let (Some(codings), Some(secret), Some(around)) = (lines.next(), lines.next(), lines.next()) else {
        return;
    };
    if secret.trim().len() < 8 || codings.len() > 3 {
        return;
    }
    let mut learner = needles::Learner::default();
    learner.learn(&Value::from(secret), false);
    let needles = learner.needles();
    let hidden = codings.bytes().fold(secret.to_owned(), |text, coding| coded(&text, coding));
    let half = around.floor_char_boundary(around.len() / 2);
    let text = format!("{} {hidden} {}", &around[..half], &around[half..]);
    let (mut clean, mut at) = (String::new(), 0);
    for part in search::secret_parts(&needles, &text) {
        assert!(at <= part.start && part.start <= part.end, "in order");
        clean.push_str(&text[at..part.start]);
        clean.push('*');
        at = part.end;
    }
    clean.push_str(&text[at..]);
    assert!(!clean.contains(&hidden), "{codings} of {secret:?} in {text:?} became {clean:?}");
}
