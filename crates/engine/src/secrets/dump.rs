//! Bytes that a text lists one by one in hexadecimal, as dumps do: `73 65 63`, `73:65:63`, `0x73, 0x65`, and
//! the lines of hexdump, od and xxd with their offsets and columns of text.

use std::ops::Range;

use super::decode::{HEX, View};

/// Least number of listed bytes that are looked at.
const SHORTEST: usize = 4;
/// Largest number of digits that are read as one group.
const LONGEST_GROUP: usize = 16;
/// Largest number of bytes between two groups: a comma, a space and `0x`.
const WIDEST: usize = 4;

/// Largest number of bytes before the first group, or behind the last one, of a list that was cut.
const CUT: usize = WIDEST + 1;

/// Order of the bytes in a group of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they are read, as xxd lists them.
    Written,
    /// The last one first, as hexdump and od list the words of most machines.
    Swapped,
}

/// A line of a text, and what of it lists bytes.
struct Line {
    whole: Range<usize>,
    /// Part that may list bytes.
    data: Range<usize>,
    /// Part of a dump's line, from its offset to its end: it repeats the bytes as text, so it is one.
    dump: Option<Range<usize>>,
}

/// Returns the bytes that are listed in a view, all of them one after the other; `None` if there are few.
/// Without `offsets` numbers at the beginning of lines are bytes, too.
pub(super) fn listed(view: &View, order: Order, offsets: bool) -> Option<View> {
    let bytes = &view.bytes;
    let (mut all, mut count, mut begin) = (View::inside(), 0, 0);
    let (mut has_words, mut has_offsets, mut first, mut last) = (false, false, None, 0);
    while begin < bytes.len() {
        let length = bytes[begin..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - begin);
        let line = line(bytes, begin..begin + length, offsets);
        has_offsets |= line.dump.is_some();
        let groups = groups(bytes, &line.data);
        if groups.is_empty() {
            all.part_here(view, begin);
        }
        for group in groups {
            if group.is_empty() {
                all.part_here(view, group.start);
                continue;
            }
            has_words |= group.len() > 2;
            count += group.len() / 2;
            first = first.or(Some(group.start));
            last = group.end;
            push(&mut all, view, &group, order, line.dump.as_ref());
        }
        begin = line.whole.end + 1;
    }
    // A dump that was cut may begin or end in the middle of a secret.
    all.at_start = view.at_start && first.is_some_and(|first| is_rest(&bytes[..first]));
    all.at_end = view.at_end && is_rest(&bytes[last..]);
    // The others are the same as one that is searched already.
    let differs = (order == Order::Written || has_words) && (!offsets || has_offsets);
    (count >= SHORTEST && differs).then_some(all)
}

/// Adds the bytes of a group.
fn push(all: &mut View, view: &View, group: &Range<usize>, order: Order, dump: Option<&Range<usize>>) {
    let digit = |at: usize| HEX.value(view.bytes[at]).unwrap_or_default();
    let mut pairs: Vec<usize> = group.clone().step_by(2).collect();
    if order == Order::Swapped {
        pairs.reverse();
    }
    for at in pairs {
        let part = match (dump, order) {
            (Some(dump), _) => dump.clone(),
            (None, Order::Swapped) => group.clone(),
            (None, Order::Written) => at..at + 2,
        };
        all.decode(view, part, digit(at) << 4 | digit(at + 1));
    }
}

fn line(bytes: &[u8], whole: Range<usize>, offsets: bool) -> Line {
    match offset(bytes, &whole).filter(|_| offsets) {
        None => Line { data: whole.clone(), whole, dump: None },
        Some((start, data)) => {
            let end = column(bytes, &(data..whole.end)).unwrap_or(whole.end);
            Line { data: data..end, dump: Some(start..whole.end), whole }
        }
    }
}

/// Returns the groups of digits in a part of a line. An empty one parts those before from those behind: more
/// than a separator is between them.
fn groups(bytes: &[u8], data: &Range<usize>) -> Vec<Range<usize>> {
    let (mut groups, mut at): (Vec<Range<usize>>, usize) = (Vec::new(), data.start);
    let mut behind = data.start;
    while at < data.end {
        let length = digits(bytes, at, data.end);
        let is_prefix = length == 1 && bytes[at] == b'0' && matches!(bytes.get(at + 1), Some(b'x' | b'X'));
        if is_prefix {
            at += 2;
        } else if length > 0 && length.is_multiple_of(2) && length <= LONGEST_GROUP {
            if !groups.is_empty() && !separates(&bytes[behind..at]) {
                groups.push(at..at);
            }
            groups.push(at..at + length);
            behind = at + length;
            at = behind;
        } else {
            at += length.max(1);
        }
    }
    groups
}

