//! The manifest of a component: all that is known of it without its code.

use crate::run::encoding::read::Reader;
use crate::run::encoding::{VERSION, decode, write};
use crate::{DecodeRunError, Digest, ExportPath, Hook, Import, Param, Signature, Type};

/// A component without its code: its identity, what it offers, and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The SHA-256 of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size_bytes: u64,
    /// Every exported function, callable or not, in declared order.
    pub exports: Vec<ExportInfo>,
    /// Every import, in declared order.
    pub imports: Vec<Import>,
}

/// A function that a component exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportInfo {
    /// The path of the export.
    pub path: ExportPath,
    /// Its signature, or the reason why it is not callable as a task.
    pub callable: Result<Signature, String>,
}

impl ExportInfo {
    /// The hook that it is, if any: hooks are called by the host, and not callable as tasks.
    pub fn hook(&self) -> Option<Hook> {
        self.callable.as_ref().ok().and_then(|signature| Hook::of(&self.path, signature))
    }

    /// Its signature in WIT notation, or `not callable: ` and the reason.
    pub fn text(&self) -> String {
        match &self.callable {
            Ok(signature) => {
                let text = signature.to_string();
                text.strip_prefix("async ").map_or(format!("func{text}"), |rest| format!("async func{rest}"))
            }
            Err(because) => format!("not callable: {because}"),
        }
    }
}

impl Manifest {
    /// The manifest as bytes, some hundred for a component with few exports. They have the format of specs of runs, and types in
    /// their canonical form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend(self.digest.as_bytes());
        write::number(&mut out, self.size_bytes);
        write::list(&mut out, &self.exports, write_export);
        write::list(&mut out, &self.imports, |out, import| write::text(out, &import.name));
        out
    }

    /// Reads the manifest that [`Manifest::encode`] wrote. The capabilities of the imports are those that this version knows.
    ///
    /// # Errors
    ///
    /// [`DecodeRunError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRunError> {
        decode(bytes, "manifest", |reader| {
            Some(Self {
                digest: Digest::from_bytes(reader.array()?),
                size_bytes: reader.number()?,
                exports: reader.list(read_export)?,
                imports: reader.list(|reader| reader.text().map(Import::new))?,
            })
        })
    }
}

fn write_export(out: &mut Vec<u8>, export: &ExportInfo) {
    write::maybe(out, export.path.interface(), write::text);
    write::text(out, export.path.function());
    match &export.callable {
        Ok(signature) => {
            out.push(0);
            write_signature(out, signature);
        }
        Err(because) => {
            out.push(1);
            write::text(out, because);
        }
    }
}

fn read_export(reader: &mut Reader<'_>) -> Option<ExportInfo> {
    let path = match (reader.maybe(Reader::text)?, reader.text()?) {
        (Some(interface), function) => ExportPath::in_interface(interface, function),
        (None, function) => ExportPath::top_level(function),
    };
    let callable = match reader.byte()? {
        0 => Ok(read_signature(reader)?),
        1 => Err(reader.string()?),
        _ => return None,
    };
    Some(ExportInfo { path, callable })
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
    use crate::{Capability, ErrorKind};

    fn manifest() -> Manifest {
        let mut signature =
            Signature::new([("a", Type::S64), ("b", Type::list(Type::String))], Some(Type::S64));
        let path = ExportPath::top_level("add");
        let add = ExportInfo { path, callable: Ok(signature.clone()) };
        (signature.is_async, signature.result) = (true, None);
        let path = ExportPath::in_interface("acme:math/ops@1.0.0", "add");
        let later = ExportInfo { path, callable: Ok(signature) };
        let path = ExportPath::in_interface("hostel:task/hooks@0.1.0", "on-commit");
        let hook = ExportInfo { path, callable: Ok(Hook::OnCommit.signature()) };
        let path = ExportPath::top_level("open");
        let open = ExportInfo { path, callable: Err("it takes a resource".to_owned()) };
        Manifest {
            digest: Digest::of(b"abc"),
            size_bytes: 300,
            exports: vec![add, later, hook, open],
            imports: ["wasi:clocks/wall-clock@0.2.6", "acme:log/sink"].map(Import::new).into(),
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
    fn exports_are_shown_in_wit() {
        let texts: Vec<_> = manifest().exports.iter().map(ExportInfo::text).collect();
        assert_eq!(texts[0], "func(a: s64, b: list<string>) -> s64");
        assert_eq!(texts[1], "async func(a: s64, b: list<string>)");
        assert_eq!(texts[3], "not callable: it takes a resource");
        let hooks: Vec<_> = manifest().exports.iter().map(ExportInfo::hook).collect();
        assert_eq!(hooks, [None, None, Some(Hook::OnCommit), None]);
    }
}
