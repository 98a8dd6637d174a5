//! Registered components, their versions, and how two of them differ.

use std::borrow::Cow;
use std::fmt;

use hostel::registry::{
    ComponentDiff, ComponentRef, Demand, ExportDiff, Pushed, PushedVersion, RegisteredComponent,
    RegisteredVersion,
};
use hostel::{Capability, Digest, ScriptManifest};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::instant;

/// A version of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Version)]
#[non_exhaustive]
pub struct VersionObject {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The digest of the component.
    pub digest: String,
    /// The grants in its configuration, without the values of variables.
    pub grants: Vec<String>,
    /// When it was registered.
    pub registered_at: String,
    /// Who registered it.
    pub registered_by: String,
    /// Whether the name alone may stand for it.
    pub accepted: bool,
    /// When it was accepted.
    pub accepted_at: Option<String>,
    /// Who accepted it; `null` if nobody had to.
    pub accepted_by: Option<String>,
}

/// What was registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Pushed)]
#[non_exhaustive]
pub struct PushedObject {
    /// How to refer to it: `acme.math@1.2.0`, or the digest.
    pub component: String,
    /// The digest of the component.
    pub digest: String,
    /// Whether it was not stored before.
    pub new: bool,
    /// The version, if it got a name.
    pub version: Option<VersionObject>,
    /// The version with which it was compared.
    pub compared_with: Option<String>,
    /// How it differs from that one.
    pub diff: Option<DiffObject>,
}

/// A registered component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Registered)]
#[non_exhaustive]
pub struct RegisteredObject {
    /// Its digest.
    pub digest: String,
    /// The number of its bytes.
    pub size_bytes: u64,
    /// When its bytes were stored.
    pub added_at: String,
    /// The functions that it exports.
    pub exports: Vec<ExportObject>,
    /// The capabilities that its imports ask for, each once.
    pub capabilities: Vec<Cow<'static, str>>,
    /// The names of its imports.
    pub imports: Vec<String>,
    /// The versions that are this component.
    pub versions: Vec<VersionObject>,
    /// What executes it, if it is a script.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptObject>,
}

/// What executes a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Script)]
#[non_exhaustive]
pub struct ScriptObject {
    /// The language: `python` or `js`.
    pub language: Cow<'static, str>,
    /// The digest of the runtime.
    pub runtime: String,
    /// The name by which tracebacks call its file.
    pub file: String,
}

/// An exported function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RegisteredExport)]
#[non_exhaustive]
pub struct ExportObject {
    /// The path of the export.
    pub export: String,
    /// Its signature in WIT notation, or why it is not callable; for a function of a script, its declaration.
    pub signature: String,
}

/// How two versions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Diff)]
#[non_exhaustive]
pub struct DiffObject {
    /// Whether the newer one asks for something that the older one does not.
    pub asks_for_more: bool,
    /// What only the newer one asks for.
    pub more: Vec<DemandObject>,
    /// What only the older one asks for.
    pub less: Vec<DemandObject>,
    /// Functions that were added, removed or changed.
    pub exports: Vec<ExportDiffObject>,
}

/// One thing that a component asks for: a capability, or a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Demand)]
#[serde(untagged)]
#[non_exhaustive]
pub enum DemandObject {
    /// A capability.
    Capability {
        /// Its name.
        capability: Cow<'static, str>,
        /// The imports by which it is asked for.
        imports: Vec<String>,
    },
    /// A grant in its configuration.
    Grant {
        /// Its text.
        grant: String,
    },
}

/// A function that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ExportDiff)]
#[non_exhaustive]
pub struct ExportDiffObject {
    /// The path of the export.
    pub export: String,
    /// Its signature in the older version; `null` if the function is new.
    pub old: Option<String>,
    /// Its signature in the newer version; `null` if the function was removed.
    pub new: Option<String>,
}

impl fmt::Display for DemandObject {
    /// `outgoing HTTP (wasi:http/outgoing-handler@0.2.6)`, or `grant http example.org`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability { capability, imports } => write!(f, "{capability} ({})", imports.join(", ")),
            Self::Grant { grant } => write!(f, "grant {grant}"),
        }
    }
}

