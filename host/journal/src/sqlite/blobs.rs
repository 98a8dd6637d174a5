//! Values above 16 KiB: files by their digests, written and synchronized before the rows that name them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hostel_core::{BlobRef, Digest, RunFact, RunSpec, StoredValue};
use hostel_files::{
    UNFINISHED_PREFIX, create_private_dir, is_not_a_file, open_regular_file, private_temp_file, sync_dir,
};

/// How long a file stays that no run names: longer than the time between writing it and the row.
pub(super) const MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of the blobs: a directory for the first two digits of the digest, and in it a file named by all.
#[derive(Clone, Debug)]
pub(super) struct Blobs {
    dir: PathBuf,
}

/// A value that is stored apart from its run.
#[derive(Clone, Debug)]
pub(super) struct Spilled {
    pub(super) digest: Digest,
    pub(super) bytes: Arc<[u8]>,
}

impl Blobs {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Stores the long values of a specification apart.
    pub(super) fn spill_spec(&self, spec: &mut RunSpec) -> io::Result<Vec<Spilled>> {
        let mut spilled = Vec::new();
        spec.for_each_value_mut(|value| spilled.extend(spill(value)));
        self.write_all(&spilled)?;
        Ok(spilled)
    }

    /// Stores the long value of a fact apart.
    pub(super) fn spill_fact(&self, fact: &mut RunFact) -> io::Result<Vec<Spilled>> {
        let value = fact.outcome_mut().and_then(hostel_core::StoredOutcome::value_mut);
        let spilled: Vec<_> = value.and_then(spill).into_iter().collect();
        self.write_all(&spilled)?;
        Ok(spilled)
    }

    fn write_all(&self, spilled: &[Spilled]) -> io::Result<()> {
        spilled.iter().try_for_each(|blob| self.write(blob))
    }

    /// Writes a blob, or marks one that is there as new. Durable on return.
    pub(super) fn write(&self, blob: &Spilled) -> io::Result<()> {
        let path = self.path(blob.digest);
        let dir = path.parent().unwrap_or(&self.dir);
        if let Ok(file) = open_regular_file(&path, File::options().append(true))
            && file.metadata()?.len() == blob.bytes.len() as u64
        {
            file.set_modified(SystemTime::now())?;
            // Its writer may have been killed before its name was durable.
            return sync_dir(dir);
        }
        create_private_dir(dir)?;
        let mut file = private_temp_file(UNFINISHED_PREFIX, dir)?;
        file.write_all(&blob.bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        // The names of the file, and of its directory, are durable too.
        sync_dir(dir)?;
        sync_dir(&self.dir)
    }

    /// Writes a blob again that was removed since [`Blobs::write`].
    pub(super) fn ensure(&self, blob: &Spilled) -> io::Result<()> {
        if self.has(blob.digest, blob.bytes.len() as u64) { Ok(()) } else { self.write(blob) }
    }

    /// Whether there is a blob, of whatever length.
    pub(super) fn exists(&self, digest: Digest) -> bool {
        fs::symlink_metadata(self.path(digest)).is_ok_and(|metadata| metadata.is_file())
    }

    /// Whether there is a blob of this length.
    pub(super) fn has(&self, digest: Digest, length: u64) -> bool {
        let is_right = |metadata: fs::Metadata| metadata.is_file() && metadata.len() == length;
        fs::symlink_metadata(self.path(digest)).is_ok_and(is_right)
    }

    /// The bytes of a blob; `None` if there is none, or other bytes are in its file.
    pub(super) fn read(&self, blob: &BlobRef) -> io::Result<Option<Arc<[u8]>>> {
        let file = match open_regular_file(&self.path(blob.digest), File::options().read(true)) {
            Ok(file) => file,
            // Something else may have its name.
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_not_a_file(&error) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(blob.length.saturating_add(1)).read_to_end(&mut bytes)?;
        let is_right = bytes.len() as u64 == blob.length && Digest::of(&bytes) == blob.digest;
        Ok(is_right.then(|| bytes.into()))
    }

    /// The files that are older than [`MIN_AGE`], with their digests where they are blobs. Files that were not finished have none.
    pub(super) fn old(&self, now: SystemTime) -> impl Iterator<Item = (PathBuf, Option<Digest>)> + use<> {
        let files = entries(&self.dir).flat_map(|dir| entries(&dir));
        files.filter_map(move |path| {
            let modified = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
            let is_old = now.duration_since(modified).is_ok_and(|age| age >= MIN_AGE);
            let digest = format!("sha256:{}", path.file_name()?.to_str()?).parse().ok();
            is_old.then_some((path, digest))
        })
    }

    fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.hex();
        self.dir.join(name.get(..2).unwrap_or(&name)).join(name)
    }
}

fn spill(value: &mut StoredValue) -> Option<Spilled> {
    let bytes = value.spill()?;
    let StoredValue::Blob(BlobRef { digest, .. }) = value else { return None };
    Some(Spilled { digest: *digest, bytes })
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}
