//! What can be wrong with a directory of results as a whole, and what was told of it.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use hostel_engine::private_files::is_not_a_file;
use rusqlite::ErrorCode;

/// What is wrong, as far as it makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// What is there is no index, or is one that contradicts itself.
    Damaged,
    /// The index that was open is there no longer.
    Gone,
    /// The system does not let us.
    Denied,
    /// The disk is full.
    Full,
    /// Another process did not give way in time.
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
        // All the rest cannot be said of statements that are always the same, if the tables are what we have made: a
        // malformed database, no database, a missing table or column, a column of another type, an uniqueness that was none.
        let Some(code) = error.sqlite_error_code() else { return Self::Damaged };
        TROUBLES.iter().find(|(known, _)| *known == code).map_or(Self::Damaged, |(_, trouble)| *trouble)
    }
}

/// Something is wrong, and what SQLite or the system says of it.
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
            // Another index takes its place, as for any other that cannot be one.
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

/// Which troubles were told of, so that each is told once and not a million times.
#[derive(Debug, Default)]
pub(crate) struct Told(AtomicU8);

impl Told {
    /// Whether this is the first time.
    pub(crate) fn is_first(&self, trouble: Trouble) -> bool {
        let bit = 1 << trouble as u8;
        self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}
