//! The cache as runs use it: layers one behind the other, and checks of values on their way in and out.

mod disk;
mod memory;
mod recipe;
mod remote;
mod report;
mod sharing;

pub use report::*;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hostel_core::{
    CacheEntry, CacheKey, CacheLayer, CacheLayerError, DecodeTraceError, Dependencies, Grants, RunId,
    Timestamp, Trace, Type, Value,
};
use hostel_engine::{Verdict, verify};
use tokio::sync::Semaphore;

use self::disk::{DiskLayer, Results};
pub use self::disk::{
    Entries, EntrySummary, GcOptions, GcReport, KeptResult, Removed, ResultCache, ResultCacheError,
    ResultStats, TaskStats,
};
use self::memory::MemoryLayer;
pub(crate) use self::recipe::{MAX_RECIPE_BYTES, Recipe};
pub(crate) use self::remote::Existing;
use self::remote::RemoteLayer;
pub use self::remote::{RemoteCache, RemoteCacheError};
use self::sharing::ASKING_AT_ONCE;
pub(crate) use self::sharing::Asking;
use crate::error::in_full;

/// The layers, fastest first. A failing layer is logged and skipped; the run is not affected.
pub(crate) struct Cache {
    memory: Option<MemoryLayer>,
    disk: Option<DiskLayer>,
    remote: Option<RemoteLayer>,
    asking: Arc<Semaphore>,
}

impl Cache {
    pub(crate) fn new(memory_bytes: u64, data_dir: Option<&Path>) -> Self {
        Self {
            memory: (memory_bytes > 0).then(|| MemoryLayer::new(memory_bytes)),
            disk: data_dir.map(DiskLayer::open),
            remote: None,
            asking: Arc::new(Semaphore::new(ASKING_AT_ONCE)),
        }
    }

    /// The value under `key`, if the memory layer has one without dependencies; does not block.
    pub(crate) fn get_quick(&self, key: &CacheKey, wanted: CacheQuery<'_>) -> Option<CacheMatch> {
        let memory = self.memory.as_ref()?;
        let entries = look_up(memory, key)?;
        let entry = entries.iter().find(|entry| entry.depends_on.is_none())?;
        wanted.of(entry, key, memory.name()).ok()
    }

    /// The value under `key`, if a layer of this machine has one that can be used for the run. Takes as long as the
    /// slowest of them.
    ///
    /// # Errors
    ///
    /// The reason for a miss.
    pub(crate) fn get(&self, key: &CacheKey, wanted: CacheQuery<'_>) -> Result<CacheMatch, CacheMiss> {
        let mut miss = CacheMiss::Absent;
        let in_memory = self.memory.as_ref().and_then(|layer| Some((layer.name(), look_up(layer, key)?)));
        if let Some((layer, entries)) = &in_memory {
            match Self::first_of(entries, key, wanted, layer) {
                Ok((_, found)) => return Ok(found),
                Err(why) => miss = why,
            }
        }
        let on_disk = self
            .disk
            .as_ref()
            .and_then(|layer| Some((layer.name(), report(layer.get_up_to(key, wanted.longest)).flatten()?)));
        let Some((layer, entries)) = on_disk else { return Err(miss) };
        // An entry that cannot be used from memory cannot be used from disk either, and checking may mean reading
        // files.
        let refuted = in_memory.map(|(_, entries)| entries);
        let is_refuted =
            |entry: &CacheEntry| refuted.iter().any(|known| known.iter().any(|one| one.is_of(entry)));
        let left: Vec<_> = entries.iter().filter(|entry| !is_refuted(entry)).cloned().collect();
        if left.is_empty() {
            return Err(miss);
        }
        let (entry, found) = Self::first_of(&left, key, wanted, layer)?;
        self.memory.iter().for_each(|memory| put_unless_later(memory, key, &entry));
        Ok(found)
    }

    /// The first entry that can be used for the run, or the reason why the last one cannot.
    fn first_of(
        entries: &[CacheEntry],
        key: &CacheKey,
        wanted: CacheQuery<'_>,
        layer: &'static str,
    ) -> Result<(CacheEntry, CacheMatch), CacheMiss> {
        let mut miss = CacheMiss::Absent;
        for entry in entries {
            let found = wanted.of(entry, key, layer).and_then(|found| match &entry.depends_on {
                None => Ok(found),
                Some(dependencies) => while_it_holds(key, dependencies, found, wanted),
            });
            match found {
                Ok(found) => return Ok((entry.clone(), found)),
                Err(why) => miss = why,
            }
        }
        Err(miss)
    }

