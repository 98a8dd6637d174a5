//! Connections to the index, an SQLite database: creating, opening and maintaining it.
//!
//! With `synchronous=NORMAL` a database in WAL mode is never damaged by a power cut, which may cost the last
//! transactions (<https://sqlite.org/pragma.html#pragma_synchronous>). Their results are recomputed.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hostel_files::{check_regular_file, create_private_dir};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::layout::{Layout, unfinished};
use super::trouble::{Broken, Trouble};

/// The record of an entry is complete, and has a digest by which it is checked. The other columns only serve to find
/// it, and no data of a result is taken from them. `start` is the beginning of `key`. `variant` is empty for an entry without dependencies. `used` is in
/// milliseconds since 1970. `bytes` is the size of record and value. `blob` is the digest of a value in a file of its
/// own.
const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = MEMORY;
    PRAGMA synchronous = OFF;
    BEGIN;
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        start INTEGER NOT NULL,
        key BLOB NOT NULL,
        variant BLOB NOT NULL,
        used INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        blob BLOB,
        record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX by_start ON entries (start);
    CREATE INDEX by_use ON entries (used, bytes);
    CREATE INDEX by_blob ON entries (blob) WHERE blob IS NOT NULL;
    COMMIT;
    PRAGMA journal_mode = WAL;
";

/// How long a reader waits for another process. It waits only while another process recovers the log after a crash.
const READERS_PATIENCE: Duration = Duration::from_secs(2);

/// How often the writer tries to get the lock that another process has. With [`WAIT`] between, that is about ten seconds.
const MAX_WAITS: i32 = 5_000;

/// The pause between two attempts. Short, because SQLite gives the lock to the first process that asks, and another one
/// that stores much has it for most of the time.
const WAIT: Duration = Duration::from_millis(2);

/// The writer's page cache in KiB.
const WRITERS_PAGES_KIB: i64 = 8 << 10;

/// The number of pages, of 4 KiB, in the log before they are taken into the database, which waits for the disk. Many,
/// because a page of the index that was changed several times meanwhile is then written to the database once.
const LOG_PAGES: i64 = 16_000;

/// The number of prepared statements of a connection: all that are executed more than once.
const STATEMENTS: usize = 16;

/// Creates an empty index of this name, unless there is one. Others never see it without its tables.
pub(super) fn create(path: &Path) -> Result<(), Broken> {
    let dir = path.parent().unwrap_or(path);
    create_private_dir(dir)?;
    let file = unfinished(dir)?;
    let connection = Connection::open_with_flags(
        file.path(),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.execute_batch(TABLES)?;
    connection.close().map_err(|(_, error)| error)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.error.into()),
        _ => Ok(()),
    }
}

/// Refuses an index if it, or one of its companion files, is not a regular file: SQLite would wait for a FIFO.
pub(super) fn check_files(path: &Path) -> Result<(), Broken> {
    Layout::files_of(path).iter().try_for_each(|file| {
        check_regular_file(file).map_err(|source| Broken::NotAFile { path: file.clone(), source })
    })
}

/// Opens an index for reading. Without write permission, not even for the shared memory of readers, it is read as if no
/// one writes. The results are checked, as always.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let opened = open(path, READERS_PATIENCE).and_then(asked);
    opened.or_else(|error| {
        let is_refused = [Trouble::Denied, Trouble::Gone, Trouble::Failed].contains(&Trouble::of(&error));
        if is_refused && path.exists() { open_unchanging(path).map_err(|_| error) } else { Err(error) }
    })
}

/// A connection opens the log at its first statement.
fn asked(connection: Connection) -> rusqlite::Result<Connection> {
    connection.query_row("SELECT max(number) FROM entries", [], |_| Ok(()))?;
    Ok(connection)
}

/// Opens an index for writing.
pub(super) fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let mut connection = open(path, READERS_PATIENCE)?;
    connection.busy_handler(Some(wait))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -WRITERS_PAGES_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

/// Waits a little for the lock of another process.
fn wait(count: i32) -> bool {
    std::thread::sleep(WAIT);
    count < MAX_WAITS
}

fn open(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    // The last connection to close would wait for the disk, which a command of a few milliseconds must not do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Otherwise SQLite prepares a statement again whenever a parameter has another value, which takes longer than the
    // statement itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn open_unchanging(path: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let mut uri = "file:".to_owned();
    for byte in path.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Cannot fail: it is a String.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    let connection = Connection::open_with_flags(uri + "?immutable=1", flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    asked(connection)
}

/// Whether it is read-only.
pub(super) fn is_read_only(connection: &Connection) -> bool {
    connection.is_readonly("main").unwrap_or(false)
}

/// Returns the space of some free pages to the system; `false` if none was left.
pub(super) fn give_back(connection: &Connection, pages: u32) -> rusqlite::Result<bool> {
    let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let before = free()?;
    if before == 0 {
        return Ok(false);
    }
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    drop(rows);
    Ok(free()? < before)
}

/// Takes the log into the database and truncates it, unless other connections are in use. Waits for the disk.
pub(super) fn shorten_log(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let shortened = shorten(connection);
    connection.busy_handler(Some(wait))?;
    shortened
}

fn shorten(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
