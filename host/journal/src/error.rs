//! Errors of SQLite files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel_core::journal::{JournalConflict, JournalError};
use hostel_core::{ErrorKind, RunId};
use rusqlite::ErrorCode;

/// A journal cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenJournalError {
    /// A directory or a file cannot be created or opened.
    #[error("cannot open {}", path.display())]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Something else has the name of the file.
    #[error("{} is not a regular file: expected a journal, or nothing; move it away", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The data directory, something in it or a link to it belongs to another user.
    #[error(
        "{} cannot be trusted: it belongs to user {owner}, expected user {user} or root: choose another data directory, or change \
         its owner to user {user}", path.display()
    )]
    Owner {
        /// The directory or file.
        path: PathBuf,
        /// The id of that user.
        owner: u32,
        /// The id of the user of this process.
        user: u32,
    },
    /// Other users can change the data directory or something in it.
    #[error(
        "{} cannot be trusted: it has mode {mode:04o}, so other users can write to it: expected that only its owner can; run \
         `chmod go-w {}` if you trust its content, or choose another data directory", path.display(), path.display()
    )]
    Writable {
        /// The directory or file.
        path: PathBuf,
        /// Its mode, without the file type.
        mode: u32,
    },
    /// The data directory is on a network file system, whose locks do not hold between machines.
    #[error(
        "the data directory {} is on a network file system ({kind}), where a journal would be damaged: choose a directory on \
         a local disk", dir.display()
    )]
    NetworkFileSystem {
        /// The data directory.
        dir: PathBuf,
        /// The type of the file system.
        kind: &'static str,
    },
    /// A newer version of the host wrote the journal.
    #[error(
        "{} has tables of version {found}: expected at most {known}; open it with the version of Hostel that wrote it, or a \
         newer one", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The newest version that this host knows.
        known: i64,
    },
    /// There is no journal yet, and the data directory cannot be written.
    #[error("the data directory {} has no journal, and none can be created: {reason}", dir.display())]
    Unwritable {
        /// The data directory.
        dir: PathBuf,
        /// Why it cannot be written.
        reason: &'static str,
    },
    /// The tables are of an older version, and the file cannot be written.
    #[error(
        "{} has tables of version {found}, and cannot be upgraded to version {known}: {reason}", path.display()
    )]
    NotUpgraded {
        /// The file.
        path: PathBuf,
        /// The version of its tables.
        found: i64,
        /// The version that this host reads.
        known: i64,
        /// Why it cannot be written.
        reason: &'static str,
    },
    /// The file is damaged, or something else.
    #[error("{} is damaged, or is no journal", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// The file has no content, and the data directory has been used.
    #[error(
        "{} is damaged: it has 0 bytes, expected a journal beside {}; restore it from a copy, or remove both to begin anew \
         without the runs that it had", path.display(), beside.display()
    )]
    Emptied {
        /// The file.
        path: PathBuf,
        /// What is there only when there was a journal.
        beside: PathBuf,
    },
    /// The disk is full.
    #[error("cannot open the journal {}: there is no room for it on the disk; make room, and try again", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// SQLite cannot open or upgrade the file.
    #[error("cannot open the journal {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
}

impl OpenJournalError {
    /// SQLite failed at a file.
    pub(crate) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) {
            return Self::NoRoom { path, source };
        }
        match Nature::of(&source) {
            Nature::Damaged => Self::Damaged { path, source },
            Nature::Unwritable | Nature::Other => Self::Sqlite { path, source },
        }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if is_denied(source) => ErrorKind::Denied,
            Self::Sqlite { source, .. } if Nature::of(source) == Nature::Unwritable => ErrorKind::Denied,
            Self::Unwritable { .. }
            | Self::NotUpgraded { .. }
            | Self::Owner { .. }
            | Self::Writable { .. } => ErrorKind::Denied,
            Self::NoRoom { .. } => ErrorKind::Exhausted,
            Self::Damaged { .. } | Self::Emptied { .. } => ErrorKind::Internal,
            Self::Io { .. } | Self::Sqlite { .. } => ErrorKind::Unavailable,
            Self::NotAFile { .. } | Self::NetworkFileSystem { .. } | Self::Newer { .. } => ErrorKind::Invalid,
        }
    }
}

