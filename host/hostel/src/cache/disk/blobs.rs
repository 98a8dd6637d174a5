//! Values too long for the index: one file each, named by its digest.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostel_core::{BlobRef, Digest};
use hostel_files::{create_private_dir, open_regular_file};

use super::layout::{UNFINISHED, files_in, unfinished};

/// The directory of such files.
#[derive(Clone, Debug)]
pub(super) struct Blobs(PathBuf);

/// A file in the directory.
pub(super) struct BlobFile {
    pub(super) path: PathBuf,
    /// `None` for an unfinished or foreign file.
    pub(super) digest: Option<Digest>,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
    /// Whether it is a directory, which the host never makes there.
    pub(super) is_dir: bool,
}

impl BlobFile {
    /// Whether its name is not final yet.
    pub(super) fn is_unfinished(&self) -> bool {
        self.path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(UNFINISHED))
    }
}

impl Blobs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        let (first, _) = hex.split_at(2);
        self.0.join(first).join(&hex)
    }

    /// The bytes of a digest; only their length is checked. `None` if there is no such file.
    pub(super) fn read(&self, blob: &BlobRef) -> io::Result<Option<Vec<u8>>> {
        let file = match open_regular_file(&self.path(&blob.digest), File::options().read(true)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if file.metadata()?.len() != blob.length {
            return Ok(Some(Vec::new()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(blob.length).unwrap_or_default());
        file.take(blob.length).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    pub(super) fn is_there(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }

    /// Writes beside the file and renames, so that no one ever reads an incomplete file. An existing file is replaced:
    /// it may be damaged. There is no sync: the digest reveals damage from a power cut.
    pub(super) fn keep(&self, digest: &Digest, value: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let dir = path.parent().unwrap_or(&self.0);
        let mut file = unfinished(dir).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            create_private_dir(dir)?;
            unfinished(dir)
        })?;
        file.write_all(value)?;
        file.persist(&path)?;
        Ok(())
    }

    /// Removes a file; `false` if it did not exist.
    pub(super) fn remove(path: &Path) -> io::Result<bool> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed.map(|()| true),
        }
    }

    /// Its subdirectories. Each holds the values whose digests have the same first digits.
    pub(super) fn parts(&self) -> io::Result<Vec<PathBuf>> {
        let mut parts = Vec::new();
        for part in files_in(&self.0)? {
            let part = part?;
            if part.file_type()?.is_dir() {
                parts.push(part.path());
            }
        }
        Ok(parts)
    }

    /// The files in one of these subdirectories.
    pub(super) fn files(part: &Path) -> io::Result<impl Iterator<Item = io::Result<BlobFile>>> {
        Ok(files_in(part)?.filter_map(|file| found(file).transpose()))
    }
}

/// `None` if it was removed meanwhile.
fn found(file: io::Result<fs::DirEntry>) -> io::Result<Option<BlobFile>> {
    let file = file?;
    let metadata = match file.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    let digest = format!("sha256:{}", file.file_name().to_string_lossy()).parse().ok();
    let (bytes, modified, is_dir) = (metadata.len(), metadata.modified()?, metadata.is_dir());
    Ok(Some(BlobFile { path: file.path(), digest, bytes, modified, is_dir }))
}
