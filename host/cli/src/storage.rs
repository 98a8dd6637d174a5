//! How much of a data directory belongs to what.

use std::fs;
use std::path::{Path, PathBuf};

/// The most files that are looked at; the sizes are too small if there are more.
const MAX_FILES: usize = 1_000_000;

/// What the files of a data directory hold, by the beginnings of their names, or of the names of their directories.
const KINDS: [(&str, &[&str]); 6] = [
    ("runs", &["journal-1.db", "history"]),
    ("values", &["blobs", "uploads"]),
    ("logs", &["logs-1.db"]),
    ("components", &["components"]),
    ("compiled", &["compiled"]),
    ("results", &["results"]),
];

/// Everything else.
const OTHER: &str = "other";

/// The bytes of each kind of file in a data directory. Links are not followed.
pub(crate) fn sizes(data_dir: &Path) -> Vec<(&'static str, u64)> {
    let mut sizes: Vec<_> = KINDS.iter().map(|(kind, _)| (*kind, 0)).chain([(OTHER, 0)]).collect();
    let mut left = MAX_FILES;
    for path in entries(data_dir) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_of = |beginnings: &[&str]| beginnings.iter().any(|beginning| name.starts_with(beginning));
        let kind = KINDS.iter().find(|(_, beginnings)| is_of(beginnings)).map_or(OTHER, |(kind, _)| kind);
        let bytes = size(path, &mut left);
        sizes.iter_mut().filter(|(of, _)| *of == kind).for_each(|(_, sum)| *sum += bytes);
    }
    sizes
}

/// The bytes of a file, or of all files below a directory.
fn size(path: PathBuf, left: &mut usize) -> u64 {
    let mut paths = vec![path];
    let mut sum = 0;
    while let Some(path) = paths.pop() {
        if *left == 0 {
            return sum;
        }
        *left -= 1;
        // It may be gone.
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.is_dir() {
            paths.extend(entries(&path));
        } else {
            sum += found.len();
        }
    }
    sum
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_belongs_to_one_kind() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/ab")).unwrap();
        for (name, bytes) in
            [("journal-1.db", 10), ("journal-1.db-wal", 5), ("blobs/ab/cd", 3), ("blobs/e", 4), ("token", 1)]
        {
            fs::write(dir.path().join(name), vec![0; bytes]).unwrap();
        }
        let found: Vec<_> = sizes(dir.path()).into_iter().filter(|(_, bytes)| *bytes > 0).collect();
        assert_eq!(found, [("runs", 15), ("values", 7), ("other", 1)]);
    }
}
