//! Writes queued entries: several at once, with a few attempts each.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hostel_core::{BlobRef, CacheEntry, CacheKey};
use object_store::path::Path;
use tokio::sync::mpsc::Receiver;
use tokio::time::{sleep, timeout};

use super::bucket::Written;
use super::objects::{blob_path, entries_path, frame};
use super::queue::QueuePlace;
use super::trouble::Trouble;
use super::{Existing, MAX_ENTRIES_BYTES, Shared, aside, records};

/// The number of concurrent writes, which mostly wait for answers.
const WRITES_AT_ONCE: usize = 16;

/// The number of attempts of a write.
const ATTEMPTS: u32 = 3;

/// The timeout of one attempt; at 10 Mbit/s that is about 35 MiB.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The delay before the second attempt; quadrupled before each later one.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// How often an attempt reads an object again because another writer has changed it.
const MERGES: usize = 8;

/// An entry to write.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) key: CacheKey,
    pub(super) entry: CacheEntry,
    pub(super) existing: Existing,
    pub(super) _place: QueuePlace,
}

/// The bytes to write for an entry.
struct Draft {
    key: CacheKey,
    path: Path,
    entry: CacheEntry,
    record: Vec<u8>,
    blob: Option<BlobRef>,
}

/// Writes all arriving entries, until the channel is closed.
pub(super) async fn write_all(shared: Arc<Shared>, mut puts: Receiver<Put>) {
    let puts = stream::poll_fn(move |context| puts.poll_recv(context));
    puts.for_each_concurrent(WRITES_AT_ONCE, |put| shared.write(put)).await;
}

impl Shared {
    async fn write(&self, put: Put) {
        let Put { key, entry, existing, _place } = put;
        let path = entries_path(&self.prefix, &key);
        let drafted = aside(entry.value.len(), move || {
            let (record, blob) = entry.to_record(&key);
            Draft { key, path, entry, record, blob }
        });
        let Some(draft) = drafted.await else { return };
        if draft.record.len() as u64 + 8 > MAX_ENTRIES_BYTES {
            return self.warn_of_size(&key, draft.record.len() as u64);
        }
        if let Some(trouble) = self.try_to_write(&draft, existing).await
            && self.writes.is_news(trouble.kind())
        {
            let name = &self.name;
            tracing::warn!("the remote cache {name} cannot be written: {trouble}; results are not uploaded");
        }
    }

    /// Makes a few attempts, as long as that makes sense. Returns the last problem if none succeeded.
    async fn try_to_write(&self, draft: &Draft, existing: Existing) -> Option<Trouble> {
        let mut last = None;
        let mut delay = Duration::ZERO;
        for _ in 0..ATTEMPTS {
            if !delay.is_zero() {
                sleep(delay).await;
            }
            let Some(leave) = self.writes.ask() else { break };
            let done = timeout(ATTEMPT_TIMEOUT, self.attempt(draft, existing)).await;
            let trouble = match done.unwrap_or(Err(Trouble::Late(ATTEMPT_TIMEOUT))) {
                Ok(()) => {
                    leave.succeeded();
                    return None;
                }
                Err(trouble) => trouble,
            };
            match trouble {
                // There were answers, but other writers were faster.
                Trouble::Contended => leave.succeeded(),
                Trouble::Service(_) | Trouble::Late(_) => leave.failed(),
            }
            let may_pass = trouble.may_pass();
            last = Some(trouble);
            if !may_pass {
                break;
            }
            delay = (delay * 4).max(FIRST_DELAY);
        }
        last
    }

    async fn attempt(&self, draft: &Draft, existing: Existing) -> Result<(), Trouble> {
        // First, so that no entry refers to a value that does not exist.
        if let Some(blob) = &draft.blob {
            self.write_blob(blob, &draft.entry).await?;
        }
        let is_alone = draft.entry.depends_on.is_none() && existing == Existing::Keep;
        if is_alone && !self.bucket.is_damaged(&draft.path) {
            // The first of two results counts; the other one is equivalent.
            self.bucket.create(&draft.path, frame([&*draft.record]).into()).await?;
            return Ok(());
        }
        self.merge(draft).await
    }

    /// Writes a value under its digest. An existing one is the same.
    async fn write_blob(&self, blob: &BlobRef, entry: &CacheEntry) -> Result<(), Trouble> {
        let path = blob_path(&self.prefix, &blob.digest);
        let value = Bytes::from_owner(Arc::clone(&entry.value));
        if self.bucket.is_damaged(&path) {
            self.bucket.overwrite(&path, value).await?;
            self.bucket.forget_damage(&path);
        } else {
            self.bucket.create(&path, value).await?;
        }
        Ok(())
    }

    /// Writes an entry beside the existing ones of other variants.
    async fn merge(&self, draft: &Draft) -> Result<(), Trouble> {
        for _ in 0..MERGES {
            let found = self.bucket.read(&draft.path, MAX_ENTRIES_BYTES).await?;
            let written = match found {
                None => self.bucket.create(&draft.path, frame([&*draft.record]).into()).await?,
                Some(object) => {
                    let version = object.version.clone();
                    let others = records(object, &draft.key).await;
                    let merged = draft.merged_with(others.intact.into_iter().filter_map(|other| {
                        let is_other = other.record.entry().variant() != draft.entry.variant();
                        is_other.then_some(other.bytes)
                    }));
                    self.bucket.update(&draft.path, merged.into(), version).await?
                }
            };
            if written == Written::Yes {
                self.bucket.forget_damage(&draft.path);
                return Ok(());
            }
        }
        Err(Trouble::Contended)
    }
}

impl Draft {
    /// This record and as many of the others as fit, newest first, within the bound on their bytes.
    fn merged_with(&self, others: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
        let mut room = MAX_ENTRIES_BYTES.saturating_sub(self.record.len() as u64 + 8);
        let others: Vec<_> = others
            .take(CacheEntry::MAX_VARIANTS - 1)
            .take_while(|other| {
                let left = room.checked_sub(other.len() as u64 + 8);
                room = left.unwrap_or(0);
                left.is_some()
            })
            .collect();
        frame([&*self.record].into_iter().chain(others.iter().map(|other| &**other)))
    }
}
