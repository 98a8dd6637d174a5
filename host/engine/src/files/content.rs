//! The bytes of files: read whole pieces at a time, so that what a guest gets depends on nothing but the file.

use std::fs::File;
use std::io;
use std::time::SystemTime;

use hostel_core::{Digest, Moment, Stamp};
use sha2::{Digest as _, Sha256};

/// The most that is read at once.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// As many bytes as there are from `start` on, up to `len` and to [`PIECE_BYTES`]: fewer only where the file ends.
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

/// The digest of so many bytes; `None` if there are fewer, or more where the file is to end after them.
pub(super) fn digest(file: &File, start: u64, len: u64, end: bool) -> io::Result<Option<Digest>> {
    let mut hash = Sha256::new();
    let mut left = len;
    while left > 0 {
        let bytes = read(file, start.saturating_add(len - left), left)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        hash.update(&bytes);
        left = left.saturating_sub(bytes.len() as u64);
    }
    if end && !read(file, start.saturating_add(len), 1)?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Digest::from_bytes(hash.finalize().into())))
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, start)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], start: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, start)
}

/// What a file looks like now; `None` if that cannot be told. The time is taken before the look.
#[cfg(unix)]
pub(super) fn stamp(file: &File) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;

    if !keeps_times(file) {
        return None;
    }
    let taken = SystemTime::now().into();
    let metadata = file.metadata().ok()?;
    let moment = |seconds, nanos| Some(Moment { seconds, nanos: u32::try_from(nanos).ok()? });
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified: moment(metadata.mtime(), metadata.mtime_nsec())?,
        changed: moment(metadata.ctime(), metadata.ctime_nsec())?,
        taken,
    })
}

/// Whether the file system notes by itself when a file was changed. Those that make their files up do not, nor those that
/// come from other machines or systems; of an image that is replaced all times may be the same. One that keeps its files
/// in memory never writes a page back, so it misses later writes through a mapping; one that lies over another may.
#[cfg(target_os = "linux")]
fn keeps_times(file: &File) -> bool {
    use nix::sys::statfs;

    const KNOWN: [statfs::FsType; 4] = [
        // Also ext2 and ext3.
        statfs::EXT4_SUPER_MAGIC,
        statfs::XFS_SUPER_MAGIC,
        statfs::BTRFS_SUPER_MAGIC,
        statfs::F2FS_SUPER_MAGIC,
    ];
    statfs::fstatfs(file).is_ok_and(|system| KNOWN.contains(&system.filesystem_type()))
}

/// Which file systems do is known for Linux only.
#[cfg(all(unix, not(target_os = "linux")))]
fn keeps_times(_: &File) -> bool {
    false
}

/// Where nothing tells when a file was changed but what can be set, only its content does.
#[cfg(not(unix))]
pub(super) fn stamp(_: &File) -> Option<Stamp> {
    None
}
