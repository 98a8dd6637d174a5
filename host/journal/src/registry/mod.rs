//! The registry: components and scripts by digest, and their names and versions. A script is stored as a component is.
//!
//! The bytes of a component are in `components/<digest>.wasm`, everything else is in tables of the journal's file. A file gets its name,
//! and loses it, only under the write lock of the tables, so that whatever a row names is there. A process that is killed in between
//! leaves at most a file without a row, which [`Registry::sweep`] removes.

mod error;
mod files;
mod push;
mod rows;
#[cfg(test)]
mod tests;
mod version;

pub use self::error::RegistryError;
pub use self::push::{Naming, Push, Pushed, PushedVersion};
pub use self::version::{Acceptance, RegisteredVersion};

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use hostel_core::{ComponentName, ComponentRef, ComponentVersion, Digest, Grants, Manifest, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::files::Files;
use crate::error::OpenJournalError;
use crate::files::JOURNAL;
use crate::place::JournalPlace;

/// The directory of the components in a data directory.
const COMPONENTS: &str = crate::files::COMPONENTS;

/// The most names, or components without names, that a list returns at once.
pub const MAX_LISTED: usize = 500;

/// The most versions of one name.
pub const MAX_VERSIONS: usize = 10_000;

/// The most versions that an error or a [`RegisteredComponent`] names.
const MAX_NAMED: usize = 100;

/// The most characters of the name of a person.
const MAX_PERSON: usize = 100;

/// Components, and their names and versions, in a data directory that any number of processes share.
///
/// All methods block for as long as the disk takes, and up to ten seconds for other processes.
#[derive(Debug)]
pub struct Registry {
    files: Files,
    connection: Mutex<Connection>,
    /// The file with the tables, as it was when the connection was opened.
    place: JournalPlace,
}

/// A component, and where it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredComponent {
    /// What it offers and asks for.
    pub manifest: Manifest,
    /// When its bytes were stored.
    pub added: Timestamp,
    /// The versions that are this component, at most 100.
    pub versions: Vec<RegisteredVersion>,
}

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The component.
    pub digest: Digest,
    /// The version, if the reference has a name.
    pub version: Option<RegisteredVersion>,
    /// A later version of the name that would be used instead, if it were accepted. Only for a name without a version.
    pub waiting: Option<ComponentVersion>,
}

impl Resolved {
    /// The version, if the reference has a name and it is not [trusted](RegisteredVersion::is_trusted): it may not be used with grants.
    pub fn untrusted(&self) -> Option<ComponentRef> {
        let version = self.version.as_ref().filter(|version| !version.is_trusted)?;
        Some(ComponentRef::Named { name: version.name.clone(), version: Some(version.version.clone()) })
    }
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The version, if the reference has a name.
    pub version: Option<RegisteredVersion>,
    /// The component, if its bytes were removed too.
    pub component: Option<Digest>,
}

impl Registry {
    /// Opens the registry of a data directory, which is created if it does not exist.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`], as for the journal: both are in one file.
    pub fn open(data_dir: &Path) -> Result<Self, OpenJournalError> {
        let connection = crate::sqlite::open_tables(data_dir)?;
        // The connection has its log open, and keeps it from being removed by SQLite.
        let place = JournalPlace::of(data_dir)
            .map_err(|source| OpenJournalError::Io { path: data_dir.join(JOURNAL), source })?;
        let files = Files::new(data_dir.join(COMPONENTS));
        Ok(Self { files, connection: Mutex::new(connection), place })
    }

    /// The component and the version that a reference stands for. A name without a version stands for the last version that was
    /// accepted and is no prerelease.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`], [`RegistryError::NoneAccepted`], and errors of the medium.
    pub fn resolve(&self, component: &ComponentRef) -> Result<Resolved, RegistryError> {
        resolve(&self.connection(), component)
    }