    /// Stores a found entry in the layers that only this machine sees, unless they have a later one by now.
    fn put_back(&self, key: &CacheKey, entry: &CacheEntry) {
        self.memory.iter().for_each(|layer| put_unless_later(layer, key, entry));
        self.disk.iter().for_each(|layer| put_unless_later(layer, key, entry));
    }

    /// Stores the value described by `made`; `false` if there is no room for it in memory, and no other layer.
    pub(crate) fn put(&self, key: &CacheKey, value: &Value, ty: &Type, made: CacheWrite) -> bool {
        let existing = made.existing;
        let Some(entry) = made.entry(value, ty) else { return false };
        let memory = self.memory.iter().map(|layer| layer.put(key, &entry));
        let disk = self.disk.iter().map(|layer| layer.put(key, &entry));
        memory.chain(disk).for_each(|put| _ = report(put));
        self.share(key, &entry, existing);
        self.holds(key)
    }

    /// Whether the value stored under `key` is in any layer. Disk and remote are assumed to accept everything.
    pub(crate) fn holds(&self, key: &CacheKey) -> bool {
        let is_slow_kept = self.disk.is_some() || self.is_shared();
        is_slow_kept || self.memory.as_ref().is_some_and(|memory| memory.has(key))
    }

    /// Whether there is any layer.
    pub(crate) fn keeps(&self) -> bool {
        self.memory.is_some() || self.disk.is_some()
    }

    /// Whether the memory layer has something under `key`, so that a look-up may be worthwhile before other work: fast.
    pub(crate) fn may_have(&self, key: &CacheKey) -> bool {
        self.memory.as_ref().is_some_and(|memory| memory.has(key))
    }

    /// Stores the values of runs and the records of their transactions: on disk all of them or, whatever happens, none.
    /// An error means none.
    pub(crate) fn put_together(
        &self,
        writes: Vec<KeyedWrite>,
        records: Vec<(CacheKey, String)>,
    ) -> Result<(), CacheLayerError> {
        let of_runs: Vec<_> = writes.into_iter().filter_map(KeyedWrite::entry).collect();
        let of_records = records.into_iter().filter_map(|(key, record)| {
            Some((key, CacheWrite::of_transaction().entry(&Value::String(record), &Type::String)?))
        });
        let entries: Vec<_> =
            of_runs.iter().map(|(key, entry, _)| (*key, entry.clone())).chain(of_records).collect();
        self.disk.as_ref().map_or(Ok(()), |disk| disk.put_together(&entries))?;
        for (key, entry) in &entries {
            self.memory.iter().for_each(|layer| _ = report(layer.put(key, entry)));
        }
        // Without the records: elsewhere a record could arrive before the values it refers to.
        of_runs.iter().for_each(|(key, entry, existing)| self.share(key, entry, *existing));
        Ok(())
    }

    /// Whether stored values outlive the process.
    pub(crate) fn is_lasting(&self) -> bool {
        self.disk.is_some()
    }

    /// Drops a value after everything stored before is on disk, or was given up; at once if a thousand such values wait.
    pub(crate) fn hold(&self, hold: impl Send + Sync + 'static) {
        if let Some(disk) = &self.disk {
            disk.hold(hold);
        }
    }

    /// Waits until everything stored before is on disk, or was given up.
    pub(crate) fn flush(&self) {
        self.disk.iter().for_each(DiskLayer::flush);
    }

    /// The results on disk, if there is a data directory.
    pub(crate) fn results(&self) -> Option<&Arc<Results>> {
        self.disk.as_ref().map(DiskLayer::results)
    }

    /// Removes the entries of a key from memory.
    pub(crate) fn forget(&self, key: &CacheKey) {
        self.memory.iter().for_each(|memory| memory.forget(key));
    }

    /// Removes all entries from memory.
    pub(crate) fn forget_all(&self) {
        self.memory.iter().for_each(MemoryLayer::forget_all);
    }

