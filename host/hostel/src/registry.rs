//! The registry: components by digest, and their names and versions, in a data directory.
//!
//! [`Registry`] stores and finds them. What it stores of a component beside its bytes is its [`Manifest`]
//! ([`Component::manifest`](crate::Component::manifest)). All methods block.

pub use hostel_core::{
    Capabilities, ComponentDiff, ComponentName, ComponentNameError, ComponentRef, ComponentRefError,
    ComponentVersion, ComponentVersionError, Demand, Export, ExportDiff, Manifest, VersionStep,
};
pub use hostel_journal::OpenJournalError;
pub use hostel_journal::registry::*;
