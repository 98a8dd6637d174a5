//! Components: their tasks, and what they may ask for.

use hostel::{Capability, Export, ExportPath, Hook, Import, Manifest, MissingImports, Signature};
use serde::Serialize;
use utoipa::ToSchema;

/// A component, without its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Component)]
#[non_exhaustive]
pub struct ComponentObject {
    /// Its file, or another name for it.
    pub file: String,
    /// The SHA-256 of its bytes.
    pub digest: String,
    /// The number of its bytes.
    pub size_bytes: u64,
    /// Whether this host can run it.
    pub runnable: bool,
    /// Why not, in words.
    pub not_runnable_because: Option<String>,
    /// The functions that it exports and that can be run.
    pub tasks: Vec<TaskObject>,
    /// Functions that the host calls, and that cannot be run as tasks.
    pub hooks: Vec<&'static str>,
    /// The other functions that it exports.
    pub not_callable: Vec<NotCallableObject>,
    /// The capabilities that its imports ask for, each once.
    pub capabilities: Vec<&'static str>,
    /// The results that the policy auto stores, in words.
    pub cached: String,
    /// Its imports.
    pub imports: Vec<ImportObject>,
    /// The file that has grants for a task, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigObject>,
}

/// A file of options that grants something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Config)]
#[non_exhaustive]
pub struct ConfigObject {
    /// Its path.
    pub file: String,
    /// Whether runs get its grants; if not, they are refused.
    pub trusted: bool,
}

/// A function that can be run as a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Task)]
#[non_exhaustive]
pub struct TaskObject {
    /// The shortest clear name of the task: `FILE#EXPORT`.
    pub task: String,
    /// The whole path of the export.
    pub export: String,
    /// The interface that it belongs to, if any.
    pub interface: Option<String>,
    /// Whether it is a program (`wasi:cli/run`).
    pub program: bool,
    /// Whether it is an async function.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// Its parameters, in order.
    pub params: Vec<ParamObject>,
    /// The type of its result in WIT.
    pub result: Option<String>,
    /// The grants in the file of options, without the values of variables.
    pub grants: Vec<String>,
}

/// A parameter of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Param)]
#[non_exhaustive]
pub struct ParamObject {
    /// Its name.
    pub name: String,
    /// Its type in WIT.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be left out.
    pub optional: bool,
}

/// A function that cannot be run as a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = NotCallable)]
#[non_exhaustive]
pub struct NotCallableObject {
    /// The path of the export.
    pub export: String,
    /// Why not, in words.
    pub because: String,
}

/// An import of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Import)]
#[non_exhaustive]
pub struct ImportObject {
    /// Its name, such as `wasi:clocks/monotonic-clock@0.2.6`.
    pub name: String,
    /// The name of the capability.
    pub capability: &'static str,
    /// The capability itself, which is not in the JSON.
    #[serde(skip)]
    pub of: Capability,
}

impl ComponentObject {
    /// A component in a file of this name; `missing` are the imports that the host lacks.
    pub fn new(file: impl Into<String>, manifest: &Manifest, missing: Option<&MissingImports>) -> Self {
        let file = file.into();
        let Manifest { digest, size_bytes, exports, imports, script: _ } = manifest;
        let paths: Vec<&ExportPath> = exports.iter().map(|export| &export.path).collect();
        let mut tasks = Vec::new();
        let mut not_callable = Vec::new();
        for export in exports.iter().filter(|export| export.hook.is_none()) {
            let path = &export.path;
            match &export.callable {
                Ok(signature) => {
                    let name = short_name(path, paths.iter().copied());
                    tasks.push(TaskObject::new(format!("{file}#{name}"), export, signature));
                }
                Err(because) => not_callable
                    .push(NotCallableObject { export: path.to_string(), because: because.clone() }),
            }
        }
        let asked = manifest.asked_for();
        Self {
            digest: digest.to_string(),
            size_bytes: *size_bytes,
            runnable: missing.is_none(),
            not_runnable_because: missing.map(ToString::to_string),
            tasks,
            hooks: exports.iter().filter_map(|export| export.hook).map(Hook::name).collect(),
            not_callable,
            cached: cached(&asked),
            capabilities: asked.into_iter().map(Capability::name).collect(),
            imports: imports.iter().map(ImportObject::from).collect(),
            config: None,
            file,
        }
    }
}

impl ConfigObject {
    /// A file with grants.
    pub fn new(file: impl Into<String>, trusted: bool) -> Self {
        Self { file: file.into(), trusted }
    }
}

impl TaskObject {
    fn new(task: String, export: &Export, signature: &Signature) -> Self {
        let path = &export.path;
        let params = signature.params.iter().map(|param| ParamObject {
            name: param.name.to_string(),
            ty: param.ty.to_string(),
            optional: param.is_optional(),
        });
        Self {
            task,
            export: path.to_string(),
            interface: path.interface().map(str::to_owned),
            program: export.is_program,
            is_async: signature.is_async,
            params: params.collect(),
            result: signature.result.as_ref().map(ToString::to_string),
            grants: Vec::new(),
        }
    }
}

impl From<&Import> for ImportObject {
    fn from(import: &Import) -> Self {
        Self { name: import.name.clone(), capability: import.capability.name(), of: import.capability }
    }
}

/// The shortest unambiguous name of this export.
fn short_name<'a>(path: &ExportPath, all: impl Iterator<Item = &'a ExportPath> + Clone) -> String {
    let full = path.to_string();
    let Some(interface) = path.interface() else {
        return full;
    };
    let unversioned = interface.split('@').next().unwrap_or(interface);
    let short = unversioned.rsplit('/').next().unwrap_or(unversioned);
    let function = path.function();
    let names = [function.to_owned(), format!("{short}.{function}"), format!("{unversioned}.{function}")];
    let is_clear = |name: &String| all.clone().filter(|other| other.is_meant_by(name)).count() == 1;
    names.into_iter().find(is_clear).unwrap_or(full)
}

/// The results that the policy auto stores, as far as the imports show.
fn cached(asked: &[Capability]) -> String {
    let touching: Vec<_> =
        asked.iter().filter(|capability| touches(**capability)).map(|one| one.name()).collect();
    let files = if asked.contains(&Capability::Files) {
        "; those that depend on granted files, while these are unchanged"
    } else {
        ""
    };
    match touching.as_slice() {
        [] => format!("every result{files}"),
        touching => {
            let deterministic = if asked.iter().any(|one| is_virtual(*one)) {
                "; with --deterministic, clocks and randomness do not count"
            } else {
                ""
            };
            format!("results of runs without observed use of {}{files}{deterministic}", touching.join(", "))
        }
    }
}

/// Whether `--deterministic` makes the answers reproducible.
const fn is_virtual(capability: Capability) -> bool {
    matches!(capability, Capability::Clocks | Capability::Randomness)
}

/// Whether a result may depend on an answer that the host cannot reproduce.
const fn touches(capability: Capability) -> bool {
    match capability {
        Capability::Clocks
        | Capability::Randomness
        | Capability::Network
        | Capability::OutgoingHttp
        | Capability::RunContext => true,
        Capability::Files
        | Capability::Environment
        | Capability::StandardInput
        | Capability::Output
        | Capability::Plumbing
        | Capability::Unknown => false,
    }
}
