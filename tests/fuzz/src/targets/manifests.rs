//! Any bytes as the manifest of a component.

use std::slice;

use hostel_core::{
    Digest, Export, ExportPath, Hook, Import, Language, Manifest, Passing, ScriptFunction, ScriptManifest,
    ScriptParam, Signature, Type,
};

use crate::Target;

pub(super) const TARGET: Target = Target::new("manifests", run, 50_000).seeds(seeds);

/// A manifest has one encoding, and every task in it is found by its whole path or by a name that is ambiguous.
fn run(bytes: &[u8]) {
    let Ok(manifest) = Manifest::decode(bytes) else { return };
    assert_eq!(manifest.encode(), bytes, "it has one form");
    for export in &manifest.exports {
        let name = export.path.to_string();
        let found = manifest.task(Some(&name)).map(|(found, _)| found.path.to_string());
        assert!(found.is_err() || found.as_ref() == Ok(&name), "{name} is {found:?}");
    }
    assert!(manifest.asked_for().is_sorted());
}

fn seeds() -> Vec<Vec<u8>> {
    let signature = Signature::new([("a", Type::S64), ("b", Type::list(Type::String))], Some(Type::Bool));
    let task = Export::new(ExportPath::in_interface("acme:math/ops@1.0.0", "add"), Ok(signature.clone()));
    let program = Export::new(ExportPath::in_interface("wasi:cli/run@0.2.6", "run"), Ok(signature));
    let hooks = "hostel:task/hooks@0.1.0";
    let hook = Export::new(ExportPath::in_interface(hooks, "on-commit"), Ok(Hook::OnCommit.signature()));
    let open = Export::new(ExportPath::top_level("open"), Err("it takes a resource".to_owned()));
    let import = Import::new("wasi:clocks/wall-clock@0.2.6");
    let of = |exports: &[Export], imports: &[Import]| {
        let (exports, imports) = (exports.to_vec(), imports.to_vec());
        let digest = Digest::of(b"abc");
        Manifest { digest, size_bytes: 300, exports, imports, script: None }
    };
    let function = function();
    let script = ScriptManifest {
        language: Language::Python,
        runtime: Digest::of(b"runtime"),
        file: "tasks.py".to_owned(),
        functions: vec![function.clone()],
    };
    let of_script = of(&[function.export(None)], slice::from_ref(&import));
    let manifests = [
        Manifest { script: Some(script), ..of_script },
        of(&[], &[]),
        of(slice::from_ref(&task), slice::from_ref(&import)),
        of(&[task, program, hook, open], &[import]),
    ];
    manifests.iter().map(Manifest::encode).collect()
}

/// A function of a script.
fn function() -> ScriptFunction {
    let param = |name: &str, passing| ScriptParam {
        name: name.to_owned(),
        passing,
        declared: Some("int".to_owned()),
        default: None,
    };
    ScriptFunction {
        name: "add".to_owned(),
        params: vec![param("a", Passing::Positional), param("b", Passing::Named)],
        returns: None,
        doc: Some("Adds.".to_owned()),
        line: 1,
    }
}
