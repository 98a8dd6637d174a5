//! The index of results: all its statements, except those that create and maintain it.

use std::collections::BTreeSet;

use hostel_core::{BlobRef, CacheKey, Digest, Timestamp};
use rusqlite::{CachedStatement, Connection, Params, Row, Transaction, params};

/// The entries of a key, of which there are more than a key can have only if the index contradicts itself.
pub(super) const UNDER: &str =
    "SELECT number, used, record FROM entries WHERE start = ?1 AND key = ?2 AND bytes <= ?3 LIMIT 64";

/// The rows of a key that is stored, newest first.
pub(super) const EXISTING: &str =
    "SELECT number, variant FROM entries WHERE start = ?1 AND key = ?2 ORDER BY number DESC";

/// A row of the index.
pub(super) struct Stored {
    /// Ascending in the order in which rows were stored.
    pub(super) number: i64,
    pub(super) used: Timestamp,
    pub(super) record: Vec<u8>,
}

/// A row to remove.
pub(super) struct Doomed {
    pub(super) number: i64,
    pub(super) used: Timestamp,
    pub(super) bytes: u64,
    pub(super) blob: Option<Digest>,
}

/// A number of entries and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// An entry to store.
pub(super) struct Ready<'a> {
    pub(super) key: &'a CacheKey,
    pub(super) variant: Option<&'a Digest>,
    pub(super) used: Timestamp,
    pub(super) record: Vec<u8>,
    pub(super) blob: Option<BlobRef>,
}

/// The entries of a key that take at most `longest` bytes, newest first.
pub(super) fn under(connection: &Connection, key: &CacheKey, longest: u64) -> rusqlite::Result<Vec<Stored>> {
    let mut statement = connection.prepare_cached(UNDER)?;
    let rows =
        statement.query_map(params![start(key.as_bytes()), key.as_bytes(), signed(longest)], stored)?;
    let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    rows.sort_by_key(|row| std::cmp::Reverse(row.number));
    Ok(rows)
}

/// Damaged columns affect this row alone: without its record, it is not an entry.
fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        number: row.get(0)?,
        used: time(row, 1).unwrap_or(Timestamp::from_unix_nanos(0)),
        record: row.get(2).unwrap_or_default(),
    })
}

/// Stores entries in one transaction. Keys in ascending order are fastest.
pub(super) struct Puts<'a> {
    transaction: &'a Transaction<'a>,
    existing: CachedStatement<'a>,
    insert: CachedStatement<'a>,
}

impl<'a> Puts<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>) -> rusqlite::Result<Self> {
        Ok(Self {
            transaction,
            existing: transaction.prepare_cached(EXISTING)?,
            insert: transaction.prepare_cached(
                "INSERT INTO entries (start, key, variant, used, bytes, blob, record)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
        })
    }

    /// Stores an entry in place of the one of the same variant, and removes the oldest ones beyond `most`.
    pub(super) fn put(&mut self, ready: &Ready<'_>, most: usize) -> rusqlite::Result<()> {
        let start = start(ready.key.as_bytes());
        let variant = ready.variant.map_or(&[][..], |variant| variant.as_bytes());
        let mut others = 0;
        let mut rows = self.existing.query(params![start, ready.key.as_bytes()])?;
        let mut replaced = Vec::new();
        while let Some(row) = rows.next()? {
            let is_replaced = row.get_ref(1)?.as_blob().is_ok_and(|of| of == variant);
            if is_replaced || others + 1 >= most {
                replaced.push(row.get(0)?);
            } else {
                others += 1;
            }
        }
        drop(rows);
        replaced.into_iter().try_for_each(|number| remove(self.transaction, number))?;
        let bytes = ready.record.len() as u64 + ready.blob.map_or(0, |blob| blob.length);
        self.insert.execute(params![
            start,
            ready.key.as_bytes(),
            variant,
            millis(ready.used),
            signed(bytes),
            ready.blob.as_ref().map(|blob| blob.digest.as_bytes()),
            ready.record,
        ])?;
        Ok(())
    }
}

/// Records the use of the entries of a key.
pub(super) fn touch(transaction: &Transaction<'_>, key: &CacheKey, used: Timestamp) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE entries SET used = ?3 WHERE start = ?1 AND key = ?2 AND used < ?3")?
        .execute(params![start(key.as_bytes()), key.as_bytes(), millis(used)])?;
    Ok(())
}

/// A page of the index, ordered by number: up to `most` rows after `after`, each with its key.
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

/// Up to `most` distinct keys from `first` to `last`, in order.
pub(super) fn keys(
    connection: &Connection,
    first: &[u8; 32],
    last: &[u8; 32],
    most: usize,
) -> rusqlite::Result<Vec<CacheKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT start, key FROM entries INDEXED BY by_start WHERE start BETWEEN ?1 AND ?2
            AND key BETWEEN ?3 AND ?4 ORDER BY start",
    )?;
    let mut rows = statement.query(params![start(first), start(last), first, last])?;
    let (mut found, mut before) = (BTreeSet::new(), None);
    while let Some(row) = rows.next()? {
        let start: i64 = row.get(0)?;
        // Keys with equal starts are in no order.
        if before.is_some_and(|before| before != start) && found.len() >= most {
            break;
        }
        before = Some(start);
        found.insert(row.get::<_, [u8; 32]>(1)?);
    }
    Ok(found.into_iter().take(most).map(CacheKey::from_bytes).collect())
}

/// The total number and size. Scans one index: some tens of milliseconds for a million entries.
pub(super) fn total(connection: &Connection) -> rusqlite::Result<Total> {
    connection.query_row("SELECT count(*), total(bytes) FROM entries INDEXED BY by_use", [], |row| {
        let bytes: f64 = row.get(1)?;
        Ok(Total { entries: unsigned(row.get(0)?), bytes: bytes as u64 })
    })
}

/// The `most` least recently used entries.
pub(super) fn least_used(connection: &Connection, most: usize) -> rusqlite::Result<Vec<Doomed>> {
    let least_used = format!(
        "SELECT number, used, bytes, blob FROM entries INDEXED BY by_use ORDER BY used, bytes LIMIT {most}"
    );
    doomed(connection, &least_used, [])
}

/// All entries of a key.
pub(super) fn all_under(connection: &Connection, key: &CacheKey) -> rusqlite::Result<Vec<Doomed>> {
    doomed(
        connection,
        "SELECT number, used, bytes, blob FROM entries WHERE start = ?1 AND key = ?2",
        params![start(key.as_bytes()), key.as_bytes()],
    )
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

/// Whether an entry refers to the value with this digest.
pub(super) fn refers_to(connection: &Connection, blob: &Digest) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM entries INDEXED BY by_blob WHERE blob = ?1")?
        .exists([blob.as_bytes()])
}

/// The beginning of a key by which its rows are found. It is short, so that the index has few pages, which are all written
/// again for some ten thousand random keys. Its 47 bits take 6 bytes in SQLite, and have the order of the keys.
fn start(key: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, ..] = *key;
    i64::from_be_bytes([0, 0, a, b, c, d, e, f]) >> 1
}

/// Milliseconds are accurate enough to order entries by use, and keep the index small. The time of use is never before
/// the time of creation.
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
