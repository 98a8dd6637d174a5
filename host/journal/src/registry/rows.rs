//! The registry's tables: their rows, and how they are read and written. Every function runs in the transaction of its caller.

use std::str::FromStr;

use hostel_core::{ComponentName, ComponentVersion, Digest, Grants, Manifest, RunId, TaskSpec, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::version::{Acceptance, RegisteredVersion};

type Result<T> = rusqlite::Result<T>;

const VERSION_COLUMNS: &str = "name, version, digest, grants, at, by, accepted, accepted_by, trusted";

/// A component as its row has it.
pub(super) struct ComponentRow {
    pub(super) size_bytes: u64,
    pub(super) manifest: Manifest,
    pub(super) added: Timestamp,
}

/// Adds a component, or writes the manifest of one again.
pub(super) fn put_component(db: &Connection, manifest: &Manifest, at: Timestamp) -> Result<bool> {
    let digest = manifest.digest.as_bytes().as_slice();
    let is_known = component(db, manifest.digest)?.is_some();
    db.prepare_cached(
        "INSERT INTO component (digest, size, manifest, added, runtime) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (digest) DO UPDATE SET manifest = ?3",
    )?
    .execute(params![
        digest,
        sortable(manifest.size_bytes),
        manifest.encode(),
        sortable(at.unix_nanos()),
        manifest.script.as_ref().map(|script| script.runtime.as_bytes().as_slice()),
    ])?;
    Ok(!is_known)
}

pub(super) fn component(db: &Connection, digest: Digest) -> Result<Option<ComponentRow>> {
    let mut query = db.prepare_cached("SELECT size, manifest, added FROM component WHERE digest = ?")?;
    let row = query.query_row([digest.as_bytes().as_slice()], |row| {
        let bytes: Vec<u8> = row.get(1)?;
        let manifest = Manifest::decode(&bytes).map_err(|error| unreadable(1, error))?;
        Ok(ComponentRow { size_bytes: number(row, 0)?, manifest, added: time(row, 2)? })
    });
    row.optional()
}

pub(super) fn remove_component(db: &Connection, digest: Digest) -> Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM component WHERE digest = ?")?;
    remove.execute([digest.as_bytes().as_slice()]).map(|_| ())
}

/// The components that no version has, after a digest in the order of digests.
pub(super) fn unnamed(db: &Connection, after: Option<Digest>, limit: usize) -> Result<Vec<Digest>> {
    let mut query = db.prepare_cached(
        "SELECT digest FROM component WHERE digest > ?1
         AND NOT EXISTS (SELECT 1 FROM component_version AS other WHERE other.digest = component.digest)
         ORDER BY digest LIMIT ?2",
    )?;
    let after = after.map_or_else(Vec::new, |digest| digest.as_bytes().to_vec());
    let rows = query.query_map(params![after, sortable(limit as u64)], |row| digest(row, 0))?;
    rows.collect()
}

pub(super) fn put_version(db: &Connection, version: &RegisteredVersion) -> Result<()> {
    let RegisteredVersion { name, version, digest, grants, at, by, accepted, is_trusted } = version;
    let spec = TaskSpec { grants: grants.clone().into(), ..TaskSpec::default() };
    let accepted_at = accepted.as_ref().map(|acceptance| sortable(acceptance.at.unix_nanos()));
    let accepted_by = accepted.as_ref().and_then(|acceptance| acceptance.by.as_deref());
    let insert =
        format!("INSERT INTO component_version ({VERSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    db.prepare_cached(&insert)?
        .execute(params![
            name.as_str(),
            version.to_string(),
            digest.as_bytes().as_slice(),
            spec.encode(),
            sortable(at.unix_nanos()),
            by,
            accepted_at,
            accepted_by,
            is_trusted,
        ])
        .map(|_| ())
}

pub(super) fn accept(db: &Connection, version: &RegisteredVersion, at: Timestamp, by: &str) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE component_version SET accepted = ?, accepted_by = ? WHERE name = ? AND version = ?",
    )?;
    let version_text = version.version.to_string();
    update.execute(params![sortable(at.unix_nanos()), by, version.name.as_str(), version_text]).map(|_| ())
}

