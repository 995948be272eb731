//! Reserve of disk space: a file that is removed when the disk is full, so that jobs that end or free
//! something can still be written, and that is recreated once there is space.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Bytes of the reserve on a file system of ordinary size.
const LARGEST: u64 = 16 << 20;
/// Divisor that gives the reserve from the size of a small file system; at least [`SMALLEST`] is kept.
const PART: u64 = 8;
const SMALLEST: u64 = 256 << 10;
/// Bytes per write.
const PIECE: usize = 256 << 10;

pub(super) struct Reserve {
    path: PathBuf,
    size: u64,
    there: bool,
}

impl Reserve {
    /// Returns the reserve of a data directory in its present state.
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

    /// Returns the free bytes of the disk; `u64::MAX` if unknown.
    pub(super) fn free(&self) -> u64 {
        free(self.path.parent().unwrap_or(&self.path))
    }

    /// Returns true if so little space is free that the next batch may fail.
    pub(super) fn is_needed(&self) -> bool {
        self.free() < self.size / 4
    }

    /// Frees the space. Returns false if there was none, or if the removal failed.
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

    /// Recreates the reserve if that leaves some space free; returns true if it exists.
    pub(super) fn restore(&mut self) -> bool {
        if !self.there && self.free() >= self.size + self.size / 2 {
            self.there = match self.fill() {
                Ok(()) => true,
                Err(e) => {
                    tracing::debug!(error = %e, "the reserve of disk space cannot be made");
                    // A partial reserve would only use up the remaining space.
                    let _ = std::fs::remove_file(&self.path);
                    false
                }
            };
        }
        self.there
    }

    /// Writes the file with incompressible data instead of only extending it: nothing less secures the space.
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

/// Returns the free bytes of the disk of a folder; `u64::MAX` if unknown.
pub(super) fn free(folder: &Path) -> u64 {
    statvfs(folder).map_or(u64::MAX, |fs| blocks(fs.blocks_available(), fs.fragment_size()))
}

/// Returns the bytes of a number of blocks; the argument types differ between systems.
fn blocks(count: impl Into<u64>, size: impl Into<u64>) -> u64 {
    count.into().saturating_mul(size.into())
}
