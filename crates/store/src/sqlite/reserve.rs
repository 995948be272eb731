//! A reserve of disk space: a file that is given up when the disk is full, so that what ends or frees
//! something can still be written, and that is made again once there is room.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Bytes that are kept, on a file system of the usual size.
const LARGEST: u64 = 16 << 20;
/// On a small one it is this part of the whole, but not less than [`SMALLEST`].
const PART: u64 = 8;
const SMALLEST: u64 = 256 << 10;
/// Bytes written at once.
const PIECE: usize = 256 << 10;

pub(super) struct Reserve {
    path: PathBuf,
    size: u64,
    there: bool,
}

impl Reserve {
    /// The reserve of a data directory, as it is found.
    pub(super) fn find(directory: &Path) -> Self {
        let path = directory.join("reserve");
        let whole = statvfs(directory).map_or(u64::MAX, |fs| blocks(fs.blocks(), fs.fragment_size()));
        let size = (whole / PART).clamp(SMALLEST, LARGEST);
        let there = std::fs::metadata(&path).is_ok_and(|meta| meta.len() >= size);
        Reserve { path, size, there }
    }

    pub(super) fn is_there(&self) -> bool {
        self.there
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the disk that are free; as many as one likes where nobody knows.
    pub(super) fn free(&self) -> u64 {
        let folder = self.path.parent().unwrap_or(&self.path);
        statvfs(folder).map_or(u64::MAX, |fs| blocks(fs.blocks_available(), fs.fragment_size()))
    }

    /// Whether so little is free that the next batch may fail.
    pub(super) fn is_needed(&self) -> bool {
        self.free() < self.size / 4
    }

    /// Gives the space up. False if there was none to give.
    pub(super) fn release(&mut self) -> bool {
        if !self.there {
            return false;
        }
        self.there = false;
        match OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(0)) {
            Ok(()) => true,
            Err(e) => {
                tracing::error!(error = %e, "the reserve of disk space cannot be given up");
                false
            }
        }
    }

    /// Makes it again if that leaves some space free; true once it is there.
    pub(super) fn restore(&mut self) -> bool {
        if !self.there && self.free() >= self.size + self.size / 2 {
            self.there = match self.fill() {
                Ok(()) => true,
                Err(e) => {
                    tracing::debug!(error = %e, "the reserve of disk space cannot be made");
                    // Part of it would only take what is left.
                    let _ = std::fs::remove_file(&self.path);
                    false
                }
            };
        }
        self.there
    }

    /// Written, not only made long, with what no file system stores in less: only so the space is its own.
    fn fill(&self) -> io::Result<()> {
        let mut file: File =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.path)?;
        let mut piece = vec![0_u8; PIECE];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut left = self.size;
        while left > 0 {
            for bytes in piece.chunks_exact_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.copy_from_slice(&state.to_le_bytes());
            }
            let some = left.min(PIECE as u64);
            file.write_all(&piece[..some as usize])?;
            left -= some;
        }
        file.sync_all()
    }
}

/// Bytes of so many blocks; their types differ between systems.
fn blocks(count: impl Into<u64>, size: impl Into<u64>) -> u64 {
    count.into().saturating_mul(size.into())
}
