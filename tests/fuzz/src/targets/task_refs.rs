//! Any text as the name of a task, of a component, of an export.

use hostel_core::{Digest, ExportPath, TaskKey, TaskRef};

use crate::{Target, input};

pub(super) const TARGET: Target = Target::new("task_refs", run, 400_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] =
    &["#", ".", "/", "@", ":", "sha256:", ".wasm", "math", "ops", "add", "1.0.0", "acme", "0", "A", "\u{e4}"];

/// A name, and an export to be meant by it: its interface, its function.
fn run(bytes: &[u8]) {
    let [Some(text), interface, function] = input::lines(bytes) else { return };
    if let Some(task) = input::read::<TaskRef>(text) {
        let (source, export) =
            text.rsplit_once('#').map_or((text, None), |(source, export)| (source, Some(export)));
        assert_eq!((source.parse(), export), (Ok(task.source.clone()), task.export.as_deref()));
    }
    if let Some(digest) = input::read::<Digest>(text) {
        assert_eq!(digest.to_string(), text.to_ascii_lowercase());
    }
    let Some(function) = function else { return };
    let path = match interface {
        None | Some("") => ExportPath::top_level(function),
        Some(interface) => ExportPath::in_interface(interface, function),
    };
    assert!(path.is_meant_by(&path.to_string()), "{path} means itself");
    assert_eq!(path.is_meant_by(text), names(&path).iter().any(|name| name == text), "{text:?} and {path}");
    let key = TaskKey { component: Digest::of(bytes), export: path.clone() };
    assert_eq!(key.to_string(), format!("{}#{path}", key.component));
}

/// All names that mean an export, spelled out.
fn names(path: &ExportPath) -> Vec<String> {
    let function = path.function().to_owned();
    let Some(interface) = path.interface() else { return vec![function] };
    let unversioned = interface.split_once('@').map_or(interface, |(name, _)| name);
    let short = unversioned.rsplit_once('/').map_or(unversioned, |(_, name)| name);
    let prefixes = [interface, unversioned, short];
    prefixes.iter().map(|prefix| format!("{prefix}.{function}")).chain([function.clone()]).collect()
}

fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::of(b"abc").to_string();
    let texts = [
        "math.wasm#add-one",
        "math.wasm",
        "dir #1/math.wasm#ops.add",
        "m.wasm#acme:math/ops@1.0.0.add",
        "acme.math@1.2.0#add",
        &digest,
        "ops.add\nacme:math/ops@1.0.0\nadd",
        "acme:math/ops@1.0.0.add\nacme:math/ops@1.0.0\nadd",
        "add\n\nadd",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