    /// The record of a committed transaction.
    pub(crate) fn record(&self, key: &CacheKey) -> Option<String> {
        let grants = &Grants::default();
        let wanted = CacheQuery {
            ty: &Type::String,
            longest: u64::MAX,
            expiration: None,
            grants,
            is_stopped: &|| false,
        };
        let found = self.get(key, wanted).ok()?;
        if let Value::String(record) = found.value { Some(record) } else { None }
    }
}

/// The requirements on a cached value for a run.
#[derive(Clone, Copy)]
pub(crate) struct CacheQuery<'a> {
    /// The type of the task's value.
    pub(crate) ty: &'a Type,
    /// The maximum size of its entry in bytes. A larger one is not read.
    pub(crate) longest: u64,
    /// The maximum age.
    pub(crate) expiration: Option<Duration>,
    /// The directories in which its dependencies are checked.
    pub(crate) grants: &'a Grants,
    /// Whether the run has ended, so that comparing files can stop.
    pub(crate) is_stopped: &'a dyn Fn() -> bool,
}

/// A cached value that can be used for a run.
#[derive(Debug)]
pub(crate) struct CacheMatch {
    pub(crate) value: Value,
    pub(crate) hit: CacheHit,
}

impl CacheQuery<'_> {
    /// The match of an entry, without its dependencies, or the reason why it cannot be used.
    fn of(&self, entry: &CacheEntry, key: &CacheKey, layer: &'static str) -> Result<CacheMatch, CacheMiss> {
        let CacheEntry { producer, created, took: saved, .. } = *entry;
        if entry.size_bytes() > self.longest {
            return Err(CacheMiss::Absent);
        }
        // Reading a clock costs as much as the rest of a fast look-up.
        if self.expiration.is_some() && !entry.is_fresh(SystemTime::now().into(), self.expiration) {
            return Err(CacheMiss::Expired { created });
        }
        let value_bytes = entry.value.len() as u64;
        let value = decode(entry, key, self.ty).ok_or(CacheMiss::Absent)?;
        let (origin, facts_checked) = (entry.origin.clone(), 0);
        let hit = CacheHit { producer, created, saved, layer, origin, value_bytes, facts_checked };
        Ok(CacheMatch { value, hit })
    }
}

/// A run's value, and the key to store it under.
pub(crate) struct KeyedWrite {
    pub(crate) key: CacheKey,
    pub(crate) value: Value,
    pub(crate) ty: Type,
    pub(crate) write: CacheWrite,
}

impl KeyedWrite {
    fn entry(self) -> Option<(CacheKey, CacheEntry, Existing)> {
        let existing = self.write.existing;
        Some((self.key, self.write.entry(&self.value, &self.ty)?, existing))
    }
}

/// The answer of the remote layer, to be checked.
pub(crate) struct RemoteAnswer {
    pub(crate) entries: Arc<[CacheEntry]>,
    /// Dropping this lets the next run send its request.
    #[expect(dead_code, reason = "dropping it is its use")]
    pub(crate) turn: Asking,
}

/// The data stored with a value.
pub(crate) struct CacheWrite {
    /// The run that computed it.
    pub(crate) producer: RunId,
    /// The time at which it was available.
    pub(crate) created: Timestamp,
    /// The duration of its attempt.
    pub(crate) took: Duration,
    /// The key of its task.
    pub(crate) task: Arc<str>,
    /// The recipe of its run.
    pub(crate) recipe: Option<Arc<str>>,
    /// Its reads in granted directories, as far as they count.
    pub(crate) depends_on: Option<Dependencies>,
    /// How to treat an existing value from another machine.
    pub(crate) existing: Existing,
}

impl CacheWrite {
    /// For the record of a transaction.
    fn of_transaction() -> Self {
        let producer = RunId::from_bytes([0; 16]);
        Self {
            producer,
            created: SystemTime::now().into(),
            took: Duration::ZERO,
            task: Arc::from("transaction"),
            recipe: None,
            depends_on: None,
            existing: Existing::Replace,
        }
    }

    fn entry(self, value: &Value, ty: &Type) -> Option<CacheEntry> {
        let Self { producer, created, took, task, recipe, depends_on, existing: _ } = self;
        let origin = None;
        match value.to_canonical(ty) {
            Ok(bytes) => {
                let value = bytes.into();
                Some(CacheEntry { value, producer, created, took, task, recipe, origin, depends_on })
            }
            Err(error) => {
                tracing::error!("the result of run {producer} is not cached: {error}");
                None
            }
        }
    }
}

