//! The index of results: an SQLite database, and every statement that it is asked.
//!
//! With `synchronous=NORMAL` a database in WAL mode is never damaged by a power cut, which may cost the last
//! transactions (<https://sqlite.org/pragma.html#pragma_synchronous>): results that are computed anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use hostel_core::{BlobRef, CacheKey, Digest, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Params, Row, Transaction, params};

use super::place::unfinished;
use super::trouble::{Broken, Trouble};

/// The record of an entry says all of it, and has a digest by which it is checked; the other columns are for finding it,
/// and nothing that stands for a result is taken from them. `variant` is empty for an entry without dependencies. `used`
/// is in milliseconds since 1970. `bytes` is what record and value take. `blob` is the digest of a value that stands
/// beside its record.
const TABLES: &str = "
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = MEMORY;
    PRAGMA synchronous = OFF;
    BEGIN;
    CREATE TABLE entries (
        number INTEGER PRIMARY KEY,
        key BLOB NOT NULL,
        variant BLOB NOT NULL,
        used INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        blob BLOB,
        record BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX by_key ON entries (key, variant);
    CREATE INDEX by_use ON entries (used, bytes);
    CREATE INDEX by_blob ON entries (blob) WHERE blob IS NOT NULL;
    COMMIT;
    PRAGMA journal_mode = WAL;
";

/// How long a reader waits for another process. Only while it recovers the log after a crash is there anything to wait
/// for.
const READERS_PATIENCE: Duration = Duration::from_secs(2);

/// How long the writer waits for other processes, which write one after the other.
const WRITERS_PATIENCE: Duration = Duration::from_secs(10);

/// Of its pages the writer keeps this many KiB, so that a million keys find their places.
const WRITERS_PAGES_KIB: i64 = 16 << 10;

/// How many pages, of 4 KiB, the log may have before they are taken into the database, which waits for the disk.
const LOG_PAGES: i64 = 4000;

/// Statements that a connection keeps prepared: all that it is asked more than once.
const STATEMENTS: usize = 16;

/// What the index has under a key.
pub(super) struct Stored {
    /// Grows from one put to the next.
    pub(super) number: i64,
    pub(super) used: Timestamp,
    pub(super) record: Vec<u8>,
}

/// A row that is to go.
pub(super) struct Doomed {
    pub(super) number: i64,
    pub(super) used: Timestamp,
    pub(super) bytes: u64,
    pub(super) blob: Option<Digest>,
}

/// Entries and what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// An entry ready to be put.
pub(super) struct Ready<'a> {
    pub(super) key: &'a CacheKey,
    pub(super) variant: Option<&'a Digest>,
    pub(super) used: Timestamp,
    pub(super) record: Vec<u8>,
    pub(super) blob: Option<BlobRef>,
}

/// Makes an empty index of this name, unless there is one. Nobody sees one without its tables.
pub(super) fn create(path: &Path) -> Result<(), Broken> {
    let dir = path.parent().unwrap_or(path);
    fs::create_dir_all(dir)?;
    let file = unfinished().tempfile_in(dir)?;
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

/// Opens an index for reading. Where nothing can be written, not even what readers tell each other, it is read as one
/// that nobody changes: whatever comes of that is checked, as always.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let opened = open(path, READERS_PATIENCE).and_then(asked);
    opened.or_else(|error| {
        let is_refused = [Trouble::Denied, Trouble::Gone, Trouble::Failed].contains(&Trouble::of(&error));
        if is_refused && path.exists() { open_unchanging(path).map_err(|_| error) } else { Err(error) }
    })
}

/// A connection opens the log with the first question that it is asked.
fn asked(connection: Connection) -> rusqlite::Result<Connection> {
    connection.query_row("SELECT max(number) FROM entries", [], |_| Ok(()))?;
    Ok(connection)
}

/// Opens an index for writing.
pub(super) fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let connection = open(path, WRITERS_PATIENCE)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -WRITERS_PAGES_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

fn open(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    // The last one to close would wait for the disk, which a command of a few milliseconds has no time for.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
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
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    asked(connection)
}

/// What is kept under a key, the newest first.
pub(super) fn under(connection: &Connection, key: &CacheKey) -> rusqlite::Result<Vec<Stored>> {
    // More rows than there can be, in case an index contradicts itself. A parameter in the place of the number would have
    // the statement prepared anew at each use.
    let mut statement =
        connection.prepare_cached("SELECT number, used, record FROM entries WHERE key = ?1 LIMIT 64")?;
    let rows = statement.query_map([key.as_bytes()], stored)?;
    let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.number));
    Ok(rows)
}

/// What is damaged in the columns is damaged for this row alone: without its record, it is no entry.
fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        number: row.get(0)?,
        used: time(row, 1).unwrap_or(Timestamp::from_unix_nanos(0)),
        record: row.get(2).unwrap_or_default(),
    })
}