/// Marks a version as trusted, if it is this component.
pub(super) fn trust(
    db: &Connection,
    name: &ComponentName,
    version: &ComponentVersion,
    digest: Digest,
) -> Result<()> {
    let mut update = db.prepare_cached(
        "UPDATE component_version SET trusted = 1 WHERE name = ? AND digest = ? AND version = ?",
    )?;
    update.execute(params![name.as_str(), digest.as_bytes().as_slice(), version.to_string()]).map(|_| ())
}

pub(super) fn remove_version(db: &Connection, version: &RegisteredVersion) -> Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM component_version WHERE name = ? AND version = ?")?;
    remove.execute(params![version.name.as_str(), version.version.to_string()]).map(|_| ())
}

/// All versions of a name, in no particular order.
pub(super) fn versions(db: &Connection, name: &ComponentName) -> Result<Vec<RegisteredVersion>> {
    let text = format!("SELECT {VERSION_COLUMNS} FROM component_version WHERE name = ?");
    let mut query = db.prepare_cached(&text)?;
    let rows = query.query_map([name.as_str()], version)?;
    rows.collect()
}

/// The versions that are one component, at most so many.
pub(super) fn versions_of(db: &Connection, digest: Digest, limit: usize) -> Result<Vec<RegisteredVersion>> {
    let text =
        format!("SELECT {VERSION_COLUMNS} FROM component_version WHERE digest = ? ORDER BY name, at LIMIT ?");
    let mut query = db.prepare_cached(&text)?;
    let rows = query.query_map(params![digest.as_bytes().as_slice(), sortable(limit as u64)], version)?;
    rows.collect()
}

/// The names after a name, in order.
pub(super) fn names(db: &Connection, after: &str, limit: usize) -> Result<Vec<ComponentName>> {
    let mut query = db
        .prepare_cached("SELECT DISTINCT name FROM component_version WHERE name > ? ORDER BY name LIMIT ?")?;
    let rows = query.query_map(params![after, sortable(limit as u64)], |row| parsed(row, 0))?;
    rows.collect()
}

/// The scripts that a component executes, at most so many.
pub(super) fn scripts_of(db: &Connection, runtime: Digest, limit: usize) -> Result<Vec<Digest>> {
    let mut query =
        db.prepare_cached("SELECT digest FROM component WHERE runtime = ? ORDER BY digest LIMIT ?")?;
    let rows = query
        .query_map(params![runtime.as_bytes().as_slice(), sortable(limit as u64)], |row| digest(row, 0))?;
    rows.collect()
}

/// A run of the component that has not ended.
pub(super) fn pin(db: &Connection, digest: Digest) -> Result<Option<RunId>> {
    let mut query = db.prepare_cached(
        "SELECT run.id FROM task JOIN run ON run.task = task.id
         WHERE task.component = ? AND run.ended IS NULL LIMIT 1",
    )?;
    let run = query.query_row([digest.as_bytes().as_slice()], |row| row.get(0).map(RunId::from_bytes));
    run.optional()
}

fn version(row: &Row<'_>) -> Result<RegisteredVersion> {
    let grants: Vec<u8> = row.get(3)?;
    let grants = TaskSpec::decode(&grants).map_err(|error| unreadable(3, error))?.grants;
    let accepted: Option<i64> = row.get(6)?;
    let by = row.get(7)?;
    Ok(RegisteredVersion {
        name: parsed(row, 0)?,
        version: parsed::<ComponentVersion>(row, 1)?,
        digest: digest(row, 2)?,
        grants: Grants::clone(&grants),
        at: time(row, 4)?,
        by: row.get(5)?,
        accepted: accepted.map(|at| Acceptance { at: Timestamp::from_unix_nanos(at.cast_unsigned()), by }),
        is_trusted: row.get(8)?,
    })
}

fn digest(row: &Row<'_>, column: usize) -> Result<Digest> {
    row.get(column).map(Digest::from_bytes)
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

fn number(row: &Row<'_>, column: usize) -> Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    number(row, column).map(Timestamp::from_unix_nanos)
}

fn unreadable(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, error.into())
}

fn sortable(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
