//! Files and directories of a data directory that users other than their owner can change are refused.
//!
//! On systems other than Unix, permissions are left to the system.

use std::fs;
use std::path::Path;

use hostel_files::{Distrust, Untrusted, check_regular_file, is_not_a_file};

use crate::error::OpenJournalError;

/// Refuses a directory that users other than root and the user of this process can change or replace. One that does not exist is
/// not used either. It may be a link.
pub(crate) fn check_dir(dir: &Path) -> Result<(), OpenJournalError> {
    hostel_files::check_parents(dir).and_then(|()| hostel_files::check_dir(dir)).map_err(untrusted)
}

/// The same for a directory in one that is checked already.
pub(crate) fn check_inside(dir: &Path) -> Result<(), OpenJournalError> {
    if dir.is_symlink() { check_dir(dir) } else { hostel_files::check_dir(dir).map_err(untrusted) }
}

fn untrusted(Untrusted { path, reason }: Untrusted) -> OpenJournalError {
    match reason {
        Distrust::Owner { owner, user } => OpenJournalError::Owner { path, owner, user },
        Distrust::Writable { mode } => OpenJournalError::Writable { path, mode },
    }
}

/// The same for a file, which must be a regular one if it exists. Takes from others the right to read it.
pub(crate) fn check_file(file: &Path) -> Result<(), OpenJournalError> {
    let path = || file.to_owned();
    check_regular_file(file).map_err(|source| match is_not_a_file(&source) {
        true => OpenJournalError::NotAFile { path: path() },
        false => OpenJournalError::Io { path: path(), source },
    })?;
    imp::check(file, fs::symlink_metadata(file))?;
    imp::close_to_others(file).map_err(|source| OpenJournalError::Io { path: path(), source })
}

#[cfg(unix)]
mod imp {
    use std::fs::{self, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use rustix::process::geteuid;

    use super::OpenJournalError;

    pub(super) fn check(path: &Path, metadata: io::Result<Metadata>) -> Result<(), OpenJournalError> {
        let Ok(metadata) = metadata else { return Ok(()) };
        let (owner, user, mode) = (metadata.uid(), geteuid().as_raw(), metadata.mode() & 0o7777);
        if ![0, user].contains(&owner) {
            return Err(OpenJournalError::Owner { path: path.to_owned(), owner, user });
        }
        // The mode of a link says nothing.
        if mode & 0o022 != 0 && !metadata.is_symlink() {
            return Err(OpenJournalError::Writable { path: path.to_owned(), mode });
        }
        Ok(())
    }

    pub(super) fn close_to_others(file: &Path) -> io::Result<()> {
        let Ok(metadata) = fs::symlink_metadata(file) else { return Ok(()) };
        let mode = metadata.mode() & 0o7777;
        if metadata.uid() != geteuid().as_raw() || mode & 0o077 == 0 {
            return Ok(());
        }
        match fs::set_permissions(file, Permissions::from_mode(mode & !0o077)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::Metadata;
    use std::io;
    use std::path::Path;

    use super::OpenJournalError;

    pub(super) fn check(_: &Path, _: io::Result<Metadata>) -> Result<(), OpenJournalError> {
        Ok(())
    }

    pub(super) fn close_to_others(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
