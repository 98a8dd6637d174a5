//! Components: one for all loads of the same bytes, found by its digest, and described without its code.

use std::fs;

use futures_executor::block_on;
use hostel::{Component, Digest, Host, Manifest, SubmitError, args};
use hostel_guests::{ARITH, MODELS};

use crate::{build, host};

fn load(host: &Host, path: &str) -> Component {
    block_on(host.load(path)).unwrap()
}

fn get(host: &Host, digest: &Digest) -> Option<Component> {
    block_on(host.components().get(digest)).unwrap()
}

fn sum(component: &Component) -> i64 {
    block_on(component.task("add").unwrap().submit(args![40, 2]).unwrap().result()).unwrap()
}

#[test]
fn all_loads_of_the_same_bytes_are_one_component() {
    let host = host(1);
    let first = load(&host, ARITH);
    let copy = tempfile::tempdir().unwrap();
    let copy = copy.path().join("copy.wasm");
    fs::copy(ARITH, &copy).unwrap();
    let others = [
        load(&host, ARITH),
        load(&host, copy.to_str().unwrap()),
        block_on(host.load_bytes(fs::read(ARITH).unwrap())).unwrap(),
        get(&host, &first.digest()).unwrap(),
    ];
    assert!(others.iter().all(|other| *other == first));
    assert_ne!(load(&host, MODELS), first);
    assert_eq!(sum(&others[3]), 42);
}

#[test]
fn a_component_is_found_while_it_is_in_use() {
    let host = host(1);
    let component = load(&host, ARITH);
    let digest = component.digest();
    let task = component.task("add").unwrap();
    drop(component);
    assert_eq!(get(&host, &digest).expect("its task uses it").digest(), digest);
    drop(task);
    assert!(get(&host, &digest).is_none());
    assert!(get(&host, &Digest::of(b"another")).is_none());
}

#[test]
fn a_component_whose_code_is_in_the_data_directory_needs_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = || build(Host::builder().max_workers(1).data_dir(dir.path()));
    let (digest, manifest) = {
        let host = on_disk();
        let component = load(&host, ARITH);
        (component.digest(), component.manifest().clone())
    };
    let host = on_disk();
    let found = get(&host, &digest).expect("its code is on disk");
    assert_eq!(sum(&found), 42);
    assert_eq!(*found.manifest(), Manifest { size_bytes: 0, ..manifest.clone() });
    assert_eq!(get(&host, &digest).unwrap(), found);
    // From now on it has a size.
    let loaded = load(&host, ARITH);
    assert_eq!((loaded.manifest(), sum(&found)), (&manifest, 42));
    assert_eq!(get(&host, &digest).unwrap(), loaded);
}

#[test]
fn a_manifest_describes_a_component_without_its_code() {
    let host = host(1);
    let inspected = block_on(host.inspect(MODELS)).unwrap();
    let refused = inspected.task("train-model").unwrap().submit(args![]).unwrap_err();
    assert!(matches!(refused, SubmitError::NotLoaded));
    let manifest = Manifest::decode(&inspected.manifest().encode()).unwrap();
    assert_eq!(manifest.size_bytes, fs::metadata(MODELS).unwrap().len());
    assert_eq!(manifest.digest, Digest::of(&fs::read(MODELS).unwrap()));
    // Arguments are bound to a task before its code is loaded.
    let (_, signature) = manifest.task(Some("train-model")).unwrap();
    let error = signature.bind_json(&serde_json::json!({ "dataset": {} })).unwrap_err();
    assert_eq!(error.to_string(), "missing arguments: model-config");
    assert_eq!(*load(&host, MODELS).manifest(), manifest);
}
