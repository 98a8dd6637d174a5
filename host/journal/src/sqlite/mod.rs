//! The journal in SQLite: one file in a data directory, which several processes share.

mod batch;
mod bell;
mod blobs;
mod change;
mod due;
mod events;
mod find;
mod fsck;
mod gates;
mod input_search;
mod name_search;
mod names;
mod operate;
mod row;
mod schedules;
mod schema;
mod submit;
mod sweep;
mod tagged;
mod upkeep;
mod writer;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use hostel_core::journal::{
    Append, Batch, BatchAction, BatchId, Bucket, Cancellation, ClaimRequest, Cursor, ExpireRequest, Expiry,
    Fence, Found, HistogramRequest, Journal, JournalEntry, JournalError, JournalEvent, LeaseEnds, LimitScope,
    LimitUse, MAX_CLAIMED, MAX_EVENTS, MAX_SCANNED, MAX_SUBMITTED, Page, Pause, Prune, Pruned, Retention,
    RunLimit, Submitted,
};
use hostel_core::{Amendment, BlobRef, RunCounts, RunFilter, RunId, RunRecord, RunSpec, Timestamp};
use rusqlite::Connection;

use self::bell::Bell;
use self::blobs::{Blobs, Spilled};
use self::find::Way;
pub use self::fsck::JournalCheck;
use self::names::Names;
pub use self::schedules::{
    DueSchedule, FireSchedule, Fired, FiredSlot, MAX_FIRED, MAX_SCHEDULES, SlotEnd, StoredSchedule,
};
use self::submit::{Imported, Prepared};
pub use self::tagged::{RunSpan, RunTimes, TagCounts};
use self::writer::Writer;
use self::writing::Hook;
use crate::bounds::{check_claim, check_count};
use crate::connection::{Durability, FreeSpace, ReadAs, open_to_read, open_to_write};
use crate::error::{Fault, OpenJournalError, medium};
use crate::files::{self, JOURNAL};
use crate::place::JournalPlace;
use crate::readers::Readers;

/// The directory of values that are stored apart from their runs.
const BLOBS: &str = files::BLOBS;

/// A journal in the file `journal-1.db` of a data directory. Any number of processes of one machine use it at once, each by its own
/// `SqliteJournal`; there is no server.
///
/// What a method has answered is on disk: a crash of the process or of the machine loses nothing of it. Each process writes on one
/// thread, many operations in one transaction. Values of more than 16 KiB are files in `blobs/`, and are read by
/// [`Journal::blob`]. Directory and files are private to their owner.
///
/// ```
/// use hostel_core::journal::{Journal, Submitted};
/// use hostel_journal::SqliteJournal;
/// # use hostel_core::*;
/// # let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
/// # let at = Timestamp::from_unix_nanos(1);
/// # let dir = tempfile::tempdir()?;
/// let journal = SqliteJournal::open(dir.path())?;
/// let spec = RunSpec::new(RunId::from_bytes([1; 16]), task, TaskSpec::default().into(), at);
/// assert_eq!(journal.submit(at, &[spec.clone()])?, [Submitted::New]);
/// drop(journal);
/// assert_eq!(SqliteJournal::open(dir.path())?.submit(at, &[spec])?, [Submitted::Existing]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteJournal {
    path: PathBuf,
    blobs: Blobs,
    readers: Readers<Names>,
    /// Never writes, so that the version of its data changes with every commit of others.
    changes: Mutex<Connection>,
    bell: Arc<Bell>,
    /// Set when someone has waited for a change: then there is a thread that watches other processes.
    listens: OnceLock<()>,
    read_as: ReadAs,
    /// The most runs that a page looks at.
    max_scanned: usize,
    /// Or why the journal is only read.
    writer: Result<Writer, &'static str>,
}

/// Why a journal of a newer format is only read.
const NEWER: &str = "a newer version of Hostel wrote it; use that version to change it";

/// What tests set.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct JournalHooks {
    /// Called with the name of each step of the writer.
    pub step: Option<Hook>,
    /// The most pages of the file; 0 for no bound.
    pub max_pages: u32,
    /// The most runs that a page looks at; 0 for as many as usual.
    pub max_scanned: usize,
}

impl SqliteJournal {
    /// Opens the journal of a data directory, which is created if it does not exist.
    ///
    /// A file with older tables is brought to the newest ones, after a copy of it was made. One of a newer format is opened for reading
    /// only: then every method that writes returns [`JournalError::ReadOnly`]. So is one on a read-only file system, and one in a directory
    /// that this process cannot write; there, files with older tables are refused.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`]: the directory or the file cannot be used, is on a network file system, is damaged, or has newer tables.
    pub fn open(data_dir: &Path) -> Result<Self, OpenJournalError> {
        Self::open_as(data_dir, Durability::Full, JournalHooks::default())
    }

