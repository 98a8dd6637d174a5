//! Compiled code on disk: found again, never trusted when damaged.

use std::fs;
use std::path::{Path, PathBuf};

use hostel_core::Limits;
use hostel_engine::{Engine, EngineOptions};
use hostel_guests::{ARITH, ASYNCY, TEXT, wat};

use crate::{ENGINE, run_with};

fn engine(dir: &Path) -> Engine {
    let mut options = EngineOptions::default();
    options.compile_cache_dir = Some(dir.to_owned());
    options.max_instances = 16;
    Engine::new(options).unwrap()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).map(|entries| entries.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

async fn works(dir: &Path) {
    let component = engine(dir).load_file(ARITH.as_ref()).unwrap();
    let ran = run_with(&component.function(Some("add")).unwrap(), &["1", "2"], Limits::default()).await;
    assert_eq!(ran.value(), "3");
}

#[tokio::test(flavor = "current_thread")]
async fn an_entry_is_written_once_and_used() {
    let dir = tempfile::tempdir().unwrap();
    works(dir.path()).await;
    let [entry] = &entries(dir.path())[..] else { panic!("{:?}", entries(dir.path())) };
    let written = fs::metadata(entry).unwrap().modified().unwrap();
    works(dir.path()).await;
    assert_eq!(fs::metadata(entry).unwrap().modified().unwrap(), written, "used as it was");
}

#[tokio::test(flavor = "current_thread")]
async fn a_damaged_entry_is_rebuilt() {
    let dir = tempfile::tempdir().unwrap();
    works(dir.path()).await;
    let entry = entries(dir.path()).remove(0);
    let intact = fs::read(&entry).unwrap();
    let mut flipped = intact.clone();
    flipped[intact.len() / 2] ^= 1;
    let name = entry.file_name().unwrap().to_str().unwrap();
    let hash = blake3::hash(format!("{name}foreign").as_bytes());
    let foreign = [b"foreign", &b"hostel code v3\n\0"[..], hash.as_bytes()].concat();
    let of_another = {
        let dir = tempfile::tempdir().unwrap();
        engine(dir.path()).load_file(wat::ADD_ONE.as_ref()).unwrap();
        fs::read(entries(dir.path()).remove(0)).unwrap()
    };
    for damaged in [&flipped[..], &intact[..intact.len() - 1], &intact[..20], b"", &foreign, &of_another] {
        fs::write(&entry, damaged).unwrap();
        works(dir.path()).await;
        assert_ne!(fs::read(&entry).unwrap(), damaged, "replaced");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_vast_file_in_the_place_of_an_entry_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    works(dir.path()).await;
    let entry = entries(dir.path()).remove(0);
    let vast = 200 << 30;
    fs::File::options().write(true).open(&entry).unwrap().set_len(vast).unwrap();
    works(dir.path()).await;
    assert!(fs::metadata(&entry).unwrap().len() < vast, "replaced");
}

#[tokio::test(flavor = "current_thread")]
async fn components_and_engines_have_entries_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    engine.load_file(ARITH.as_ref()).unwrap();
    engine.load_file(wat::ADD_ONE.as_ref()).unwrap();
    engine.load_file(ASYNCY.as_ref()).unwrap();
    assert_eq!(entries(dir.path()).len(), 3);
}

#[tokio::test(flavor = "current_thread")]
async fn a_directory_that_cannot_be_used_costs_only_time() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a file and no directory");
    fs::write(&file, "").unwrap();
    works(&file).await;
}

#[test]
fn the_same_bytes_are_one_component_while_it_is_in_use() {
    let bytes = fs::read(ARITH).unwrap();
    let first = ENGINE.load_bytes(&bytes).unwrap();
    assert!(first == ENGINE.load_file(ARITH.as_ref()).unwrap());
    assert!(first != ENGINE.load_bytes(&fs::read(TEXT).unwrap()).unwrap());
    // To inspect it is another matter: it has no code then.
    assert!(first != ENGINE.inspect_file(ARITH.as_ref()).unwrap());
}

#[tokio::test(flavor = "current_thread")]
async fn a_component_is_loaded_by_its_digest_where_its_code_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    for (path, export, args, value) in
        [(ARITH, "add", &["1", "2"][..], "3"), (ASYNCY, "stop-at-floor", &["7", "1"][..], "7")]
    {
        let digest = engine(dir.path()).load_file(path.as_ref()).unwrap().digest();
        let component = engine(dir.path()).load_compiled(&digest).unwrap().unwrap();
        assert_eq!((component.digest(), component.size_bytes()), (digest, 0));
        let ran = run_with(&component.function(Some(export)).unwrap(), args, Limits::default()).await;
        assert_eq!(ran.value(), value);
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(engine(elsewhere.path()).load_compiled(&digest).unwrap().is_none());
    }
}
