//! The objects of a remote cache, read within bounds, and written conditionally if the service supports that.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Error, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use super::directory::Directory;
use super::trouble::{Trouble, is_missing, is_unknown};

/// The buffer allocated before the first byte arrives, regardless of the length that the service claims.
const TRUSTED_BYTES: u64 = 1 << 20;

/// The maximum number of damaged objects to remember. Any further ones are reported each time, and stay as they are.
const REMEMBERED_DAMAGE: usize = 1024;

/// A service, and its known capabilities.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Where objects are written, if they are files.
    directory: Option<Directory>,
    /// Whether the service supports creating an object only if it does not exist, as far as is known.
    creates: AtomicBool,
    /// Whether the service supports replacing an object only if it is unchanged, as far as is known.
    updates: AtomicBool,
    /// Objects that are damaged, or referenced but missing. They are overwritten unconditionally.
    damaged: Mutex<HashSet<Path>>,
}

/// An object that was read.
#[derive(Debug)]
pub(super) struct Object {
    /// Its bytes, or the reason why they are invalid.
    pub(super) content: Result<Vec<u8>, &'static str>,
    /// Identifies the version that was read.
    pub(super) version: UpdateVersion,
}

/// The result of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The object was written.
    Yes,
    /// Another writer has changed the object.
    Conflict,
}

impl Bucket {
    pub(super) fn new(store: Arc<dyn ObjectStore>, directory: Option<Directory>) -> Self {
        let (creates, updates) = (AtomicBool::new(true), AtomicBool::new(true));
        Self { store, directory, creates, updates, damaged: Mutex::default() }
    }

    /// The object at `path`, if it exists. It is not read if it has more than `most` bytes.
    pub(super) async fn read(&self, path: &Path, most: u64) -> Result<Option<Object>, Trouble> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let content = if found.meta.size > most { Err("it is too large") } else { collect(found).await? };
        Ok(Some(Object { content, version }))
    }

    /// Creates an object that does not exist yet.
    pub(super) async fn create(&self, path: &Path, content: Bytes) -> Result<Written, Trouble> {
        if self.creates.load(Ordering::Relaxed) {
            match self.put(path, content.clone(), PutMode::Create).await {
                Err(error) if is_unknown(&error) => self.creates.store(false, Ordering::Relaxed),
                done => return settled(done),
            }
        }
        // The best that is possible: another writer may create it between the check and the write.
        match self.store.head(path).await {
            Ok(_) => Ok(Written::Conflict),
            Err(error) if is_missing(&error) => self.overwrite(path, content).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces an object if it is unchanged since it was read.
    pub(super) async fn update(
        &self,
        path: &Path,
        content: Bytes,
        version: UpdateVersion,
    ) -> Result<Written, Trouble> {
        let is_named = version.e_tag.is_some() || version.version.is_some();
        if is_named && self.updates.load(Ordering::Relaxed) {
            match self.put(path, content.clone(), PutMode::Update(version)).await {
                Err(error) if is_unknown(&error) => self.updates.store(false, Ordering::Relaxed),
                done => return settled(done),
            }
        }
        self.overwrite(path, content).await
    }

    /// Writes an object unconditionally.
    pub(super) async fn overwrite(&self, path: &Path, content: Bytes) -> Result<Written, Trouble> {
        settled(self.put(path, content, PutMode::Overwrite).await)
    }

    async fn put(&self, path: &Path, content: Bytes, mode: PutMode) -> Result<(), Error> {
        if let Some(directory) = &self.directory {
            return directory.put(path, content, mode).await;
        }
        let options = PutOptions { mode, ..PutOptions::default() };
        self.store.put_opts(path, PutPayload::from(content), options).await.map(drop)
    }

    /// Remembers that an object is damaged. Returns whether that is new.
    pub(super) fn remember_damage(&self, path: &Path) -> bool {
        let mut damaged = self.damaged();
        damaged.len() >= REMEMBERED_DAMAGE || damaged.insert(path.clone())
    }

    /// Whether an object is known to be damaged.
    pub(super) fn is_damaged(&self, path: &Path) -> bool {
        self.damaged().contains(path)
    }

    /// Forgets that an object was damaged, after it was written again.
    pub(super) fn forget_damage(&self, path: &Path) {
        self.damaged().remove(path);
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn damaged(&self) -> MutexGuard<'_, HashSet<Path>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn settled(done: Result<(), Error>) -> Result<Written, Trouble> {
    match done {
        Ok(()) => Ok(Written::Yes),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Written::Conflict),
        Err(error) => Err(error.into()),
    }
}

/// The bytes of an object, if there are as many as the service said.
async fn collect(found: GetResult) -> Result<Result<Vec<u8>, &'static str>, Trouble> {
    let size = found.meta.size;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(TRUSTED_BYTES)).unwrap_or(0));
    let mut parts = found.into_stream();
    while let Some(part) = parts.try_next().await? {
        if (bytes.len() + part.len()) as u64 > size {
            return Ok(Err("it is longer than it says"));
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Ok(bytes))
}
