//! The bytes of components: a file for each, named by its digest.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostel_core::Digest;
use hostel_files::{
    UNFINISHED_PREFIX, check_regular_file, create_private_dir, is_not_a_file, open_regular_file,
    private_temp_file, sync_dir,
};
use tempfile::NamedTempFile;

use super::RegistryError;

/// The age at which a file that no row names is removed: longer than any push takes.
const LEFTOVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of the components.
#[derive(Clone, Debug)]
pub(super) struct Files(PathBuf);

/// A file with all bytes of a component, on the disk, that has no name yet.
pub(super) struct Written(NamedTempFile);

impl Files {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        self.0.join(format!("{}.wasm", digest.hex()))
    }

    /// The file of a component, unless something else has its name.
    pub(super) fn checked_path(&self, digest: Digest) -> Result<PathBuf, RegistryError> {
        let path = self.path(digest);
        match check_regular_file(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(unreadable(digest, &path, source)),
        }
    }

    /// Writes the bytes to a file that gets its name with [`Files::keep`], and is removed otherwise.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<Written, RegistryError> {
        let written = || {
            create_private_dir(&self.0)?;
            let mut file = private_temp_file(UNFINISHED_PREFIX, &self.0)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            Ok(Written(file))
        };
        written().map_err(|source| io_error("write", &self.0, source))
    }

    /// Gives a file its name, in place of one of the same name. Durable on return.
    pub(super) fn keep(&self, written: Written, digest: Digest) -> Result<(), RegistryError> {
        let path = self.path(digest);
        let kept = written.0.persist(&path).map_err(|error| error.error);
        kept.and_then(|_| sync_dir(&self.0)).map_err(|source| match path.is_dir() {
            // A file replaces everything else.
            true => RegistryError::InTheWay { path },
            false => io_error("write", &path, source),
        })
    }

    /// The bytes of a component. They are what was registered: any other bytes are an error.
    pub(super) fn read(&self, digest: Digest, size_bytes: u64) -> Result<Vec<u8>, RegistryError> {
        let path = self.path(digest);
        let damaged = |problem: String| RegistryError::Damaged { digest, problem };
        let file = open_regular_file(&path, File::options().read(true));
        let file = file.map_err(|source| unreadable(digest, &path, source))?;
        let mut bytes = Vec::new();
        // A byte more, so that a file that is too long is noticed without reading all of it.
        let read = file.take(size_bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|source| io_error("read", &path, source))?;
        let found = Digest::of(&bytes);
        if bytes.len() as u64 == size_bytes && found == digest {
            return Ok(bytes);
        }
        Err(damaged(format!("expected {size_bytes} bytes of this digest, found {} of {found}", bytes.len())))
    }

    /// Removes the file of a component, if it is there.
    pub(super) fn remove(&self, digest: Digest) -> Result<(), RegistryError> {
        let path = self.path(digest);
        gone(fs::remove_file(&path)).map_err(|source| io_error("remove", &path, source))
    }

    /// Removes files that killed processes left behind: unfinished ones, and those of components that are not `registered`.
    pub(super) fn sweep(
        &self,
        now: SystemTime,
        registered: impl Fn(Digest) -> Result<bool, RegistryError>,
    ) -> Result<u64, RegistryError> {
        let mut removed = 0;
        for path in self.leftovers(now) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let digest = format!("sha256:{name}").parse().ok();
            if name.starts_with(UNFINISHED_PREFIX)
                || digest.is_some_and(|digest| !registered(digest).unwrap_or(true))
            {
                gone(fs::remove_file(&path)).map_err(|source| io_error("remove", &path, source))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The files that have not changed for a while.
    fn leftovers(&self, now: SystemTime) -> impl Iterator<Item = PathBuf> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let modified = entry.metadata().ok().filter(fs::Metadata::is_file)?.modified().ok()?;
            now.duration_since(modified).is_ok_and(|age| age >= LEFTOVER).then(|| entry.path())
        })
    }
}

/// Why there is no file to read.
fn unreadable(digest: Digest, path: &Path, source: io::Error) -> RegistryError {
    let damaged = |problem: String| RegistryError::Damaged { digest, problem };
    if source.kind() == io::ErrorKind::NotFound {
        damaged("its file is missing".to_owned())
    } else if is_not_a_file(&source) {
        damaged(source.to_string())
    } else {
        io_error("read", path, source)
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> RegistryError {
    RegistryError::Io { action, path: path.to_owned(), source }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
