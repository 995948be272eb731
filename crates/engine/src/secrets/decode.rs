//! Texts as their readers decode them: each step of decoding gives a view whose bytes know their place in the
//! text.

use std::ops::Range;

/// Bytes found by decoding a text, each with the part of the text that it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// Start of the part of the text that each byte comes from.
    from: Vec<u32>,
    /// End of the part of the text that each byte comes from.
    to: Vec<u32>,
    /// True if the text itself may begin in the middle of something that is sought.
    pub(super) at_start: bool,
    /// True if the text itself may end in the middle of something that is sought.
    pub(super) at_end: bool,
}

impl View {
    /// Creates an empty view of something inside of another one.
    pub(super) fn inside() -> View {
        View { at_start: false, at_end: false, ..View::default() }
    }

    /// Adds a byte that a part of another view stands for.
    pub(super) fn decode(&mut self, view: &View, part: Range<usize>, byte: u8) {
        self.push_from(view, part, &[byte]);
    }

    /// Adds what no secret holds, behind a part of another view: no match goes across.
    pub(super) fn part_here(&mut self, view: &View, at: usize) {
        let place = view.from.get(at).copied().unwrap_or(u32::MAX);
        self.push(0, place, place);
        self.push(0xff, place, place);
    }

    /// Creates the view of the text itself.
    pub(super) fn of(text: &str) -> View {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let (from, to) = ((0..length).collect(), (1..=length).collect());
        View { bytes: text.as_bytes().to_vec(), from, to, at_start: true, at_end: true }
    }

    fn empty(like: &View) -> View {
        View { at_start: like.at_start, at_end: like.at_end, ..View::default() }
    }

    /// Returns the part of the text that some of the bytes come from.
    pub(super) fn part(&self, range: &Range<usize>) -> Range<usize> {
        let from = self.from.get(range.start).map_or(0, |at| *at as usize);
        let to = range.end.checked_sub(1).and_then(|last| self.to.get(last)).map_or(from, |at| *at as usize);
        from..to
    }

    fn push(&mut self, byte: u8, from: u32, to: u32) {
        self.bytes.push(byte);
        self.from.push(from);
        self.to.push(to);
    }

    fn push_from(&mut self, view: &View, at: Range<usize>, bytes: &[u8]) {
        let part = (view.from[at.start], view.to[at.end - 1]);
        bytes.iter().for_each(|byte| self.push(*byte, part.0, part.1));
    }

    /// Some of the bytes.
    fn slice(&self, range: Range<usize>) -> View {
        View {
            bytes: self.bytes[range.clone()].to_vec(),
            from: self.from[range.clone()].to_vec(),
            to: self.to[range.clone()].to_vec(),
            at_start: self.at_start && range.start == 0,
            at_end: self.at_end && range.end == self.bytes.len(),
        }
    }

