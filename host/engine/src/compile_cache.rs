//! Compiled code on disk, so that later processes need not compile.
//!
//! An entry is one file, `<component digest>-<settings>.cwasm`: the code as wasmtime serialised it, a magic, and a BLAKE3 hash over
//! the name of the file and the code. The code comes first so that the file can be mapped: a process then reads only what it
//! executes, and several processes share it. The settings in the name are wasmtime's own hash of everything code generation depends
//! on, so that two versions or configurations never meet in one file. A file whose name begins with `.new-` is still being
//! written.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use hostel_core::Digest;
use wasmtime::component::Component;

use hostel_files::{
    UNFINISHED_PREFIX, create_private_dir, open_regular_file, others_may_write, private_temp_file,
};

const MAGIC: &[u8; 16] = b"hostel code v3\n\0";

/// The magic and the hash, at the end of an entry.
const TRAILER_BYTES: usize = MAGIC.len() + blake3::OUT_LEN;

/// The longest entry, of which even the slowest code of the longest component is an eighth. A longer file is no entry of ours, and
/// would take long to check.
const MAX_ENTRY_BYTES: u64 = 1 << 30;

/// The prefixes of files that are still being written: ours, and that of earlier versions.
const UNFINISHED: [&str; 2] = [UNFINISHED_PREFIX, ".tmp"];

/// A directory of compiled code. Any number of processes may use it at once.
pub(crate) struct CompileCache {
    dir: PathBuf,
}

impl CompileCache {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The compiled component, if there is an intact entry. A damaged or foreign entry is logged and counts as missing;
    /// the next [`CompileCache::put`] replaces it.
    pub(crate) fn get(&self, digest: &Digest, engine: &wasmtime::Engine) -> Option<Component> {
        let name = file_name(digest, engine);
        let path = self.dir.join(&name);
        let mut file = match open_private(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("cannot read compiled code at {}: {error}; compiling again", path.display());
                return None;
            }
        };
        let component = match is_intact(&name, &mut file) {
            // Code cannot be mapped from a file system that is mounted without permission to execute.
            Ok(true) => map(engine, &path).or_else(|| read(engine, &mut file)),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!("cannot read compiled code at {}: {error}; compiling again", path.display());
                return None;
            }
        };
        if component.is_none() {
            tracing::warn!("compiled code at {} is damaged; compiling again", path.display());
        }
        component
    }

    /// Whether there is code of a component for any engine. Reads the directory, so it is for those who would compile otherwise.
    pub(crate) fn has_any(&self, digest: &Digest) -> bool {
        let hex = digest.hex().to_string();
        let mut files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        files.any(|file| file.file_name().as_encoded_bytes().starts_with(hex.as_bytes()))
    }

    /// Stores the code of `component`: completely or not at all. A failure is logged and only costs time later.
    pub(crate) fn put(&self, digest: &Digest, component: &Component) {
        match entry(digest, component) {
            Ok(entry) => self.put_entry(digest, component.engine(), &entry),
            Err(error) => tracing::warn!("cannot store compiled code: {error}"),
        }
    }

    /// Stores an entry as it is. Otherwise like [`CompileCache::put`].
    pub(crate) fn put_entry(&self, digest: &Digest, engine: &wasmtime::Engine, entry: &[u8]) {
        let path = self.dir.join(file_name(digest, engine));
        if let Err(error) = self.write(&path, entry) {
            tracing::warn!("cannot store compiled code at {}: {error}", path.display());
        }
    }

    /// Removes the code of a component for an engine, after better code was stored.
    pub(crate) fn remove(&self, digest: &Digest, engine: &wasmtime::Engine) {
        // Another process may have removed it. If it cannot be removed, it only takes space.
        let _ = fs::remove_file(self.dir.join(file_name(digest, engine)));
    }

    fn write(&self, path: &Path, entry: &[u8]) -> io::Result<()> {
        create_private_dir(&self.dir)?;
        let mut file = private_temp_file(UNFINISHED_PREFIX, &self.dir)?;
        file.write_all(entry)?;
        file.persist(path)?;
        Ok(())
    }
}

/// The entry of a compiled component: the content of its file.
pub(crate) fn entry(digest: &Digest, component: &Component) -> io::Result<Vec<u8>> {
    let mut entry = component.serialize().map_err(io::Error::other)?;
    let hash = hasher_of(&file_name(digest, component.engine())).update(&entry).finalize();
    entry.reserve_exact(TRAILER_BYTES);
    entry.extend_from_slice(MAGIC);
    entry.extend_from_slice(hash.as_bytes());
    Ok(entry)
}

/// The compiled component in an entry; `None` if the entry is damaged, or of another component or engine.
pub(crate) fn component_of(entry: &[u8], digest: &Digest, engine: &wasmtime::Engine) -> Option<Component> {
    let (code, trailer) = entry.split_last_chunk()?;
    let hash = hasher_of(&file_name(digest, engine)).update(code).finalize();
    (hash_in(trailer)? == hash).then(|| load(engine, Intact::Bytes(code))).flatten()
}