    /// As [`Registry::resolve`], of the versions that are [trusted](RegisteredVersion::is_trusted) alone: for what is resolved later with
    /// grants that someone has given before. `waiting` is a later version that would be used if it were accepted and trusted. A digest
    /// is what it is.
    ///
    /// # Errors
    ///
    /// As [`Registry::resolve`], and [`RegistryError::NotTrusted`].
    pub fn resolve_trusted(&self, component: &ComponentRef) -> Result<Resolved, RegistryError> {
        let connection = self.connection();
        let ComponentRef::Named { name, version } = component else {
            return resolve(&connection, component);
        };
        let not_trusted = || RegistryError::NotTrusted { component: component.clone() };
        if version.is_some() {
            let resolved = resolve(&connection, component)?;
            return if resolved.untrusted().is_none() { Ok(resolved) } else { Err(not_trusted()) };
        }
        let mut versions = versions(&connection, name)?;
        // Those that are not trusted wait, as if nobody had accepted them.
        versions.iter_mut().filter(|version| !version.is_trusted).for_each(|version| version.accepted = None);
        newest(name, &versions).map_err(|error| {
            let is_none = matches!(error, RegistryError::NoneAccepted { .. });
            if is_none { not_trusted() } else { error }
        })
    }

    /// A component, by whatever refers to it.
    ///
    /// # Errors
    ///
    /// As [`Registry::resolve`].
    pub fn component(&self, component: &ComponentRef) -> Result<RegisteredComponent, RegistryError> {
        let connection = self.connection();
        let digest = resolve(&connection, component)?.digest;
        let row = find(&connection, digest)?;
        let versions = rows::versions_of(&connection, digest, MAX_NAMED).map_err(reading)?;
        Ok(RegisteredComponent { manifest: row.manifest, added: row.added, versions })
    }

    /// The bytes of a component, which are checked: they have this digest.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`]; [`RegistryError::Damaged`] if the file is missing or has other bytes; and errors of the medium.
    pub fn bytes(&self, digest: Digest) -> Result<Vec<u8>, RegistryError> {
        let size_bytes = find(&self.connection(), digest)?.size_bytes;
        self.files.read(digest, size_bytes)
    }

    /// The file with the bytes of a component. Readers must check their digest, as [`Registry::bytes`] does.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Damaged`] if something else has its name, such as a FIFO, on which a reader would wait for ever.
    pub fn file(&self, digest: Digest) -> Result<PathBuf, RegistryError> {
        self.files.checked_path(digest)
    }

    /// The names after `after` (all, if it is `None`), in order, at most `limit` and [`MAX_LISTED`].
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn names(
        &self,
        after: Option<&ComponentName>,
        limit: usize,
    ) -> Result<Vec<ComponentName>, RegistryError> {
        let after = after.map_or("", ComponentName::as_str);
        rows::names(&self.connection(), after, limit.min(MAX_LISTED)).map_err(reading)
    }

    /// All versions of a name, the last one first.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`] if there is none, and errors of the medium.
    pub fn versions(&self, name: &ComponentName) -> Result<Vec<RegisteredVersion>, RegistryError> {
        let mut versions = versions(&self.connection(), name)?;
        versions.sort_unstable_by(|one, other| other.version.cmp(&one.version));
        Ok(versions)
    }

    /// The components that have no name, after a digest in the order of digests, at most `limit` and [`MAX_LISTED`].
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn unnamed(&self, after: Option<Digest>, limit: usize) -> Result<Vec<Digest>, RegistryError> {
        rows::unnamed(&self.connection(), after, limit.min(MAX_LISTED)).map_err(reading)
    }

    /// The manifest of what a reference stands for, and the grants in its configuration: the two sides of a
    /// [`ComponentDiff`](hostel_core::ComponentDiff).
    ///
    /// # Errors
    ///
    /// As [`Registry::resolve`].
    pub fn side(&self, component: &ComponentRef) -> Result<(Manifest, Grants), RegistryError> {
        let connection = self.connection();
        let Resolved { digest, version, .. } = resolve(&connection, component)?;
        let grants = version.map(|version| version.grants).unwrap_or_default();
        Ok((find(&connection, digest)?.manifest, grants))
    }