    /// Returns the view with one level of escapes of some kinds removed; `None` if there are none.
    pub(super) fn unescaped(&self, kinds: &[u8]) -> Option<View> {
        let special = |byte: &u8| kinds.contains(byte);
        let mut at = self.bytes.iter().position(special)?;
        let mut view = self.slice(0..at);
        view.at_end = self.at_end;
        let mut changed = false;
        let mut utf8 = [0; 8];
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let found = if special(&rest[0]) { escape(rest, &mut utf8) } else { None };
            match found {
                Some((length, decoded)) => {
                    changed = true;
                    view.push_from(self, at..at + length, &utf8[..decoded]);
                    at += length;
                }
                None => {
                    view.push(rest[0], self.from[at], self.to[at]);
                    at += 1;
                }
            }
        }
        changed.then_some(view)
    }

    /// Returns the view without line breaks, the indentation of the next line, and the `=` by which
    /// quoted-printable texts break lines; `None` if there are none.
    pub(super) fn unwrapped(&self) -> Option<View> {
        self.bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
        let mut view = View::empty(self);
        let mut begun = false;
        for (at, byte) in self.bytes.iter().enumerate() {
            begun = match byte {
                b'\n' | b'\r' => true,
                b' ' | b'\t' => begun,
                b'=' => matches!(self.bytes.get(at + 1), Some(b'\n' | b'\r')),
                _ => false,
            };
            if !begun {
                view.push(*byte, self.from[at], self.to[at]);
            }
        }
        Some(view)
    }

    /// Returns the view of UTF-16 as UTF-8, in both orders of the bytes, as far as its characters are of
    /// Latin 1; other bytes stay. `None` if no two zeros stand apart.
    pub(super) fn narrowed(&self) -> Option<View> {
        let at = |n: Option<usize>| n.and_then(|n| self.bytes.get(n)).copied();
        let is_half = |n: Option<usize>| {
            let beside = [n.and_then(|n| n.checked_sub(1)), n.and_then(|n| n.checked_add(1))];
            at(n) == Some(0) && beside.iter().all(|n| at(*n) != Some(0))
        };
        let mut view = View::empty(self);
        let mut count = 0;
        for (n, byte) in self.bytes.iter().enumerate() {
            let is_wide = || is_half(n.checked_sub(1)) || is_half(n.checked_add(1));
            match *byte {
                0 if is_half(Some(n)) => count += 1,
                byte if byte >= 0x80 && is_wide() => {
                    let mut utf8 = [0; 2];
                    let utf8 = char::from(byte).encode_utf8(&mut utf8).as_bytes();
                    view.push_from(self, n..n + 1, utf8);
                }
                byte => view.push(byte, self.from[n], self.to[n]),
            }
        }
        (count > 1).then_some(view)
    }

    /// Decodes runs of the letters of a code that begin at their letter of number `skip`: all of them one
    /// after the other, with the pieces that read like text.
    pub(super) fn decoded(&self, code: &Code, skip: usize) -> (View, Vec<View>) {
        let mut all = View::inside();
        let mut pieces = Vec::new();
        for run in runs(&self.bytes, code) {
            let begin = all.bytes.len();
            self.decode_run(code, run.start + skip..run.end, &mut all);
            let at_start = self.at_start && run.start == 0;
            let at_end = self.at_end && run.end + PADDING >= self.bytes.len();
            if at_start || at_end || reads_like_text(&all.bytes[begin..]) {
                pieces.push(View { at_start, at_end, ..all.slice(begin..all.bytes.len()) });
            } else if all.bytes[begin..].contains(&0) {
                let narrow = all.slice(begin..all.bytes.len()).narrowed();
                pieces.extend(narrow.filter(|narrow| reads_like_text(&narrow.bytes)));
            }
            // No match goes from one run to the next.
            let end = self.to[run.end - 1];
            all.push(0, end, end);
            all.push(0xff, end, end);
        }
        (all, pieces)
    }

    fn decode_run(&self, code: &Code, run: Range<usize>, into: &mut View) {
        let (mut bits, mut held, mut first) = (0_u32, 0, run.start);
        for at in run {
            let Some(value) = code.value(self.bytes[at]) else { continue };
            if held == 0 {
                first = at;
            }
            bits = bits << code.bits | u32::from(value);
            held += code.bits;
            if held >= 8 {
                held -= 8;
                into.push((bits >> held) as u8, self.from[first], self.to[at]);
                bits &= (1 << held) - 1;
                first = at;
            }
        }
    }
}

/// The bytes that begin escapes of each kind.
pub(super) const ESCAPES: &[u8] = b"%\\&";
/// The byte that begins escapes of quoted-printable texts, and their soft line breaks.
pub(super) const QUOTED_PRINTABLE: &[u8] = b"=";

/// Maximum number of padding letters behind a run.
const PADDING: usize = 2;

/// Code whose letters stand for some bits each.
pub(super) struct Code {
    bits: u32,
    /// Values by letter; [`NONE`] for other bytes.
    values: [u8; 256],
    /// Number of letters of the shortest thing sought.
    shortest: usize,
    /// Number of letters after which the same bits begin a byte again.
    pub(super) period: usize,
}

