//! The objects of a remote cache, read within bounds and written under conditions where the service has them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{
    Error, GetResult, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion,
};

use super::trouble::{Trouble, is_missing, is_unknown};

/// Room that is taken before the first byte is there, whatever length the service names.
const TRUSTED_BYTES: u64 = 1 << 20;

/// How many damaged objects are remembered. Of more, each is reported as often as it is met, and stays as it is.
const REMEMBERED_DAMAGE: usize = 1024;

/// A service, and what was learnt of it.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    /// Whether an object can be written on condition that there is none, as far as is known.
    creates: AtomicBool,
    /// Whether it can be written on condition that it is as it was read, as far as is known.
    updates: AtomicBool,
    /// Objects that were read and are damaged, or that are named and missing: to be written whatever is there.
    damaged: Mutex<HashSet<Path>>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Object {
    /// Its bytes, or why they cannot be what was put there.
    pub(super) content: Result<Vec<u8>, &'static str>,
    /// Names the state it was read in.
    pub(super) version: UpdateVersion,
}

/// What a condition had to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// The object is as it was to be.
    Yes,
    /// It is as another one wrote it.
    Conflict,
}

impl Bucket {
    pub(super) fn new(store: Arc<dyn ObjectStore>) -> Self {
        let (creates, updates) = (AtomicBool::new(true), AtomicBool::new(true));
        Self { store, creates, updates, damaged: Mutex::default() }
    }

    /// The object at `path`, if there is one; nothing of it is read if it has more than `most` bytes.
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

    /// Writes an object that is not there yet.
    pub(super) async fn create(&self, path: &Path, content: Bytes) -> Result<Written, Trouble> {
        if self.creates.load(Ordering::Relaxed) {
            match self.put(path, content.clone(), PutMode::Create).await {
                Err(error) if is_unknown(&error) => self.creates.store(false, Ordering::Relaxed),
                done => return settled(done),
            }
        }
        // The best that can be done: between look and put another one may write it.
        match self.store.head(path).await {
            Ok(_) => Ok(Written::Conflict),
            Err(error) if is_missing(&error) => self.overwrite(path, content).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object if it is still as it was read.
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

    /// Writes an object, whatever is there.
    pub(super) async fn overwrite(&self, path: &Path, content: Bytes) -> Result<Written, Trouble> {
        settled(self.put(path, content, PutMode::Overwrite).await)
    }

    async fn put(&self, path: &Path, content: Bytes, mode: PutMode) -> Result<(), Error> {
        let options = PutOptions { mode, ..PutOptions::default() };
        self.store.put_opts(path, PutPayload::from(content), options).await.map(drop)
    }

    /// Remembers that an object is not what was put there. Whether that is news.
    pub(super) fn remember_damage(&self, path: &Path) -> bool {
        let mut damaged = self.damaged();
        damaged.len() >= REMEMBERED_DAMAGE || damaged.insert(path.clone())
    }

    /// Whether an object is known not to be what was put there.
    pub(super) fn is_damaged(&self, path: &Path) -> bool {
        self.damaged().contains(path)
    }

    /// Forgets that an object was damaged: it was written anew.
    pub(super) fn forget_damage(&self, path: &Path) {
        self.damaged().remove(path);
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
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

/// The bytes of an object, as many as the service said there are.
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
