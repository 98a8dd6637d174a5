//! Whether the files of a journal are still those that were opened.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hostel_files::open_regular_file;

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

/// The first bytes of a log, by the order of bytes in its checksums: see <https://sqlite.org/fileformat2.html#walformat>.
const LOG_BEGINNINGS: [u32; 2] = [0x377f_0682, 0x377f_0683];

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

    /// Names the file that was removed, replaced or emptied since. Costs a few questions to the system.
    ///
    /// A log is empty at times. One that was emptied by others is noticed when something was written to it after that: then its
    /// beginning is missing, since a process goes on after what it had written before.
    pub(crate) fn check(&self) -> Result<(), FileGone> {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            return Err(FileGone { path: self.path.clone() });
        }
        let log = self.log.iter().map(|(path, identity)| (path, *identity));
        let mut files = std::iter::once((&self.path, self.identity)).chain(log);
        let gone = files.find(|(path, then)| is_another(path, *then)).map(|(path, _)| path);
        let headless = || self.log.as_ref().map(|(path, _)| path).filter(|path| is_headless(path));
        gone.or_else(headless).map_or(Ok(()), |path| Err(FileGone { path: path.clone() }))
    }

    /// Empties the log again if it has lost its beginning. No process that opens it would read it, but those that have it open would copy
    /// the gap in it into the journal, of which nothing would be left. Without it they fail instead, and the journal stays as it was when they
    /// last copied.
    pub(crate) fn discard_gap(&self) {
        let Some((path, then)) = &self.log else { return };
        if !is_another(path, *then) && is_headless(path) {
            let emptied = open_regular_file(path, File::options().write(true)).and_then(|log| log.set_len(0));
            // The caller reports that the log is gone in any case.
            _ = emptied;
        }
    }
}

/// Whether a log has bytes, and not those at its beginning. No lock of SQLite is on a log, so that it can be opened and closed.
fn is_headless(log: &Path) -> bool {
    let mut beginning = [0; 4];
    let file = open_regular_file(log, File::options().read(true));
    let read = file.and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && !LOG_BEGINNINGS.contains(&u32::from_be_bytes(beginning))
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