/// Base64, in both alphabets.
pub(super) static BASE64: Code = Code { bits: 6, values: table(BASE64_LETTERS), shortest: 6, period: 4 };
/// Hexadecimal, in both cases.
pub(super) static HEX: Code = Code { bits: 4, values: table(HEX_LETTERS), shortest: 8, period: 2 };

/// Value of a byte that is not a letter.
const NONE: u8 = 0xff;

impl Code {
    pub(super) fn value(&self, byte: u8) -> Option<u8> {
        Some(self.values[usize::from(byte)]).filter(|value| *value != NONE)
    }
}

/// Returns the table of an alphabet, given as ranges of letters with their first values.
const fn table<const N: usize>(alphabet: [(u8, u8, u8); N]) -> [u8; 256] {
    let (mut values, mut n) = ([NONE; 256], 0);
    while n < N {
        let (mut letter, last, mut value) = alphabet[n];
        while letter <= last {
            values[letter as usize] = value;
            (letter, value) = (letter + 1, value + 1);
        }
        n += 1;
    }
    values
}

const BASE64_LETTERS: [(u8, u8, u8); 7] = [
    (b'A', b'Z', 0),
    (b'a', b'z', 26),
    (b'0', b'9', 52),
    (b'+', b'+', 62),
    (b'-', b'-', 62),
    (b'/', b'/', 63),
    (b'_', b'_', 63),
];
const HEX_LETTERS: [(u8, u8, u8); 3] = [(b'0', b'9', 0), (b'A', b'F', 10), (b'a', b'f', 10)];

/// Returns the runs of letters of a code that are long enough.
fn runs(bytes: &[u8], code: &Code) -> Vec<Range<usize>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| code.value(**byte).is_some()).count();
        if length >= code.shortest {
            all.push(at..at + length);
        }
        at += length + 1;
    }
    all
}

fn reads_like_text(bytes: &[u8]) -> bool {
    let odd = bytes.iter().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace()).count();
    odd == 0
        && bytes.len() >= 4
        && std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to() + 4 > bytes.len(), |_| true)
}

/// Decodes the escape that the bytes begin with: returns its length, and the number of bytes in `out`, which
/// is 0 for a soft line break.
fn escape(bytes: &[u8], out: &mut [u8; 8]) -> Option<(usize, usize)> {
    match (bytes[0], *bytes.get(1)?) {
        (b'%', b'u' | b'U') => unicode(bytes, out, b'%'),
        (b'%', _) => byte(bytes.get(1..3)?, out).map(|length| (3, length)),
        (b'\\', b'u' | b'U') => unicode(bytes, out, b'\\'),
        (b'\\', b'x') => byte(bytes.get(2..4)?, out).map(|length| (4, length)),
        (b'\\', b'0'..=b'3') => octal(bytes, out),
        (b'\\', letter) => {
            let stands_for = match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'f' => 12,
                letter if letter.is_ascii_punctuation() => letter,
                _ => return None,
            };
            out[0] = stands_for;
            Some((2, 1))
        }
        (b'&', _) => entity(bytes, out),
        (b'=', b'\n') => Some((2, 0)),
        (b'=', b'\r') => (bytes.get(2) == Some(&b'\n')).then_some((3, 0)),
        (b'=', _) => byte(bytes.get(1..3)?, out).map(|length| (3, length)),
        _ => None,
    }
}

fn byte(digits: &[u8], out: &mut [u8; 8]) -> Option<usize> {
    out[0] = HEX.value(digits[0])? << 4 | HEX.value(digits[1])?;
    Some(1)
}

