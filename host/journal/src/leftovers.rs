//! What killed processes leave in a data directory: files and copies that were never finished.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::files::{BLOBS, COMPONENTS};
use hostel_files::UNFINISHED_PREFIX;

/// The prefix of the directories in which files are copied before they are upgraded.
pub(crate) const UNFINISHED_COPY: &str = ".new-copy-";

/// How long copying a file may take.
const COPYING: Duration = Duration::from_secs(24 * 60 * 60);

/// Unfinished values of earlier versions.
const UNFINISHED_BEFORE: &str = ".tmp";

/// Removes unfinished components, values and copies in a data directory: those that were not written to for `age`, and copies not
/// for a day. Returns their number and size. Takes time for each directory of values, of which there are at most 256, and for each
/// file in them.
///
/// # Errors
///
/// The error of the system. A directory that does not exist has no such files.
pub fn remove_unfinished(data_dir: &Path, age: Duration) -> io::Result<(u64, u64)> {
    let mut removed = (0, 0);
    remove_files(&data_dir.join(COMPONENTS), age, &mut removed)?;
    for dir in entries(&data_dir.join(BLOBS))? {
        if dir.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_files(&dir.path(), age, &mut removed)?;
        }
    }
    for dir in entries(data_dir)?.filter(|entry| begins(entry, UNFINISHED_COPY)) {
        let is_old = |metadata: &Metadata| metadata.is_dir() && is_old(metadata, age.max(COPYING));
        if dir.metadata().is_ok_and(|metadata| is_old(&metadata)) && fs::remove_dir_all(dir.path()).is_ok() {
            removed.0 += 1;
        }
    }
    Ok(removed)
}

fn remove_files(dir: &Path, age: Duration, removed: &mut (u64, u64)) -> io::Result<()> {
    for file in
        entries(dir)?.filter(|file| begins(file, UNFINISHED_PREFIX) || begins(file, UNFINISHED_BEFORE))
    {
        // Another process may remove it at the same time.
        let Ok(metadata) = file.metadata() else { continue };
        if !metadata.is_dir() && is_old(&metadata, age) && fs::remove_file(file.path()).is_ok() {
            *removed = (removed.0 + 1, removed.1 + metadata.len());
        }
    }
    Ok(())
}

fn begins(entry: &DirEntry, prefix: &str) -> bool {
    entry.file_name().to_string_lossy().starts_with(prefix)
}

fn is_old(metadata: &Metadata, age: Duration) -> bool {
    let modified = metadata.modified().unwrap_or_else(|_| SystemTime::now());
    SystemTime::now().duration_since(modified).is_ok_and(|since| since >= age)
}

/// The entries of a directory; none, if it does not exist or is something else.
fn entries(dir: &Path) -> io::Result<impl Iterator<Item = DirEntry> + use<>> {
    let nothing = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    match fs::read_dir(dir) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten().flatten()),
        Err(error) if nothing.contains(&error.kind()) => Ok(None.into_iter().flatten().flatten()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_unfinished_and_old_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for made in ["components", "blobs/ab", ".new-copy-1"] {
            fs::create_dir_all(at(made)).unwrap();
        }
        let (gone, kept) = (
            ["components/.new-a", "blobs/ab/.new-b", "blobs/ab/.tmpc", ".new-copy-1/copy"],
            ["components/young", "components/notes.txt", "blobs/ab/ab12", "other.txt"],
        );
        let old = SystemTime::now() - Duration::from_secs(2 * 60 * 60);
        for name in gone.into_iter().chain(kept) {
            fs::write(at(name), "12").unwrap();
            fs::File::options().append(true).open(at(name)).unwrap().set_modified(old).unwrap();
        }
        fs::write(at("components/.new-young"), "").unwrap();
        let hour = Duration::from_secs(60 * 60);
        assert_eq!(remove_unfinished(dir.path(), hour).unwrap(), (3, 6));
        assert!(at(".new-copy-1/copy").exists(), "copying may take a day");
        assert!(kept.iter().chain(&["components/.new-young"]).all(|name| at(name).exists()));
        assert_eq!(remove_unfinished(&at("missing"), hour).unwrap(), (0, 0));
    }

    #[cfg(unix)]
    #[test]
    fn copies_are_removed_after_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join(".new-copy-1");
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join("copy"), "half").unwrap();
        let old = SystemTime::now() - COPYING - Duration::from_secs(1);
        fs::File::open(&copy).unwrap().set_modified(old).unwrap();
        assert_eq!(remove_unfinished(dir.path(), Duration::ZERO).unwrap(), (1, 0));
        assert!(!copy.exists());
    }
}
