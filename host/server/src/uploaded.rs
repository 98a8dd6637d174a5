//! Values that clients upload before they name them as arguments, as files by their digests. Each stays for a day after it was
//! last uploaded or used.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use hostel::{Digest, ErrorKind, bytes_text};
use hostel_files::{
    UNFINISHED_PREFIX, create_private_dir, is_not_a_file, open_regular_file, private_temp_file, sync_dir,
};

use crate::bounds::{VALUE_FILES, VALUE_FILES_BYTES};
use crate::problem::{ApiProblem, Code};

/// How long a value stays.
pub(crate) const STAYS: Duration = Duration::from_secs(24 * 60 * 60);

/// The uploaded values of a data directory.
#[derive(Debug)]
pub(crate) struct Uploaded {
    dir: PathBuf,
    /// Held while room for a value is looked for and the value is stored.
    writing: Mutex<()>,
}

/// A value cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadedError {
    #[error("the uploaded values cannot be {action}")]
    Io { action: &'static str, source: io::Error },
    #[error(
        "there are {files} uploaded values of {} together: expected at most {VALUE_FILES} of {}",
        bytes_text(*bytes), bytes_text(VALUE_FILES_BYTES)
    )]
    Full { files: usize, bytes: u64 },
    #[error("there is no uploaded value {digest}")]
    Unknown { digest: Digest },
    #[error("the uploaded value {digest} is damaged")]
    Damaged { digest: Digest },
}

impl From<UploadedError> for ApiProblem {
    fn from(error: UploadedError) -> Self {
        let problem = |kind| Self::new(Code::Kind(kind), hostel_wire::message(&error));
        match &error {
            UploadedError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                problem(ErrorKind::Exhausted)
            }
            UploadedError::Io { .. } => problem(ErrorKind::Unavailable),
            UploadedError::Full { .. } => problem(ErrorKind::Exhausted)
                .hint("each stays for a day; DELETE /api/v1/blobs/DIGEST removes one"),
            UploadedError::Unknown { .. } => problem(ErrorKind::NotFound)
                .hint("PUT /api/v1/blobs/DIGEST uploads it; each stays for a day after it was last used"),
            UploadedError::Damaged { .. } => problem(ErrorKind::Internal).hint("upload it again"),
        }
    }
}

fn failed(action: &'static str) -> impl Fn(io::Error) -> UploadedError {
    move |source| UploadedError::Io { action, source }
}