/// The dependencies in a trace; none, if nothing was read.
pub(crate) fn dependencies_of(trace: &Trace) -> Option<Dependencies> {
    let dependencies = || Dependencies { identity: trace.identity(), bytes: trace.encode().into() };
    (!trace.is_empty()).then(dependencies)
}

/// The match, if all its dependencies are unchanged.
fn while_it_holds(
    key: &CacheKey,
    dependencies: &Dependencies,
    mut found: CacheMatch,
    wanted: CacheQuery<'_>,
) -> Result<CacheMatch, CacheMiss> {
    let trace = Trace::decode(&dependencies.bytes).map_err(|error| {
        // Entries of other versions are expected; damaged ones are not.
        if !matches!(error, DecodeTraceError::OtherVersion { .. }) {
            tracing::warn!(
                "the dependencies of cache entry {key} are damaged: {error}; it counts as missing"
            );
        }
        CacheMiss::Absent
    })?;
    found.hit.facts_checked = trace.facts().len();
    match verify(&trace, wanted.grants, wanted.is_stopped) {
        Verdict::Holds => Ok(found),
        Verdict::Changed(what) => Err(CacheMiss::Changed { what: what.into() }),
        Verdict::Stopped => Err(CacheMiss::Absent),
    }
}

/// Stores an entry from another layer, unless a later one has been stored meanwhile.
fn put_unless_later(layer: &impl CacheLayer, key: &CacheKey, entry: &CacheEntry) {
    let is_later = |other: &CacheEntry| other.variant() == entry.variant() && other.created > entry.created;
    if !look_up(layer, key).is_some_and(|entries| entries.iter().any(is_later)) {
        report(layer.put(key, entry));
    }
}

fn look_up(layer: &impl CacheLayer, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
    report(layer.get(key)).flatten()
}

/// The value of an entry, if it has the task's type.
fn decode(entry: &CacheEntry, key: &CacheKey, ty: &Type) -> Option<Value> {
    match Value::from_canonical(&entry.value) {
        Ok((found, value)) if found == *ty => Some(value),
        Ok((found, _)) => {
            tracing::warn!("cache entry {key} holds a {found} instead of a {ty}; it counts as missing");
            None
        }
        Err(error) => {
            tracing::warn!("cache entry {key} is damaged: {error}; it counts as missing");
            None
        }
    }
}

