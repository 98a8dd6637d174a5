//! The logs of runs, in an SQLite file of their own: most of all bytes, and none that an answer waits for.

pub(crate) mod line;
mod read;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostel_core::journal::{JournalError, Retention};
use hostel_core::{LogLevel, LogLine, LogStream, RunId, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use self::writer::Writer;
use crate::connection::{Durability, FreeSpace, ReadAs, open_to_write};
use crate::error::{MediumError, OpenJournalError, medium};
use crate::files::{self, LOGS};
use crate::readers::Readers;

/// The most lines of one page.
pub const MAX_LOG_LINES: usize = 10_000;

/// The most chunks that one call of [`RunLogs::prune`] removes.
const MAX_PRUNED: u32 = 500;

/// The chunks that are removed before the size is looked at again.
const SLICE: u32 = 50;

/// The most slices of one call of [`RunLogs::retain`].
const MAX_SLICES: usize = 2_000;

/// A time that no line is after.
const LAST: Timestamp = Timestamp::from_unix_nanos(u64::MAX);

/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
    CREATE TABLE run (id INTEGER PRIMARY KEY, run BLOB NOT NULL UNIQUE, lines INTEGER NOT NULL) STRICT;
    CREATE TABLE chunk (
        run INTEGER NOT NULL, first INTEGER NOT NULL, lines INTEGER NOT NULL, attempt INTEGER NOT NULL,
        began INTEGER NOT NULL, ended INTEGER NOT NULL, level INTEGER NOT NULL, -- the highest
        length INTEGER NOT NULL, body BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX chunk_first ON chunk (run, first);
    CREATE INDEX chunk_ended ON chunk (ended);
";

/// The logs of runs in the file `logs-1.db` of a data directory, which several processes share.
///
/// Lines are collected in memory for a quarter of a second, or up to 64 KiB of one run, and then written compressed. A process that is
/// killed, or a power cut, may cost the lines of the last moments. Lines of a run are numbered from 0, over all its attempts.
///
/// ```
/// use hostel_journal::{LogFilter, RunLogs};
/// # use hostel_core::*;
/// # let dir = tempfile::tempdir()?;
/// # let run = RunId::from_bytes([1; 16]);
/// # let (at, stream, level) = (Timestamp::from_unix_nanos(1), LogStream::Stdout, LogLevel::Info);
/// let logs = RunLogs::open(dir.path())?;
/// logs.append(run, 1, vec![LogLine { at, stream, level, text: "hello".into(), fields: vec![] }])?;
/// let page = logs.read(run, 0, 100, &LogFilter::default())?;
/// assert_eq!((page.lines[0].line.text.as_str(), page.next, page.more), ("hello", 1, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RunLogs {
    path: PathBuf,
    /// They remember nothing but their statements.
    readers: Readers<()>,
    store: Store,
}

/// What becomes of lines.
enum Store {
    Written(Writer),
    /// The file cannot be written, for this reason.
    ReadOnly(&'static str),
    /// The file is damaged: lines are lost, and runs are not. Whether some were lost since that was said.
    Damaged {
        reason: Arc<rusqlite::Error>,
        has_lost: AtomicBool,
    },
}

/// Which lines to read; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Those of this level and of higher ones.
    pub level: Option<LogLevel>,
    /// Those of this stream.
    pub stream: Option<LogStream>,
    /// Those whose text, or the name or value of a field, contains this text.
    pub text: Option<Arc<str>>,
    /// Those of this attempt, counted from 1.
    pub attempt: Option<u32>,
}

/// A line with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedLine {
    /// Its number, counted from 0 over all lines of the run.
    pub number: u64,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// The line.
    pub line: LogLine,
}

/// Some lines of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPage {
    /// The lines that match, in order.
    pub lines: Vec<NumberedLine>,
    /// Where to read on: the number of the first line that was not looked at.
    pub next: u64,
    /// Whether there were more lines to look at.
    pub more: bool,
}

