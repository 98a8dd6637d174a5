//! Registering a component, and a version of a name.

use hostel_core::{
    ComponentDiff, ComponentName, ComponentVersion, Digest, Grants, Manifest, ScriptManifest, ScriptPackage,
    Timestamp,
};
use rusqlite::Connection;

use super::version::{Acceptance, RegisteredVersion, baseline, newest, next};
use super::{MAX_VERSIONS, Registry, RegistryError, begin, check_person, find, reading, rows, writing};

const ACTION: &str = "add a component";

/// A component to register.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// Its bytes: a component that this host can compile, or an encoded [`ScriptPackage`].
    pub bytes: &'a [u8],
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// The version that it becomes; `None` if it is registered by its digest alone.
    pub naming: Option<Naming<'a>>,
    /// Who registers it: 1 to 100 characters.
    pub by: &'a str,
    /// The time.
    pub at: Timestamp,
}

/// A version of a name.
#[derive(Clone, Debug)]
pub struct Naming<'a> {
    /// The name.
    pub name: ComponentName,
    /// The version. If it is `None`, and the last version is not this component with these grants, it becomes the next one, by
    /// what has changed for callers: 1.0.0, 1.0.1, 1.1.0 or 2.0.0.
    pub version: Option<ComponentVersion>,
    /// The grants in its configuration. The values of variables are not stored.
    pub grants: &'a Grants,
    /// Whether it is accepted, whatever it asks for.
    pub accept: bool,
    /// Whether who registers it may grant, so that schedules whose runs have grants may use it
    /// ([`RegisteredVersion::is_trusted`]).
    pub may_grant: bool,
}

/// What was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The component.
    pub digest: Digest,
    /// Whether it was not stored before.
    pub is_new: bool,
    /// The version, if it got a name.
    pub version: Option<PushedVersion>,
}

/// A version that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedVersion {
    /// The version. It waits to be accepted if it asks for more than the accepted one with which it was compared.
    pub version: RegisteredVersion,
    /// Whether it was not registered before.
    pub is_new: bool,
    /// The version with which it was compared; `None` if there was none that had been accepted.
    pub compared: Option<ComponentVersion>,
    /// How it differs from that one.
    pub diff: ComponentDiff,
}

impl Registry {
    /// Stores a component and a version of a name, both or none. Durable on return. A repetition has no effect.
    ///
    /// The first version of a name is accepted, and so is one that asks for no more than the accepted version before it. Any other
    /// one is stored, and waits until [`Registry::accept`].
    ///
    /// # Errors
    ///
    /// [`RegistryError::OtherManifest`], [`RegistryError::NoRuntime`], [`RegistryError::Person`]; [`RegistryError::OtherComponent`] and
    /// [`RegistryError::OtherGrants`] for a version that is something else; [`RegistryError::Full`]; and errors of the medium.
    pub fn push(&self, push: &Push<'_>) -> Result<Pushed, RegistryError> {
        let digest = Digest::of(push.bytes);
        if digest != push.manifest.digest || push.bytes.len() as u64 != push.manifest.size_bytes {
            return Err(RegistryError::OtherManifest { manifest: push.manifest.digest, component: digest });
        }
        check_script(push)?;
        check_person(push.by)?;
        // Before the lock, because it waits for the disk.
        let written = self.files.write(push.bytes)?;
        let mut connection = self.connection();
        let transaction = begin(&mut connection, ACTION)?;
        if let Some(runtime) = push.manifest.script.as_ref().map(|script| script.runtime) {
            let registered = rows::component(&transaction, runtime).map_err(reading)?;
            registered.ok_or(RegistryError::NoRuntime { runtime })?;
        }
        let is_new = rows::put_component(&transaction, push.manifest, push.at).map_err(writing(ACTION))?;
        let naming = push.naming.as_ref();
        let version = naming.map(|naming| put_version(&transaction, push, naming)).transpose()?;
        self.files.keep(written, digest)?;
        self.commit(transaction, ACTION)?;
        Ok(Pushed { digest, is_new, version })
    }
}

/// The manifest of a script says what its bytes say, and only scripts have one that says something.
fn check_script(push: &Push<'_>) -> Result<(), RegistryError> {
    let digest = push.manifest.digest;
    let other = || RegistryError::OtherManifest { manifest: digest, component: digest };
    let package = ScriptPackage::is_meant(push.bytes).then(|| ScriptPackage::decode(push.bytes));
    match (package, &push.manifest.script) {
        (None, None) => Ok(()),
        (Some(Ok(package)), Some(ScriptManifest { language, runtime, file, .. }))
            if package.language() == *language
                && package.runtime() == *runtime
                && **package.file() == **file =>
        {
            Ok(())
        }
        (None | Some(_), None | Some(_)) => Err(other()),
    }
}