    /// Accepts a version, so that its name alone may stand for it, also for what has grants: only someone who may grant accepts it. A version that
    /// was accepted before stays so.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`], [`RegistryError::Person`], and errors of the medium.
    pub fn accept(
        &self,
        name: &ComponentName,
        version: &ComponentVersion,
        by: &str,
        at: Timestamp,
    ) -> Result<RegisteredVersion, RegistryError> {
        check_person(by)?;
        let mut connection = self.connection();
        let transaction = begin(&mut connection, "accept a version")?;
        let mut found = find_version(&transaction, name, version)?;
        if found.accepted.is_none() {
            rows::accept(&transaction, &found, at, by).map_err(writing("accept a version"))?;
            found.accepted = Some(Acceptance { at, by: Some(by.to_owned()) });
        }
        rows::trust(&transaction, name, version, found.digest).map_err(writing("accept a version"))?;
        found.is_trusted = true;
        self.commit(transaction, "accept a version")?;
        Ok(found)
    }

    /// Removes a version (with the name's version given), or a component without versions (with its digest). With the last version
    /// of a component its bytes are removed.
    ///
    /// # Errors
    ///
    /// [`RegistryError::NotFound`], also for a name without a version; [`RegistryError::Named`] for a component that has versions;
    /// [`RegistryError::Needed`] for the runtime of scripts; [`RegistryError::Pinned`] if runs that have not ended need the component; and
    /// errors of the medium.
    pub fn remove(&self, component: &ComponentRef) -> Result<Removed, RegistryError> {
        const ACTION: &str = "remove a component";
        let mut connection = self.connection();
        let transaction = begin(&mut connection, ACTION)?;
        let removed = match component {
            ComponentRef::Named { name, version: Some(version) } => {
                let version = find_version(&transaction, name, version)?;
                rows::remove_version(&transaction, &version).map_err(writing(ACTION))?;
                let others = rows::versions_of(&transaction, version.digest, 1).map_err(reading)?;
                let component = others.is_empty().then_some(version.digest);
                Removed { version: Some(version), component }
            }
            ComponentRef::Named { version: None, .. } => return Err(not_found(component)),
            ComponentRef::Digest(digest) => {
                find(&transaction, *digest)?;
                check_unnamed(&transaction, *digest)?;
                Removed { version: None, component: Some(*digest) }
            }
        };
        if let Some(digest) = removed.component {
            check_unneeded(&transaction, digest)?;
            check_unpinned(&transaction, digest)?;
            rows::remove_component(&transaction, digest).map_err(writing(ACTION))?;
        }
        self.commit(transaction, ACTION)?;
        removed.component.map_or(Ok(()), |digest| self.remove_file(&mut connection, digest))?;
        Ok(removed)
    }

    /// The file follows the row, in a transaction of its own: if the process is killed in between, a file is left over, and no row is
    /// without its file. Another process may have registered the component again in the meantime.
    fn remove_file(&self, connection: &mut Connection, digest: Digest) -> Result<(), RegistryError> {
        let transaction = begin(connection, "remove a file")?;
        if rows::component(&transaction, digest).map_err(reading)?.is_none() {
            self.files.remove(digest)?;
        }
        self.commit(transaction, "remove a file")
    }

    /// Removes what killed processes left behind more than a day ago, and returns the number of files.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn sweep(&self, now: SystemTime) -> Result<u64, RegistryError> {
        let mut connection = self.connection();
        let transaction = begin(&mut connection, "remove leftovers")?;
        let registered = |digest| Ok(rows::component(&transaction, digest).map_err(reading)?.is_some());
        let removed = self.files.sweep(now, registered)?;
        self.commit(transaction, "remove leftovers")?;
        Ok(removed)
    }

    /// Commits what a transaction has written. What is written to a file that was removed is lost with this process, and must not be
    /// reported as stored.
    fn commit(&self, transaction: Transaction<'_>, action: &'static str) -> Result<(), RegistryError> {
        transaction.commit().map_err(writing(action))?;
        self.place.check().map_err(|gone| RegistryError::Gone { path: gone.path })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic interrupted is rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a transaction with the write lock: one that took it later could fail at once.
fn begin<'a>(connection: &'a mut Connection, action: &'static str) -> Result<Transaction<'a>, RegistryError> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(writing(action))
}

fn reading(source: rusqlite::Error) -> RegistryError {
    RegistryError::Database { action: "read its tables", source }
}

fn writing(action: &'static str) -> impl Fn(rusqlite::Error) -> RegistryError {
    move |source| RegistryError::Database { action, source }
}

