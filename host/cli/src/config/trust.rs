//! The trusted `hostel.toml` files, each with the content that the user trusted.
//!
//! A record is a file in `trusted/` in the data directory, named by the SHA-256 of the path of the trusted file. So there is
//! one record for each path, and a new trusted content replaces the old one.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hostel::{Digest, ErrorKind, TRUSTED_DIR, create_data_dir, open_data_file};
use hostel_wire::without_number;
use tempfile::NamedTempFile;

use crate::problem::Problem;

/// The first line of a record.
const FORMAT: &str = "hostel trust 1";

/// The maximum size of a `hostel.toml`.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// Whether the grants of a file are trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Trusted: by a record, because the user named the file, or because it grants nothing.
    #[default]
    Given,
    /// Not trusted.
    Missing,
    /// Trusted with different content.
    Outdated,
}

/// The records in a data directory.
#[derive(Debug)]
pub(crate) struct TrustBook {
    dir: PathBuf,
}

/// A record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The path of the file, for output.
    pub(crate) path: String,
    /// The digest of its content.
    digest: String,
}

impl TrustBook {
    /// The records of a data directory. Nothing is created before a record is added.
    pub(crate) fn in_data_dir(dir: PathBuf) -> Self {
        Self { dir: dir.join(TRUSTED_DIR) }
    }

    /// Whether a file with this content is trusted.
    pub(crate) fn trust(&self, path: &Path, content: &str) -> Trust {
        let record = place(path).ok().and_then(|place| Record::read(&self.record_of(&place)));
        match record {
            None => Trust::Missing,
            Some(record) if record.digest == Digest::of(content.as_bytes()).to_string() => Trust::Given,
            Some(_) => Trust::Outdated,
        }
    }

    /// Trusts a file with this content only.
    pub(crate) fn add(&self, path: &Path, content: &str) -> Result<(), Problem> {
        let place = place(path).map_err(|error| Problem::unreadable(path.display(), &error))?;
        let digest = Digest::of(content.as_bytes());
        let record = format!("{FORMAT}\n{digest}\n{}\n", place.display());
        self.write(&self.record_of(&place), &record).map_err(|error| self.unusable(&error))
    }

    /// Stops trusting a file; `false` if it was not trusted.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, Problem> {
        let place = place(path).or_else(|_| std::path::absolute(path));
        let place = place.map_err(|error| Problem::unreadable(path.display(), &error))?;
        match fs::remove_file(self.record_of(&place)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// All records, by path.
    pub(crate) fn records(&self) -> Result<Vec<Record>, Problem> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.unusable(&error)),
        };
        let mut records: Vec<_> = entries.filter_map(|entry| Record::read(&entry.ok()?.path())).collect();
        records.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(records)
    }

    fn record_of(&self, place: &Path) -> PathBuf {
        self.dir.join(Digest::of(place.as_os_str().as_encoded_bytes()).hex())
    }

    /// Writes the whole record atomically and for this user alone, through a temporary file.
    fn write(&self, path: &Path, record: &str) -> io::Result<()> {
        create_data_dir(&self.dir)?;
        let mut file = NamedTempFile::new_in(&self.dir)?;
        make_private(file.as_file())?;
        file.write_all(record.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }

    fn unusable(&self, error: &io::Error) -> Problem {
        let error = without_number(&error.to_string());
        let problem = format!("cannot record the trusted file in {}: {error}", self.dir.display());
        let hint =
            "name another data directory with --data-dir, or name the file with --config for each command";
        Problem::new(ErrorKind::Internal, problem).hint(hint)
    }
}

impl Record {
    /// `None` if it cannot be read or is not a record.
    fn read(path: &Path) -> Option<Self> {
        let text = String::from_utf8(read_file(path).ok()?).ok()?;
        let (digest, path) = text.strip_prefix(FORMAT)?.strip_prefix('\n')?.split_once('\n')?;
        Some(Self { path: path.strip_suffix('\n')?.to_owned(), digest: digest.to_owned() })
    }

    /// The present standing of the file.
    pub(crate) fn standing(&self) -> &'static str {
        match read_file(Path::new(&self.path)) {
            Ok(content) if Digest::of(&content).to_string() == self.digest => "trusted",
            Ok(_) => "changed",
            Err(_) => "missing",
        }
    }
}

/// The canonical path of a file. A link at the end is not followed: the paths in the file are relative to the place where it
/// was found, so that place is part of the trusted content.
fn place(path: &Path) -> io::Result<PathBuf> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(fs::canonicalize(dir)?.join(path.file_name().unwrap_or(OsStr::new(""))))
}

/// Lets only the owner read and write a file, whatever the umask.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

/// Reads a `hostel.toml`, or a record of one, which is shorter. Does not block on a pipe in its place, and does not read what is too long
/// for either.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let file = open_data_file(path, File::options().read(true))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_content_of_a_path_is_trusted_at_a_time() {
        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let book = TrustBook { dir: data.path().join("deep/trusted") };
        let path = files.path().join("hostel.toml");
        let check = |content: &str, expected| assert_eq!(book.trust(&path, content), expected, "{content}");
        check("one", Trust::Missing);
        for content in ["one", "two"] {
            book.add(&path, content).unwrap();
            check(content, Trust::Given);
        }
        check("one", Trust::Outdated);
        let elsewhere = files.path().join("other.toml");
        assert_eq!(book.trust(&elsewhere, "two"), Trust::Missing, "the place counts");
        assert_eq!(book.records().unwrap().len(), 1);
        assert_eq!((book.remove(&path).unwrap(), book.remove(&path).unwrap()), (true, false));
        check("two", Trust::Missing);
    }

    #[test]
    fn what_is_no_record_trusts_nothing() {
        let data = tempfile::tempdir().unwrap();
        let book = TrustBook { dir: data.path().to_owned() };
        let path = data.path().join("hostel.toml");
        book.add(&path, "one").unwrap();
        let record = book.record_of(&place(&path).unwrap());
        let whole = fs::read_to_string(&record).unwrap();
        for text in ["", "hostel trust 1", &whole[1..], &whole[..whole.len() - 1], "hostel trust 2\nx\ny\n"] {
            fs::write(&record, text).unwrap();
            assert_eq!(book.trust(&path, "one"), Trust::Missing, "{text:?}");
        }
        // Far more than fits into memory.
        File::create(&record).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(book.trust(&path, "one"), Trust::Missing);
        assert_eq!(book.records().unwrap().len(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_record_is_for_its_user_alone_and_about_the_place_that_a_link_stands_at() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let (data, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let book = TrustBook { dir: data.path().join("trusted") };
        let path = files.path().join("hostel.toml");
        fs::create_dir(files.path().join("other")).unwrap();
        symlink("../hostel.toml", files.path().join("other/hostel.toml")).unwrap();
        symlink(files.path(), data.path().join("way")).unwrap();
        book.add(&path, "one").unwrap();
        assert_eq!(book.trust(&data.path().join("way/hostel.toml"), "one"), Trust::Given);
        assert_eq!(book.trust(&files.path().join("other/hostel.toml"), "one"), Trust::Missing);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let record = book.record_of(&place(&path).unwrap());
        assert_eq!((mode(&book.dir), mode(&record)), (0o700, 0o600));
    }
}