/// Puts an entry in the place of the one of the same variant, and forgets the oldest ones beyond `most`.
pub(super) fn put(transaction: &Transaction<'_>, ready: &Ready<'_>, most: usize) -> rusqlite::Result<()> {
    let variant = ready.variant.map_or(&[][..], |variant| variant.as_bytes());
    let bytes = ready.record.len() as u64 + ready.blob.map_or(0, |blob| blob.length);
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO entries (key, variant, used, bytes, blob, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            ready.key.as_bytes(),
            variant,
            millis(ready.used),
            signed(bytes),
            ready.blob.as_ref().map(|blob| blob.digest.as_bytes()),
            ready.record,
        ])?;
    let count = transaction
        .prepare_cached("SELECT count(*) FROM entries WHERE key = ?1")?
        .query_row([ready.key.as_bytes()], |row| row.get(0))
        .map(unsigned)?;
    if count > most as u64 { forget_oldest(transaction, ready.key, most) } else { Ok(()) }
}

fn forget_oldest(transaction: &Transaction<'_>, key: &CacheKey, most: usize) -> rusqlite::Result<()> {
    let mut statement =
        transaction.prepare_cached("SELECT number FROM entries WHERE key = ?1 ORDER BY number DESC")?;
    let numbers = statement.query_map([key.as_bytes()], |row| row.get(0))?;
    let numbers: Vec<i64> = numbers.collect::<rusqlite::Result<_>>()?;
    numbers.into_iter().skip(most).try_for_each(|number| remove(transaction, number))
}

/// Notes that the entries under a key were of use.
pub(super) fn touch(transaction: &Transaction<'_>, key: &CacheKey, used: Timestamp) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE entries SET used = ?2 WHERE key = ?1 AND used < ?2")?
        .execute(params![key.as_bytes(), millis(used)])?;
    Ok(())
}

/// A part of the index in the order of its numbers: up to `most` rows behind `after`, each with its key.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    most: usize,
) -> rusqlite::Result<Vec<(CacheKey, Stored)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT number, used, record, key FROM entries WHERE number > ?1 ORDER BY number LIMIT {most}"
    ))?;
    let rows = statement.query_map([after], |row| {
        let key = row.get(3).map(CacheKey::from_bytes).unwrap_or(CacheKey::from_bytes([0; 32]));
        Ok((key, stored(row)?))
    })?;
    rows.collect()
}

/// Up to `most` different keys from `first` to `last`, in order.
pub(super) fn keys(
    connection: &Connection,
    first: &[u8; 32],
    last: &[u8; 32],
    most: usize,
) -> rusqlite::Result<Vec<CacheKey>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT DISTINCT key FROM entries WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT {most}"
    ))?;
    let rows = statement.query_map([first, last], |row| Ok(CacheKey::from_bytes(row.get(0)?)))?;
    rows.collect()
}

/// How much there is. Walks one index: some tens of milliseconds for a million entries.
pub(super) fn total(connection: &Connection) -> rusqlite::Result<Total> {
    connection.query_row("SELECT count(*), total(bytes) FROM entries INDEXED BY by_use", [], |row| {
        let bytes: f64 = row.get(1)?;
        Ok(Total { entries: unsigned(row.get(0)?), bytes: bytes as u64 })
    })
}

/// The `most` entries that were not used for the longest time.
pub(super) fn least_used(connection: &Connection, most: usize) -> rusqlite::Result<Vec<Doomed>> {
    let least_used = format!(
        "SELECT number, used, bytes, blob FROM entries INDEXED BY by_use ORDER BY used, bytes LIMIT {most}"
    );
    doomed(connection, &least_used, [])
}

/// All entries under a key.
pub(super) fn all_under(connection: &Connection, key: &CacheKey) -> rusqlite::Result<Vec<Doomed>> {
    doomed(connection, "SELECT number, used, bytes, blob FROM entries WHERE key = ?1", [key.as_bytes()])
}

fn doomed(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<Vec<Doomed>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| {
        let blob: Option<[u8; 32]> = row.get(3)?;
        Ok(Doomed {
            number: row.get(0)?,
            used: time(row, 1)?,
            bytes: unsigned(row.get(2)?),
            blob: blob.map(Digest::from_bytes),
        })
    })?;
    rows.collect()
}

pub(super) fn remove(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM entries WHERE number = ?1")?.execute([number])?;
    Ok(())
}

/// Removes every entry, quickly.
pub(super) fn remove_all(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM entries", []).map(drop)
}

/// Whether an entry's value stands under this digest.
pub(super) fn refers_to(connection: &Connection, blob: &Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM entries INDEXED BY by_blob WHERE blob = ?1")?
        .exists([blob.as_bytes()])
}

/// Gives back to the system the room of some pages that are free; `false` if none was left.
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

/// Takes the log into the database and shortens it to nothing, unless others are at work. Waits for the disk.
pub(super) fn shorten_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let shortened = shorten(connection);
    connection.busy_timeout(WRITERS_PATIENCE)?;
    shortened
}

fn shorten(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Milliseconds are enough to tell what was used before what, and keep the index small. Nothing is used before it is made.
fn millis(time: Timestamp) -> i64 {
    signed(time.unix_nanos().div_ceil(1_000_000))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp::from_unix_nanos(unsigned(row.get(column)?).saturating_mul(1_000_000)))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
