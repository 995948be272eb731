//! Entry points of the fuzz targets in `fuzz/`: readers of what anybody may send, each with the properties of
//! its result.

use crate::api::tasks::import;
use crate::config::Limits;
use crate::request::Parameters;

/// Reads a query. The result can be written again, and is then read as the same.
pub fn query(text: &str) {
    let Ok(read) = Parameters::parse(Some(text), &Limits::default()) else { return };
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pairs = read.pairs().iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    let written = pairs.collect::<Vec<_>>().join("&");
    assert!(read.pairs().iter().all(|(name, value)| !name.contains('\0') && !value.contains('\0')));
    if let Ok(again) = Parameters::parse(Some(&written), &Limits::default()) {
        // A pair without a name and a value leaves nothing to read.
        let kept = |one: &&(String, String)| !one.0.is_empty() || !one.1.is_empty();
        assert!(read.pairs().iter().filter(kept).eq(again.pairs().iter().filter(kept)));
    }
}

/// Reads the body of an import. Tasks that are kept are the same JSON; a refusal does not repeat what was
/// sent.
pub fn import_file(bytes: &[u8]) {
    match import::read(bytes) {
        Ok(tasks) => {
            for task in tasks {
                assert!(serde_json::from_str::<serde::de::IgnoredAny>(&task).is_ok(), "{task}");
            }
        }
        Err(message) => assert!(message.len() < 4_000 && !message.contains("CANARY"), "{message}"),
    }
}