fn octal(bytes: &[u8], out: &mut [u8; 8]) -> Option<(usize, usize)> {
    let digits = bytes.get(1..4).filter(|digits| digits.iter().all(|digit| (b'0'..=b'7').contains(digit)));
    let Some(digits) = digits else {
        out[0] = 0;
        return (bytes[1] == b'0').then_some((2, 1));
    };
    out[0] = digits.iter().fold(0, |value, digit| value << 3 | (digit - b'0'));
    Some((4, 1))
}

/// Decodes `\u0041`, `\u{41}`, `\U00000041`, and two of them for one character.
fn unicode(bytes: &[u8], out: &mut [u8; 8], mark: u8) -> Option<(usize, usize)> {
    let (unit, length) = unit(bytes, mark)?;
    if let Some(single) = char::from_u32(unit) {
        return Some((length, single.encode_utf8(out).len()));
    }
    let (second, more) = self::unit(&bytes[length..], mark)?;
    let whole = char::decode_utf16([u16::try_from(unit).ok()?, u16::try_from(second).ok()?]).next()?.ok()?;
    Some((length + more, whole.encode_utf8(out).len()))
}

fn unit(bytes: &[u8], mark: u8) -> Option<(u32, usize)> {
    let number = |digits: &[u8]| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    match bytes {
        [first, b'u', b'{', rest @ ..] if *first == mark => {
            let length = rest.iter().take(7).position(|byte| *byte == b'}')?;
            Some((number(&rest[..length])?, length + 4))
        }
        [first, b'U', ..] if *first == mark && mark == b'\\' => Some((number(bytes.get(2..10)?)?, 10)),
        [first, b'u' | b'U', ..] if *first == mark => Some((number(bytes.get(2..6)?)?, 6)),
        _ => None,
    }
}

/// The longest name of an entity that is looked at.
const LONGEST_ENTITY: usize = 32;

fn entity(bytes: &[u8], out: &mut [u8; 8]) -> Option<(usize, usize)> {
    let end = bytes.iter().take(LONGEST_ENTITY).position(|byte| *byte == b';')?;
    let text = std::str::from_utf8(&bytes[..=end]).ok()?;
    if let Some(number) = text.strip_prefix("&#").and_then(|rest| rest.strip_suffix(';')) {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        // Any character: HTML has no NUL, but those who write entities do.
        return Some((end + 1, char::from_u32(code.ok()?)?.encode_utf8(out).len()));
    }
    let decoded = html_escape::decode_html_entities(text);
    if decoded == text || decoded.len() > out.len() {
        return None;
    }
    out[..decoded.len()].copy_from_slice(decoded.as_bytes());
    Some((end + 1, decoded.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(text: &str) -> Option<String> {
        View::of(text).unescaped(ESCAPES).map(|view| String::from_utf8(view.bytes).unwrap())
    }

    #[test]
    fn escapes_of_every_kind_are_taken_off() {
        for (text, wanted) in [
            ("a%2fb%2Fc", "a/b/c"),
            ("%u0041%U0042", "AB"),
            (r#"\"\\\/\n"#, "\"\\/\n"),
            (r"\u00fc\ud83d\ude00\u{1F600}\U0001F600", "ü😀😀😀"),
            (r"\x41\101", "AA"),
            ("&lt;&#65;&#x42;&ouml;&amp;&#0;", "<ABö&\0"),
            ("%zz \\q & %41", "%zz \\q & A"),
        ] {
            assert_eq!(unescaped(text).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(unescaped("50 % & more \\"), None);
    }

    #[test]
    fn bytes_know_where_they_come_from() {
        let view = View::of("x%41\\u0042y").unescaped(ESCAPES).unwrap();
        assert_eq!(view.bytes, b"xABy");
        assert_eq!((view.part(&(1..2)), view.part(&(2..3)), view.part(&(1..3))), (1..4, 4..10, 1..10));
        // "abc" is YWJj.
        let (view, pieces) = View::of("=YWJjZGVm").decoded(&BASE64, 0);
        assert_eq!((&view.bytes[..6], view.part(&(0..3)), pieces.len()), (&b"abcdef"[..], 1..5, 1));
    }
}
