//! The data directory, which no guest may write: what is in it is trusted, compiled code among it.

use std::fs;
use std::path::{Path, PathBuf};

use hostel_core::{DirAccess, Grants};
use hostel_engine::check_dirs;

use crate::error::SubmitError;

/// Checks that all directories that are granted can be opened, and that none that may be written has the data directory in
/// it or lies in it.
pub(crate) fn check_grants(grants: &Grants, data_dir: Option<&Path>) -> Result<(), SubmitError> {
    check_dirs(grants)?;
    data_dir.map_or(Ok(()), |data_dir| check_apart(grants, data_dir))
}

/// Asks the system a few times for each grant to write, and not at all if there is none.
fn check_apart(grants: &Grants, data_dir: &Path) -> Result<(), SubmitError> {
    let mut granted = grants.dirs.iter().filter(|grant| grant.access() == DirAccess::Rw).peekable();
    if granted.peek().is_none() {
        return Ok(());
    }
    let data = resolved(data_dir);
    let reaches = |dir: PathBuf| dir.starts_with(&data) || data.starts_with(&dir);
    match granted.find(|grant| reaches(resolved(grant.host()))) {
        Some(grant) => Err(SubmitError::WritableDataDir {
            granted: grant.host().to_owned(),
            data_dir: data_dir.to_owned(),
        }),
        None => Ok(()),
    }
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