impl DiffObject {
    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.more.is_empty() && self.less.is_empty() && self.exports.is_empty()
    }

    /// A line for each difference, which begins with `+ ` or `- `; a function that changed has two.
    pub fn lines(&self) -> Vec<String> {
        let more = self.more.iter().map(|demand| format!("+ {demand}"));
        let less = self.less.iter().map(|demand| format!("- {demand}"));
        let exports = self.exports.iter().flat_map(|ExportDiffObject { export, old, new }| {
            let old = old.iter().map(move |signature| format!("- {export}: {signature}"));
            old.chain(new.iter().map(move |signature| format!("+ {export}: {signature}")))
        });
        more.chain(less).chain(exports).collect()
    }
}

impl From<&RegisteredVersion> for VersionObject {
    fn from(version: &RegisteredVersion) -> Self {
        let accepted = version.accepted.as_ref();
        Self {
            name: version.name.to_string(),
            version: version.version.to_string(),
            digest: version.digest.to_string(),
            grants: version.grants.texts(),
            registered_at: instant(version.at),
            registered_by: version.by.clone(),
            accepted: accepted.is_some(),
            accepted_at: accepted.map(|acceptance| instant(acceptance.at)),
            accepted_by: accepted.and_then(|acceptance| acceptance.by.clone()),
        }
    }
}

impl PushedObject {
    /// A component without a name, which was stored before or is new.
    pub fn unnamed(digest: Digest, new: bool) -> Self {
        let component = digest.to_string();
        Self { digest: component.clone(), component, new, version: None, compared_with: None, diff: None }
    }
}

impl From<&Pushed> for PushedObject {
    fn from(pushed: &Pushed) -> Self {
        let compared = |version: &PushedVersion| version.compared.as_ref().map(ToString::to_string);
        let version = pushed.version.as_ref();
        Self {
            component: reference(pushed.digest, version.map(|pushed| &pushed.version)).to_string(),
            digest: pushed.digest.to_string(),
            new: pushed.is_new,
            version: version.map(|pushed| VersionObject::from(&pushed.version)),
            compared_with: version.and_then(compared),
            diff: version
                .filter(|pushed| pushed.compared.is_some())
                .map(|pushed| DiffObject::from(&pushed.diff)),
        }
    }
}

/// How to refer to a component that has this version, or none.
fn reference(digest: Digest, version: Option<&RegisteredVersion>) -> ComponentRef {
    match version {
        Some(version) => {
            ComponentRef::Named { name: version.name.clone(), version: Some(version.version.clone()) }
        }
        None => ComponentRef::Digest(digest),
    }
}

impl From<&RegisteredComponent> for RegisteredObject {
    fn from(component: &RegisteredComponent) -> Self {
        let manifest = &component.manifest;
        let asked = manifest.asked_for();
        let export = |export: &hostel::Export| ExportObject {
            export: export.path.to_string(),
            signature: export.text(),
        };
        Self {
            digest: manifest.digest.to_string(),
            size_bytes: manifest.size_bytes,
            added_at: instant(component.added),
            exports: manifest.exports.iter().map(export).collect(),
            capabilities: asked.into_iter().map(|capability| Capability::name(capability).into()).collect(),
            imports: manifest.imports.iter().map(|import| import.name.clone()).collect(),
            versions: component.versions.iter().map(VersionObject::from).collect(),
            script: manifest.script.as_ref().map(ScriptObject::from),
        }
    }
}

impl From<&ScriptManifest> for ScriptObject {
    fn from(script: &ScriptManifest) -> Self {
        Self {
            language: script.language.name().into(),
            runtime: script.runtime.to_string(),
            file: script.file.clone(),
        }
    }
}

impl From<&ComponentDiff> for DiffObject {
    fn from(diff: &ComponentDiff) -> Self {
        let demands = |demands: &[Demand]| demands.iter().map(DemandObject::from).collect();
        Self {
            asks_for_more: diff.asks_for_more(),
            more: demands(&diff.more),
            less: demands(&diff.less),
            exports: diff.exports.iter().map(ExportDiffObject::from).collect(),
        }
    }
}

impl From<&Demand> for DemandObject {
    fn from(demand: &Demand) -> Self {
        match demand {
            Demand::Capability(capability, imports) => {
                Self::Capability { capability: capability.name().into(), imports: imports.clone() }
            }
            Demand::Grant(grant) => Self::Grant { grant: grant.clone() },
        }
    }
}

impl From<&ExportDiff> for ExportDiffObject {
    fn from(export: &ExportDiff) -> Self {
        Self { export: export.path.to_string(), old: export.old.clone(), new: export.new.clone() }
    }
}
