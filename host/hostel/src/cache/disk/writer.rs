//! The only thread of a process that writes results to disk, many in one transaction.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use hostel_core::{CacheEntry, CacheKey};
use rusqlite::Transaction;

use super::index::{self, Puts, Ready};
use super::queue::{Batch, Queue};
use super::results::Results;
use super::sweep::Upkeep;
use super::trouble::{Broken, Trouble};

/// A log longer than this is taken into the database after the last write. Reading it takes about half a millisecond.
const LONG_LOG_BYTES: u64 = 1 << 20;

/// The writer thread, and its queue. Dropping it waits until everything is written.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(results: &Arc<Results>) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (results, work) = (Arc::clone(results), Arc::clone(&queue));
        let thread = thread::Builder::new().name("hostel-results".to_owned()).spawn(move || {
            let _leaving = Leaving(&work);
            let mut upkeep = Upkeep::new();
            while let Some(batch) = work.take() {
                write(&results, &batch);
                work.done();
                drop(batch);
                upkeep.go_on(&results, &work);
            }
            results.shorten_log(LONG_LOG_BYTES);
        })?;
        Ok(Self { queue, thread: Some(thread) })
    }
}

/// No one waits for a writer that has ended.
struct Leaving<'a>(&'a Queue);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        // It does not panic; if it did, nothing could be done about it here.
        self.thread.take().map(JoinHandle::join);
    }
}

/// Writes what it can, and logs each kind of problem once. The runs are not affected.
fn write(results: &Results, batch: &Batch) {
    if batch.entries.is_empty() && batch.used.is_empty() {
        return;
    }
    // In the order of the index, which is then traversed once.
    let mut keys: Vec<_> = batch.entries.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| **key);
    let entries: Vec<_> = keys
        .into_iter()
        .flat_map(|(key, entries)| entries.iter().rev().map(move |entry| (key, entry)))
        .collect();
    let written = put(results, &entries, |transaction| {
        batch.used.iter().try_for_each(|(key, at)| index::touch(transaction, key, *at))
    });
    if let Err(error) = written {
        tell(results, &error);
    }
}

/// Stores entries, in their order, and makes the other changes in the same transaction. An entry whose value cannot be
/// written is left out, and that is logged.
fn put(
    results: &Results,
    entries: &[(&CacheKey, &CacheEntry)],
    also: impl Fn(&Transaction<'_>) -> rusqlite::Result<()>,
) -> Result<(), Broken> {
    // Long values are written before the transaction, which others wait for. The directory may not exist yet, or may be
    // impossible to create.
    let mut beside = HashMap::new();
    for (place, (key, entry)) in entries.iter().enumerate().filter(|(_, (_, entry))| !entry.is_inline()) {
        let ready = ready(key, entry);
        let kept = ready.blob.map_or(Ok(()), |blob| results.blobs.keep(&blob.digest, &entry.value));
        let kept = kept.map_err(|error| tell(results, &error.into()));
        beside.insert(place, kept.is_ok().then_some(ready));
    }
    results.write(|transaction| {
        let mut puts = Puts::new(transaction)?;
        for (place, (key, entry)) in entries.iter().enumerate() {
            let is_there =
                |ready: &&Ready<'_>| ready.blob.is_none_or(|blob| is_kept(results, &blob.digest, entry));
            match beside.get(&place) {
                // The record of a short value is made here: all of them together would take as much memory as the queue.
                None => puts.put(&ready(key, entry), CacheEntry::MAX_VARIANTS)?,
                Some(ready) => {
                    if let Some(ready) = ready.as_ref().filter(is_there) {
                        puts.put(ready, CacheEntry::MAX_VARIANTS)?;
                    }
                }
            }
        }
        Ok(also(transaction)?)
    })
}

/// Stores entries: all of them or none.
pub(super) fn put_all(results: &Results, entries: &[(CacheKey, CacheEntry)]) -> Result<(), Broken> {
    let ready: Vec<_> = entries.iter().map(|(key, entry)| (ready(key, entry), entry)).collect();
    let keep = |(ready, entry): &(Ready<'_>, &CacheEntry)| {
        ready.blob.map_or(Ok(()), |blob| results.blobs.keep(&blob.digest, &entry.value))
    };
    ready.iter().try_for_each(keep)?;
    results.write(|transaction| {
        let mut puts = Puts::new(transaction)?;
        for each @ (ready, _) in &ready {
            if ready.blob.is_some_and(|blob| !results.blobs.is_there(&blob.digest)) {
                keep(each)?;
            }
            puts.put(ready, CacheEntry::MAX_VARIANTS)?;
        }
        Ok(())
    })
}

fn ready<'a>(key: &'a CacheKey, entry: &'a CacheEntry) -> Ready<'a> {
    let (record, blob) = entry.to_record(key);
    // The current time, even for an old entry: one from another machine was used here today.
    Ready { key, variant: entry.variant(), used: SystemTime::now().into(), record, blob }
}

/// Whether a value that was just written still exists. Unreferenced values are only removed under the write lock of the
/// index, and this is called under it, so after this check the value is not removed.
fn is_kept(results: &Results, digest: &hostel_core::Digest, entry: &CacheEntry) -> bool {
    results.blobs.is_there(digest) || results.blobs.keep(digest, &entry.value).is_ok()
}

/// Logs why results are not stored, once for each kind of reason.
fn tell(results: &Results, error: &Broken) {
    let trouble = error.trouble();
    if !results.reported_writes.is_first(trouble) {
        return;
    }
    let dir = results.dir().display();
    match trouble {
        Trouble::Full => tracing::warn!("results are not stored in {dir}: the disk is full ({error})"),
        Trouble::Busy => tracing::warn!(
            "some results are not stored in {dir}: another process has been writing there for too long ({error})"
        ),
        Trouble::Damaged | Trouble::Gone | Trouble::Denied | Trouble::Failed => {
            tracing::warn!("results are not stored in {dir}: {error}");
        }
    }
}
