//! Whether the file of a journal is still the one that was opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::sqlite::JOURNAL;

/// The file of the journal in a data directory, as it was at some time.
///
/// A file that is removed while it is open can still be written and read by those who have it open, and by nobody else. So a program
/// that works on a journal for long asks now and then whether it is still there.
#[derive(Clone, Debug)]
pub struct JournalPlace {
    path: PathBuf,
    identity: Identity,
}

/// What tells files apart.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = ();

impl JournalPlace {
    /// The file that is there now.
    ///
    /// # Errors
    ///
    /// Those of the system; there may be no file.
    pub fn of(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(JOURNAL);
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file was removed since, or replaced by another one. `false` if the system does not say.
    pub fn is_gone(&self) -> bool {
        match identity(&self.path) {
            Ok(now) => now != self.identity,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteJournal;

    #[test]
    fn a_file_is_gone_when_it_is_removed_or_replaced() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(JournalPlace::of(dir.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        let journal = SqliteJournal::open(dir.path()).unwrap();
        let place = JournalPlace::of(dir.path()).unwrap();
        assert!(!place.is_gone());
        std::fs::rename(place.path(), dir.path().join("elsewhere")).unwrap();
        assert!(place.is_gone());
        std::fs::copy(dir.path().join("elsewhere"), place.path()).unwrap();
        assert_eq!(place.is_gone(), cfg!(unix));
        drop(journal);
    }
}
