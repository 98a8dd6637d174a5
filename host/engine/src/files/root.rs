//! The granted directories, opened before the guest begins.

use std::io;
use std::path::PathBuf;

use hostel_core::{DirAccess, ErrorKind, Grants, GrantsError};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// A granted directory cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenDirError {
    /// It does not exist.
    #[error("the directory {} is granted, but does not exist", path.display())]
    NotFound {
        /// Its path.
        path: PathBuf,
    },
    /// It is not a directory.
    #[error("{} is granted, but is not a directory", path.display())]
    NotADirectory {
        /// Its path.
        path: PathBuf,
    },
    /// The system denies access to it.
    #[error("the directory {} is granted, but cannot be opened: {source}", path.display())]
    Refused {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The grants contradict each other.
    #[error(transparent)]
    Grants(#[from] GrantsError),
}

impl OpenDirError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::NotADirectory { .. } => ErrorKind::Invalid,
            Self::Refused { .. } => ErrorKind::Denied,
            Self::Grants(error) => error.kind(),
        }
    }
}

/// Checks that all granted directories can be opened, as an attempt would open them, so that errors are reported before
/// anything runs. Costs a few microseconds for each.
///
/// # Errors
///
/// [`OpenDirError`] for the first one that cannot be opened.
pub fn check_dirs(grants: &Grants) -> Result<(), OpenDirError> {
    if grants.dirs.is_empty() { Ok(()) } else { open_roots(&mut WasiCtxBuilder::new(), grants) }
}

/// Opens the directories for a guest, in the order of their names, because the guest can see the order.
pub(crate) fn open_roots(builder: &mut WasiCtxBuilder, grants: &Grants) -> Result<(), OpenDirError> {
    grants.check()?;
    builder.allow_blocking_current_thread(true);
    for grant in grants.dirs_by_name() {
        let path = || grant.host().to_owned();
        match std::fs::metadata(grant.host()) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(OpenDirError::NotADirectory { path: path() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenDirError::NotFound { path: path() });
            }
            Err(source) => return Err(OpenDirError::Refused { path: path(), source }),
        }
        let perms = match grant.access() {
            DirAccess::Ro => FsPerms::ReadOnly,
            DirAccess::Rw => FsPerms::ReadWrite,
        };
        let opened = builder.preopened_dir(grant.host(), grant.guest(), perms);
        opened.map_err(|error| OpenDirError::Refused {
            path: path(),
            source: io::Error::other(error.to_string()),
        })?;
    }
    Ok(())
}
