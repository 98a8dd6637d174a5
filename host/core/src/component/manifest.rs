//! The manifest of a component: all that is known of it without its code.

use std::borrow::Cow;

use crate::run::encoding::read::Reader;
use crate::run::encoding::{VERSION, decode, write};
use crate::{
    Capability, DecodeRunError, Digest, ExportPath, Hook, Import, Param, ScriptManifest, Signature, Type,
};

/// A component without its code: all that is needed to find its tasks, to bind arguments to them, and to show what it asks
/// for. A script has one, too.
///
/// ```
/// # use hostel_core::*;
/// let signature = Signature::new([("a", Type::S64)], Some(Type::S64));
/// let path = ExportPath::in_interface("acme:math/ops@1.0.0", "add-one");
/// let exports = vec![Export::new(path, Ok(signature))];
/// let manifest = Manifest { digest: Digest::of(b""), size_bytes: 0, exports, imports: Vec::new(), script: None };
/// let (export, signature) = manifest.task(Some("ops.add-one"))?;
/// assert_eq!((export.path.function(), signature.params.len()), ("add-one", 1));
/// assert_eq!(Manifest::decode(&manifest.encode())?, manifest);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// The number of its bytes; 0 if it is unknown.
    pub size_bytes: u64,
    /// Every exported function, callable or not, in declared order.
    pub exports: Vec<Export>,
    /// Every import, in declared order.
    pub imports: Vec<Import>,
    /// What executes it, if it is a script.
    pub script: Option<ScriptManifest>,
}

/// A function that a component exports. [`Export::new`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its path.
    pub path: ExportPath,
    /// Its signature, or the reason why it is not callable as a task.
    pub callable: Result<Signature, String>,
    /// The hook that it is, if any. Hooks are called by the host, and not callable as tasks.
    pub hook: Option<Hook>,
    /// Whether it is the `main` of a program (`wasi:cli/run`), which takes `args` and `stdin`.
    pub is_program: bool,
    /// How the source declares it, if it is a function of a script: `(a: int, b: int = 2) -> int`.
    pub declared: Option<String>,
}

/// Why a hook is not callable as a task.
const CALLED_BY_HOST: &str = "it is a hook, which the host calls";

impl Export {
    /// The function at this path with its signature, or with the reason why it is not callable. Path and signature show
    /// whether it is a hook, and the path whether it is a program.
    pub fn new(path: ExportPath, callable: Result<Signature, String>) -> Self {
        let hook = callable.as_ref().ok().and_then(|signature| Hook::of(&path, signature));
        let callable = if hook.is_some() { Err(CALLED_BY_HOST.to_owned()) } else { callable };
        Self { hook, callable, is_program: is_program(&path), path, declared: None }
    }

    /// Its signature in WIT notation, or `not callable: ` and the reason. For a function of a script, its declaration.
    pub fn text(&self) -> String {
        if let Some(declared) = &self.declared {
            return declared.clone();
        }
        match self.signature() {
            Ok(signature) => {
                let text = signature.to_string();
                text.strip_prefix("async ").map_or(format!("func{text}"), |rest| format!("async func{rest}"))
            }
            Err(because) => format!("not callable: {because}"),
        }
    }

    /// Its signature, also if it is a hook.
    fn signature(&self) -> Result<Cow<'_, Signature>, &str> {
        match (self.hook, &self.callable) {
            (Some(hook), _) => Ok(Cow::Owned(hook.signature())),
            (None, Ok(signature)) => Ok(Cow::Borrowed(signature)),
            (None, Err(because)) => Err(because),
        }
    }
}

/// Whether the function at this path is the `main` of a program.
pub fn is_program(path: &ExportPath) -> bool {
    path.function() == "run"
        && path.interface().is_some_and(|interface| interface.starts_with("wasi:cli/run@0.2."))
}

impl Manifest {
    /// The capabilities that the imports ask for, each once, without plumbing.
    pub fn asked_for(&self) -> Vec<Capability> {
        let mut asked: Vec<_> = self.imports.iter().map(|import| import.capability).collect();
        asked.retain(|capability| *capability != Capability::Plumbing);
        asked.sort();
        asked.dedup();
        asked
    }

    /// The manifest as bytes, some hundred for a component with few exports. They have the format of specs of runs, and types in
    /// their canonical form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.digest.as_bytes());
        write::number(&mut out, self.size_bytes);
        write::list(&mut out, &self.exports, write_export);
        write::list(&mut out, &self.imports, |out, import| write::text(out, &import.name));
        self.script.iter().for_each(|script| script.write(&mut out));
        out
    }

    /// Reads the manifest that [`Manifest::encode`] wrote. The capabilities of the imports are those that this version knows.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "manifest", |reader| {
            let mut manifest = Self {
                digest: Digest::from_bytes(reader.array()?),
                size_bytes: reader.number()?,
                exports: reader.list(read_export)?,
                imports: reader.list(|reader| reader.text().map(Import::new))?,
                script: None,
            };
            if !reader.is_at_end() {
                let script = ScriptManifest::read(reader)?;
                for export in &mut manifest.exports {
                    export.declared = Some(script.function(export.path.function())?.declaration());
                }
                manifest.script = Some(script);
            }
            Some(manifest)
        })
    }
}

