//! Whether the files of a journal are still those that were opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::FileGone;
use crate::files::{JOURNAL, beside};

/// The file of the journal in a data directory and its log (`-wal`), as they were at some time.
///
/// A file that is removed while it is open can still be written and read by those who have it open, and by nobody else. So a program
/// that works on a journal for long asks now and then whether it is still there. The thread that writes asks before it answers.
#[derive(Clone, Debug)]
pub struct JournalPlace {
    path: PathBuf,
    identity: Identity,
    /// The log, if there was one. It stays as long as anyone has the journal open.
    log: Option<(PathBuf, Identity)>,
}

/// What tells files apart. A link to a file is another one: it would be refused when the journal is opened.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = ();

impl JournalPlace {
    /// The files that are there now.
    ///
    /// # Errors
    ///
    /// Those of the system; there may be no file.
    pub fn of(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join(JOURNAL);
        let identity_of_file = identity(&path)?;
        let log = beside(&path, "-wal");
        let log = identity(&log).ok().map(|identity| (log, identity));
        Ok(Self { path, identity: identity_of_file, log })
    }

    /// The path of the journal.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether one of the files was removed since, or replaced by another one. `false` if the system does not say.
    pub fn is_gone(&self) -> bool {
        self.check().is_err()
    }

    /// Names the file that was removed, replaced or emptied since. Costs three questions to the system. The log is empty at times.
    pub(crate) fn check(&self) -> Result<(), FileGone> {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            return Err(FileGone { path: self.path.clone() });
        }
        let log = self.log.iter().map(|(path, identity)| (path, *identity));
        let mut files = std::iter::once((&self.path, self.identity)).chain(log);
        let gone = files.find(|(path, then)| is_another(path, *then));
        gone.map_or(Ok(()), |(path, _)| Err(FileGone { path: path.clone() }))
    }
}

fn is_another(path: &Path, then: Identity) -> bool {
    match identity(path) {
        Ok(now) => now != then,
        Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::symlink_metadata(path).map(drop)
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

    #[test]
    fn a_log_is_gone_when_it_is_removed_or_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let journal = SqliteJournal::open(dir.path()).unwrap();
        let place = JournalPlace::of(dir.path()).unwrap();
        let log = dir.path().join("journal-1.db-wal");
        std::fs::rename(&log, dir.path().join("elsewhere")).unwrap();
        assert!(place.check().unwrap_err().to_string().starts_with(&log.display().to_string()));
        std::fs::copy(dir.path().join("elsewhere"), &log).unwrap();
        assert_eq!(place.is_gone(), cfg!(unix));
        std::fs::rename(dir.path().join("elsewhere"), &log).unwrap();
        assert!(!place.is_gone());
        #[cfg(unix)]
        {
            std::fs::rename(&log, dir.path().join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(dir.path().join("elsewhere"), &log).unwrap();
            assert!(place.is_gone(), "a link to it");
            std::fs::rename(dir.path().join("elsewhere"), &log).unwrap();
        }
        let whole = std::fs::read(place.path()).unwrap();
        std::fs::write(place.path(), "").unwrap();
        assert!(place.is_gone(), "it is empty");
        std::fs::write(place.path(), whole).unwrap();
        assert!(!place.is_gone());
        drop(journal);
    }
}
