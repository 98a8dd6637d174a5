//! Errors of data directories.

use std::path::{Path, PathBuf};

use hostel_core::ErrorKind;
use hostel_files::{Distrust, Untrusted};

/// A data directory that other users can change. The native code in it cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The directory, one inside it or one above it belongs to another user.
    #[error(
        "the data directory {} cannot be trusted: {} belongs to user {owner}, expected user {user} or root: the host \
         loads native code from there, so choose another data directory, or change its owner to user {user}",
        data_dir.display(), path.display()
    )]
    Owner {
        /// The data directory.
        data_dir: PathBuf,
        /// The path that belongs to another user.
        path: PathBuf,
        /// The id of that user.
        owner: u32,
        /// The id of the user of this process.
        user: u32,
    },
    /// Other users can write to the directory, one inside it or one above it.
    #[error(
        "the data directory {} cannot be trusted: {} has mode {mode:04o}, so other users can write there, and the host \
         loads native code from it: expected that only its owner can write; run `chmod go-w {}` if you trust its content, or \
         choose another data directory",
        data_dir.display(), path.display(), path.display()
    )]
    Writable {
        /// The data directory.
        data_dir: PathBuf,
        /// The path to which they can write.
        path: PathBuf,
        /// Its mode, without the file type.
        mode: u32,
    },
}

impl DataDirError {
    pub(super) fn of(data_dir: &Path, Untrusted { path, reason }: Untrusted) -> Self {
        let data_dir = data_dir.to_owned();
        match reason {
            Distrust::Owner { owner, user } => Self::Owner { data_dir, path, owner, user },
            Distrust::Writable { mode } => Self::Writable { data_dir, path, mode },
        }
    }

    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Owner { .. } | Self::Writable { .. } => ErrorKind::Denied,
        }
    }
}
