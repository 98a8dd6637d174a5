//! Files and directories that only their owner can change, and how they are opened: without following a link or waiting for a FIFO.
//!
//! On systems other than Unix, permissions are left to the system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::OpenJournalError;

/// The prefix of unfinished files. A killed process leaves them behind.
pub(crate) const UNFINISHED: &str = ".new-";

/// Opens a regular file without waiting and without following a symbolic link. Anything else is an error of the kind
/// `InvalidInput`, which says what was found.
pub(crate) fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A socket cannot be opened at all, nor a FIFO without a reader, and the system's message does not help.
    let opened = imp::without_waiting(options).open(path);
    let file = opened.map_err(|error| check_regular(path).err().unwrap_or(error))?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Checks that a path is a regular file or does not exist.
pub(crate) fn check_regular(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        metadata => regular(&metadata?),
    }
}

fn regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let problem = format!("expected a regular file, found {}", imp::kind(metadata));
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

/// Refuses a directory that users other than root and the user of this process can change. One that does not exist is not used
/// either. It may be a link.
pub(crate) fn check_dir(dir: &Path) -> Result<(), OpenJournalError> {
    imp::check(dir, fs::symlink_metadata(dir))?;
    imp::check(dir, fs::metadata(dir))
}

/// The same for a file, which must be a regular one if it exists. Takes from others the right to read it.
pub(crate) fn check_file(file: &Path) -> Result<(), OpenJournalError> {
    let path = || file.to_owned();
    check_regular(file).map_err(|source| match source.kind() == io::ErrorKind::InvalidInput {
        true => OpenJournalError::NotAFile { path: path() },
        false => OpenJournalError::Io { path: path(), source },
    })?;
    imp::check(file, fs::symlink_metadata(file))?;
    imp::close_to_others(file).map_err(|source| OpenJournalError::Io { path: path(), source })
}

#[cfg(unix)]
mod imp {
    use std::fs::{self, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;
    use rustix::process::geteuid;

    use super::OpenJournalError;

    const FILE_MODE: u32 = 0o600;

    pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
        // All flags are bits of a C int.
        options.mode(FILE_MODE).custom_flags(flags.bits().cast_signed())
    }

    pub(super) fn kind(metadata: &Metadata) -> &'static str {
        let kind = metadata.file_type();
        match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_symlink() => "a symbolic link",
            () if kind.is_fifo() => "a FIFO",
            () if kind.is_socket() => "a socket",
            () => "a device",
        }
    }

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
    use std::fs::{Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use super::OpenJournalError;

    pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn kind(metadata: &Metadata) -> &'static str {
        if metadata.is_dir() { "a directory" } else { "something else" }
    }

    pub(super) fn check(_: &Path, _: io::Result<Metadata>) -> Result<(), OpenJournalError> {
        Ok(())
    }

    pub(super) fn close_to_others(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
