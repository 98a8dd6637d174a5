//! Removing what no run needs any more: values, and options of tasks.

use std::path::PathBuf;

use hostel_core::Digest;

use super::writing::Writing;
use crate::error::Fault;

/// The most files that are looked at in one transaction.
pub(super) const MAX_FILES: usize = 500;

/// Removes those of some old files that no run names. Executes between transactions that name them: one that names a file afterwards
/// finds that it is gone, and writes it again.
pub(super) fn values(writing: &Writing<'_>, files: &[(PathBuf, Option<Digest>)]) -> Result<u64, Fault> {
    let mut query = writing.db.prepare_cached("SELECT 1 FROM run_blob WHERE digest = ? LIMIT 1")?;
    let mut removed = 0;
    for (path, digest) in files {
        let is_named = match digest {
            Some(digest) => query.exists([digest.as_bytes()])?,
            None => false,
        };
        // Another process may have removed it.
        removed += u64::from(!is_named && std::fs::remove_file(path).is_ok());
    }
    Ok(removed)
}

/// Removes the options of tasks that no run has.
pub(super) fn options(writing: &mut Writing<'_>) -> Result<u64, Fault> {
    let removed = writing.db.execute("DELETE FROM spec WHERE id NOT IN (SELECT spec FROM run)", [])?;
    if removed > 0 {
        // Other processes remember their numbers.
        writing.db.execute("UPDATE counter SET names = names + 1", [])?;
        writing.names.forget();
    }
    Ok(removed as u64)
}