    /// The same, for a history that must not cost waiting: answers do not wait for the disk. A power cut may cost what was answered in the
    /// last seconds, and the crash of a process nothing. Never for work that others execute.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteJournal::open`].
    pub fn open_relaxed(data_dir: &Path) -> Result<Self, OpenJournalError> {
        Self::open_as(data_dir, Durability::Normal, JournalHooks::default())
    }

    /// The same, for tests.
    ///
    /// # Errors
    ///
    /// Those of [`SqliteJournal::open`].
    #[doc(hidden)]
    pub fn open_with(data_dir: &Path, hooks: JournalHooks) -> Result<Self, OpenJournalError> {
        Self::open_as(data_dir, Durability::Full, hooks)
    }

    fn open_as(
        data_dir: &Path,
        durability: Durability,
        hooks: JournalHooks,
    ) -> Result<Self, OpenJournalError> {
        let path = data_dir.join(JOURNAL);
        files::check_not_emptied(data_dir, &path)?;
        files::prepare(data_dir, &path)?;
        let failed = |source| OpenJournalError::sqlite(&path, source);
        let blobs = Blobs::new(data_dir.join(BLOBS));
        if let Some(reason) = files::unwritable(data_dir, &path) {
            return Self::open_to_look(path, blobs, reason);
        }
        let mut db = open_to_write(&path, durability, FreeSpace::Reused).map_err(failed)?;
        let is_newer = check_versions(&db, &path)?;
        if !is_newer {
            schema::upgrade(&mut db, &path)?;
        }
        if hooks.max_pages > 0 {
            db.pragma_update(None, "max_page_count", hooks.max_pages).map_err(failed)?;
        }
        let bell = Arc::new(Bell::default());
        // The connection has its log open, and keeps it from being removed by SQLite.
        let place = JournalPlace::of(data_dir)
            .map_err(|source| OpenJournalError::Io { path: path.clone(), source })?;
        let start = || Writer::start(db, blobs.clone(), hooks.step.clone(), Arc::clone(&bell), place);
        let writer = (!is_newer).then(start).transpose();
        let writer = writer.map_err(|source| OpenJournalError::Io { path: path.clone(), source })?;
        let read_as = ReadAs::Shared;
        let changes = Mutex::new(open_to_read(&path, read_as).map_err(failed)?);
        let (readers, listens) = (Readers::new(path.clone(), read_as), OnceLock::new());
        let max_scanned = if hooks.max_scanned > 0 { hooks.max_scanned } else { MAX_SCANNED };
        let writer = writer.ok_or(NEWER);
        Ok(Self { path, blobs, readers, changes, bell, listens, read_as, max_scanned, writer })
    }

