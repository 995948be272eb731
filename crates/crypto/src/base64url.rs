//! Base64 for addresses and tokens (RFC 4648, section 5) without padding: one text for each sequence of
//! bytes, so that a token cannot be written in two ways.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes bytes.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Back to bytes; `None` for padding, other alphabets, white space, and bits left over at the end.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_spelling_is_read() {
        assert_eq!(encode(&[0xfb, 0xff, 0x01]), "-_8B");
        assert_eq!(decode("-_8B"), Some(vec![0xfb, 0xff, 0x01]));
        for other in ["+/8B", "-_8=", "-_8B\n", " -_8B", "-_9", "a"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }
}
