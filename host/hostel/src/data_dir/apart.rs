//! No guest may write where the host keeps what it trusts: the data directory, and the directory of a remote cache.
//!
//! Checked when a run is submitted. Two paths lead to the same directory if they are equal once links are followed, if device
//! and inode are the same, or if the mounts of this process say so.

use std::fs;
use std::path::{Path, PathBuf};

use hostel_core::{DirAccess, Grants};
use hostel_engine::check_dirs;

use super::mounts::Mounts;
use super::subdirs;
use crate::error::SubmitError;

/// The directory that a remote cache has everything in.
const REMOTE_LAYOUT: &str = "v1";

/// How many entries of a directory are looked at: more than the host makes there.
const MAX_ENTRIES: usize = 1000;

/// Directories that no guest may write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protected {
    pub(crate) data_dir: Option<PathBuf>,
    /// Where a remote cache is, if it is a directory.
    pub(crate) remote_dir: Option<PathBuf>,
}

/// Checks that all directories that are granted can be opened, and that none of those that may be written reaches a directory
/// of the host's, or lies in one.
pub(crate) fn check_grants(grants: &Grants, protected: &Protected) -> Result<(), SubmitError> {
    check_dirs(grants)?;
    check_apart(grants, protected)
}

/// Whether a guest that may write to `dir` could change something in the data directory `data_dir`: because one is in the
/// other, by whatever path or mount. Neither has to exist. A host refuses such grants for its own data directory.
pub fn reaches_data_dir(dir: &Path, data_dir: &Path) -> bool {
    let (mounts, dir) = (Mounts::read(), resolved(dir));
    with_links(data_dir).iter().any(|protected| overlap(&mounts, &dir, protected))
}

/// Costs some tens of microseconds for each grant to write, and nothing if there is none.
fn check_apart(grants: &Grants, protected: &Protected) -> Result<(), SubmitError> {
    let mut granted = grants.dirs.iter().filter(|grant| grant.access() == DirAccess::Rw).peekable();
    if granted.peek().is_none() || (protected.data_dir.is_none() && protected.remote_dir.is_none()) {
        return Ok(());
    }
    let mounts = Mounts::read();
    let data_dirs: Vec<_> = protected.data_dir.iter().flat_map(|dir| with_links(dir)).collect();
    let remote_dirs: Vec<_> = protected.remote_dir.iter().flat_map(|dir| remote_with_links(dir)).collect();
    for grant in granted {
        let dir = resolved(grant.host());
        let reaches = |protected: &PathBuf| overlap(&mounts, &dir, protected);
        let granted = grant.host().to_owned();
        if let Some(data_dir) = protected.data_dir.clone().filter(|_| data_dirs.iter().any(reaches)) {
            return Err(SubmitError::WritableDataDir { granted, data_dir });
        }
        if let Some(dir) = protected.remote_dir.clone().filter(|_| remote_dirs.iter().any(reaches)) {
            return Err(SubmitError::WritableRemoteCache { granted, dir });
        }
    }
    Ok(())
}

/// The data directory, and the directories in it, down to the second level, that are links to elsewhere.
fn with_links(data_dir: &Path) -> Vec<PathBuf> {
    let subdirs = subdirs(data_dir);
    let below = subdirs.iter().flat_map(|dir| links_in(dir)).collect::<Vec<_>>();
    let links = subdirs.into_iter().filter(|dir| dir.is_symlink()).chain(below);
    [data_dir.to_owned()].into_iter().chain(links).map(|dir| resolved(&dir)).collect()
}

/// The same of the directory of a remote cache.
fn remote_with_links(dir: &Path) -> Vec<PathBuf> {
    let links = links_in(dir).into_iter().chain(links_in(&dir.join(REMOTE_LAYOUT)));
    [dir.to_owned()].into_iter().chain(links).map(|dir| resolved(&dir)).collect()
}

/// The links to directories among the first entries of a directory.
fn links_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().take(MAX_ENTRIES);
    let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    entries.filter(is_link).map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Whether one of two directories, both without links, is in the other.
fn overlap(mounts: &Mounts, one: &Path, other: &Path) -> bool {
    let is_inside = |inner: &Path, outer: &Path| inner.starts_with(outer) || has_ancestor(inner, outer);
    is_inside(one, other) || is_inside(other, one) || mounts.overlap(one, other)
}

/// Whether a directory is another one or in it, by device and inode.
#[cfg(unix)]
fn has_ancestor(dir: &Path, ancestor: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let wanted = id(ancestor);
    wanted.is_some() && dir.ancestors().any(|dir| id(dir) == wanted)
}

#[cfg(not(unix))]
fn has_ancestor(_: &Path, _: &Path) -> bool {
    false
}

/// Where a path leads, of which the end need not be there.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = path.ancestors().find_map(|above| {
        let rest = path.strip_prefix(above).ok()?;
        Some(fs::canonicalize(above).ok()?.join(rest))
    });
    found.unwrap_or(path)
}
