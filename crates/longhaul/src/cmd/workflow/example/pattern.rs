//! A text that a pattern matches.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Returns the shortest text that the pattern matches, with every repetition `more` times longer than it must
/// be.
pub(super) fn text(pattern: &str, more: u32) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut bytes = Vec::new();
    append(&hir, more, &mut bytes)?;
    String::from_utf8(bytes).ok()
}

fn append(hir: &Hir, more: u32, out: &mut Vec<u8>) -> Option<()> {
    /// Longer texts are no example.
    const LONGEST: usize = 4096;
    match hir.kind() {
        // Anchors take no room; whether they hold is seen when the text is checked.
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => {
            let c = character(class)?;
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition.min.saturating_add(more).min(most) {
                append(&repetition.sub, more, out)?;
                if out.len() > LONGEST {
                    return None;
                }
            }
        }
        HirKind::Capture(capture) => append(&capture.sub, more, out)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| append(part, more, out))?,
        HirKind::Alternation(parts) => append(parts.first()?, more, out)?,
    }
    Some(())
}

/// Picks a character of the class that people like to read, if it has one.
fn character(class: &Class) -> Option<char> {
    let ranges: Vec<(char, char)> = match class {
        Class::Unicode(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Bytes(class) => {
            class.ranges().iter().map(|range| (char::from(range.start()), char::from(range.end()))).collect()
        }
    };
    let has = |c: &char| ranges.iter().any(|(from, to)| (from..=to).contains(&c));
    ('a'..='z').chain('A'..='Z').chain('1'..='9').chain('0'..='0').find(has).or(Some(ranges.first()?.0))
}
