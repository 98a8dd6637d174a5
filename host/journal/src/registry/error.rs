//! Errors of the registry.

use std::io;
use std::path::PathBuf;

use hostel_core::{ComponentName, ComponentRef, ComponentVersion, Digest, ErrorKind, RunId};

use crate::error::is_denied;

/// The registry refused an operation, or could not carry it out. Nothing has changed then, except after [`RegistryError::Gone`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// There is no such component, name or version.
    #[error("the registry has no component {component}")]
    NotFound {
        /// The reference, without a version if there is no version of the name.
        component: ComponentRef,
    },
    /// No version of the name was accepted, or all that were are prereleases.
    #[error(
        "no version of {name} can be used without being named: expected one that was accepted and is no prerelease; the newest is \
         {newest}"
    )]
    NoneAccepted {
        /// The name.
        name: ComponentName,
        /// Its newest version.
        newest: ComponentVersion,
    },
    /// No version of the name may be used with grants.
    #[error("{component} may not be used with grants: nobody who may grant has registered or accepted it")]
    NotTrusted {
        /// The reference.
        component: ComponentRef,
    },
    /// The version is another component.
    #[error("{name}@{version} is {stored}, and cannot become {given}: choose another version")]
    OtherComponent {
        /// The name.
        name: ComponentName,
        /// The version.
        version: ComponentVersion,
        /// The digest that the version has.
        stored: Digest,
        /// The digest that it should have.
        given: Box<Digest>,
    },
    /// The version is the same component, with other grants in its configuration.
    #[error("{name}@{version} is registered with other grants: choose another version")]
    OtherGrants {
        /// The name.
        name: ComponentName,
        /// The version.
        version: ComponentVersion,
    },
    /// The manifest is that of another component, or of another script.
    #[error("the manifest is that of {manifest}, and the component is {component}")]
    OtherManifest {
        /// The digest in the manifest.
        manifest: Digest,
        /// The digest of the bytes.
        component: Digest,
    },
    /// The runtime of a script is not registered.
    #[error("the script needs the runtime {runtime}, which is not registered: install it first")]
    NoRuntime {
        /// The runtime.
        runtime: Digest,
    },
    /// The component is the runtime of scripts.
    #[error("{runtime} executes {}: remove {} first", scripts.join(", "), if scripts.len() == 1 { "that script" } else { "these scripts" })]
    Needed {
        /// The component.
        runtime: Digest,
        /// Some of the scripts, as `name@version` or by their digests.
        scripts: Vec<String>,
    },
    /// Versions have the component.
    #[error("{digest} is {}: remove {} first", versions.join(", "), if versions.len() == 1 { "that version" } else { "these versions" })]
    Named {
        /// The component.
        digest: Digest,
        /// Some of its versions, as `name@version`.
        versions: Vec<String>,
    },
    /// A run that has not ended needs the component.
    #[error("run {run} needs {digest}: wait until it has ended, or cancel it")]
    Pinned {
        /// The component.
        digest: Digest,
        /// One of the runs.
        run: RunId,
    },
    /// A name has too many versions, or there is no version after the newest.
    #[error("{name} can have no more versions: expected at most {most}; remove some")]
    Full {
        /// The name.
        name: ComponentName,
        /// How many versions a name may have.
        most: usize,
    },
    /// A text that says who did something.
    #[error("invalid name of a person {by:?}: expected 1 to {most} characters without control characters")]
    Person {
        /// The text, shortened.
        by: String,
        /// How many characters it may have.
        most: usize,
    },
    /// What is stored of a component is not what was registered.
    #[error("{digest} is damaged ({problem}): push it again")]
    Damaged {
        /// The component.
        digest: Digest,
        /// What is wrong.
        problem: String,
    },
    /// A directory has the name of a component's file.
    #[error("{} is a directory: move it away, and push the component again", path.display())]
    InTheWay {
        /// The directory.
        path: PathBuf,
    },
    /// A directory or a file cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write` or `remove`.
        action: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file with the tables of the registry, or its log, was removed or replaced while it was in use. What this registry has written
    /// since is lost when the last process that has the file open ends.
    #[error("{}", crate::error::gone(path))]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("the registry cannot {action}")]
    Database {
        /// What was being done: `add a component`.
        action: &'static str,
        /// The reason.
        source: rusqlite::Error,
    },
}

impl RegistryError {
    /// The kind of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoRuntime { .. } => ErrorKind::NotFound,
            Self::NoneAccepted { .. }
            | Self::NotTrusted { .. }
            | Self::OtherComponent { .. }
            | Self::OtherGrants { .. }
            | Self::Named { .. }
            | Self::Needed { .. }
            | Self::Pinned { .. } => ErrorKind::Conflict,
            Self::OtherManifest { .. } | Self::Person { .. } => ErrorKind::Invalid,
            Self::Full { .. } => ErrorKind::Exhausted,
            Self::Damaged { .. } | Self::InTheWay { .. } | Self::Gone { .. } => ErrorKind::Internal,
            Self::Io { source, .. } => of_io(source),
            Self::Database { source, .. } => of_sqlite(source),
        }
    }
}

fn of_io(error: &io::Error) -> ErrorKind {
    if is_denied(error) {
        ErrorKind::Denied
    } else if error.kind() == io::ErrorKind::StorageFull {
        ErrorKind::Exhausted
    } else {
        ErrorKind::Unavailable
    }
}

fn of_sqlite(error: &rusqlite::Error) -> ErrorKind {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::Exhausted,
        Some(rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::ReadOnly) => ErrorKind::Denied,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::Internal,
        Some(_) | None => ErrorKind::Unavailable,
    }
}