fn put_version(
    db: &Connection,
    push: &Push<'_>,
    naming: &Naming<'_>,
) -> Result<PushedVersion, RegistryError> {
    let known = rows::versions(db, &naming.name).map_err(reading)?;
    let grants = without_values(naming.grants);
    if let Some(version) = existing(&known, push.manifest.digest, naming, &grants)? {
        let mut version = version.clone();
        if naming.accept && version.accepted.is_none() {
            rows::accept(db, &version, push.at, push.by).map_err(writing(ACTION))?;
            version.accepted = Some(Acceptance { at: push.at, by: Some(push.by.to_owned()) });
        }
        if naming.may_grant && !version.is_trusted {
            rows::trust(db, &version.name, &version.version, version.digest).map_err(writing(ACTION))?;
            version.is_trusted = true;
        }
        return compare(db, &known, version, push.manifest, false);
    }
    let full = || RegistryError::Full { name: naming.name.clone(), most: MAX_VERSIONS };
    if known.len() >= MAX_VERSIONS {
        return Err(full());
    }
    let version = match &naming.version {
        Some(version) => version.clone(),
        None => next_version(db, &known, push.manifest, &grants)?.ok_or_else(full)?,
    };
    let new = RegisteredVersion {
        name: naming.name.clone(),
        version,
        digest: push.manifest.digest,
        grants,
        at: push.at,
        by: push.by.to_owned(),
        accepted: None,
        is_trusted: naming.may_grant,
    };
    let mut pushed = compare(db, &known, new, push.manifest, true)?;
    let needs_nobody = known.is_empty() || pushed.compared.is_some() && !pushed.diff.asks_for_more();
    let by = (!needs_nobody).then(|| push.by.to_owned());
    pushed.version.accepted = (needs_nobody || naming.accept).then_some(Acceptance { at: push.at, by });
    rows::put_version(db, &pushed.version).map_err(writing(ACTION))?;
    Ok(pushed)
}

/// The version that is registered already.
fn existing<'a>(
    known: &'a [RegisteredVersion],
    digest: Digest,
    naming: &Naming<'_>,
    grants: &Grants,
) -> Result<Option<&'a RegisteredVersion>, RegistryError> {
    let Some(wanted) = &naming.version else {
        return Ok(newest(known).filter(|version| version.digest == digest && version.grants == *grants));
    };
    let found = known.iter().find(|version| version.version == *wanted);
    let (name, version) = (naming.name.clone(), wanted.clone());
    match found {
        Some(found) if found.digest != digest => Err(RegistryError::OtherComponent {
            name,
            version,
            stored: found.digest,
            given: Box::new(digest),
        }),
        Some(found) if found.grants != *grants => Err(RegistryError::OtherGrants { name, version }),
        found => Ok(found),
    }
}

fn next_version(
    db: &Connection,
    known: &[RegisteredVersion],
    manifest: &Manifest,
    grants: &Grants,
) -> Result<Option<ComponentVersion>, RegistryError> {
    let Some(newest) = newest(known) else { return Ok(Some(ComponentVersion::FIRST)) };
    let old = find(db, newest.digest)?.manifest;
    Ok(next(newest, &old, (manifest, grants)))
}

fn compare(
    db: &Connection,
    known: &[RegisteredVersion],
    version: RegisteredVersion,
    manifest: &Manifest,
    is_new: bool,
) -> Result<PushedVersion, RegistryError> {
    let others: Vec<_> = known.iter().filter(|other| other.version != version.version).cloned().collect();
    let Some(compared) = baseline(&others, &version.version) else {
        return Ok(PushedVersion { version, is_new, compared: None, diff: ComponentDiff::default() });
    };
    let old = find(db, compared.digest)?.manifest;
    let diff = ComponentDiff::between((&old, &compared.grants), (manifest, &version.grants));
    Ok(PushedVersion { version, is_new, compared: Some(compared.version.clone()), diff })
}

fn without_values(grants: &Grants) -> Grants {
    hostel_core::Capabilities::new(&[], grants).grants().clone()
}
