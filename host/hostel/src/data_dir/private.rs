//! Ownership and permissions of the data directory, checked before it is used.
//!
//! Users who can replace the directory count too, see [`hostel_files::check_parents`]. Readers are no danger to the host, but they are excluded because results are stored unencrypted.

use std::path::Path;

use super::DataDirError;

/// Refuses a data directory that users other than root and the user of this process can change. Checks the directory
/// itself, its subdirectories, its parents, and the symbolic links on the way. Removes read permissions of other users
/// that earlier versions granted. If the directory does not exist yet, its existing parents are checked. Costs about
/// ten system calls.
///
/// Does nothing on systems other than Unix.
pub(crate) fn check_and_mend(data_dir: &Path) -> Result<(), DataDirError> {
    imp::check(data_dir)?;
    imp::mend(data_dir);
    Ok(())
}

#[cfg(unix)]
mod imp {
    use std::fs::{self, Metadata, Permissions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::Path;

    use hostel_files::{Untrusted, check_dir, check_parents};
    use rustix::process::geteuid;

    use super::super::{DataDirError, subdirs};

    /// All permissions of the group and of others.
    const OF_OTHERS: u32 = 0o077;

    pub(super) fn check(data_dir: &Path) -> Result<(), DataDirError> {
        let untrusted = |found: Untrusted| DataDirError::of(data_dir, found);
        // A relative path fails only without a current directory, and then nothing can be opened either.
        let path = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        check_parents(&path).map_err(untrusted)?;
        check_dir(&path).map_err(untrusted)?;
        subdirs(&path).iter().try_for_each(|dir| {
            if dir.is_symlink() {
                check_parents(dir).map_err(untrusted)?;
            }
            check_dir(dir).map_err(untrusted)
        })
    }

    pub(super) fn mend(data_dir: &Path) {
        let mended =
            subdirs(data_dir).iter().filter(|dir| is_open_dir(dir)).try_for_each(|dir| shut_all(dir));
        let mended = mended.and_then(|()| if is_open_dir(data_dir) { shut_top(data_dir) } else { Ok(()) });
        if let Err(error) = mended {
            tracing::warn!(
                "other users can read the content of {}, and its permissions cannot be changed: {error}",
                data_dir.display()
            );
        }
    }

    fn is_open_dir(dir: &Path) -> bool {
        fs::symlink_metadata(dir).is_ok_and(|metadata| metadata.is_dir() && is_open(&metadata))
    }

    /// Whether others have any permission on a directory that belongs to this user. Directories of root stay as they
    /// are.
    fn is_open(metadata: &Metadata) -> bool {
        metadata.uid() == geteuid().as_raw() && metadata.mode() & OF_OTHERS != 0
    }

    /// Removes all permissions of others on the data directory itself, unless it contains files that are not the
    /// host's.
    fn shut_top(data_dir: &Path) -> io::Result<()> {
        let ours = subdirs(data_dir);
        for entry in fs::read_dir(data_dir)? {
            let entry = entry?;
            let is_file = hostel_journal::is_data_file(&entry.file_name().to_string_lossy());
            if !is_file && !ours.contains(&entry.path()) {
                return Ok(());
            }
        }
        shut(data_dir, &fs::symlink_metadata(data_dir)?)
    }

    /// Removes all permissions of others, first below a path and then on it, so that an interrupted removal is
    /// repeated. Takes time for each file, once.
    fn shut_all(path: &Path) -> io::Result<()> {
        let metadata = match fs::symlink_metadata(path) {
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata?,
        };
        if metadata.is_symlink() {
            return Ok(());
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(path)? {
                shut_all(&entry?.path())?;
            }
        }
        shut(path, &metadata)
    }

    fn shut(path: &Path, metadata: &Metadata) -> io::Result<()> {
        if !is_open(metadata) {
            return Ok(());
        }
        let mode = metadata.mode() & 0o7777 & !OF_OTHERS;
        match fs::set_permissions(path, Permissions::from_mode(mode)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::path::Path;

    use super::DataDirError;

    pub(super) fn check(_: &Path) -> Result<(), DataDirError> {
        Ok(())
    }

    pub(super) fn mend(_: &Path) {}
}
