//! Any bytes as the manifest of a component.

use hostel_core::{Capability, Digest, Export, ExportPath, Hook, Import, Manifest, Signature, Type};

use crate::Target;

pub(super) const TARGET: Target = Target::new("manifests", run, 50_000).seeds(seeds);

/// A manifest has one encoding, and every task in it is found by its whole path or by a name that is ambiguous.
fn run(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode(bytes) else { return };
    assert_eq!(manifest.encode().as_deref(), Ok(bytes), "it has one form");
    for export in &manifest.exports {
        let name = export.path.to_string();
        let found = manifest.task(Some(&name)).map(|(found, _)| found.path.to_string());
        assert!(found.is_err() || found.as_ref() == Ok(&name), "{name} is {found:?}");
    }
    assert!(manifest.asked_for().is_sorted());
}

fn seeds() -> Vec<Vec<u8>> {
    let signature = Signature::new([("a", Type::S64), ("b", Type::list(Type::String))], Some(Type::Bool));
    let task = Export::task(ExportPath::in_interface("acme:math/ops@1.0.0", "add"), signature.clone());
    let program =
        Export { is_program: true, ..Export::task(ExportPath::top_level("run"), signature.clone()) };
    let hook = Export {
        callable: Err("the host calls it".to_owned()),
        hook: Some(Hook::OnCommit),
        ..Export::task(ExportPath::top_level("on-commit"), signature)
    };
    let import = Import { name: "wasi:clocks/wall-clock@0.2.6".to_owned(), capability: Capability::Clocks };
    let of = |exports: &[Export], imports: &[Import]| {
        let (exports, imports) = (exports.to_vec(), imports.to_vec());
        let manifest = Manifest { digest: Digest::of(b"abc"), size_bytes: 300, exports, imports };
        manifest.encode().expect("its types have canonical bytes")
    };
    vec![of(&[], &[]), of(&[task.clone()], &[import.clone()]), of(&[task, program, hook], &[import])]
}
