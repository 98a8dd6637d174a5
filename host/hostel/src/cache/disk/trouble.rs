//! Problems with a whole directory of results, and which of them were logged.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use hostel_files::is_not_a_file;
use rusqlite::ErrorCode;

/// The kind of problem, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The file is not an index, or the index contradicts itself.
    Damaged,
    /// The open index no longer exists.
    Gone,
    /// The system denies access.
    Denied,
    /// The disk is full.
    Full,
    /// Another process did not release its lock in time.
    Busy,
    /// Anything else.
    Failed,
}

impl Trouble {
    pub(super) fn of(error: &rusqlite::Error) -> Self {
        const TROUBLES: [(ErrorCode, Trouble); 8] = [
            (ErrorCode::CannotOpen, Trouble::Gone),
            (ErrorCode::ReadOnly, Trouble::Denied),
            (ErrorCode::PermissionDenied, Trouble::Denied),
            (ErrorCode::DiskFull, Trouble::Full),
            (ErrorCode::DatabaseBusy, Trouble::Busy),
            (ErrorCode::DatabaseLocked, Trouble::Busy),
            (ErrorCode::SystemIoFailure, Trouble::Failed),
            (ErrorCode::OutOfMemory, Trouble::Failed),
        ];
        // All other errors are impossible for fixed statements on our own tables, so they mean damage: a malformed
        // database, not a database, a missing table or column, a column of another type, a violated uniqueness.
        let Some(code) = error.sqlite_error_code() else { return Self::Damaged };
        TROUBLES.iter().find(|(known, _)| *known == code).map_or(Self::Damaged, |(_, trouble)| *trouble)
    }
}

/// A problem, with the error of SQLite or of the system.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error(transparent)]
    Index(#[from] rusqlite::Error),
    #[error(transparent)]
    Files(#[from] io::Error),
    #[error("{}: {source}", path.display())]
    NotAFile { path: PathBuf, source: io::Error },
}

impl Broken {
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::Index(error) => Trouble::of(error),
            Self::Files(error) => of_files(error.kind()),
            // Another index replaces it, as for any other unusable file.
            Self::NotAFile { source, .. } if is_not_a_file(source) => Trouble::Damaged,
            Self::NotAFile { source, .. } => of_files(source.kind()),
        }
    }
}

fn of_files(kind: io::ErrorKind) -> Trouble {
    match () {
        () if kind == io::ErrorKind::NotFound => Trouble::Gone,
        () if kind == io::ErrorKind::PermissionDenied || kind == io::ErrorKind::ReadOnlyFilesystem => {
            Trouble::Denied
        }
        () if kind == io::ErrorKind::StorageFull || kind == io::ErrorKind::QuotaExceeded => Trouble::Full,
        () => Trouble::Failed,
    }
}

/// The kinds of problems that were logged, so that each is logged once and not a million times.
#[derive(Debug, Default)]
pub(crate) struct Reported(AtomicU8);

impl Reported {
    /// Whether this is the first problem of its kind.
    pub(crate) fn is_first(&self, trouble: Trouble) -> bool {
        let bit = 1 << trouble as u8;
        self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}