fn write_export(out: &mut Vec<u8>, export: &Export) {
    write::maybe(out, export.path.interface(), write::text);
    write::text(out, export.path.function());
    match export.signature() {
        Ok(signature) => {
            out.push(0);
            write_signature(out, &signature);
        }
        Err(because) => {
            out.push(1);
            write::text(out, because);
        }
    }
}

fn read_export(reader: &mut Reader<'_>) -> Option<Export> {
    let path = match (reader.maybe(Reader::text)?, reader.text()?) {
        (Some(interface), function) => ExportPath::in_interface(interface, function),
        (None, function) => ExportPath::top_level(function),
    };
    let callable = match reader.byte()? {
        0 => Ok(read_signature(reader)?),
        1 => Err(reader.string()?),
        _ => return None,
    };
    Some(Export::new(path, callable))
}

fn write_signature(out: &mut Vec<u8>, signature: &Signature) {
    write::list(out, &signature.params, |out, param| {
        write::text(out, &param.name);
        write_type(out, &param.ty);
    });
    write::maybe(out, signature.result.as_ref(), write_type);
    write::flag(out, signature.is_async);
}

fn read_signature(reader: &mut Reader<'_>) -> Option<Signature> {
    let params = reader.list(|reader| Some(Param { name: reader.shared()?, ty: read_type(reader)? }))?;
    let result = reader.maybe(read_type)?;
    Some(Signature { params: params.into(), result, is_async: reader.flag()? })
}

/// No component has a type without canonical bytes; if there were one, its manifest could not be read again.
fn write_type(out: &mut Vec<u8>, ty: &Type) {
    write::bytes(out, &ty.to_canonical().unwrap_or_default());
}

fn read_type(reader: &mut Reader<'_>) -> Option<Type> {
    Type::from_canonical(reader.bytes()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn manifest() -> Manifest {
        let mut signature =
            Signature::new([("a", Type::S64), ("b", Type::list(Type::String))], Some(Type::S64));
        let path = ExportPath::top_level("add");
        let add = Export::new(path, Ok(signature.clone()));
        (signature.is_async, signature.result) = (true, None);
        let path = ExportPath::in_interface("acme:math/ops@1.0.0", "add");
        let later = Export::new(path, Ok(signature));
        let path = ExportPath::in_interface("hostel:task/hooks@0.1.0", "on-commit");
        let hook = Export::new(path, Ok(Hook::OnCommit.signature()));
        let path = ExportPath::top_level("open");
        let open = Export::new(path, Err("it takes a resource".to_owned()));
        Manifest {
            digest: Digest::of(b"abc"),
            size_bytes: 300,
            exports: vec![add, later, hook, open],
            imports: ["wasi:clocks/wall-clock@0.2.6", "acme:log/sink"].map(Import::new).into(),
            script: None,
        }
    }

    #[test]
    fn manifests_are_written_and_read_the_same() {
        let manifest = manifest();
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
        assert_eq!(manifest.imports[1].capability, Capability::Unknown);
        // No beginning of it, and nothing longer, is another manifest.
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err(), "{length}");
        }
        let error = Manifest::decode(&[&bytes[..], &[0]].concat()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn the_encoding_is_what_it_always_was() {
        let manifest = Manifest { exports: manifest().exports.drain(..1).collect(), ..manifest() };
        let bytes: String = manifest.encode()[33..].iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = "ac02010003616464000201610201070162030\
                        10d0c010201070002";
        assert!(bytes.starts_with(expected), "{bytes}");
    }

    #[test]
    fn path_and_signature_show_hooks_and_programs() {
        let hook = manifest().exports.swap_remove(2);
        assert_eq!((hook.hook, hook.callable), (Some(Hook::OnCommit), Err(CALLED_BY_HOST.to_owned())));
        let run = |interface: &str| {
            let signature = Signature::new::<&str>([], None);
            Export::new(ExportPath::in_interface(interface, "run"), Ok(signature))
        };
        assert!(run("wasi:cli/run@0.2.6").is_program && !run("wasi:cli/run@0.3.0").is_program);
    }

    #[test]
    fn capabilities_are_asked_for_once_and_in_order() {
        let names =
            ["wasi:sockets/tcp@0.2.6", "wasi:io/poll@0.2.6", "wasi:clocks/x@0.2.6", "wasi:sockets/udp@0.2.6"];
        let manifest = Manifest { imports: names.map(Import::new).into(), ..manifest() };
        assert_eq!(manifest.asked_for(), [Capability::Clocks, Capability::Network]);
    }

    #[test]
    fn exports_are_shown_in_wit() {
        let texts: Vec<_> = manifest().exports.iter().map(Export::text).collect();
        assert_eq!(texts[0], "func(a: s64, b: list<string>) -> s64");
        assert_eq!(texts[1], "async func(a: s64, b: list<string>)");
        assert_eq!(texts[3], "not callable: it takes a resource");
        let hooks: Vec<_> = manifest().exports.iter().map(|export| export.hook).collect();
        assert_eq!(hooks, [None, None, Some(Hook::OnCommit), None]);
    }
}