impl RunLogs {
    /// Opens the logs of a data directory, which is created if it does not exist. Where it cannot be written, logs are only read.
    ///
    /// A damaged file keeps nobody from working: lines that are added are lost, which [`RunLogs::flush`] reports, and
    /// [`RunLogs::read`] fails. With the file removed, logs are written again when they are next opened.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`]: the directory or the file cannot be used, is on a network file system, or is of a newer version.
    pub fn open(data_dir: &Path) -> Result<Self, OpenJournalError> {
        let path = data_dir.join(LOGS);
        files::prepare(data_dir, &path)?;
        let failed = |source| OpenJournalError::sqlite(&path, source);
        if let Some(reason) = files::unwritable(data_dir, &path) {
            let read_as = ReadAs::without_writing(&path).map_err(failed)?;
            let readers = Readers::new(path.clone(), read_as);
            return Ok(Self { readers, path, store: Store::ReadOnly(reason) });
        }
        let opened = open_to_write(&path, Durability::Normal, FreeSpace::Returned)
            .and_then(|mut db| create(&mut db).map(|found| (db, found)));
        let readers = Readers::new(path.clone(), ReadAs::Shared);
        match opened.map_err(failed) {
            Ok((_, found)) if found > VERSION => Err(OpenJournalError::Newer { path, found, known: VERSION }),
            Ok((db, _)) => {
                let writer = Writer::start(db);
                let writer = writer.map_err(|source| OpenJournalError::Io { path: path.clone(), source })?;
                Ok(Self { readers, path, store: Store::Written(writer) })
            }
            Err(OpenJournalError::Damaged { path, source }) => {
                let store = Store::Damaged { reason: source.into(), has_lost: AtomicBool::new(false) };
                Ok(Self { readers, path, store })
            }
            Err(error) => Err(error),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines to the log of a run. They are written a moment later; waits only while much is waiting to be written.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] if the thread that writes has ended, and [`JournalError::ReadOnly`].
    pub fn append(&self, run: RunId, attempt: u32, lines: Vec<LogLine>) -> Result<(), JournalError> {
        match &self.store {
            Store::Written(writer) => writer.append(run, attempt, lines),
            Store::ReadOnly(reason) => Err(JournalError::ReadOnly { reason }),
            Store::Damaged { has_lost, .. } => {
                has_lost.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Stores the whole logs of runs in one transaction, and returns when they are written. Changes nothing for a run that has a log, also
    /// one that another process stores at the same time.
    pub(crate) fn store(&self, logs: Vec<(RunId, Vec<LogLine>)>) -> Result<(), JournalError> {
        match &self.store {
            Store::Written(writer) => writer.store(logs),
            Store::ReadOnly(reason) => Err(JournalError::ReadOnly { reason }),
            Store::Damaged { has_lost, .. } => {
                has_lost.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Writes all lines that were added until now, so that other processes can read them.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] or [`JournalError::DamagedFile`] if lines could not be written since the last call, these or earlier
    /// ones. They are lost, so that a full disk does not fill the memory.
    pub fn flush(&self) -> Result<(), JournalError> {
        match &self.store {
            Store::Written(writer) => writer.flush(),
            Store::ReadOnly(_) => Ok(()),
            Store::Damaged { reason, has_lost } if has_lost.swap(false, Ordering::Relaxed) => {
                Err(medium("write the log", Arc::clone(reason) as MediumError))
            }
            Store::Damaged { .. } => Ok(()),
        }
    }

    /// Reads lines of a run from the one with a number on, with those that were added in this process just now; at most `limit` of
    /// them, and [`MAX_LOG_LINES`]. A page may have fewer lines, or none, although there are more: one call looks at some megabytes at most, and
    /// returns at most 1 MiB of text and one line.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] for lines that cannot be read, [`JournalError::DamagedFile`], and [`JournalError::Medium`].
    pub fn read(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
        filter: &LogFilter,
    ) -> Result<LogPage, JournalError> {
        if let Store::Damaged { reason, .. } = &self.store {
            return Err(medium("read the log", Arc::clone(reason) as MediumError));
        }
        self.flush()?;
        let limit = limit.min(MAX_LOG_LINES);
        let page = self.readers.read(|db, ()| read::page(db, run, from, limit, filter));
        page.map_err(|fault| fault.into_error("read the log"))
    }

    /// Removes the log of a run.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`], and [`JournalError::ReadOnly`].
    pub fn remove(&self, run: RunId) -> Result<(), JournalError> {
        self.changed(|writer| writer.remove(run))
    }

    /// Removes something. In a damaged file there is nothing to remove.
    fn changed<T: Default>(
        &self,
        change: impl FnOnce(&Writer) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match &self.store {
            Store::Written(writer) => change(writer),
            Store::ReadOnly(reason) => Err(JournalError::ReadOnly { reason }),
            Store::Damaged { .. } => Ok(T::default()),
        }
    }

    /// Removes lines that are older than a time, in whole chunks, and returns how many chunks it has removed: at most a few hundred in
    /// one call.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`], and [`JournalError::ReadOnly`].
    pub fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        self.changed(|writer| writer.prune(before, MAX_PRUNED))
    }

    /// Removes the oldest lines, in whole chunks, until no line is older and all are no larger than they may be; returns how many chunks
    /// it has removed. To be called once a day; what one call leaves, because it is very much, the next ones remove.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`], and [`JournalError::ReadOnly`].
    pub fn retain(&self, retention: &Retention, now: Timestamp) -> Result<u64, JournalError> {
        let mut removed = 0;
        for _ in 0..MAX_SLICES {
            let slice = self.retain_slice(retention, now)?;
            removed += slice;
            if slice == 0 {
                break;
            }
        }
        Ok(removed)
    }

    /// The next slice of [`RunLogs::retain`]: at most a few hundred chunks. Nothing is left if it removes none.
    ///
    /// # Errors
    ///
    /// As [`RunLogs::retain`].
    pub fn retain_slice(&self, retention: &Retention, now: Timestamp) -> Result<u64, JournalError> {
        let is_over = match retention.logs_bytes {
            Some(most) => self.size_bytes()? > most,
            None => false,
        };
        if is_over {
            self.changed(|writer| writer.prune(LAST, SLICE))
        } else {
            retention.logs_before(now).map_or(Ok(0), |before| self.prune(before))
        }
    }

    /// How many bytes the logs take, compressed.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`].
    pub fn size_bytes(&self) -> Result<u64, JournalError> {
        let size = self.readers.read(|db, ()| {
            let pages = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
            Ok(db.query_row(pages, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
        });
        size.map_err(|fault| fault.into_error("read the log"))
    }
}

impl LogFilter {
    /// Whether it matches a line.
    pub fn matches(&self, attempt: u32, line: &LogLine) -> bool {
        let contains = |text: &Arc<str>| {
            let in_field =
                |(name, value): &(String, String)| name.contains(&**text) || value.contains(&**text);
            line.text.contains(&**text) || line.fields.iter().any(in_field)
        };
        self.level.is_none_or(|level| level <= line.level)
            && self.stream.is_none_or(|stream| stream == line.stream)
            && self.attempt.is_none_or(|wanted| wanted == attempt)
            && self.text.as_ref().is_none_or(contains)
    }
}

/// Creates the tables in a file that has none, and returns the version of the file.
fn create(db: &mut Connection) -> rusqlite::Result<i64> {
    let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let found = version(db)?;
    if found > 0 {
        return Ok(found);
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have created them in the meantime.
    if version(&transaction)? == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    let found = version(&transaction)?;
    transaction.commit()?;
    Ok(found)
}