fn not_found(component: &ComponentRef) -> RegistryError {
    RegistryError::NotFound { component: component.clone() }
}

fn find(db: &Connection, digest: Digest) -> Result<rows::ComponentRow, RegistryError> {
    let found = rows::component(db, digest).map_err(reading)?;
    found.ok_or_else(|| not_found(&ComponentRef::Digest(digest)))
}

fn versions(db: &Connection, name: &ComponentName) -> Result<Vec<RegisteredVersion>, RegistryError> {
    let versions = rows::versions(db, name).map_err(reading)?;
    let component = || ComponentRef::Named { name: name.clone(), version: None };
    if versions.is_empty() { Err(not_found(&component())) } else { Ok(versions) }
}

fn find_version(
    db: &Connection,
    name: &ComponentName,
    version: &ComponentVersion,
) -> Result<RegisteredVersion, RegistryError> {
    let found = versions(db, name)?.into_iter().find(|other| other.version == *version);
    let component = || ComponentRef::Named { name: name.clone(), version: Some(version.clone()) };
    found.ok_or_else(|| not_found(&component()))
}

fn resolve(db: &Connection, component: &ComponentRef) -> Result<Resolved, RegistryError> {
    match component {
        ComponentRef::Digest(digest) => {
            find(db, *digest)?;
            Ok(Resolved { digest: *digest, version: None, waiting: None })
        }
        ComponentRef::Named { name, version: Some(version) } => {
            let version = find_version(db, name, version)?;
            Ok(Resolved { digest: version.digest, version: Some(version), waiting: None })
        }
        ComponentRef::Named { name, version: None } => newest(name, &versions(db, name)?),
    }
}

fn newest(name: &ComponentName, versions: &[RegisteredVersion]) -> Result<Resolved, RegistryError> {
    let later = |current: &RegisteredVersion| {
        let waits = |other: &&RegisteredVersion| {
            other.accepted.is_none() && !other.version.is_prerelease() && other.version > current.version
        };
        versions.iter().filter(waits).map(|other| other.version.clone()).max()
    };
    match (version::current(versions), version::newest(versions)) {
        (Some(current), _) => {
            Ok(Resolved { digest: current.digest, version: Some(current.clone()), waiting: later(current) })
        }
        (None, Some(newest)) => {
            Err(RegistryError::NoneAccepted { name: name.clone(), newest: newest.version.clone() })
        }
        (None, None) => Err(not_found(&ComponentRef::Named { name: name.clone(), version: None })),
    }
}

fn check_unnamed(db: &Connection, digest: Digest) -> Result<(), RegistryError> {
    let versions = rows::versions_of(db, digest, MAX_NAMED).map_err(reading)?;
    let texts = versions.iter().map(|version| format!("{}@{}", version.name, version.version));
    if versions.is_empty() { Ok(()) } else { Err(RegistryError::Named { digest, versions: texts.collect() }) }
}

fn check_unneeded(db: &Connection, runtime: Digest) -> Result<(), RegistryError> {
    let mut scripts = Vec::new();
    for script in rows::scripts_of(db, runtime, MAX_NAMED).map_err(reading)? {
        let versions = rows::versions_of(db, script, MAX_NAMED).map_err(reading)?;
        scripts.extend(versions.iter().map(|version| format!("{}@{}", version.name, version.version)));
        scripts.extend(versions.is_empty().then(|| script.to_string()));
        scripts.truncate(MAX_NAMED);
    }
    if scripts.is_empty() { Ok(()) } else { Err(RegistryError::Needed { runtime, scripts }) }
}

fn check_unpinned(db: &Connection, digest: Digest) -> Result<(), RegistryError> {
    let run = rows::pin(db, digest).map_err(reading)?;
    run.map_or(Ok(()), |run| Err(RegistryError::Pinned { digest, run }))
}

fn check_person(by: &str) -> Result<(), RegistryError> {
    let length = by.chars().count();
    if (1..=MAX_PERSON).contains(&length) && !by.contains(char::is_control) {
        return Ok(());
    }
    Err(RegistryError::Person { by: by.chars().take(MAX_PERSON).collect(), most: MAX_PERSON })
}
