//! Compiled code on disk, so that later processes need not compile.
//!
//! An entry is one file, `<component digest>-<settings>.cwasm`: the magic, a SHA-256 over the name of the file and the code, and
//! the code as wasmtime serialised it. The settings in the name are wasmtime's own hash of everything code generation depends
//! on, so that two versions or configurations never meet in one file. A file whose name begins with `.new-` is still being
//! written.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use hostel_core::Digest;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;

use hostel_files::{
    UNFINISHED_PREFIX, create_private_dir, open_regular_file, others_may_write, private_temp_file,
};

const MAGIC: &[u8; 16] = b"hostel code v2\n\0";
const CHECKSUM_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + CHECKSUM_BYTES;

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
        let path = self.dir.join(file_name(digest, engine));
        let file = match read_private(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!("cannot read compiled code at {}: {error}; compiling again", path.display());
                return None;
            }
        };
        let component = component_of(&file, digest, engine);
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
    let code = component.serialize().map_err(io::Error::other)?;
    let name = file_name(digest, component.engine());
    let mut entry = Vec::with_capacity(HEADER_BYTES + code.len());
    entry.extend_from_slice(MAGIC);
    entry.extend_from_slice(&checksum(&name, &code));
    entry.extend_from_slice(&code);
    Ok(entry)
}

/// The compiled component in an entry; `None` if the entry is damaged, or of another component or engine.
pub(crate) fn component_of(entry: &[u8], digest: &Digest, engine: &wasmtime::Engine) -> Option<Component> {
    intact_code(&file_name(digest, engine), entry).and_then(|code| deserialize(engine, code))
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

/// A digest of the code and its name, so that intact code under another component's name counts as damaged.
fn checksum(name: &str, code: &[u8]) -> [u8; CHECKSUM_BYTES] {
    // All names have the same length.
    Sha256::new().chain_update(name).chain_update(code).finalize().into()
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

/// The bytes of an entry that only its owner can have written.
fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular_file(path, fs::File::options().read(true))?;
    let metadata = file.metadata()?;
    if others_may_write(&metadata) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "other users may write to it"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The code in an entry, if the entry is intact.
fn intact_code<'f>(name: &str, file: &'f [u8]) -> Option<&'f [u8]> {
    let (header, code) = file.split_at_checked(HEADER_BYTES)?;
    let kept = header.strip_prefix(MAGIC)?;
    (checksum(name, code) == kept).then_some(code)
}

/// Loads code that this module wrote.
#[expect(unsafe_code, reason = "wasmtime offers no other way to load compiled code")]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: wasmtime demands that `code` came from `Component::serialize`. It comes from a file, or from a process of the same
    // program that this one has started and whose pipe nobody else has. The entry's name and magic say that this
    // module wrote it, and its SHA-256 that not a bit of it has changed since, and that it is the code of that name. wasmtime itself refuses code of another
    // version, another processor or other settings. What remains is someone with write access to the user's own cache
    // directory who forges digests on purpose; they could as well replace the program.
    unsafe { Component::deserialize(engine, code) }.ok()
}
