//! Decoding of an answer's bytes into text: content codings are removed, and whatever the charset, the text
//! is decoded as its sender meant it or not at all. No garbled text is stored.

use std::borrow::Cow;
use std::io::Read;

use encoding_rs::Encoding;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use longhaul_model::encoding;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};

/// The largest body that is read, in bytes.
pub(super) const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// Reason for which a body is not a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// The unpacked body is larger than the limit.
    TooLarge,
    /// The body cannot be unpacked or decoded, with the reason.
    Unreadable(String),
}

/// Returns the body without its content codings.
pub(super) fn unpacked(headers: &HeaderMap, bytes: Vec<u8>) -> Result<Vec<u8>, Undecoded> {
    let codings = headers.get_all(CONTENT_ENCODING).iter().filter_map(|coding| coding.to_str().ok());
    let codings = codings.flat_map(|text| text.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
    let codings: Vec<String> = codings.filter(|coding| !matches!(coding.as_str(), "" | "identity")).collect();
    if bytes.is_empty() {
        return Ok(bytes);
    }
    // The last one was applied last.
    codings.iter().rev().try_fold(bytes, |bytes, coding| match coding.as_str() {
        "gzip" | "x-gzip" => whole(MultiGzDecoder::new(bytes.as_slice()), coding),
        "deflate" => whole(ZlibDecoder::new(bytes.as_slice()), coding)
            // Some services send it without the header that the standard asks for.
            .or_else(|_| whole(DeflateDecoder::new(bytes.as_slice()), coding)),
        _ => {
            Err(Undecoded::Unreadable("its Content-Encoding is none that is read (gzip, deflate)".to_owned()))
        }
    })
}

fn whole(reader: impl Read, coding: &str) -> Result<Vec<u8>, Undecoded> {
    let mut bytes = Vec::new();
    let most = LARGEST_BODY as u64;
    match reader.take(most + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > LARGEST_BODY => Err(Undecoded::TooLarge),
        Ok(_) => Ok(bytes),
        Err(e) => Err(Undecoded::Unreadable(format!("it is no {coding}: {e}"))),
    }
}

/// Returns the text of a body. A byte order mark counts more than any header; without either it is UTF-8.
pub(super) fn text<'a>(headers: &HeaderMap, bytes: &'a [u8]) -> Result<Cow<'a, str>, Undecoded> {
    let unreadable = |reason: String| Undecoded::Unreadable(reason);
    let marked = matches!(bytes, [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let Some(label) = charset(headers).filter(|_| !marked) else {
        return encoding::text_of(bytes).map_err(|e| unreadable(e.to_string()));
    };
    let Some(charset) = Encoding::for_label(label.as_bytes()) else {
        return Err(unreadable("its charset is none that is known".to_owned()));
    };
    let decoded = charset.decode_without_bom_handling_and_without_replacement(bytes);
    decoded.ok_or_else(|| unreadable(format!("it is not valid {}", charset.name())))
}

/// The parameter `charset` of the content type.
fn charset(headers: &HeaderMap) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let parameters = kind.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charsets.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn headers(kind: &str, coding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().expect("a value"));
        headers.insert(CONTENT_ENCODING, coding.parse().expect("a value"));
        headers
    }

    #[test]
    fn packed_bodies_are_unpacked() {
        let text = "größer ".repeat(1000).into_bytes();
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&text).expect("in memory");
        let gzip = gzip.finish().expect("in memory");
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(&text).expect("in memory");
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
        raw.write_all(&text).expect("in memory");
        let mut twice = ZlibEncoder::new(Vec::new(), Compression::fast());
        twice.write_all(&gzip).expect("in memory");
        for (coding, packed) in [
            ("gzip", gzip.clone()),
            ("X-GZIP", gzip.clone()),
            ("deflate", zlib.finish().expect("in memory")),
            ("deflate", raw.finish().expect("in memory")),
            ("gzip, deflate", twice.finish().expect("in memory")),
            ("identity", text.clone()),
        ] {
            assert_eq!(unpacked(&headers("text/plain", coding), packed), Ok(text.clone()), "{coding}");
        }
        for (coding, packed) in [("br", text.clone()), ("gzip", text.clone()), ("gzip", gzip[..40].to_vec())]
        {
            let refused = unpacked(&headers("text/plain", coding), packed);
            assert!(matches!(refused, Err(Undecoded::Unreadable(_))), "{coding}");
        }
        let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
        bomb.write_all(&vec![0; LARGEST_BODY + 1]).expect("in memory");
        let bomb = bomb.finish().expect("in memory");
        assert_eq!(unpacked(&headers("text/plain", "gzip"), bomb), Err(Undecoded::TooLarge));
    }

    #[test]
    fn texts_are_decoded_as_they_were_meant() {
        let of = |kind: &str, bytes: &[u8]| text(&headers(kind, "identity"), bytes).map(Cow::into_owned);
        for (kind, bytes, wanted) in [
            ("text/plain", "gr\u{fc}n".as_bytes(), "grün"),
            ("text/plain", b"\xef\xbb\xbfa", "a"),
            ("text/plain; charset=ISO-8859-1", b"gr\xfcn", "grün"),
            ("text/plain; charset=\"windows-1252\"", b"\x80", "€"),
            ("application/json; charset=shift_jis", b"\"\x83e\x83X\x83g\"", "\"テスト\""),
            ("application/json", b"\xff\xfe\"\0a\0\"\0", "\"a\""),
            ("text/plain; charset=utf-8", b"\xfe\xff\0a", "a"),
        ] {
            assert_eq!(of(kind, bytes).as_deref(), Ok(wanted), "{kind}");
        }
        for (kind, bytes) in [
            ("text/plain", &b"gr\xfcn"[..]),
            ("image/png", b"\x89PNG\r\n\x1a\n\xff"),
            ("text/plain; charset=utf-8", b"\xff"),
            ("text/plain; charset=klingon", b"a"),
        ] {
            assert!(matches!(of(kind, bytes), Err(Undecoded::Unreadable(_))), "{kind}");
        }
    }
}
