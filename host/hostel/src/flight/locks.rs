//! Locks on keys between processes that share a directory. They are locks on ranges of files, which the system releases
//! when a process ends, for whatever reason.
//!
//! Each file covers the keys whose hash begins with certain bits. Its content is the pulses of the processes that hold
//! keys, 8 bytes little-endian each, and many keys share one. The lock of a key is on one byte far behind the pulses,
//! where nothing is ever written. Only Linux has locks of this kind; on other systems processes do not wait for each
//! other.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use hostel_core::CacheKey;
use hostel_files::{create_private_dir, is_not_a_file, open_or_create_private};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// The number of files for the keys. For each new lock, the system searches all locks of a file.
const FILES: usize = 64;

/// The number of pulses in a file.
const PULSES: u64 = 1024;

/// The length of a pulse in bytes.
const PULSE_BYTES: u64 = 8;

/// The offset of the locks: behind the pulses, and far below the maximum size of a file.
const FIRST_LOCK: u64 = 1 << 32;

/// The locks of a directory.
pub(super) struct KeyLocks {
    dir: PathBuf,
    /// Each is opened when first needed; `None` if it cannot be opened.
    files: [OnceLock<Option<Arc<LockFile>>>; FILES],
}

/// One file, and how often this process holds each of its positions: the system counts only once.
struct LockFile {
    file: File,
    held: Mutex<HashMap<i64, usize>>,
}

/// A lock on a key.
pub(super) struct Held {
    file: Arc<LockFile>,
    place: KeyPosition,
}

/// The result of requesting a lock.
pub(super) enum Grab {
    /// This process holds the lock now.
    Taken(Held),
    /// Another process holds it.
    Busy {
        /// The current pulse of that process.
        pulse: u64,
    },
    /// Locks are not available.
    Unusable,
}

/// The position of a key in a file.
#[derive(Clone, Copy)]
struct KeyPosition {
    lock: i64,
    pulse: u64,
}

impl KeyLocks {
    /// The locks in a directory, which is created when needed.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, files: [const { OnceLock::new() }; FILES] }
    }

    /// Requests the lock of a key: about a microsecond.
    pub(super) fn grab(&self, key: &CacheKey) -> Grab {
        let [first, ..] = key.as_bytes();
        let index = usize::from(*first) % FILES;
        let file = self.files.get(index).and_then(|file| file.get_or_init(|| self.open(index)).as_ref());
        let Some(file) = file else { return Grab::Unusable };
        let place = KeyPosition::of(key);
        let mut held = file.held();
        match place.set(&file.file, libc::F_WRLCK) {
            Ok(()) => {
                *held.entry(place.lock).or_default() += 1;
                Grab::Taken(Held { file: Arc::clone(file), place })
            }
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => {
                Grab::Busy { pulse: read_pulse(&file.file, place) }
            }
            Err(_) => Grab::Unusable,
        }
    }

    fn open(&self, index: usize) -> Option<Arc<LockFile>> {
        let path = self.dir.join(format!("{index:02x}"));
        match create_private_dir(&self.dir).and_then(|()| open_or_create_private(&path)) {
            Ok(file) => Some(Arc::new(LockFile { file, held: Mutex::default() })),
            Err(error) if is_not_a_file(&error) => {
                tracing::warn!(
                    "some runs do not wait for equal runs of other processes: {}: {error}",
                    path.display()
                );
                None
            }
            Err(error) => {
                tracing::debug!(
                    "some runs do not wait for equal runs of other processes: {}: {error}",
                    path.display()
                );
                None
            }
        }
    }
}

impl LockFile {
    fn held(&self) -> MutexGuard<'_, HashMap<i64, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Writes a new pulse, which shows that this process is alive. A failed write counts as no pulse.
    pub(super) fn pulse(&self) {
        let next = read_pulse(&self.file.file, self.place).wrapping_add(1);
        let _ = self.file.file.write_all_at(&next.to_le_bytes(), self.place.pulse);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.file.held();
        let Some(count) = held.get_mut(&self.place.lock) else { return };
        *count -= 1;
        if *count == 0 {
            held.remove(&self.place.lock);
            // The system also does it when the file is closed.
            let _ = self.place.set(&self.file.file, libc::F_UNLCK);
        }
    }
}

impl KeyPosition {
    /// Two keys at one position wait for each other, which is harmless.
    fn of(key: &CacheKey) -> Self {
        let [_, a, b, c, d, e, f, ..] = *key.as_bytes();
        let number = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
        let lock = i64::try_from(FIRST_LOCK + number).unwrap_or(i64::MAX);
        Self { lock, pulse: number % PULSES * PULSE_BYTES }
    }

    /// Locks belong to the open file, not to the process: two hosts in one process exclude each other.
    fn set(self, file: &File, kind: libc::c_int) -> nix::Result<()> {
        let lock = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: self.lock,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
    }
}

fn read_pulse(file: &File, place: KeyPosition) -> u64 {
    let mut pulse = [0; PULSE_BYTES as usize];
    // A shorter file has no pulse there yet.
    let _ = file.read_exact_at(&mut pulse, place.pulse);
    u64::from_le_bytes(pulse)
}