/// The file name of a component's code for an engine.
fn file_name(digest: &Digest, engine: &wasmtime::Engine) -> String {
    let mut settings = DefaultHasher::new();
    MAGIC.hash(&mut settings);
    engine.precompile_compatibility_hash().hash(&mut settings);
    // The hash covers the settings but not the processor, and a directory may be shared by several machines.
    env::consts::ARCH.hash(&mut settings);
    format!("{}-{:016x}.cwasm", digest.hex(), settings.finish())
}

/// A hash that begins with the name of the entry, so that intact code under another component's name counts as damaged.
fn hasher_of(name: &str) -> blake3::Hasher {
    let mut hasher = blake3::Hasher::new();
    // All names have the same length.
    hasher.update(name.as_bytes());
    hasher
}

/// The hash in a trailer; `None` if it has another magic.
fn hash_in(trailer: &[u8; TRAILER_BYTES]) -> Option<blake3::Hash> {
    blake3::Hash::from_slice(trailer.strip_prefix(MAGIC)?).ok()
}

/// Removes unfinished files of killed processes in `dir`: those that were not written to for `age`. Returns their
/// number and size.
///
/// # Errors
///
/// The error of the system. A directory that does not exist has no such files.
pub fn remove_unfinished_code(dir: &Path, age: Duration) -> io::Result<(u64, u64)> {
    let files = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        files => files?,
    };
    let (now, mut removed) = (SystemTime::now(), (0, 0));
    for file in files {
        let file = file?;
        let name = file.file_name();
        let is_unfinished = UNFINISHED.iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
        // Another process may remove it at the same time.
        let Some(metadata) = is_unfinished.then(|| file.metadata().ok()).flatten() else { continue };
        let is_old = now.duration_since(metadata.modified()?).is_ok_and(|since| since >= age);
        if is_old && !metadata.is_dir() && fs::remove_file(file.path()).is_ok() {
            removed = (removed.0 + 1, removed.1 + metadata.len());
        }
    }
    Ok(removed)
}

/// An entry that only its owner can have written.
fn open_private(path: &Path) -> io::Result<fs::File> {
    let file = open_regular_file(path, fs::File::options().read(true))?;
    if others_may_write(&file.metadata()?) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users may write to it"));
    }
    Ok(file)
}

/// Whether the content of an entry is as it was written under this name.
fn is_intact(name: &str, file: &mut fs::File) -> io::Result<bool> {
    let length = Some(file.metadata()?.len()).filter(|length| *length <= MAX_ENTRY_BYTES);
    let Some(code_bytes) = length.and_then(|length| length.checked_sub(TRAILER_BYTES as u64)) else {
        return Ok(false);
    };
    let mut hasher = hasher_of(name);
    hasher.update_reader(file.take(code_bytes))?;
    let mut trailer = [0; TRAILER_BYTES];
    file.read_exact(&mut trailer)?;
    Ok(hash_in(&trailer).is_some_and(|hash| hash == hasher.finalize()))
}

/// The code of an intact entry, mapped.
fn map(engine: &wasmtime::Engine, path: &Path) -> Option<Component> {
    load(engine, Intact::File(path))
}

/// The code of an intact entry, read.
fn read(engine: &wasmtime::Engine, file: &mut fs::File) -> Option<Component> {
    let mut entry = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(MAX_ENTRY_BYTES).read_to_end(&mut entry).ok()?;
    load(engine, Intact::Bytes(entry.split_last_chunk::<TRAILER_BYTES>()?.0))
}

/// Code that was checked.
enum Intact<'a> {
    Bytes(&'a [u8]),
    /// A whole entry: what follows the code is not looked at.
    File(&'a Path),
}

/// Loads code that this module wrote.
#[expect(unsafe_code, reason = "wasmtime offers no other way to load compiled code")]
fn load(engine: &wasmtime::Engine, code: Intact<'_>) -> Option<Component> {
    // SAFETY: wasmtime demands that the code came from `Component::serialize`, and that a file does not change while it is mapped. It
    // comes from a file, or from a process of the same program that this one has started and whose pipe nobody else has. The
    // entry's name and magic say that this module wrote it, and its hash that not a bit of it has changed since, and that it is
    // the code of that name. Files are never written in place, but replaced by another intact entry or removed, which leaves what is
    // mapped as it is. wasmtime itself refuses code of another version, another processor or other settings. What remains is
    // someone with write access to the user's own cache directory who forges or changes entries on purpose; they could as well
    // replace the program.
    let loaded = unsafe {
        match code {
            Intact::Bytes(bytes) => Component::deserialize(engine, bytes),
            Intact::File(path) => Component::deserialize_file(engine, path),
        }
    };
    loaded.ok()
}
