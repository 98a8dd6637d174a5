//! The names of the files of cached results.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hostel_files::private_temp_file;

/// The version of the layout. Other versions have other names, so that two versions of the host can share a directory.
const FORM: u32 = 2;

/// The prefix of unfinished files.
pub(super) use hostel_files::UNFINISHED_PREFIX as UNFINISHED;

/// The directory of cached results.
///
/// - `index-FORM-GENERATION.sqlite`, with SQLite's companion files: the index. A damaged index is left as it is, and
///   the next generation is created. A file that others have open is never renamed, because SQLite finds the log of a
///   database by its name.
/// - `blobs-FORM/aa/…`: values that are too long for the index, named by their digest.
/// - `last-sweep`: an empty file, last modified at the last sweep.
#[derive(Clone, Debug)]
pub(super) struct Layout(PathBuf);

/// A file beside the current index.
pub(super) struct Leftover {
    pub(super) path: PathBuf,
    /// Whether another process may be about to rename it to its final name.
    pub(super) is_unfinished: bool,
}

impl Layout {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.0
    }

    pub(super) fn index(&self, generation: u32) -> PathBuf {
        self.0.join(format!("index-{FORM}-{generation}.sqlite"))
    }

    /// The log of an index.
    pub(super) fn log(&self, generation: u32) -> PathBuf {
        self.0.join(format!("index-{FORM}-{generation}.sqlite-wal"))
    }

    /// All files that SQLite opens for an index.
    pub(super) fn files_of(index: &Path) -> [PathBuf; 4] {
        ["", "-wal", "-shm", "-journal"].map(|ending| {
            let mut path = index.as_os_str().to_owned();
            path.push(ending);
            path.into()
        })
    }

    /// The marker file whose modification time is the time of the last sweep.
    pub(super) fn last_sweep(&self) -> PathBuf {
        self.0.join("last-sweep")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.0.join(format!("blobs-{FORM}"))
    }

    /// The newest generation of the index; `None` if there is no index.
    pub(super) fn newest(&self) -> io::Result<Option<u32>> {
        let mut newest = None;
        for name in files_in(&self.0)? {
            newest = newest.max(generation(&name?.file_name().to_string_lossy()));
        }
        Ok(newest)
    }

    /// Obsolete files: those of earlier generations, and unfinished ones.
    pub(super) fn leftovers(&self, current: Option<u32>) -> io::Result<Vec<Leftover>> {
        let mut files = Vec::new();
        for file in files_in(&self.0)? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            // Including SQLite's companion files.
            let endings = ["-wal", "-shm", "-journal"];
            let database = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
            let is_unfinished = name.starts_with(UNFINISHED);
            if is_unfinished || generation(database).is_some_and(|generation| Some(generation) < current) {
                files.push(Leftover { path: file.path(), is_unfinished });
            }
        }
        Ok(files)
    }
}

/// The entries of a directory; none, if it does not exist.
pub(super) fn files_in(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(files) => Ok(Some(files).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Begins a file that gets its final name when it is complete.
pub(super) fn unfinished(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    private_temp_file(UNFINISHED, dir)
}

fn generation(name: &str) -> Option<u32> {
    let number = name.strip_prefix(&format!("index-{FORM}-"))?.strip_suffix(".sqlite")?;
    number.parse().ok()
}