fn report<T>(done: Result<T, CacheLayerError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!("{}", in_full(error))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostel_core::Digest;

    fn entry(text: &str) -> CacheEntry {
        let value = Value::String(text.into()).to_canonical(&Type::String).unwrap();
        CacheEntry {
            value: value.into(),
            producer: RunId::from_bytes([7; 16]),
            created: Timestamp::from_unix_nanos(1_700_000_000_000_000_000),
            took: Duration::from_millis(3),
            task: Arc::from("sha256:00#task"),
            recipe: None,
            origin: None,
            depends_on: None,
        }
    }

    fn one(entry: CacheEntry) -> Option<Arc<[CacheEntry]>> {
        Some(Arc::from([entry]))
    }

    fn key(text: &str) -> CacheKey {
        CacheKey::from_bytes(*Digest::of(text.as_bytes()).as_bytes())
    }

    /// Properties that every layer must have.
    fn conforms(layer: &impl CacheLayer) {
        assert_eq!(layer.get(&key("absent")).unwrap(), None);
        layer.put(&key("a"), &entry("one")).unwrap();
        layer.put(&key("b"), &entry("two")).unwrap();
        assert_eq!(layer.get(&key("a")).unwrap(), one(entry("one")));
        assert_eq!(layer.get(&key("b")).unwrap(), one(entry("two")));
        layer.put(&key("a"), &entry("three")).unwrap();
        assert_eq!(layer.get(&key("a")).unwrap(), one(entry("three")));
        layer.put(&key("empty"), &CacheEntry { value: Arc::from([]), ..entry("") }).unwrap();
        assert_eq!(layer.get(&key("empty")).unwrap().unwrap()[0].value.len(), 0);
    }

    #[test]
    fn every_layer_conforms() {
        conforms(&MemoryLayer::new(1 << 20));
        let dir = tempfile::tempdir().unwrap();
        conforms(&DiskLayer::open(&dir.path().join("made when needed")));
    }

    #[test]
    fn the_memory_layer_is_bounded_by_bytes() {
        let layer = MemoryLayer::new(64 << 10);
        let large = CacheEntry { value: Arc::from(vec![0; 1 << 10]), ..entry("") };
        (0..1000).for_each(|n| layer.put(&key(&n.to_string()), &large).unwrap());
        let kept = (0..1000).filter(|n| layer.get(&key(&n.to_string())).unwrap().is_some()).count();
        assert!((1..=64).contains(&kept), "{kept}");
    }

    #[test]
    fn c07_a_value_that_is_too_old_counts_as_missing_in_every_layer() {
        const HOUR: Duration = Duration::from_secs(3600);
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from(SystemTime::now());
        let check = |created: u64, expiration: Option<Duration>, expected: bool| {
            for memory_bytes in [1 << 20, 0] {
                let cache = Cache::new(memory_bytes, Some(dir.path()));
                let created = CacheEntry { created: Timestamp::from_unix_nanos(created), ..entry("one") };
                cache.memory.iter().for_each(|memory| memory.put(&key("a"), &created).unwrap());
                cache.disk.iter().for_each(|disk| disk.put(&key("a"), &created).unwrap());
                let found = cache.get(
                    &key("a"),
                    CacheQuery {
                        longest: u64::MAX,
                        ty: &Type::String,
                        expiration,
                        grants: &Grants::default(),
                        is_stopped: &|| false,
                    },
                );
                assert_eq!(found.is_ok(), expected, "{expiration:?}, {memory_bytes} bytes");
            }
        };
        let ago = |time: Duration| now.unix_nanos() - u64::try_from(time.as_nanos()).unwrap();
        check(ago(HOUR), None, true);
        check(ago(HOUR), Some(HOUR * 2), true);
        check(ago(HOUR), Some(HOUR), false);
        check(now.after(HOUR).unix_nanos(), Some(HOUR * 2), false);
        check(now.after(HOUR).unix_nanos(), None, true);
    }

    #[test]
    fn what_was_made_later_is_not_replaced_by_what_was_found_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let at = |created, text| CacheEntry { created: Timestamp::from_unix_nanos(created), ..entry(text) };
        let check = |layer: &dyn CacheLayer, put: &dyn Fn(&CacheEntry)| {
            layer.put(&key("a"), &at(2, "later")).unwrap();
            put(&at(1, "earlier"));
            assert_eq!(layer.get(&key("a")).unwrap(), one(at(2, "later")), "{}", layer.name());
            put(&at(2, "of the same time"));
            assert_eq!(layer.get(&key("a")).unwrap(), one(at(2, "of the same time")), "{}", layer.name());
            put(&at(3, "newest"));
            assert_eq!(layer.get(&key("a")).unwrap(), one(at(3, "newest")), "{}", layer.name());
            // A variant with other dependencies does not compete.
            let depends_on = Some(Dependencies { identity: Digest::of(b"world"), bytes: Arc::from([]) });
            put(&CacheEntry { depends_on, ..at(1, "elsewhere") });
            assert_eq!(layer.get(&key("a")).unwrap().unwrap().len(), 2, "{}", layer.name());
        };
        let (memory, disk) = (MemoryLayer::new(1 << 20), DiskLayer::open(dir.path()));
        check(&memory, &|entry| put_unless_later(&memory, &key("a"), entry));
        check(&disk, &|entry| put_unless_later(&disk, &key("a"), entry));
    }

    #[test]
    fn a_value_of_another_type_counts_as_missing() {
        let cache = Cache::new(1 << 20, None);
        cache.put(
            &key("a"),
            &Value::U32(1),
            &Type::U32,
            CacheWrite {
                producer: RunId::from_bytes([7; 16]),
                created: SystemTime::now().into(),
                took: Duration::ZERO,
                task: Arc::from("task"),
                recipe: None,
                depends_on: None,
                existing: Existing::Keep,
            },
        );
        let get = |ty: &Type| {
            let grants = &Grants::default();
            cache.get(
                &key("a"),
                CacheQuery { ty, longest: u64::MAX, expiration: None, grants, is_stopped: &|| false },
            )
        };
        assert!(get(&Type::U32).is_ok());
        assert!(get(&Type::U64).is_err());
    }
}
