//! Processes that are killed while they push and remove components: whatever a row names is there.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use hostel_core::{
    ComponentRef, ComponentVersion, Digest, ErrorKind, Export, ExportPath, Grants, Manifest, Signature,
    Timestamp,
};
use hostel_journal::registry::{Naming, Push, Registry, RegistryError};

use crate::scene::directory;

/// The directory of a child.
const CHILD: &str = "HOSTEL_REGISTRY_CHILD";

/// How many processes are killed, each after more operations than the one before.
const KILLED: usize = 8;

/// How many components there are.
const COMPONENTS: u64 = 3;

fn bytes(number: u64) -> Vec<u8> {
    number.to_le_bytes().repeat(10_000)
}

fn version(number: u64) -> ComponentVersion {
    format!("1.0.{number}").parse().unwrap()
}

fn reference(number: u64) -> ComponentRef {
    ComponentRef::Named { name: "math".parse().unwrap(), version: Some(version(number)) }
}

fn push(registry: &Registry, number: u64) -> Result<(), RegistryError> {
    let bytes = bytes(number);
    let path = ExportPath::top_level("add");
    let manifest = Manifest {
        digest: Digest::of(&bytes),
        size_bytes: bytes.len() as u64,
        exports: vec![Export::new(path, Ok(Signature::new::<&str>([], None)))],
        imports: Vec::new(),
        script: None,
    };
    let naming = Naming {
        name: "math".parse().unwrap(),
        version: Some(version(number)),
        grants: &Grants::default(),
        accept: false,
        may_grant: true,
    };
    let at = Timestamp::from_unix_nanos(1);
    let push = Push { bytes: &bytes, manifest: &manifest, naming: Some(naming), by: "ann", at };
    registry.push(&push).map(drop)
}

/// Pushes and removes until it is killed, and says so before and after each.
#[test]
fn a_child_pushes_and_removes() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let registry = Registry::open(Path::new(&dir)).unwrap();
    let mut out = std::io::stdout();
    for number in (0..COMPONENTS).cycle() {
        let answer = match registry.resolve(&reference(number)) {
            Ok(_) => {
                registry.remove(&reference(number)).unwrap();
                format!("\nremoved {number}")
            }
            Err(_) => {
                push(&registry, number).unwrap();
                format!("\npushed {number}")
            }
        };
        writeln!(out, "{answer}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_answered_is_there_after_a_process_was_killed() {
    let dir = directory();
    for killed in 1..=KILLED {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["registry::a_child_pushes_and_removes", "--exact", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut answers = lines.filter(|line| line.starts_with("pushed ") || line.starts_with("removed "));
        let last = answers.nth(killed * 2).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // It may have said more before it was killed.
        let last = answers.last().unwrap_or(last);
        let registry = Registry::open(dir.path()).unwrap();
        let numbers = (0..COMPONENTS).filter(|number| check(&registry, *number));
        let present: Vec<_> = numbers.collect();
        let (what, number) = last.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        // What came after the last answer concerns the next component.
        assert_eq!(present.contains(&number), what == "pushed", "{last}: {present:?}");
    }
}

/// Whether a version is there; if it is, so are its bytes, and if not, there are none.
fn check(registry: &Registry, number: u64) -> bool {
    match registry.resolve(&reference(number)) {
        Ok(resolved) => {
            assert_eq!(registry.bytes(resolved.digest).unwrap(), bytes(number));
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            let digest = Digest::of(&bytes(number));
            assert_eq!(registry.bytes(digest).unwrap_err().kind(), ErrorKind::NotFound);
            false
        }
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_acknowledged_after_a_file_is_gone() {
    for name in ["journal-1.db-wal", "journal-1.db"] {
        let dir = directory();
        let registry = Registry::open(dir.path()).unwrap();
        push(&registry, 0).unwrap();
        let (file, elsewhere) = (dir.path().join(name), dir.path().join("elsewhere"));
        std::fs::rename(&file, &elsewhere).unwrap();
        let math = "math".parse().unwrap();
        let answers = [
            push(&registry, 1),
            registry.accept(&math, &version(0), "ann", Timestamp::from_unix_nanos(2)).map(drop),
            registry.remove(&reference(0)).map(drop),
            registry.sweep(std::time::SystemTime::now()).map(drop),
        ];
        for answer in answers {
            let error = answer.unwrap_err();
            assert!(matches!(&error, RegistryError::Gone { path } if *path == file), "{error}");
            assert_eq!(error.kind(), ErrorKind::Internal);
            let expected = format!("{} was removed, replaced or emptied while it was in use", file.display());
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        // Another file of that name is not the one that is written.
        std::fs::copy(&elsewhere, &file).unwrap();
        assert!(push(&registry, 1).is_err(), "{name}");
        std::fs::rename(&elsewhere, &file).unwrap();
        push(&registry, 2).unwrap();
    }
}
