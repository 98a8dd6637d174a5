//! Files and directories that only their owner can use: how the host creates and opens everything below its data directory.
//!
//! Modes do not depend on the umask of the process. Opening never waits: a FIFO or a device in place of a file is an error.
//! On systems other than Unix, permissions are left to the system.

mod trust;

pub use trust::{Distrust, Untrusted, check_dir, check_parents};

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// The prefix of unfinished files. A killed process leaves them behind.
pub const UNFINISHED_PREFIX: &str = ".new-";

/// The path of a regular file leads to something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a regular file, found {found}")]
pub struct NotAFile {
    /// Its kind: "a FIFO", "a directory".
    pub found: &'static str,
}

/// Creates a directory with mode 0700, and its missing parents. An existing directory keeps its mode.
///
/// # Errors
///
/// The error of the system.
pub fn create_private_dir(dir: &Path) -> io::Result<()> {
    create_dir_with(dir, &unix::mkdir)
}

fn create_dir_with(dir: &Path, make: &dyn Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let made = make(dir).or_else(|error| match dir.parent() {
        Some(parent) if error.kind() == io::ErrorKind::NotFound => {
            create_dir_with(parent, make)?;
            make(dir)
        }
        _ => Err(error),
    });
    // Another process may create it at the same time.
    if made.is_err() && dir.is_dir() { Ok(()) } else { made }
}

/// Creates a file with mode 0600 and a name of its own that begins with `prefix`. It is removed on drop unless it is
/// persisted.
///
/// # Errors
///
/// The error of the system.
pub fn private_temp_file(prefix: &str, dir: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(prefix).tempfile_in(dir)?;
    unix::set_file_mode(file.as_file())?;
    Ok(file)
}

/// The rights that a directory gives, for everything that is created in it: those that its owner chose, whatever the umask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(u32);

impl Rights {
    /// Those of an existing directory.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub fn of(dir: &Path) -> io::Result<Self> {
        unix::mode(dir).map(Self)
    }

    /// Creates a directory with these rights, and its missing parents. An existing directory keeps its rights.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub fn create_dir(self, dir: &Path) -> io::Result<()> {
        create_dir_with(dir, &|dir| {
            // It has its rights from the start: others may use it at once, and a killed process leaves none without them.
            let parent =
                dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let unfinished = tempfile::Builder::new().prefix(UNFINISHED_PREFIX).tempdir_in(parent)?;
            unix::set_dir_mode(unfinished.path(), self.0)?;
            fs::rename(unfinished.path(), dir)?;
            // There is nothing to remove any more.
            let _ = unfinished.keep();
            Ok(())
        })
    }

    /// Gives these rights to a file of [`private_temp_file`], without those to execute it. In a directory where only owners may
    /// rename, only the owner may write the file.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub fn set(self, file: &File) -> io::Result<()> {
        unix::share_file(file, self.0)
    }
}

/// Writes the entries of a directory to disk: files that were created in it, or renamed into it.
///
/// # Errors
///
/// The error of the system.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Opens a regular file for reading and writing, as [`open_regular_file`] does, and creates it with mode 0600 if it
/// does not exist.
///
/// # Errors
///
/// As [`open_regular_file`].
pub fn open_or_create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = open_regular_file(path, options.read(true).write(true).create(true).truncate(false))?;
    unix::restore_file_mode(&file)?;
    Ok(file)
}

/// Opens a regular file without waiting and without following a symbolic link.
///
/// # Errors
///
/// An error with [`NotAFile`] inside for anything that is not a regular file; otherwise the error of the system.
pub fn open_regular_file(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // A socket cannot be opened at all, nor a FIFO without a reader, and the system's message does not help.
    let opened = unix::without_waiting(options).open(path);
    let file = opened.map_err(|error| check_regular_file(path).err().unwrap_or(error))?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Checks that a path is a regular file or does not exist.
///
/// # Errors
///
/// As [`open_regular_file`].
pub fn check_regular_file(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        metadata => regular(&metadata?),
    }
}

/// Whether an error means that something other than a regular file was found.
pub fn is_not_a_file(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<NotAFile>())
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::other(NotAFile { found: unix::kind(metadata) }))
}

/// Whether users other than root and the user of this process may change it: they own it, or its mode allows it.
pub fn others_may_write(metadata: &Metadata) -> bool {
    unix::others_may_write(metadata)
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;

    const DIR_MODE: u32 = 0o700;
    const FILE_MODE: u32 = 0o600;
    const STICKY: u32 = 0o1000;
    const SET_GROUP: u32 = 0o2000;

    pub(super) fn mkdir(dir: &Path) -> io::Result<()> {
        DirBuilder::new().mode(DIR_MODE).create(dir)?;
        // The umask may have removed permissions of the owner.
        let mode = fs::metadata(dir)?.permissions().mode() & 0o777;
        if mode == DIR_MODE { Ok(()) } else { fs::set_permissions(dir, Permissions::from_mode(DIR_MODE)) }
    }

    pub(super) fn set_file_mode(file: &File) -> io::Result<()> {
        file.set_permissions(Permissions::from_mode(FILE_MODE))
    }

    pub(super) fn mode(dir: &Path) -> io::Result<u32> {
        Ok(fs::metadata(dir)?.mode())
    }

    /// With the bits that give the group to what is created in it, and that leave its entries to their owners.
    pub(super) fn set_dir_mode(dir: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(dir, Permissions::from_mode(mode & (STICKY | SET_GROUP | 0o777) | DIR_MODE))
    }

    pub(super) fn share_file(file: &File, mode: u32) -> io::Result<()> {
        let shared = if mode & STICKY == 0 { 0o066 } else { 0o044 };
        file.set_permissions(Permissions::from_mode(mode & shared | FILE_MODE))
    }

    /// The umask may have removed permissions of the owner.
    pub(super) fn restore_file_mode(file: &File) -> io::Result<()> {
        let metadata = file.metadata()?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if is_ours && metadata.mode() & 0o777 != FILE_MODE { set_file_mode(file) } else { Ok(()) }
    }

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

    pub(super) fn others_may_write(metadata: &Metadata) -> bool {
        let user = rustix::process::geteuid().as_raw();
        ![0, user].contains(&metadata.uid()) || metadata.mode() & 0o022 != 0
    }
}

#[cfg(not(unix))]
mod unix {
    use std::fs::{self, File, Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn mkdir(dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    pub(super) fn set_file_mode(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn mode(dir: &Path) -> io::Result<u32> {
        fs::metadata(dir).map(|_| 0)
    }

    pub(super) fn set_dir_mode(_: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn share_file(_: &File, _: u32) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn restore_file_mode(_: &File) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub(super) fn kind(metadata: &Metadata) -> &'static str {
        if metadata.is_dir() { "a directory" } else { "something else" }
    }

    pub(super) fn others_may_write(_: &Metadata) -> bool {
        false
    }
}
