//! The data directory: the names in it, who may own and write it, and which grants it excludes.
//!
//! The host loads native code from it and trusts its results. So only its owner and root may write there: no other user
//! of the machine, and no guest.

mod apart;
mod error;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(not(target_os = "linux"))]
#[path = "no_mounts.rs"]
mod mounts;
mod private;
mod way;

use std::path::{Path, PathBuf};

pub(crate) use self::apart::{Protected, check_grants};
pub use self::apart::{may_replace, reaches_data_dir};
pub use self::error::DataDirError;
pub(crate) use self::private::check_and_mend;

/// Holds cached results.
pub(crate) const RESULTS: &str = "results";

/// Holds compiled code.
pub(crate) const COMPILED: &str = "compiled";

/// Holds the locks between processes.
pub(crate) const FLIGHTS: &str = "flights";

/// Holds runs on their way into the journal: the directory of [`RunHistory`](crate::journal::RunHistory).
const HISTORY: &str = "history";

/// The directory in a data directory that records which configuration files the command line trusts. The library does
/// not use it, but protects it like the others.
pub const TRUSTED_DIR: &str = "trusted";

/// The directories in a data directory that has been used.
pub(crate) fn subdirs(data_dir: &Path) -> Vec<PathBuf> {
    let ours = [RESULTS, COMPILED, FLIGHTS, HISTORY, TRUSTED_DIR].map(|name| data_dir.join(name));
    ours.into_iter().chain(hostel_journal::data_dirs(data_dir)).collect()
}

/// Creates a data directory and its missing parents, with mode 0700 regardless of the umask. An existing directory
/// keeps its mode until a host or a [`ResultCache`](crate::ResultCache) is opened with it.
///
/// # Errors
///
/// The error of the system.
pub fn create_data_dir(dir: &Path) -> std::io::Result<()> {
    hostel_files::create_private_dir(dir)
}

/// Opens a regular file below a data directory, without waiting and without following a symbolic link. A new one gets mode 0600.
///
/// # Errors
///
/// The error of the system, or one that says that something else has its name, such as a FIFO.
pub fn open_data_file(path: &Path, options: &mut std::fs::OpenOptions) -> std::io::Result<std::fs::File> {
    hostel_files::open_regular_file(path, options)
}