    /// Opens a file that this process cannot write.
    fn open_to_look(path: PathBuf, blobs: Blobs, reason: &'static str) -> Result<Self, OpenJournalError> {
        let failed = |source| OpenJournalError::sqlite(&path, source);
        let read_as = ReadAs::without_writing(&path).map_err(failed)?;
        let changes = open_to_read(&path, read_as).map_err(failed)?;
        check_readable(&changes, &path, reason)?;
        Ok(Self {
            blobs,
            readers: Readers::new(path.clone(), read_as),
            changes: Mutex::new(changes),
            bell: Arc::default(),
            listens: OnceLock::new(),
            read_as,
            max_scanned: MAX_SCANNED,
            path,
            writer: Err(reason),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks everything: the pages of the file, the tally of states, the values that are stored apart, and that the events of each
    /// run lead to its row. Reads it all, in one transaction: seconds for a million runs, in which the log grows.
    ///
    /// # Errors
    ///
    /// Those of the medium, where nothing can be read at all. A part that cannot be read is a problem in the answer.
    pub fn fsck(&self) -> Result<JournalCheck, JournalError> {
        self.read(|db, names| fsck::check(db, names, &self.blobs))
    }

    /// Removes values and options of tasks that no run has had for a day, and returns how many. To be called once a day: it looks at
    /// all runs, tenths of a second for a million of them.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn sweep(&self, now: SystemTime) -> Result<u64, JournalError> {
        let mut removed = self.write(sweep::options)?;
        let old: Vec<_> = self.blobs.old(now).collect();
        for files in old.chunks(sweep::MAX_FILES) {
            let files = files.to_vec();
            removed += self.write(move |writing| sweep::values(writing, &files))?;
        }
        Ok(removed)
    }

    /// The facts with long values taken out, and these values.
    fn spilled(&self, append: &Append) -> Result<(Append, Vec<Spilled>), JournalError> {
        let mut append = append.clone();
        let mut blobs = Vec::new();
        for (_, fact) in &mut append.facts {
            blobs.extend(self.blobs.spill_fact(fact).map_err(|error| medium("write a value", error))?);
        }
        Ok((append, blobs))
    }

    /// New runs as they are written.
    fn prepared(&self, specs: &[RunSpec]) -> Result<Vec<Prepared>, JournalError> {
        check_count("runs", specs.len(), MAX_SUBMITTED)?;
        let runs = specs.iter().map(|spec| Prepared::new(spec.clone(), &self.blobs));
        runs.collect::<Result<_, _>>().map_err(|error| medium("write a value", error))
    }

    /// Starts to watch for changes by other processes, unless that was done before.
    fn listen(&self) -> Result<(), JournalError> {
        if self.listens.get().is_none() {
            self.bell.listen(&self.path, self.read_as).map_err(|error| medium("watch", error))?;
            // Another thread may have done the same: two that listen are as good as one.
            self.listens.get_or_init(|| ());
        }
        Ok(())
    }

    fn write<T: Send + 'static>(
        &self,
        operate: impl FnMut(&mut writing::Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, JournalError> {
        self.writer.as_ref().map_err(|reason| JournalError::ReadOnly { reason })?.write(operate)
    }

    fn read<T>(
        &self,
        read: impl FnOnce(&Connection, &mut Names) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        self.readers.read(read).map_err(|fault| fault.into_error("read"))
    }
}

/// A connection of its own to the tables of a data directory, for what stands beside the journal. One of a newer format is only read, and so
/// is one that this process cannot write.
pub(crate) fn open_tables(data_dir: &Path) -> Result<Connection, OpenJournalError> {
    let path = data_dir.join(JOURNAL);
    files::check_not_emptied(data_dir, &path)?;
    files::prepare(data_dir, &path)?;
    let failed = |source| OpenJournalError::sqlite(&path, source);
    if let Some(reason) = files::unwritable(data_dir, &path) {
        let read_as = ReadAs::without_writing(&path).map_err(failed)?;
        let db = open_to_read(&path, read_as).map_err(failed)?;
        check_readable(&db, &path, reason)?;
        return Ok(db);
    }
    let mut db = open_to_write(&path, Durability::Full, FreeSpace::Reused).map_err(failed)?;
    if check_versions(&db, &path)? {
        db.pragma_update(None, "query_only", true).map_err(failed)?;
    } else {
        schema::upgrade(&mut db, &path)?;
    }
    Ok(db)
}

/// Refuses a file with older tables, which cannot be upgraded for this reason.
fn check_readable(db: &Connection, path: &Path, reason: &'static str) -> Result<(), OpenJournalError> {
    let is_newer = check_versions(db, path)?;
    let (_, found) = schema::versions(db).map_err(|source| OpenJournalError::sqlite(path, source))?;
    let known = schema::TABLES_VERSION;
    if !is_newer && found < known {
        return Err(OpenJournalError::NotUpgraded { path: path.to_owned(), found, known, reason });
    }
    Ok(())
}

/// Whether the file has a newer format.
fn check_versions(db: &Connection, path: &Path) -> Result<bool, OpenJournalError> {
    let failed = |source| OpenJournalError::sqlite(path, source);
    let (format, found) = schema::versions(db).map_err(failed)?;
    if format > schema::FORMAT {
        return Ok(true);
    }
    let known = schema::TABLES_VERSION;
    if found > known {
        return Err(OpenJournalError::Newer { path: path.to_owned(), found, known });
    }
    Ok(false)
}

fn check_limit(page: Page) -> Result<(), JournalError> {
    if (1..=Page::MAX_LIMIT).contains(&page.limit) {
        Ok(())
    } else {
        Err(JournalError::Page { limit: page.limit })
    }
}

impl Journal for SqliteJournal {
    fn submit(&self, at: Timestamp, specs: &[RunSpec]) -> Result<Vec<Submitted>, JournalError> {
        let runs = self.prepared(specs)?;
        self.write(move |writing| submit::submit(writing, at, &runs))
    }

    fn import(&self, runs: &[RunRecord]) -> Result<Vec<Submitted>, JournalError> {
        check_count("runs", runs.len(), MAX_SUBMITTED)?;
        let import = |record| Imported::new(record, &self.blobs);
        let runs = runs.iter().map(import).collect::<Result<Vec<_>, _>>()?;
        self.write(move |writing| submit::import(writing, &runs))
    }

    fn append(&self, append: &Append) -> Result<u64, JournalError> {
        let (append, blobs) = self.spilled(append)?;
        self.write(move |writing| operate::append(writing, &append, &blobs))
    }

    fn append_all(&self, appends: &[Append]) -> Result<Vec<Result<u64, JournalError>>, JournalError> {
        check_count("runs", appends.len(), MAX_CLAIMED)?;
        let appends = appends.iter().map(|append| self.spilled(append)).collect::<Result<Vec<_>, _>>()?;
        self.write(move |writing| {
            let each = appends.iter().map(|(append, blobs)| match operate::append(writing, append, blobs) {
                Ok(version) => Ok(Ok(version)),
                // Refused by the rule, before anything was written.
                Err(Fault::Refused(error)) => Ok(Err(error)),
                Err(fault) => Err(fault),
            });
            each.collect()
        })
    }

    fn get(&self, run: RunId) -> Result<Option<JournalEntry>, JournalError> {
        self.read(|db, names| Ok(row::load(db, names, run)?.map(|loaded| loaded.entry)))
    }

    fn find(&self, filter: &RunFilter, page: Page) -> Result<Found, JournalError> {
        check_limit(page)?;
        self.read(|db, names| find::find(db, names, filter, (page, Way::Older), self.max_scanned))
    }

    fn find_newer(&self, filter: &RunFilter, than: Cursor, limit: usize) -> Result<Found, JournalError> {
        let page = Page { after: Some(than), limit };
        check_limit(page)?;
        self.read(|db, names| find::find(db, names, filter, (page, Way::Newer), self.max_scanned))
    }

    fn counts(&self) -> Result<RunCounts, JournalError> {
        self.read(|db, _| {
            let removed: i64 = db.query_row("SELECT removed FROM counter", [], |row| row.get(0))?;
            Ok(RunCounts::of_parts(find::tally(db)?, removed.cast_unsigned()))
        })
    }

    fn claim(&self, claim: &ClaimRequest) -> Result<Vec<JournalEntry>, JournalError> {
        check_claim(claim)?;
        // Workers without work ask often, and need not wait for the lock.
        if !self.read(|db, names| due::has_some(db, names, claim))? {
            return Ok(Vec::new());
        }
        // Each transaction that claims nothing has marked runs that limits keep back, so that it ends.
        loop {
            let claim = claim.clone();
            let claimed = self.write(move |writing| operate::claim(writing, &claim))?;
            if !claimed.is_cut || !claimed.entries.is_empty() {
                return Ok(claimed.entries);
            }
        }
    }

    fn submit_and_claim(
        &self,
        at: Timestamp,
        specs: &[RunSpec],
        claim: &ClaimRequest,
    ) -> Result<(Vec<Submitted>, Vec<JournalEntry>), JournalError> {
        check_claim(claim)?;
        let (runs, claim) = (self.prepared(specs)?, claim.clone());
        self.write(move |writing| operate::submit_and_claim(writing, at, &runs, &claim))
    }

    fn renew(&self, claims: &[(RunId, Fence)], until: Timestamp) -> Result<Vec<RunId>, JournalError> {
        check_count("claims", claims.len(), MAX_CLAIMED)?;
        let claims = claims.to_vec();
        self.write(move |writing| operate::renew(writing, &claims, until))
    }

    fn release(&self, at: Timestamp, run: RunId, fence: Fence) -> Result<u64, JournalError> {
        self.write(move |writing| operate::release(writing, at, run, fence))
    }

    fn expire(&self, request: &ExpireRequest) -> Result<Expiry, JournalError> {
        // Without claims there is nothing to protect from a time in which nobody writes.
        if !self.read(|db, _| Ok(operate::has_leases(db)?))? {
            return Ok(Expiry { runs: Vec::new(), more: false });
        }
        let request = *request;
        self.write(move |writing| operate::expire(writing, &request))
    }

    fn lease_ends(&self) -> Result<Option<LeaseEnds>, JournalError> {
        self.read(|db, _| Ok(operate::lease_ends(db)?))
    }

    fn cancel(&self, at: Timestamp, run: RunId) -> Result<Cancellation, JournalError> {
        self.write(move |writing| operate::cancel(writing, at, run))
    }

    fn events(&self, after: u64, limit: usize) -> Result<Vec<JournalEvent>, JournalError> {
        self.read(|db, _| events::after(db, after, limit.min(MAX_EVENTS)))
    }

    fn last_event(&self) -> Result<u64, JournalError> {
        self.read(|db, _| Ok(events::last(db)?))
    }

    fn prune(&self, prune: Prune) -> Result<Pruned, JournalError> {
        self.write(move |writing| operate::prune(writing, prune))
    }

    fn histogram(&self, request: &HistogramRequest) -> Result<Vec<Bucket>, JournalError> {
        self.read(|db, _| upkeep::histogram(db, request))
    }

    fn retain(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, JournalError> {
        let retention = retention.clone();
        self.write(move |writing| upkeep::retain(writing, &retention, now))
    }

    fn take_upkeep(&self, now: Timestamp) -> Result<bool, JournalError> {
        if !self.read(|db, _| Ok(Retention::is_upkeep_due(now, upkeep::last(db)?)))? {
            return Ok(false);
        }
        self.write(move |writing| upkeep::take(writing, now))
    }

    fn sweep_values(&self, now: Timestamp) -> Result<u64, JournalError> {
        self.sweep(SystemTime::UNIX_EPOCH + Duration::from_nanos(now.unix_nanos()))
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn amend(&self, at: Timestamp, run: RunId, amendment: &Amendment) -> Result<u64, JournalError> {
        let amendment = amendment.clone();
        self.write(move |writing| operate::amend(writing, at, run, &amendment))
    }

    fn start_batch(
        &self,
        at: Timestamp,
        action: BatchAction,
        filter: &RunFilter,
    ) -> Result<Batch, JournalError> {
        let filter = filter.clone();
        self.write(move |writing| batch::start(writing, at, action, &filter))
    }

    fn step_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError> {
        let step = self.read(|db, names| batch::prepare(db, names, batch))?;
        if step.batch.is_finished() {
            return Ok(step.batch);
        }
        self.write(move |writing| batch::take(writing, at, &step))
    }

    fn stop_batch(&self, at: Timestamp, batch: BatchId) -> Result<Batch, JournalError> {
        self.write(move |writing| batch::stop(writing, at, batch))
    }

    fn batch(&self, batch: BatchId) -> Result<Batch, JournalError> {
        self.read(|db, _| batch::load(db, batch))
    }

    fn batches(&self) -> Result<Vec<Batch>, JournalError> {
        self.read(|db, _| batch::all(db))
    }

    fn retry(&self, at: Timestamp, run: RunId) -> Result<u64, JournalError> {
        self.write(move |writing| operate::retry(writing, at, run))
    }

    fn remove(&self, run: RunId) -> Result<(), JournalError> {
        self.write(move |writing| operate::remove(writing, run))
    }

    fn mark_seen(&self, run: RunId) -> Result<(), JournalError> {
        self.write(move |writing| operate::mark_seen(writing, run))
    }

    fn changes(&self) -> Result<u64, JournalError> {
        let db = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let version = db
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut query| query.query_row([], |row| row.get(0)));
        version.map(i64::cast_unsigned).map_err(|error| medium("read", error))
    }

    fn wait_for_change(&self, seen: u64, timeout: Duration) -> Result<u64, JournalError> {
        self.listen()?;
        self.bell.wait(seen, timeout, || self.changes())
    }

    fn next_due(&self, claim: &ClaimRequest) -> Result<Option<Timestamp>, JournalError> {
        self.read(|db, names| due::next_due(db, names, claim))
    }

    fn set_limit(&self, scope: &LimitScope, limit: RunLimit) -> Result<(), JournalError> {
        limit.check()?;
        let scope = scope.clone();
        self.write(move |writing| gates::set(writing, &scope, limit))
    }

    fn limits(&self) -> Result<Vec<LimitUse>, JournalError> {
        self.read(gates::uses)
    }

    fn pause(&self, scope: &LimitScope, pause: Pause) -> Result<(), JournalError> {
        let scope = scope.clone();
        self.write(move |writing| gates::pause(writing, &scope, &pause))
    }

    fn resume(&self, scope: &LimitScope) -> Result<(), JournalError> {
        let scope = scope.clone();
        self.write(move |writing| gates::resume(writing, &scope))
    }

    fn blob(&self, blob: &BlobRef) -> Result<Option<Arc<[u8]>>, JournalError> {
        self.blobs.read(blob).map_err(|error| medium("read a value", error))
    }
}
