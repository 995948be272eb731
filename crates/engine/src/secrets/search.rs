//! Search for secrets in a text, in all usual codings, and nested in each other.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::decode::{BASE64, ESCAPES, HEX, QUOTED_PRINTABLE, View};
use super::dump::{Order, listed};
use super::needles::Needles;

/// Largest count of codings that are taken off, one inside of the other.
const DEEPEST: usize = 5;
/// Maximum number of bytes looked at for each byte of a text. A text made to need more counts as a secret.
const PATIENCE: usize = 256;
/// Least such budget, which short texts get.
const SMALL: usize = 128 * 1024;
/// The longest escape that may be cut at the end of a text.
const LONGEST_ESCAPE: usize = 12;

/// Returns the parts of a text that are secrets, in order and apart from each other.
pub(super) fn secret_parts(needles: &Needles, text: &str) -> Vec<Range<usize>> {
    if text.is_empty() || needles.is_empty() {
        return Vec::new();
    }
    let left = SMALL + PATIENCE.saturating_mul(text.len());
    let (known, digests) = (HashMap::new(), RandomState::new());
    let mut search = Search { needles, found: Vec::new(), known, digests, left, fits: true };
    search.look(&View::of(text), 0);
    if !search.fits {
        return std::iter::once(0..text.len()).collect();
    }
    settled(search.found, text)
}

struct Search<'a> {
    needles: &'a Needles,
    found: Vec<Range<usize>>,
    /// Digests of the views that were searched, with the codings taken off before: escapes removed in another
    /// order mostly give the same.
    known: HashMap<u64, usize>,
    digests: RandomState,
    left: usize,
    /// False once the text needs more work than allowed.
    fits: bool,
}

impl Search<'_> {
    fn look(&mut self, view: &View, depth: usize) {
        self.scan(view);
        self.edges(view, depth > 0);
        if depth == DEEPEST || !self.fits {
            return;
        }
        for code in [&BASE64, &HEX] {
            for skip in 0..code.period {
                let (all, pieces) = view.decoded(code, skip);
                self.scan(&all);
                pieces.iter().for_each(|piece| self.enter(piece, depth + 1));
            }
        }
        // Escapes of all kinds, as readers of nested documents do, and of each kind alone: a secret may hold
        // what looks like an escape of another kind.
        let kinds = ESCAPES.chunks(1).chain([ESCAPES, QUOTED_PRINTABLE]);
        let orders = [Order::Written, Order::Swapped];
        let dumped = orders.map(|order| [false, true].map(|offsets| listed(view, order, offsets)));
        let unescaped = kinds.filter_map(|kinds| view.unescaped(kinds));
        for inner in unescaped
            .chain(view.unwrapped())
            .chain(view.narrowed())
            .chain(dumped.into_iter().flatten().flatten())
        {
            self.enter(&inner, depth + 1);
        }
    }

    /// Searches a view, unless it was searched with as many codings inside of it.
    fn enter(&mut self, view: &View, depth: usize) {
        let whole = view.part(&(0..view.bytes.len()));
        let digest = self.digests.hash_one((&view.bytes, whole, view.at_start, view.at_end));
        let known = self.known.entry(digest).or_insert(usize::MAX);
        if *known > depth {
            *known = depth;
            self.look(view, depth);
        }
    }

    fn scan(&mut self, view: &View) {
        match self.left.checked_sub(view.bytes.len()) {
            Some(left) => self.left = left,
            None => self.fits = false,
        }
        if self.fits {
            let found = &mut self.found;
            self.fits = self.needles.find(&view.bytes, &mut |range| found.push(view.part(&range)));
        }
    }

    /// Handles the edges of a text that was cut, which may be in the middle of a secret. Where it was
    /// decoded, the rest of a cut escape stands before or behind that.
    fn edges(&mut self, view: &View, decoded: bool) {
        let bytes = &view.bytes;
        let skips = if decoded { LONGEST_ESCAPE.min(bytes.len()) } else { 0 };
        for skip in (0..=skips).filter(|_| view.at_start) {
            if let Some(length) = self.needles.ended_by(&bytes[skip..]) {
                let part = view.part(&(skip..skip + length));
                self.found.push(if skip == 0 { 0 } else { part.start }..part.end);
            }
        }
        if !view.at_end {
            return;
        }
        let escape = bytes.len().saturating_sub(LONGEST_ESCAPE);
        let cut = bytes[escape..].iter().rposition(|byte| matches!(byte, b'%' | b'\\' | b'&' | b'='));
        for end in [Some(bytes.len()), cut.map(|at| escape + at)].into_iter().flatten() {
            if let Some(at) = self.needles.begun_by(&bytes[..end]) {
                self.found.push(view.part(&(at..end)).start..usize::MAX);
            }
        }
    }
}

/// Sorts ranges, joins those that touch, and extends them to whole characters.
fn settled(mut found: Vec<Range<usize>>, text: &str) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let mut settled: Vec<Range<usize>> = Vec::new();
    for range in found {
        let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end.min(text.len()));
        match settled.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => settled.push(range),
        }
    }
    settled
}