/// Returns true for what a cut leaves of a byte and of what stands beside it.
fn is_rest(bytes: &[u8]) -> bool {
    let is_part = |byte: &u8| HEX.value(*byte).is_some() || matches!(byte, b'x' | b'X') || is_mark(byte);
    bytes.len() <= CUT && bytes.iter().all(|byte| is_part(byte) || is_blank(&byte))
}

fn is_mark(byte: &u8) -> bool {
    b":;,-_.|".contains(byte)
}

/// Returns true for what parts words; in addresses a plus does.
fn is_blank(byte: &&u8) -> bool {
    byte.is_ascii_whitespace() || **byte == b'+'
}

fn digits(bytes: &[u8], at: usize, to: usize) -> usize {
    bytes[at..to].iter().take_while(|byte| HEX.value(**byte).is_some()).count()
}

/// Returns true for what stands between two bytes of a list.
fn separates(between: &[u8]) -> bool {
    let between = between.strip_suffix(b"0x").or_else(|| between.strip_suffix(b"0X")).unwrap_or(between);
    let marks = between.iter().filter(|byte| !is_blank(byte));
    marks.clone().count() <= 1 && marks.clone().all(is_mark) && between.len() <= WIDEST
}

/// Returns the position of the offset in a line of a dump, and that of the data behind it, as in
/// `00000010  73 65` and `00000010: 7365`.
fn offset(bytes: &[u8], line: &Range<usize>) -> Option<(usize, usize)> {
    let mut start = line.start;
    while start < line.end {
        let length = digits(bytes, start, line.end);
        let end = start + length;
        let mark = bytes[end..line.end].iter().take_while(|byte| **byte == b':' || is_blank(byte)).count();
        let data = end + mark;
        let first = digits(bytes, data, line.end);
        let has_colon = bytes[end..data].contains(&b':');
        // An offset is wider than a group, or marked.
        let is_wide = if has_colon { first <= length } else { first < length };
        if (4..=LONGEST_GROUP).contains(&length) && mark > 0 && first >= 2 && is_wide {
            return Some((start, data));
        }
        start = end + 1;
    }
    None
}

/// Returns the position of the column of text behind the data of a dump's line: it is set apart by more than
/// the groups are, or framed.
fn column(bytes: &[u8], data: &Range<usize>) -> Option<usize> {
    let mut at = data.start;
    let mut read = 0;
    while at < data.end {
        let length = digits(bytes, at, data.end);
        let gap = bytes[at + length..data.end].iter().take_while(is_blank).count();
        let next = at + length + gap;
        read += length / 2;
        if length == 0 || next >= data.end {
            return (length == 0).then_some(at);
        }
        // Dumps leave more room after the half of a line, too.
        if gap > 1 && read != 8 || bytes[next] == b'|' {
            return Some(next);
        }
        at = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let view = View::of(text);
        let views = [listed(&view, Order::Written, true), listed(&view, Order::Written, false)];
        views.into_iter().flatten().map(|view| String::from_utf8_lossy(&view.bytes).into_owned()).collect()
    }

    #[test]
    fn lists_of_bytes_are_read_in_every_form() {
        for text in [
            "73 65 63 72 65 74",
            "73:65:63:72:65:74",
            "73-65-63-72-65-74",
            "[0x73, 0x65, 0x63, 0x72, 0x65, 0x74]",
            "7365 6372 6574",
            "00000000: 7365 6372 6574  secret",
            "00000000  73 65 63 72\n00000004  65 74  |secret|",
            "0000000 73 65 63\n0000003 72 65 74\n0000006",
        ] {
            assert!(read(text).contains("secret"), "{text}: {:?}", read(text));
        }
        let view = listed(&View::of("0000000 6573 7263 7465"), Order::Swapped, true).expect("words");
        assert!(view.bytes.starts_with(b"secret"));
        assert!(listed(&View::of("no bytes are here"), Order::Written, false).is_none());
    }

    #[test]
    fn line_of_a_dump_is_one_part() {
        let text = "said 00000000: 7468 6520 7365  the se\n00000006: 6372 6574 2e    cret.\nend";
        let view = listed(&View::of(text), Order::Written, true).expect("a dump");
        let at = view.bytes.windows(6).position(|bytes| bytes == b"secret").expect("the secret");
        assert_eq!(&text[view.part(&(at..at + 6))], &text[5..text.len() - 4]);
    }
}
