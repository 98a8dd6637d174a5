//! Under which names results lie in their directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hostel_engine::private_files::private_temp_file;

/// The form of the index and of what lies beside it. Another form has other names, so that two versions of the host do
/// not disturb each other in one directory.
const FORM: u32 = 1;

/// Begins the names of files that are not whole yet.
pub(super) use hostel_engine::private_files::UNFINISHED_PREFIX as UNFINISHED;

/// The directory in which results are kept.
///
/// - `index-FORM-GENERATION.sqlite`, with what SQLite puts beside it: the index. A damaged one is left as it is, and the
///   next generation is begun: a file that others have open is never renamed, because SQLite finds a database's log by
///   its name.
/// - `blobs-FORM/aa/…`: values that are too long for the index, named by their digest.
/// - `last-sweep`: an empty file, last modified when leftovers were last removed.
#[derive(Clone, Debug)]
pub(super) struct Place(PathBuf);

/// A file beside the index that counts.
pub(super) struct Leftover {
    pub(super) path: PathBuf,
    /// Whether someone may be about to give it its name.
    pub(super) is_unfinished: bool,
}

impl Place {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.0
    }

    pub(super) fn index(&self, generation: u32) -> PathBuf {
        self.0.join(format!("index-{FORM}-{generation}.sqlite"))
    }

    /// The log that SQLite keeps beside an index.
    pub(super) fn log(&self, generation: u32) -> PathBuf {
        self.0.join(format!("index-{FORM}-{generation}.sqlite-wal"))
    }

    /// Every file that SQLite opens for an index.
    pub(super) fn files_of(index: &Path) -> [PathBuf; 4] {
        ["", "-wal", "-shm", "-journal"].map(|ending| {
            let mut path = index.as_os_str().to_owned();
            path.push(ending);
            path.into()
        })
    }

    /// The file whose time of modification says when leftovers were last removed.
    pub(super) fn last_sweep(&self) -> PathBuf {
        self.0.join("last-sweep")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.0.join(format!("blobs-{FORM}"))
    }

    /// The newest generation of the index; `None` if nothing was ever kept.
    pub(super) fn newest(&self) -> io::Result<Option<u32>> {
        let mut newest = None;
        for name in files_in(&self.0)? {
            newest = newest.max(generation(&name?.file_name().to_string_lossy()));
        }
        Ok(newest)
    }

    /// What is of no use any more, or will not be before long: the files of generations before this one, and those that
    /// are not whole yet.
    pub(super) fn leftovers(&self, current: Option<u32>) -> io::Result<Vec<Leftover>> {
        let mut files = Vec::new();
        for file in files_in(&self.0)? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_string_lossy();
            // Also what SQLite keeps beside it.
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

/// What is in a directory; nothing, if there is none.
pub(super) fn files_in(dir: &Path) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
    match fs::read_dir(dir) {
        Ok(files) => Ok(Some(files).into_iter().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
        Err(error) => Err(error),
    }
}

/// Begins a file that gets its name when it is whole.
pub(super) fn unfinished(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    private_temp_file(UNFINISHED, dir)
}

fn generation(name: &str) -> Option<u32> {
    let number = name.strip_prefix(&format!("index-{FORM}-"))?.strip_suffix(".sqlite")?;
    number.parse().ok()
}
