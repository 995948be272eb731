//! Encoding of a text from outside: UTF-8, with a byte order mark or without, and UTF-16, which Windows
//! PowerShell writes to files by default (`>`, `Out-File`).

use std::borrow::Cow;

use thiserror::Error;

/// Reason for which bytes are not a text.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadEncoding {
    /// Invalid UTF-8, or an unknown encoding, from this byte on.
    #[error("it is not valid UTF-8 from byte {0} on")]
    Utf8(usize),
    /// UTF-16 that is invalid from this byte on.
    #[error("it is not valid UTF-16 from byte {0} on")]
    Utf16(usize),
    /// UTF-32, recognized by its byte order mark.
    #[error("it is UTF-32, which is not read; save it as UTF-8")]
    Utf32,
}

/// Returns the text that bytes encode, without its byte order mark. UTF-16 without a mark is recognized by
/// its zeros: no JSON or YAML text in UTF-8 has one among its first two bytes.
pub fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, BadEncoding> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(BadEncoding::Utf32),
        [0xff, 0xfe, rest @ ..] => utf16(rest, 2, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, 2, u16::from_be_bytes),
        [first, 0, ..] if *first != 0 => utf16(bytes, 0, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, 0, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3),
        _ => utf8(bytes, 0),
    }
}

fn utf8(bytes: &[u8], mark: usize) -> Result<Cow<'_, str>, BadEncoding> {
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|e| BadEncoding::Utf8(mark + e.valid_up_to()))
}

fn utf16(bytes: &[u8], mark: usize, unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, BadEncoding> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    let mut at = mark;
    for read in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let read = read.map_err(|_| BadEncoding::Utf16(at))?;
        at += 2 * read.len_utf16();
        text.push(read);
    }
    if rest.is_empty() { Ok(Cow::Owned(text)) } else { Err(BadEncoding::Utf16(at)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utf16_of(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    proptest! {
        #[test]
        fn json_is_read_in_every_encoding(inside in "\\PC*") {
            let text = format!("[{inside}");
            let (le, be) = (utf16_of(&text, u16::to_le_bytes), utf16_of(&text, u16::to_be_bytes));
            for (mark, bytes) in [
                (&[][..], text.as_bytes()),
                (&[0xef, 0xbb, 0xbf], text.as_bytes()),
                (&[], &le), (&[0xff, 0xfe], &le), (&[], &be), (&[0xfe, 0xff], &be),
            ] {
                let all = [mark, bytes].concat();
                let read = text_of(&all);
                prop_assert_eq!(read.as_deref(), Ok(&*text), "{:?}", all);
            }
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        assert_eq!(text_of(b"{\"a\":\"\xfc\"}"), Err(BadEncoding::Utf8(6)));
        assert_eq!(text_of(b"\xef\xbb\xbf\"\xfc\""), Err(BadEncoding::Utf8(4)));
        assert_eq!(text_of(b"\xff\xfe[\0]"), Err(BadEncoding::Utf16(4)));
        assert_eq!(text_of(b"\xff\xfe[\0\x00\xd8]\0"), Err(BadEncoding::Utf16(4)));
        assert_eq!(text_of(b"\xff\xfe\0\0[\0\0\0"), Err(BadEncoding::Utf32));
        assert_eq!(text_of(b"").as_deref(), Ok(""));
    }
}
