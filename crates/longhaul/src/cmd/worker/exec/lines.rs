//! A stream as lines, each of a limited length.

use std::borrow::Cow;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads lines to the end of a stream; the rest of a line that is too long is dropped. Each is passed on with
/// true if it is UTF-8; bytes that are not are replaced. The future may be dropped at any time: lines that
/// were read were passed on, but for an unfinished one.
pub(super) async fn read(
    stream: Option<impl AsyncRead + Unpin>,
    longest: usize,
    mut take: impl FnMut(&str, bool),
) {
    let Some(mut stream) = stream else { return };
    let (mut chunk, mut begun) = (vec![0; 32 << 10], Vec::new());
    let mut end = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        take(&text, matches!(text, Cow::Borrowed(_)));
        line.clear();
    };
    while let Ok(length @ 1..) = stream.read(&mut chunk).await {
        for part in chunk[..length].split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            let room = longest.saturating_sub(begun.len());
            begun.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                end(&mut begun);
            }
        }
    }
    if !begun.is_empty() {
        end(&mut begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_whole_and_limited() {
        let mut lines = Vec::new();
        let text: &[u8] = b"one\r\n\ntwo is too long\nlast \xff";
        read(Some(text), 7, |line, is_utf8| lines.push((line.to_owned(), is_utf8))).await;
        let lines: Vec<_> = lines.iter().map(|(line, is_utf8)| (line.as_str(), *is_utf8)).collect();
        assert_eq!(lines, [("one", true), ("", true), ("two is ", true), ("last \u{fffd}", false)]);
    }
}
