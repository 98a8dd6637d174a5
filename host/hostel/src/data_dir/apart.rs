//! Grants that would let a guest write to directories that the host trusts: the data directory, and the directory of a
//! remote cache.
//!
//! Checked when a run is submitted. Two paths lead to the same directory if they are equal after following links, if
//! device and inode are the same, or if the mounts of this process say so.

use std::fs;
use std::path::{Path, PathBuf};

use hostel_core::{DirAccess, Grants};
use hostel_engine::check_dirs;

use super::mounts::Mounts;
use super::subdirs;
use super::way::Way;
use crate::error::SubmitError;

/// The directory of a remote cache that contains all its files.
const REMOTE_LAYOUT: &str = "v1";

/// The number of directory entries to examine: more than the host creates.
const MAX_ENTRIES: usize = 1000;

/// The directories that no guest may write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Protected {
    pub(crate) data_dir: Option<PathBuf>,
    /// The location of a remote cache that is a directory.
    pub(crate) remote_dir: Option<PathBuf>,
}

/// Checks that all granted directories can be opened, and that no directory granted for writing contains a directory of
/// the host or lies inside one.
pub(crate) fn check_grants(grants: &Grants, protected: &Protected) -> Result<(), SubmitError> {
    check_dirs(grants)?;
    check_apart(grants, protected)
}

/// Whether a guest that may write to `dir` could change files in the data directory `data_dir`, or redirect its path.
/// It can if one is inside the other, by any path or mount, or if a link on the way to the data directory is in `dir`.
/// Neither has to exist. A host refuses such grants for its own data directory.
pub fn reaches_data_dir(dir: &Path, data_dir: &Path) -> bool {
    Guarded::data_dir(data_dir).is_reached(&Mounts::read(), &Way::of(dir).end)
}

/// Whether a guest that may write to `dir` could replace the file at `path`, or a link on the way to it. Neither has to exist.
pub fn may_replace(dir: &Path, path: &Path) -> bool {
    let (mounts, dir, way) = (Mounts::read(), Way::of(dir).end, Way::of(path));
    let holders = way.end.parent().into_iter().chain(way.holders.iter().map(PathBuf::as_path));
    holders.into_iter().any(|holder| contains(&mounts, &dir, holder))
}

/// Costs some tens of microseconds for each grant for writing, and nothing without one.
fn check_apart(grants: &Grants, protected: &Protected) -> Result<(), SubmitError> {
    let mut granted = grants.dirs.iter().filter(|grant| grant.access() == DirAccess::Rw).peekable();
    if granted.peek().is_none() || (protected.data_dir.is_none() && protected.remote_dir.is_none()) {
        return Ok(());
    }
    let mounts = Mounts::read();
    let data_dir = protected.data_dir.clone().map(|dir| (Guarded::data_dir(&dir), dir));
    let remote_dir = protected.remote_dir.clone().map(|dir| (Guarded::remote_dir(&dir), dir));
    for grant in granted {
        let dir = Way::of(grant.host()).end;
        let is_reached = |(guarded, _): &&(Guarded, PathBuf)| guarded.is_reached(&mounts, &dir);
        let granted = grant.host().to_owned();
        if let Some((_, data_dir)) = data_dir.as_ref().filter(is_reached).cloned() {
            return Err(SubmitError::WritableDataDir { granted, data_dir });
        }
        if let Some((_, dir)) = remote_dir.as_ref().filter(is_reached).cloned() {
            return Err(SubmitError::WritableRemoteCache { granted, dir });
        }
    }
    Ok(())
}

/// The paths that a guest must not write, so that a directory and its content stay under the host's control. All paths
/// are without links.
#[derive(Clone, Default)]
struct Guarded {
    /// Directories whose content, including subdirectories, and whose parents are protected.
    dirs: Vec<PathBuf>,
    /// Directories that contain a link on the way there.
    holders: Vec<PathBuf>,
}

impl Guarded {
    /// The data directory, and the links to other places in it, down to the second level.
    fn data_dir(data_dir: &Path) -> Self {
        let subdirs = subdirs(data_dir);
        let below = subdirs.iter().flat_map(|dir| links_in(dir)).collect::<Vec<_>>();
        let links = subdirs.into_iter().filter(|dir| dir.is_symlink()).chain(below);
        Self::of(data_dir, links)
    }

    /// The same for the directory of a remote cache.
    fn remote_dir(dir: &Path) -> Self {
        Self::of(dir, links_in(dir).into_iter().chain(links_in(&dir.join(REMOTE_LAYOUT))))
    }

    fn of(dir: &Path, links: impl Iterator<Item = PathBuf>) -> Self {
        let mut guarded = Self::default();
        for path in [dir.to_owned()].into_iter().chain(links) {
            let Way { end, holders } = Way::of(&path);
            guarded.dirs.push(end);
            guarded.holders.extend(holders);
        }
        guarded
    }

    /// Whether a guest that may write to `dir`, a path without links, could change a protected path.
    fn is_reached(&self, mounts: &Mounts, dir: &Path) -> bool {
        self.dirs.iter().any(|guarded| overlap(mounts, dir, guarded))
            || self.holders.iter().any(|holder| contains(mounts, dir, holder))
    }
}

/// The links to directories among the first entries of a directory.
fn links_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().take(MAX_ENTRIES);
    let is_link = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_symlink());
    entries.filter(is_link).map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Whether one of two directories, both without links, is inside the other.
fn overlap(mounts: &Mounts, one: &Path, other: &Path) -> bool {
    let is_inside = |inner: &Path, outer: &Path| inner.starts_with(outer) || has_ancestor(inner, outer);
    is_inside(one, other) || is_inside(other, one) || mounts.overlap(one, other)
}

/// Whether a directory, without links, is another one or inside it.
fn contains(mounts: &Mounts, outer: &Path, inner: &Path) -> bool {
    inner.starts_with(outer) || has_ancestor(inner, outer) || mounts.contains(outer, inner)
}

/// Whether a directory is another one or inside it, by device and inode.
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