impl Uploaded {
    /// Those of a data directory. Nothing is made before the first one is stored.
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self { dir: data_dir.join("uploads"), writing: Mutex::default() }
    }

    /// Stores a value with this digest and length, unless it is there, and removes those that have stayed long enough. Durable on
    /// return. Returns whether it is new.
    pub(crate) fn store(&self, digest: Digest, length: u64, from: &mut File) -> Result<bool, UploadedError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep(SystemTime::now()).map_err(failed("read"))?;
        let path = self.path(digest);
        if let Ok(file) = open_regular_file(&path, File::options().append(true))
            && file.metadata().is_ok_and(|metadata| metadata.len() == length)
        {
            file.set_modified(SystemTime::now()).map_err(failed("stored"))?;
            return Ok(false);
        }
        let (files, bytes) = self.size().map_err(failed("read"))?;
        if files >= VALUE_FILES || bytes.saturating_add(length) > VALUE_FILES_BYTES {
            return Err(UploadedError::Full { files, bytes });
        }
        self.write(&path, from).map_err(failed("stored"))?;
        Ok(true)
    }

    fn write(&self, path: &Path, from: &mut File) -> io::Result<()> {
        create_private_dir(&self.dir)?;
        let mut file = private_temp_file(UNFINISHED_PREFIX, &self.dir)?;
        io::copy(from, file.as_file_mut())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_dir(&self.dir)
    }

    /// The bytes of a value of at most `most` bytes, which stays for another day; `None` if it is longer.
    pub(crate) fn read(&self, digest: Digest, most: u64) -> Result<Option<Vec<u8>>, UploadedError> {
        let file = match open_regular_file(&self.path(digest), File::options().read(true).append(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_not_a_file(&error) => {
                return Err(UploadedError::Unknown { digest });
            }
            Err(source) => return Err(failed("read")(source)),
        };
        let length = file.metadata().map_err(failed("read"))?.len();
        if length > most {
            return Ok(None);
        }
        // If its time cannot be set, it is uploaded again a little earlier.
        let _ = file.set_modified(SystemTime::now());
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        file.take(most).read_to_end(&mut bytes).map_err(failed("read"))?;
        if Digest::of(&bytes) == digest { Ok(Some(bytes)) } else { Err(UploadedError::Damaged { digest }) }
    }

    /// Whether there is a value.
    pub(crate) fn check(&self, digest: Digest) -> Result<(), UploadedError> {
        let is_there = fs::symlink_metadata(self.path(digest)).is_ok_and(|metadata| metadata.is_file());
        if is_there { Ok(()) } else { Err(UploadedError::Unknown { digest }) }
    }

    /// Removes a value.
    pub(crate) fn remove(&self, digest: Digest) -> Result<(), UploadedError> {
        fs::remove_file(self.path(digest)).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                UploadedError::Unknown { digest }
            } else {
                failed("removed")(error)
            }
        })
    }

    /// Removes values, and what killed processes have left, that have stayed long enough.
    fn sweep(&self, now: SystemTime) -> io::Result<()> {
        for file in self.files()? {
            let (path, metadata) = file?;
            let is_old =
                metadata.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= STAYS));
            if is_old && metadata.is_file() {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }

    /// How many there are, and how many bytes they have together.
    fn size(&self) -> io::Result<(usize, u64)> {
        self.files()?.try_fold((0, 0), |(files, bytes), file| {
            let (_, metadata) = file?;
            Ok((files + 1, metadata.len().saturating_add(bytes)))
        })
    }

    fn files(&self) -> io::Result<impl Iterator<Item = io::Result<(PathBuf, fs::Metadata)>> + use<>> {
        let files = match fs::read_dir(&self.dir) {
            Ok(files) => Some(files),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(files.into_iter().flatten().filter_map(|file| {
            match file.and_then(|file| Ok((file.path(), file.metadata()?))) {
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                file => Some(file),
            }
        }))
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(digest.hex())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn store(uploaded: &Uploaded, bytes: &[u8]) -> (Digest, bool) {
        let digest = Digest::of(bytes);
        let is_new = uploaded.store(digest, bytes.len() as u64, &mut file(bytes)).unwrap();
        (digest, is_new)
    }

    #[test]
    fn a_value_is_stored_once_read_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let uploaded = Uploaded::of(dir.path());
        let digest = Digest::of(b"abc");
        assert!(matches!(uploaded.read(digest, 9), Err(UploadedError::Unknown { .. })));
        assert!(matches!(uploaded.check(digest), Err(UploadedError::Unknown { .. })));
        assert_eq!(store(&uploaded, b"abc"), (digest, true));
        assert_eq!(store(&uploaded, b"abc"), (digest, false));
        uploaded.check(digest).unwrap();
        assert_eq!(uploaded.read(digest, 3).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(uploaded.read(digest, 2).unwrap(), None);
        assert_eq!(uploaded.size().unwrap(), (1, 3));
        uploaded.remove(digest).unwrap();
        assert!(matches!(uploaded.remove(digest), Err(UploadedError::Unknown { .. })));
    }

    #[test]
    fn a_damaged_value_is_not_used_and_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let uploaded = Uploaded::of(dir.path());
        let (digest, _) = store(&uploaded, b"abc");
        fs::write(uploaded.path(digest), b"abd").unwrap();
        assert!(matches!(uploaded.read(digest, 9), Err(UploadedError::Damaged { .. })));
        fs::write(uploaded.path(digest), b"ab").unwrap();
        assert_eq!(store(&uploaded, b"abc"), (digest, true));
        uploaded.read(digest, 9).unwrap();
    }

    #[test]
    fn a_value_stays_for_a_day_after_its_last_use() {
        let dir = tempfile::tempdir().unwrap();
        let uploaded = Uploaded::of(dir.path());
        let (used, _) = store(&uploaded, b"used");
        let (unused, _) = store(&uploaded, b"unused");
        fs::write(uploaded.dir.join(".new-1"), "left by a killed process").unwrap();
        let long_ago = SystemTime::now() - 2 * STAYS;
        for path in [uploaded.path(used), uploaded.path(unused), uploaded.dir.join(".new-1")] {
            File::options().append(true).open(path).unwrap().set_modified(long_ago).unwrap();
        }
        uploaded.read(used, 9).unwrap();
        store(&uploaded, b"another");
        uploaded.check(used).unwrap();
        assert!(matches!(uploaded.check(unused), Err(UploadedError::Unknown { .. })));
        assert_eq!(uploaded.size().unwrap().0, 2);
    }
}