/// Whether there was no room for a file, or for the memory that processes share.
fn is_full(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(rusqlite::ffi::SQLITE_FULL | rusqlite::ffi::SQLITE_IOERR_SHMSIZE))
}

/// Whether the system does not let this user write, or nobody.
pub(crate) fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Why an operation of a transaction ended.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A rule refused it before anything was written, or what was written has been undone.
    Refused(JournalError),
    /// The medium failed; the transaction is rolled back.
    Medium(MediumError),
}

/// An error of SQLite or of a file, which may be that of many operations.
pub(crate) type MediumError = Arc<dyn std::error::Error + Send + Sync>;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Medium(Arc::new(error))
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Medium(Arc::new(error))
    }
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

impl From<JournalConflict> for Fault {
    fn from(conflict: JournalConflict) -> Self {
        Self::Refused(conflict.into())
    }
}

impl Fault {
    /// What is stored of a run contradicts itself.
    pub(crate) fn damaged(run: RunId, problem: &'static str) -> Self {
        Self::Refused(JournalError::Damaged { run, problem })
    }

    /// The error for the caller.
    pub(crate) fn into_error(self, action: &'static str) -> JournalError {
        match self {
            Self::Refused(error) => error,
            Self::Medium(source) => medium(action, source),
        }
    }
}

/// The medium failed at something.
pub(crate) fn medium(
    action: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> JournalError {
    let source = source.into();
    let inner: &(dyn std::error::Error + 'static) = match source.downcast_ref::<MediumError>() {
        Some(shared) => &**shared,
        None => &*source,
    };
    let of_sqlite = inner.downcast_ref::<rusqlite::Error>();
    if of_sqlite.is_some_and(is_cut) {
        return JournalError::DamagedFile { action, source: FileCut.into() };
    }
    let nature =
        if inner.is::<FileGone>() { Nature::Damaged } else { of_sqlite.map_or(Nature::Other, Nature::of) };
    match nature {
        Nature::Damaged => JournalError::DamagedFile { action, source },
        Nature::Unwritable => {
            JournalError::ReadOnly { reason: "its file or its directory cannot be written" }
        }
        Nature::Other => JournalError::Medium { action, source },
    }
}

/// A file of the journal, which is its log unless the medium fails, has less than processes wrote to it that have it open: these cannot
/// read it again before all of them have ended.
#[derive(Debug, thiserror::Error)]
#[error(
    "a file of the journal was emptied or cut while it was in use: what was written since may be lost; restore the data directory if you \
     have a copy, and start again"
)]
struct FileCut;

fn is_cut(error: &rusqlite::Error) -> bool {
    let found = error.sqlite_error().map(|error| error.extended_code);
    found == Some(rusqlite::ffi::SQLITE_IOERR_SHORT_READ)
}

/// A file of the journal was removed, replaced or emptied while it was open.
#[derive(Debug, thiserror::Error)]
#[error("{}", gone(path))]
pub(crate) struct FileGone {
    pub(crate) path: PathBuf,
}

/// Says that a file was removed, replaced or emptied while it was open.
pub(crate) fn gone(path: &Path) -> String {
    format!(
        "{} was removed, replaced or emptied while it was in use: what was written since may be lost; restore the data directory if you have \
         a copy, and start again",
        path.display()
    )
}

/// What an error of SQLite says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// It will never be read again as it was written.
    Damaged,
    /// It can be read.
    Unwritable,
    /// Nothing: the disk is full, the lock is taken, or there is no memory.
    Other,
}

impl Nature {
    pub(crate) fn of(error: &rusqlite::Error) -> Self {
        if is_cut(error) {
            return Self::Damaged;
        }
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => return Self::Damaged,
            Some(ErrorCode::ReadOnly) => return Self::Unwritable,
            Some(_) | None => {}
        }
        // The tables are strict, so that a value of another type was not written so.
        let is_other_value = matches!(
            error,
            FromSqlConversionFailure(..)
                | IntegralValueOutOfRange(..)
                | InvalidColumnType(..)
                | Utf8Error(..)
        );
        if is_other_value { Self::Damaged } else { Self::Other }
    }
}
