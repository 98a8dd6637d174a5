//! The bytes of files, read in whole pieces, so that a guest's view depends only on the file.

use std::fs::File;
use std::io;

use hostel_core::Digest;
use sha2::{Digest as _, Sha256};

/// The maximum number of bytes read at once.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// Up to `len` bytes from `start` on, at most [`PIECE_BYTES`]: fewer only at the end of the file.
pub(super) fn read(file: &File, start: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(PIECE_BYTES)];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read_at(file, rest, start.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Some bytes of a file.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) len: u64,
    /// Whether the file ends after them.
    pub(super) end: bool,
}

/// The caller has cancelled the operation.
#[derive(Debug)]
pub(super) struct Stopped;

/// The digest of a part of a file; `None` if the file has no such part, or the disk fails. Checks between pieces
/// whether to go on.
pub(super) fn digest(
    file: &File,
    part: Part,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Option<Digest>, Stopped> {
    let Part { start, len, end } = part;
    let mut hash = Sha256::new();
    let mut left = len;
    while left > 0 {
        let bytes = read(file, start.saturating_add(len - left), left).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        hash.update(&bytes);
        left = left.saturating_sub(bytes.len() as u64);
        if is_stopped() {
            return Err(Stopped);
        }
    }
    let ends = || read(file, start.saturating_add(len), 1).is_ok_and(|more| more.is_empty());
    Ok((!end || ends()).then(|| Digest::from_bytes(hash.finalize().into())))
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, start)
}
