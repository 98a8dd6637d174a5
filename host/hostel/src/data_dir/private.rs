//! Ownership and permissions of the data directory, checked before it is used.
//!
//! As with `StrictModes` of sshd, the parent directories count too: a user who can rename one of them can replace the
//! data directory. Readers are no danger to the host, but they are excluded because results are stored unencrypted.

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

    use rustix::process::geteuid;

    use super::super::{DataDirError, subdirs};

    /// All permissions of the group and of others.
    const OF_OTHERS: u32 = 0o077;

    /// The maximum number of links on the way to a data directory.
    const MAX_LINKS: usize = 40;

    /// In a directory with this bit, only the owner of an entry may rename it.
    const STICKY: u32 = 0o1000;

    pub(super) fn check(data_dir: &Path) -> Result<(), DataDirError> {
        // A relative path fails only without a current directory, and then nothing can be opened either.
        let path = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        check_parents(data_dir, &path)?;
        check_one(data_dir, &path, is_safe_inside)?;
        subdirs(&path).iter().try_for_each(|dir| {
            if dir.is_symlink() {
                check_parents(data_dir, dir)?;
            }
            check_one(data_dir, dir, is_safe_inside)
        })
    }

    /// Checks the directories on the path, and on the path of each link on the way.
    fn check_parents(data_dir: &Path, path: &Path) -> Result<(), DataDirError> {
        let mut paths = vec![path.to_owned()];
        // The system follows no more links either.
        for _ in 0..MAX_LINKS {
            let Some(path) = paths.pop() else { break };
            for parent in path.ancestors() {
                check_one(data_dir, parent, is_safe_parent)?;
                if let Ok(target) = fs::read_link(parent) {
                    let rest = path.strip_prefix(parent).unwrap_or(Path::new(""));
                    paths.push(parent.parent().unwrap_or(parent).join(target).join(rest));
                }
            }
        }
        Ok(())
    }

    /// A path that does not exist yet, or cannot be examined, is not used either.
    fn check_one(
        data_dir: &Path,
        path: &Path,
        is_safe: impl FnOnce(&Metadata) -> bool,
    ) -> Result<(), DataDirError> {
        let Ok(link) = fs::symlink_metadata(path) else { return Ok(()) };
        check_owner(data_dir, path, &link)?;
        let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
        check_owner(data_dir, path, &metadata)?;
        if is_safe(&metadata) {
            return Ok(());
        }
        let mode = metadata.mode() & 0o7777;
        Err(DataDirError::Writable { data_dir: data_dir.to_owned(), path: path.to_owned(), mode })
    }

    fn check_owner(data_dir: &Path, path: &Path, metadata: &Metadata) -> Result<(), DataDirError> {
        let (owner, user) = (metadata.uid(), geteuid().as_raw());
        if [0, user].contains(&owner) {
            return Ok(());
        }
        Err(DataDirError::Owner { data_dir: data_dir.to_owned(), path: path.to_owned(), owner, user })
    }

    /// Whether only the owner can create or remove entries in a directory of the host.
    fn is_safe_inside(metadata: &Metadata) -> bool {
        metadata.mode() & 0o022 == 0
    }

    /// Whether only the owner can rename the entries of a directory. A group with the same number as the owner is that
    /// user's private group, to which several systems grant write permission by default.
    fn is_safe_parent(metadata: &Metadata) -> bool {
        let (mode, has_own_group) = (metadata.mode(), metadata.gid() == metadata.uid());
        mode & STICKY != 0 || mode & 0o022 == 0 || (has_own_group && mode & 0o002 == 0)
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
