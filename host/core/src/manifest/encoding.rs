//! Manifests as bytes, and back.
//!
//! The format is that of the encodings of runs: one byte of version, and then the fields in declared order. A type is its
//! canonical bytes, with their length before them.

use super::{Capability, Export, Hook, Import, Manifest};
use crate::bytes::{Reader, write};
use crate::{CanonicalError, Digest, ErrorKind, ExportPath, Param, Signature, Type};

/// The first byte.
const VERSION: u8 = 1;

/// Bytes are not a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeManifestError {
    /// A newer version of the host wrote them.
    #[error("this manifest has version {found}; expected version {VERSION}")]
    NewerVersion {
        /// The version in the first byte.
        found: u8,
    },
    /// No version writes such bytes.
    #[error("these {len} bytes are no manifest")]
    Malformed {
        /// The number of bytes.
        len: usize,
    },
}

impl DecodeManifestError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Manifest {
    /// The manifest as bytes.
    ///
    /// # Errors
    ///
    /// [`CanonicalError`] if a type in a signature has no canonical bytes, because it nests too deeply or has two members
    /// of one name.
    pub fn encode(&self) -> Result<Vec<u8>, CanonicalError> {
        let Self { digest, size_bytes, exports, imports } = self;
        let mut out = vec![VERSION];
        out.extend(digest.as_bytes());
        write::number(&mut out, *size_bytes);
        write::number(&mut out, exports.len() as u64);
        exports.iter().try_for_each(|export| write_export(&mut out, export))?;
        write::list(&mut out, imports, |out, Import { name, capability }| {
            write::text(out, name);
            write::choice(out, &Capability::ALL, capability);
        });
        Ok(out)
    }

    /// Reads the manifest that [`Manifest::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`DecodeManifestError`] for bytes of a newer version, and for bytes that no version writes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeManifestError> {
        let malformed = DecodeManifestError::Malformed { len: bytes.len() };
        match bytes.split_first() {
            Some((&VERSION, rest)) => {
                let mut reader = Reader::new(rest);
                read_manifest(&mut reader).filter(|_| reader.is_at_end()).ok_or(malformed)
            }
            Some((&found, _)) if found > VERSION => Err(DecodeManifestError::NewerVersion { found }),
            _ => Err(malformed),
        }
    }
}

fn read_manifest(reader: &mut Reader<'_>) -> Option<Manifest> {
    Some(Manifest {
        digest: Digest::from_bytes(reader.array()?),
        size_bytes: reader.number()?,
        exports: reader.list(read_export)?,
        imports: reader.list(|reader| {
            Some(Import { name: reader.string()?, capability: reader.choice(&Capability::ALL)? })
        })?,
    })
}

fn write_export(out: &mut Vec<u8>, export: &Export) -> Result<(), CanonicalError> {
    let Export { path, callable, hook, is_program } = export;
    write::maybe(out, path.interface(), write::text);
    write::text(out, path.function());
    write::flag(out, callable.is_ok());
    match callable {
        Ok(signature) => write_signature(out, signature)?,
        Err(reason) => write::text(out, reason),
    }
    write::maybe(out, hook.as_ref(), |out, hook| write::choice(out, &Hook::ALL, hook));
    write::flag(out, *is_program);
    Ok(())
}

fn read_export(reader: &mut Reader<'_>) -> Option<Export> {
    let interface = reader.maybe(Reader::text)?;
    let function = reader.text()?;
    let path = match interface {
        Some(interface) => ExportPath::in_interface(interface, function),
        None => ExportPath::top_level(function),
    };
    let callable = if reader.flag()? { Ok(read_signature(reader)?) } else { Err(reader.string()?) };
    let hook = reader.maybe(|reader| reader.choice(&Hook::ALL))?;
    Some(Export { path, callable, hook, is_program: reader.flag()? })
}

fn write_signature(out: &mut Vec<u8>, signature: &Signature) -> Result<(), CanonicalError> {
    let Signature { params, result, is_async } = signature;
    write::number(out, params.len() as u64);
    for Param { name, ty } in params.iter() {
        write::text(out, name);
        write::bytes(out, &ty.to_canonical()?);
    }
    let result = result.as_ref().map(Type::to_canonical).transpose()?;
    write::maybe(out, result.as_deref(), write::bytes);
    write::flag(out, *is_async);
    Ok(())
}

fn read_signature(reader: &mut Reader<'_>) -> Option<Signature> {
    let params = reader.list(|reader| Some(Param { name: reader.shared()?, ty: read_type(reader)? }))?;
    let result = reader.maybe(read_type)?;
    Some(Signature { params: params.into(), result, is_async: reader.flag()? })
}

fn read_type(reader: &mut Reader<'_>) -> Option<Type> {
    Type::from_canonical(reader.bytes()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let signature = Signature::new([("a", Type::U8), ("b", Type::list(Type::String))], Some(Type::Bool));
        let task = Export::task(ExportPath::in_interface("acme:math/ops@1.0.0", "add"), signature);
        let program = Export { is_program: true, ..Export::task(ExportPath::top_level("run"), empty()) };
        let hook = Export {
            callable: Err("it is a hook".to_owned()),
            hook: Some(Hook::OnRollback),
            ..Export::task(ExportPath::top_level("on-rollback"), empty())
        };
        let import =
            Import { name: "wasi:clocks/wall-clock@0.2.6".to_owned(), capability: Capability::Clocks };
        let exports = vec![task, program, hook];
        Manifest { digest: Digest::from_bytes([7; 32]), size_bytes: 300, exports, imports: vec![import] }
    }

    fn empty() -> Signature {
        Signature { is_async: true, ..Signature::new::<&str>([], None) }
    }

    #[test]
    fn the_bytes_are_these() {
        let bytes = manifest().encode().unwrap();
        let ty = |ty: &Type| ty.to_canonical().unwrap();
        let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
        let typed = |ty: &[u8]| [&[ty.len() as u8], ty].concat();
        let params = [
            vec![2],
            text("a"),
            typed(&ty(&Type::U8)),
            text("b"),
            typed(&ty(&Type::list(Type::String))),
            vec![1],
            typed(&ty(&Type::Bool)),
            vec![0],
        ];
        let task = [vec![1], text("acme:math/ops@1.0.0"), text("add"), vec![1], params.concat(), vec![0, 0]];
        let program = [vec![0], text("run"), vec![1, 0, 0, 1], vec![0, 1]];
        let hook = [vec![0], text("on-rollback"), vec![0], text("it is a hook"), vec![1, 1, 0]];
        let head = [vec![VERSION], vec![7; 32], vec![0xac, 0x02], vec![3]];
        let imports = [vec![1], text("wasi:clocks/wall-clock@0.2.6"), vec![0]];
        let expected = [head.concat(), task.concat(), program.concat(), hook.concat(), imports.concat()];
        assert_eq!(bytes, expected.concat());
        assert_eq!(Manifest::decode(&bytes), Ok(manifest()));
    }

    #[test]
    fn other_bytes_are_refused() {
        let bytes = manifest().encode().unwrap();
        for length in 0..bytes.len() {
            let malformed = DecodeManifestError::Malformed { len: length };
            assert_eq!(Manifest::decode(&bytes[..length]), Err(malformed));
        }
        let longer = [bytes, vec![0]].concat();
        assert!(Manifest::decode(&longer).is_err());
        let newer = Manifest::decode(&[VERSION + 1]).unwrap_err();
        assert_eq!(newer.to_string(), "this manifest has version 2; expected version 1");
        assert_eq!(newer.kind(), ErrorKind::Invalid);
    }
}
