//! Check of the write-ahead log. SQLite reads it up to the first frame whose checksum is wrong and silently
//! drops the rest: right for an unfinished write when the machine stopped, and silent loss where a byte
//! changed since. Every frame carries the checksum of all before it, so a later one that is whole shows that
//! the earlier ones were, too.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::sqlite::open;

const HEADER: usize = 32;
const FRAME: usize = 24;

/// Describes the changes in the log of a database that are lost or about to be; nothing if it is sound.
pub(in crate::sqlite) fn lost_changes(directory: &Path) -> Vec<String> {
    // A server may restart the log meanwhile: then it is another one, and read once more.
    for _ in 0..3 {
        let before = header(directory);
        let found = scan(directory).unwrap_or_default();
        if header(directory) == before {
            return found.into_iter().collect();
        }
    }
    Vec::new()
}

fn header(directory: &Path) -> Option<[u8; HEADER]> {
    let mut bytes = [0; HEADER];
    File::open(open::log(directory)).ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

/// Checksum of the log, in the byte order that its header names.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum {
    is_big: bool,
    parts: (u32, u32),
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let word = |from: usize| {
                let bytes = [pair[from], pair[from + 1], pair[from + 2], pair[from + 3]];
                if self.is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
            };
            self.parts.0 = self.parts.0.wrapping_add(word(0)).wrapping_add(self.parts.1);
            self.parts.1 = self.parts.1.wrapping_add(word(4)).wrapping_add(self.parts.0);
        }
    }
}

fn number(bytes: &[u8], from: usize) -> u32 {
    u32::from_be_bytes([bytes[from], bytes[from + 1], bytes[from + 2], bytes[from + 3]])
}

fn pair(bytes: &[u8], from: usize) -> (u32, u32) {
    (number(bytes, from), number(bytes, from + 4))
}

/// Reads the log once; `None` if it does not exist.
fn scan(directory: &Path) -> Option<Option<String>> {
    let file = File::open(open::log(directory)).ok()?;
    let mut log = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER];
    log.read_exact(&mut header).ok()?;
    let magic = number(&header, 0);
    let size = number(&header, 8) as usize;
    let mut sum = Sum { is_big: magic == 0x377f_0683, parts: (0, 0) };
    sum.add(&header[..24]);
    let is_sound = magic & !1 == 0x377f_0682
        && number(&header, 4) == 3_007_000
        && size.is_power_of_two()
        && (512..=65_536).contains(&size)
        && sum.parts == pair(&header, 24);
    if !is_sound {
        return Some(Some(
            "the header of the write-ahead log is damaged: none of the changes in it is read".to_owned(),
        ));
    }
    let salt = pair(&header, 16);
    Some(frames(&mut log, size, salt, sum))
}

/// Finds a frame that is not whole though a commit depends on it. Frames without a commit behind them are of
/// a change that was rolled back.
fn frames(log: &mut impl Read, size: usize, salt: (u32, u32), mut sum: Sum) -> Option<String> {
    let (mut frame, mut page) = ([0; FRAME], vec![0; size]);
    let (mut bad, mut is_commit_lost) = (None, false);
    for n in 1_u64.. {
        if log.read_exact(&mut frame).is_err() {
            break;
        }
        let is_page_there = log.read_exact(&mut page).is_ok();
        let salts = pair(&frame, 8);
        // One half may be what was changed; both differ in what an earlier log left behind.
        if salts.0 != salt.0 && salts.1 != salt.1 {
            break;
        }
        sum.add(&frame[..8]);
        sum.add(&page);
        let is_whole = is_page_there && salts == salt && sum.parts == pair(&frame, 16);
        let is_commit = number(&frame, 4) != 0;
        if !is_whole && bad.is_none() {
            bad = Some(n);
        }
        if let Some(first) = bad
            && is_whole
            && is_commit
        {
            return Some(format!(
                "frame {first} of the write-ahead log is damaged: the change in it and all behind it are not \
                 read"
            ));
        }
        is_commit_lost |= bad.is_some() && is_commit;
        // The next frame is compared with the checksum that this one says it has.
        sum.parts = pair(&frame, 16);
        if !is_page_there {
            break;
        }
    }
    bad.filter(|_| is_commit_lost).map(|first| {
        format!(
            "frame {first} of the write-ahead log, in its last change, is not whole: that change is not read. So \
             it is after a loss of power in the middle of a change that was answered to nobody; otherwise it was \
             damaged since"
        )
    })
}
