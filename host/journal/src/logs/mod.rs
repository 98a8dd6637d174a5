//! The logs of runs, in an SQLite file of their own: most of all bytes, and none that an answer waits for.

mod line;
mod read;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel_core::journal::JournalError;
use hostel_core::{LogLevel, LogLine, LogStream, RunId, Timestamp};
use rusqlite::{Connection, TransactionBehavior};

use self::writer::Writer;
use crate::connection::{Durability, FreeSpace, open_to_write};
use crate::error::OpenJournalError;
use crate::files;
use crate::readers::Readers;

/// The most lines of one page.
pub const MAX_LOG_LINES: usize = 10_000;

/// The file of the logs, with the version of its format in the name.
const LOGS: &str = "logs-1.db";

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
    writer: Writer,
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
    /// Opens the logs of a data directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`]: the directory or the file cannot be used, is on a network file system, or is of a newer version.
    pub fn open(data_dir: &Path) -> Result<Self, OpenJournalError> {
        let path = data_dir.join(LOGS);
        files::prepare(data_dir, &path)?;
        let failed = |source| OpenJournalError::Sqlite { path: path.clone(), source };
        let mut db = open_to_write(&path, Durability::Normal, FreeSpace::Returned).map_err(failed)?;
        let found = create(&mut db).map_err(failed)?;
        if found > VERSION {
            return Err(OpenJournalError::Newer { path, found, known: VERSION });
        }
        let writer =
            Writer::start(db).map_err(|source| OpenJournalError::Io { path: path.clone(), source })?;
        Ok(Self { readers: Readers::new(path.clone()), path, writer })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds lines to the log of a run. They are written a moment later; waits only while much is waiting to be written.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] if the thread that writes has ended.
    pub fn append(&self, run: RunId, attempt: u32, lines: Vec<LogLine>) -> Result<(), JournalError> {
        self.writer.append(run, attempt, lines)
    }

    /// Writes all lines that were added until now, so that other processes can read them.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] if lines could not be written since the last call, these or earlier ones. They are lost, so that a full
    /// disk does not fill the memory.
    pub fn flush(&self) -> Result<(), JournalError> {
        self.writer.flush()
    }

    /// Reads lines of a run from the one with a number on, with those that were added in this process just now; at most `limit` of
    /// them, and [`MAX_LOG_LINES`]. A page may have fewer lines, or none, although there are more: one call looks at some megabytes at most.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] for lines that cannot be read, and [`JournalError::Medium`].
    pub fn read(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
        filter: &LogFilter,
    ) -> Result<LogPage, JournalError> {
        self.flush()?;
        let limit = limit.min(MAX_LOG_LINES);
        let page = self.readers.read(|db, ()| read::page(db, run, from, limit, filter));
        page.map_err(|fault| fault.into_error("read the log"))
    }

    /// Removes the log of a run.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`].
    pub fn remove(&self, run: RunId) -> Result<(), JournalError> {
        self.writer.remove(run)
    }

    /// Removes lines that are older than a time, in whole chunks, and returns how many chunks it has removed: at most a few hundred in
    /// one call.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`].
    pub fn prune(&self, before: Timestamp) -> Result<u64, JournalError> {
        self.writer.prune(before)
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
