//! Whether only their owner can change a directory, and replace it.
//!
//! As with `StrictModes` of sshd, the directories above count too: a user who can rename one of them can replace what is in it.

use std::path::{Path, PathBuf};

/// A directory that other users can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The directory, one above it, or a symbolic link on the way.
    pub path: PathBuf,
    /// Why.
    pub reason: Distrust,
}

/// Why a directory is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It belongs to another user.
    Owner {
        /// The id of that user.
        owner: u32,
        /// The id of the user of this process.
        user: u32,
    },
    /// Other users can write to it.
    Writable {
        /// Its mode, without the file type.
        mode: u32,
    },
}

/// Refuses a directory, or a link to one, that users other than root and the user of this process can change. One that does not
/// exist, or cannot be examined, is not used either. Two system calls.
///
/// Accepts everything on systems other than Unix.
///
/// # Errors
///
/// [`Untrusted`].
pub fn check_dir(dir: &Path) -> Result<(), Untrusted> {
    imp::check(dir, imp::is_safe)
}

/// Refuses a path if such users can replace it: checks all directories above it, and above the target of each symbolic link on the
/// way. In a directory with the sticky bit, only the owner of an entry can replace it.
///
/// Accepts everything on systems other than Unix.
///
/// # Errors
///
/// [`Untrusted`].
pub fn check_parents(path: &Path) -> Result<(), Untrusted> {
    imp::check_parents(path)
}

#[cfg(unix)]
mod imp {
    use std::fs::{self, Metadata};
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use rustix::process::geteuid;

    use super::{Distrust, Untrusted};

    /// The maximum number of links on the way to a directory. The system follows no more either, so what is behind more cannot be opened.
    const MAX_LINKS: usize = 40;

    /// In a directory with this bit, only the owner of an entry may rename it.
    const STICKY: u32 = 0o1000;

    pub(super) fn check_parents(path: &Path) -> Result<(), Untrusted> {
        // A relative path fails only without a current directory, and then nothing can be opened either.
        let mut path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for _ in 0..=MAX_LINKS {
            let Some(behind) = behind_first_link(&path)? else { break };
            path = behind;
        }
        Ok(())
    }

    /// Checks the directories of a path from the root on, up to the first link, and returns the path with the link's target in its place.
    /// `None` if there is no link.
    fn behind_first_link(path: &Path) -> Result<Option<PathBuf>, Untrusted> {
        let ancestors: Vec<_> = path.ancestors().collect();
        for at in ancestors.into_iter().rev() {
            check(at, is_safe_parent)?;
            if let Ok(target) = fs::read_link(at) {
                let rest = path.strip_prefix(at).unwrap_or(Path::new(""));
                return Ok(Some(at.parent().unwrap_or(at).join(target).join(rest)));
            }
        }
        Ok(None)
    }

    pub(super) fn check(path: &Path, is_safe: impl FnOnce(&Metadata) -> bool) -> Result<(), Untrusted> {
        let untrusted = |reason| Untrusted { path: path.to_owned(), reason };
        let Ok(link) = fs::symlink_metadata(path) else { return Ok(()) };
        check_owner(&link).map_err(untrusted)?;
        let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
        check_owner(&metadata).map_err(untrusted)?;
        if is_safe(&metadata) {
            return Ok(());
        }
        Err(untrusted(Distrust::Writable { mode: metadata.mode() & 0o7777 }))
    }

    fn check_owner(metadata: &Metadata) -> Result<(), Distrust> {
        let (owner, user) = (metadata.uid(), geteuid().as_raw());
        if [0, user].contains(&owner) { Ok(()) } else { Err(Distrust::Owner { owner, user }) }
    }

    /// Whether only the owner can create or remove entries in a directory of the host.
    pub(super) fn is_safe(metadata: &Metadata) -> bool {
        metadata.mode() & 0o022 == 0
    }

    /// Whether only the owner can rename the entries of a directory. A group with the same number as the owner is that
    /// user's private group, to which several systems grant write permission by default.
    fn is_safe_parent(metadata: &Metadata) -> bool {
        let (mode, has_own_group) = (metadata.mode(), metadata.gid() == metadata.uid());
        mode & STICKY != 0 || mode & 0o022 == 0 || (has_own_group && mode & 0o002 == 0)
    }
}

#[cfg(not(unix))]
mod imp {
    use std::path::Path;

    use super::Untrusted;

    pub(super) fn is_safe() {}

    pub(super) fn check(_: &Path, _: fn()) -> Result<(), Untrusted> {
        Ok(())
    }

    pub(super) fn check_parents(_: &Path) -> Result<(), Untrusted> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_behind_many_links_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let open = dir.path().join("open");
        fs::create_dir_all(open.join("data")).unwrap();
        symlink("open/data", dir.path().join("link0")).unwrap();
        for number in 1..12 {
            symlink(format!("./link{}", number - 1), dir.path().join(format!("link{number}"))).unwrap();
        }
        let path = dir.path().join("link11/more");
        assert_eq!(check_parents(&path), Ok(()));
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        let found = check_parents(&path).unwrap_err();
        assert_eq!((found.path, found.reason), (open, Distrust::Writable { mode: 0o777 }));
    }

    #[test]
    fn links_in_a_circle_end() {
        let dir = tempfile::tempdir().unwrap();
        symlink("two", dir.path().join("one")).unwrap();
        symlink("one", dir.path().join("two")).unwrap();
        assert_eq!(check_parents(&dir.path().join("one")), Ok(()), "nobody can open it");
    }
}
