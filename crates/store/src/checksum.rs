//! The checksum of a stored document, kept in the document's own column, so that a text that changed on disk
//! and still parses is told from one that was written so.
//!
//! The checksum follows the document as white space, two bits a character: JSON allows that behind a value,
//! so the column stays a document for every reader, versions without checksums among them, and a writer that
//! knows nothing of checksums leaves none that could be out of date. A document without one is accepted.

use crate::error::StoreError;

/// Characters of a checksum: 32 bits.
const LENGTH: usize = 16;

/// The white space of JSON, each standing for two bits.
const DIGITS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Returns a document followed by its checksum.
pub(crate) fn add(mut document: String) -> String {
    document.truncate(content(&document).len());
    let sum = crc32fast::hash(document.as_bytes());
    document.reserve_exact(LENGTH);
    document.extend((0..LENGTH).map(|n| DIGITS[(sum >> (2 * n)) as usize & 3]));
    document
}

/// Returns a document without its checksum, which is not looked at.
pub(crate) fn content(text: &str) -> &str {
    text.trim_end_matches(DIGITS)
}

/// Returns a document without its checksum, if that is right or there is none.
pub(crate) fn verified(text: &str) -> Result<&str, StoreError> {
    let document = content(text);
    let digits = &text[document.len()..];
    if digits.is_empty() {
        return Ok(document);
    }
    let sum = crc32fast::hash(document.as_bytes());
    let expected = (0..LENGTH).map(|n| DIGITS[(sum >> (2 * n)) as usize & 3]);
    if digits.chars().eq(expected) {
        return Ok(document);
    }
    Err(StoreError::Corrupt(
        "its checksum is not that of its text, which changed after it was written".to_owned(),
    ))
}

/// Returns the checksum of a text that is kept in another column than the document with the checksum. NUL,
/// which one engine does not store, counts as its replacement.
pub(crate) fn of(text: &str) -> u32 {
    if text.contains('\0') {
        return crc32fast::hash(text.replace('\0', "\u{fffd}").as_bytes());
    }
    crc32fast::hash(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flipped_bit_passes_and_every_reader_of_json_reads_on() {
        for document in ["{\"a\":[1,\"x\\u0000y\"]}", "17", "\"\"", "[]", "{\"ü\":null}"] {
            let text = add(document.to_owned());
            assert_eq!(verified(&text).unwrap(), document);
            assert_eq!(verified(document).unwrap(), document, "written without a checksum");
            assert_eq!(add(text.clone()), text, "it has one checksum only");
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value, serde_json::from_str::<serde_json::Value>(document).unwrap());
            for at in 0..text.len() {
                for bit in 0..8 {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    let Ok(flipped) = String::from_utf8(bytes) else { continue };
                    let passes = verified(&flipped)
                        .is_ok_and(|text| serde_json::from_str::<serde_json::Value>(text).is_ok());
                    assert!(!passes, "{flipped:?}");
                }
            }
            // Cut within the checksum.
            for end in document.len() + 1..text.len() {
                assert!(verified(&text[..end]).is_err(), "{end}");
            }
        }
        assert_eq!(of("a\0b"), of("a\u{fffd}b"));
    }
}
