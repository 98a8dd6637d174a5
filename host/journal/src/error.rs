//! Errors of SQLite files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hostel_core::journal::{JournalConflict, JournalError};
use hostel_core::{ErrorKind, RunId};

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
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            Self::Owner { .. } | Self::Writable { .. } => ErrorKind::Denied,
            Self::Io { .. } | Self::Sqlite { .. } => ErrorKind::Unavailable,
            Self::NotAFile { .. } | Self::NetworkFileSystem { .. } | Self::Newer { .. } => ErrorKind::Invalid,
        }
    }
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
    JournalError::Medium { action, source: source.into() }
}
