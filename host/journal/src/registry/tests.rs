//! The registry on a real directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use hostel_core::journal::Journal as _;
use hostel_core::{
    ComponentName, ComponentRef, ComponentVersion, Demand, Digest, ErrorKind, Export, ExportPath, Grants,
    Import, Language, Manifest, RunId, RunSpec, ScriptFunction, ScriptManifest, ScriptPackage, Signature,
    TaskKey, TaskSpec, Timestamp, Type,
};
use tempfile::TempDir;

use super::*;
use crate::SqliteJournal;

const HTTP: &str = "wasi:http/outgoing-handler@0.2.6";
const FILES: &str = "wasi:filesystem/types@0.2.6";

/// A component in name only: the registry does not look into the bytes.
struct Made {
    bytes: Vec<u8>,
    manifest: Manifest,
}

fn made(content: &str, exports: &[&str], imports: &[&str]) -> Made {
    let bytes = content.as_bytes().to_vec();
    let export = |name: &&str| {
        let signature = Signature::new([("a", Type::S32)], Some(Type::S32));
        Export::new(ExportPath::top_level(name), Ok(signature))
    };
    let manifest = Manifest {
        digest: Digest::of(&bytes),
        size_bytes: bytes.len() as u64,
        exports: exports.iter().map(export).collect(),
        imports: imports.iter().map(|name| Import::new(*name)).collect(),
        script: None,
    };
    Made { bytes, manifest }
}

struct Bench {
    dir: TempDir,
    registry: Registry,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::open(dir.path()).unwrap();
        Self { dir, registry }
    }

    fn components(&self) -> PathBuf {
        self.dir.path().join("components")
    }

    /// The names of the files of components.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.components()).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.components().join(format!("{}.wasm", digest.hex()))
    }

    fn push(&self, made: &Made, name: &str, version: Option<&str>) -> Result<PushedVersion, RegistryError> {
        self.push_with(made, name, version, &Grants::default(), false)
    }

    fn push_with(
        &self,
        made: &Made,
        name: &str,
        version: Option<&str>,
        grants: &Grants,
        accept: bool,
    ) -> Result<PushedVersion, RegistryError> {
        let version = version.map(|version| version.parse().unwrap());
        let naming = Naming { name: name.parse().unwrap(), version, grants, accept, may_grant: true };
        Ok(self.registry.push(&Push { naming: Some(naming), ..push(made) })?.version.unwrap())
    }

    fn version(&self, reference: &str) -> String {
        match self.registry.resolve(&reference.parse().unwrap()) {
            Ok(resolved) => resolved.version.unwrap().version.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

fn push(made: &Made) -> Push<'_> {
    let at = Timestamp::from_unix_nanos(1_000);
    Push { bytes: &made.bytes, manifest: &made.manifest, naming: None, by: "ann", at }
}

fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

fn version(text: &str) -> ComponentVersion {
    text.parse().unwrap()
}

fn reference(text: &str) -> ComponentRef {
    text.parse().unwrap()
}

#[test]
fn a_component_is_found_by_its_digest_and_its_names() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    let pushed = bench.registry.push(&push(&add)).unwrap();
    assert_eq!((pushed.is_new, pushed.version), (true, None));
    assert_eq!(bench.registry.unnamed(None, 10).unwrap(), [add.manifest.digest]);

    let named = bench.push(&add, "math", None).unwrap();
    assert_eq!((named.is_new, named.version.version.to_string().as_str()), (true, "1.0.0"));
    assert!(named.version.accepted.is_some(), "the first version is accepted");
    assert_eq!(bench.registry.unnamed(None, 10).unwrap(), []);

    // Another process, later.
    let registry = Registry::open(bench.dir.path()).unwrap();
    for reference in ["math", "math@1.0.0", &add.manifest.digest.to_string()] {
        let found = registry.component(&reference.parse().unwrap()).unwrap();
        assert_eq!(found.manifest, add.manifest, "{reference}");
        assert_eq!(found.versions, vec![named.version.clone()]);
    }
    assert_eq!(registry.bytes(add.manifest.digest).unwrap(), add.bytes);
    assert_eq!(registry.names(None, 10).unwrap(), [name("math")]);
    assert_eq!(registry.names(Some(&name("math")), 10).unwrap(), []);
}

#[test]
fn a_repetition_has_no_effect() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    let first = bench.push(&add, "math", None).unwrap();
    for version in [None, Some("1.0.0")] {
        let again = bench.push(&add, "math", version).unwrap();
        assert_eq!((again.is_new, &again.version), (false, &first.version));
    }
    assert_eq!(bench.registry.versions(&name("math")).unwrap(), [first.version]);
    assert!(!bench.registry.push(&push(&add)).unwrap().is_new);
}

#[test]
fn what_is_unknown_is_not_found() {
    let bench = Bench::new();
    bench.push(&made("add", &["add"], &[]), "math", Some("1.0.0")).unwrap();
    let other = Digest::of(b"other").to_string();
    for wrong in ["meth", "math@2.0.0", "math@1.0.0-rc.1", &other] {
        let error = bench.registry.resolve(&reference(wrong)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), format!("the registry has no component {wrong}"));
        assert_eq!(bench.registry.remove(&reference(wrong)).unwrap_err().kind(), ErrorKind::NotFound);
    }
    let error = bench.registry.accept(&name("math"), &version("2.0.0"), "ann", Timestamp::from_unix_nanos(1));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::NotFound);
    // A name stands for many versions: which one to remove has to be said.
    assert_eq!(bench.registry.remove(&reference("math")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn versions_are_numbered_by_what_changed() {
    let bench = Bench::new();
    let push = |content, exports: &[&str]| {
        let pushed = bench.push(&made(content, exports, &[]), "math", None).unwrap();
        pushed.version.version.to_string()
    };
    assert_eq!(push("1", &["add"]), "1.0.0");
    assert_eq!(push("2", &["add"]), "1.0.1");
    assert_eq!(push("3", &["add", "sub"]), "1.1.0");
    assert_eq!(push("4", &["sub"]), "2.0.0");
    let all = bench.registry.versions(&name("math")).unwrap();
    let all: Vec<_> = all.iter().map(|version| version.version.to_string()).collect();
    assert_eq!(all, ["2.0.0", "1.1.0", "1.0.1", "1.0.0"]);
    assert_eq!(bench.version("math"), "2.0.0");
    // A prerelease is used only where it is named.
    bench.push(&made("5", &["sub"], &[]), "math", Some("3.0.0-rc.1")).unwrap();
    assert_eq!(bench.version("math"), "2.0.0");
    assert_eq!(bench.version("math@3.0.0-rc.1"), "3.0.0-rc.1");
}

#[test]
fn a_version_is_one_component_for_ever() {
    let bench = Bench::new();
    let (one, other) = (made("one", &["add"], &[]), made("other", &["add"], &[]));
    bench.push(&one, "math", Some("1.0.0")).unwrap();
    let error = bench.push(&other, "math", Some("1.0.0")).unwrap_err();
    let (stored, given) = (one.manifest.digest, other.manifest.digest);
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        format!("math@1.0.0 is {stored}, and cannot become {given}: choose another version")
    );
    // Nothing of it is left.
    assert_eq!(bench.files(), [format!("{}.wasm", stored.hex())]);
    assert!(bench.registry.resolve(&ComponentRef::Digest(given)).is_err());

    let granted = Grants { http: vec!["example.org".parse().unwrap()], ..Grants::default() };
    let error = bench.push_with(&one, "math", Some("1.0.0"), &granted, false).unwrap_err();
    assert_eq!(error.to_string(), "math@1.0.0 is registered with other grants: choose another version");
}

#[test]
fn a_version_that_asks_for_more_waits_to_be_accepted() {
    let bench = Bench::new();
    bench.push(&made("1", &["add"], &[FILES]), "math", None).unwrap();
    let asks = made("2", &["add"], &[FILES, HTTP]);
    let pushed = bench.push(&asks, "math", None).unwrap();
    assert_eq!((pushed.version.accepted.clone(), pushed.compared), (None, Some(version("1.0.0"))));
    let more: Vec<_> = pushed.diff.more.iter().map(Demand::to_string).collect();
    assert_eq!(more, [format!("outgoing HTTP ({HTTP})")]);

    assert_eq!(bench.version("math"), "1.0.0");
    assert_eq!(bench.version("math@1.0.1"), "1.0.1");
    let resolved = bench.registry.resolve(&reference("math")).unwrap();
    assert_eq!(resolved.waiting, Some(version("1.0.1")));

    // It asks for no more than the one before, but nobody has accepted that one.
    let later = bench.push(&made("3", &["add"], &[FILES, HTTP]), "math", None).unwrap();
    assert_eq!((later.version.accepted, later.compared), (None, Some(version("1.0.0"))));
    // One that asks for no more than the accepted version is used.
    bench.push(&made("4", &["add"], &[FILES]), "math", None).unwrap();
    assert_eq!(bench.version("math"), "1.0.3");

    let at = Timestamp::from_unix_nanos(5_000);
    let accepted = bench.registry.accept(&name("math"), &version("1.0.1"), "bob", at).unwrap();
    assert_eq!(accepted.accepted, Some(Acceptance { at, by: Some("bob".to_owned()) }));
    // Only the first one counts.
    let again = bench.registry.accept(&name("math"), &version("1.0.1"), "eve", Timestamp::from_unix_nanos(9));
    assert_eq!(again.unwrap().accepted, accepted.accepted);
    assert_eq!(bench.registry.resolve(&reference("math@1.0.1")).unwrap().version, Some(accepted));
}

#[test]
fn grants_are_asked_for_too_and_their_values_are_not_stored() {
    let bench = Bench::new();
    let granted = |text: &str| Grants { env: vec![text.parse().unwrap()], ..Grants::default() };
    let push = |content, grants: &Grants, accept| {
        bench.push_with(&made(content, &["add"], &[]), "math", None, grants, accept).unwrap()
    };
    assert!(push("1", &Grants::default(), false).version.accepted.is_some());
    let second = push("2", &granted("TOKEN=geheim"), false);
    assert_eq!(second.diff.more, [Demand::Grant("env TOKEN=…".to_owned())]);
    assert_eq!((second.version.accepted, bench.version("math")), (None, "1.0.0".to_owned()));
    // Pushed again, and accepted with that.
    let again = push("2", &granted("TOKEN=anders"), true);
    let by = again.version.accepted.and_then(|acceptance| acceptance.by);
    assert_eq!((again.is_new, by.as_deref()), (false, Some("ann")));
    assert_eq!(bench.version("math"), "1.0.1");
    assert!(push("3", &granted("TOKEN=neu"), false).version.accepted.is_some());

    for file in fs::read_dir(bench.dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
        let bytes = fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(6).any(|part| part == b"geheim"), "{}", file.display());
    }
}

#[test]
fn nothing_is_used_before_it_is_accepted() {
    let bench = Bench::new();
    bench.push(&made("1", &["add"], &[]), "math", Some("1.0.0-rc.1")).unwrap();
    let error = bench.registry.resolve(&reference("math")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().ends_with("the newest is 1.0.0-rc.1"), "{error}");
}

#[test]
fn what_is_named_or_needed_is_not_removed() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    let digest = add.manifest.digest;
    bench.push(&add, "math", Some("1.0.0")).unwrap();
    bench.push(&add, "calc", Some("2.0.0")).unwrap();
    let error = bench.registry.remove(&ComponentRef::Digest(digest)).unwrap_err();
    assert_eq!(error.to_string(), format!("{digest} is calc@2.0.0, math@1.0.0: remove these versions first"));

    // A run needs the bytes, not a name.
    let journal = SqliteJournal::open(bench.dir.path()).unwrap();
    let task = TaskKey { component: digest, export: ExportPath::top_level("add") };
    let at = Timestamp::from_unix_nanos(1);
    let run = RunSpec::new(RunId::from_bytes([7; 16]), task, TaskSpec::default().into(), at);
    journal.submit(at, std::slice::from_ref(&run)).unwrap();
    let removed = bench.registry.remove(&reference("calc@2.0.0")).unwrap();
    assert_eq!((removed.component, bench.version("math")), (None, "1.0.0".to_owned()));
    let error = bench.registry.remove(&reference("math@1.0.0")).unwrap_err();
    assert!(matches!(error, RegistryError::Pinned { .. }), "{error}");
    assert_eq!((bench.version("math"), error.kind()), ("1.0.0".to_owned(), ErrorKind::Conflict));

    journal.cancel(at, run.id).unwrap();
    let removed = bench.registry.remove(&reference("math@1.0.0")).unwrap();
    assert_eq!((removed.component, bench.files().len()), (Some(digest), 0));
    assert_eq!(bench.registry.bytes(digest).unwrap_err().kind(), ErrorKind::NotFound);
    // It can come back.
    bench.push(&add, "math", Some("1.0.0")).unwrap();
    assert_eq!(bench.registry.bytes(digest).unwrap(), add.bytes);
}

#[test]
fn a_component_without_a_name_is_removed_by_its_digest() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    bench.registry.push(&push(&add)).unwrap();
    let by_digest = ComponentRef::Digest(add.manifest.digest);
    let removed = bench.registry.remove(&by_digest).unwrap();
    assert_eq!(removed, Removed { version: None, component: Some(add.manifest.digest) });
    assert_eq!(bench.registry.remove(&by_digest).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn damaged_bytes_are_noticed_and_replaced() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    let digest = add.manifest.digest;
    let damages: &[fn(&Path)] = &[
        |path| fs::write(path, "bad").unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| fs::write(path, "add and more").unwrap(),
        |path| fs::remove_file(path).unwrap(),
        #[cfg(unix)]
        |path| {
            fs::remove_file(path).unwrap();
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        },
        #[cfg(unix)]
        |path| {
            fs::rename(path, path.with_extension("else")).unwrap();
            std::os::unix::fs::symlink(path.with_extension("else"), path).unwrap();
        },
    ];
    for damage in damages {
        bench.registry.push(&push(&add)).unwrap();
        assert_eq!(bench.registry.bytes(digest).unwrap(), add.bytes);
        damage(&bench.path(digest));
        let error = bench.registry.bytes(digest).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(error.to_string().starts_with(&format!("{digest} is damaged (")), "{error}");
        let is_file = fs::symlink_metadata(bench.path(digest)).is_ok_and(|found| !found.is_file());
        assert_eq!(bench.registry.file(digest).is_err(), is_file);
    }
}

#[test]
fn a_directory_in_place_of_a_file_is_named_and_stays() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    let digest = add.manifest.digest;
    bench.registry.push(&push(&add)).unwrap();
    let path = bench.path(digest);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("someone's"), "").unwrap();
    assert_eq!(bench.registry.bytes(digest).unwrap_err().kind(), ErrorKind::Internal);
    let error = bench.registry.push(&push(&add)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let expected = format!("{} is a directory: move it away, and push the component again", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(path.join("someone's").exists());

    fs::rename(&path, path.with_extension("away")).unwrap();
    bench.registry.push(&push(&add)).unwrap();
    assert_eq!(bench.registry.bytes(digest).unwrap(), add.bytes);
}

#[test]
fn a_wrong_manifest_is_refused() {
    let bench = Bench::new();
    let (one, other) = (made("one", &[], &[]), made("other", &[], &[]));
    let wrong = Push { bytes: &one.bytes, ..push(&other) };
    assert_eq!(bench.registry.push(&wrong).unwrap_err().kind(), ErrorKind::Invalid);
    for by in ["", "a\nb", &"x".repeat(101)] {
        let error = bench.registry.push(&Push { by, ..push(&one) }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{by}");
    }
    assert_eq!(bench.files(), [""; 0]);
}

#[test]
fn leftovers_are_removed_after_a_day() {
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    bench.registry.push(&push(&add)).unwrap();
    let orphan = format!("{}.wasm", Digest::of(b"orphan").hex());
    for name in [".new-abc", &orphan, "notes.txt"] {
        fs::write(bench.components().join(name), "x").unwrap();
    }
    let now = SystemTime::now();
    assert_eq!(bench.registry.sweep(now).unwrap(), 0);
    assert_eq!(bench.registry.sweep(now + Duration::from_secs(25 * 60 * 60)).unwrap(), 2);
    let mut files = bench.files();
    files.sort();
    assert_eq!(files, [format!("{}.wasm", add.manifest.digest.hex()), "notes.txt".to_owned()]);
    assert_eq!(bench.registry.bytes(add.manifest.digest).unwrap(), add.bytes);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_components() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let add = made("add", &["add"], &[]);
    bench.registry.push(&push(&add)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.components()), 0o700);
    assert_eq!(mode(&bench.path(add.manifest.digest)), 0o600);
}

#[test]
fn many_may_push_and_remove_at_once() {
    let bench = Bench::new();
    let dir = bench.dir.path();
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                let registry = Registry::open(dir).unwrap();
                for round in 0..10 {
                    // All of them push the same components, and remove the same ones.
                    let made = made(&format!("{}", round % 3), &["add"], &[]);
                    let naming = Naming {
                        name: name(&format!("of-{worker}")),
                        version: Some(version(&format!("1.0.{round}"))),
                        grants: &Grants::default(),
                        accept: false,
                        may_grant: true,
                    };
                    registry.push(&Push { naming: Some(naming), ..push(&made) }).unwrap();
                    assert_eq!(registry.bytes(made.manifest.digest).unwrap(), made.bytes);
                    if round % 2 == 0 {
                        registry.remove(&reference(&format!("of-{worker}@1.0.{round}"))).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(bench.registry.names(None, 10).unwrap().len(), 4);
    assert_eq!(bench.registry.versions(&name("of-0")).unwrap().len(), 5);
    assert_eq!(bench.registry.unnamed(None, 10).unwrap(), []);
    assert_eq!(bench.files().len(), 3);
}

/// A script with one function, which this runtime executes.
fn script(runtime: &Made, source: &str) -> Made {
    let file = "tasks.py";
    let package = ScriptPackage::new(Language::Python, runtime.manifest.digest, file, source).unwrap();
    let functions =
        vec![ScriptFunction { name: "f".into(), params: Vec::new(), returns: None, doc: None, line: 1 }];
    let bytes = package.encode();
    let manifest = Manifest {
        digest: Digest::of(&bytes),
        size_bytes: bytes.len() as u64,
        exports: functions.iter().map(|function| function.export(None)).collect(),
        imports: runtime.manifest.imports.clone(),
        script: Some(ScriptManifest {
            language: Language::Python,
            runtime: runtime.manifest.digest,
            file: file.to_owned(),
            functions,
        }),
    };
    Made { bytes, manifest }
}

#[test]
fn a_script_keeps_its_runtime() {
    let bench = Bench::new();
    let runtime = made("runtime", &[], &["wasi:clocks/wall-clock@0.2.6"]);
    let tasks = script(&runtime, "def f(): return 1");
    let error = bench.push(&tasks, "tasks", None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(bench.files().is_empty());
    bench.push(&runtime, "hostel.runtime-python", None).unwrap();
    bench.push(&tasks, "tasks", None).unwrap();
    let found = bench.registry.component(&reference("tasks")).unwrap();
    assert_eq!(found.manifest, tasks.manifest);
    assert_eq!(bench.registry.bytes(found.manifest.digest).unwrap(), tasks.bytes);

    let removed = || bench.registry.remove(&reference("hostel.runtime-python@1.0.0"));
    let error = removed().unwrap_err();
    let expected = format!("{} executes tasks@1.0.0: remove that script first", runtime.manifest.digest);
    assert_eq!((error.to_string(), error.kind()), (expected, ErrorKind::Conflict));
    // A script without a name keeps it, too.
    let unnamed = script(&runtime, "def f(): return 2");
    bench.registry.push(&push(&unnamed)).unwrap();
    bench.registry.remove(&reference("tasks@1.0.0")).unwrap();
    assert!(removed().unwrap_err().to_string().contains(&unnamed.manifest.digest.to_string()));
    bench.registry.remove(&ComponentRef::Digest(unnamed.manifest.digest)).unwrap();
    assert_eq!(removed().unwrap().component, Some(runtime.manifest.digest));
}

#[test]
fn a_script_with_another_manifest_is_refused() {
    let bench = Bench::new();
    let runtime = made("runtime", &[], &[]);
    bench.push(&runtime, "hostel.runtime-python", None).unwrap();
    let tasks = script(&runtime, "def f(): return 1");
    let of_script = tasks.manifest.script.clone().unwrap();
    let other = |script: Option<ScriptManifest>| Made {
        bytes: tasks.bytes.clone(),
        manifest: Manifest { script, ..tasks.manifest.clone() },
    };
    let component = made("math", &["add"], &[]);
    let wrong = [
        other(None),
        other(Some(ScriptManifest { runtime: Digest::of(b"other"), ..of_script.clone() })),
        other(Some(ScriptManifest { file: "other.py".into(), ..of_script.clone() })),
        Made {
            manifest: Manifest { script: Some(of_script), ..component.manifest.clone() },
            bytes: component.bytes,
        },
    ];
    for made in &wrong {
        let error = bench.registry.push(&push(made)).unwrap_err();
        assert!(matches!(error, RegistryError::OtherManifest { .. }), "{error}");
    }
}

#[test]
fn what_has_grants_uses_only_versions_of_those_who_may_grant() {
    let bench = Bench::new();
    let push_by = |content: &str, may_grant| {
        let made = made(content, &["add"], &[]);
        let naming = Naming {
            name: name("math"),
            version: None,
            grants: &Grants::default(),
            accept: false,
            may_grant,
        };
        let pushed = bench.registry.push(&Push { naming: Some(naming), ..push(&made) }).unwrap();
        (pushed.digest, pushed.version.unwrap().version)
    };
    let trusted = |text: &str| {
        let resolved = bench.registry.resolve_trusted(&reference(text)).map_err(|error| error.to_string())?;
        Ok((resolved.digest, resolved.waiting.map(|waiting| waiting.to_string())))
    };
    let refused = |text: &str| {
        Err(format!("{text} may not be used with grants: nobody who may grant has registered or accepted it"))
    };

    let (first, version_1) = push_by("1", false);
    assert_eq!((bench.version("math").as_str(), version_1.is_trusted), ("1.0.0", false));
    assert_eq!(trusted("math"), refused("math"));
    assert_eq!(trusted("math@1.0.0"), refused("math@1.0.0"));
    assert_eq!(trusted(&first.to_string()), Ok((first, None)));

    // Someone who may grant registers it as well.
    assert_eq!(push_by("1", true).0, first);
    assert_eq!(trusted("math"), Ok((first, None)));
    let (second, _) = push_by("2", false);
    assert_eq!(bench.version("math"), "1.0.1");
    assert_eq!(trusted("math"), Ok((first, Some("1.0.1".to_owned()))));
    assert_eq!(trusted("math@1.0.1"), refused("math@1.0.1"));

    // A version that was removed and registered again is new.
    bench.registry.remove(&reference("math@1.0.0")).unwrap();
    assert_eq!(trusted("math"), refused("math"));
    let (third, version_3) = push_by("3", true);
    assert!(version_3.is_trusted);
    assert_eq!(trusted("math"), Ok((third, None)));
    // Someone who may grant registers it again, or accepts it.
    push_by("4", false);
    let (fourth, version_4) = push_by("4", true);
    assert!(version_4.is_trusted);
    assert_eq!(trusted("math"), Ok((fourth, None)));
    let at = Timestamp::from_unix_nanos(5_000);
    assert!(bench.registry.accept(&name("math"), &version("1.0.1"), "bob", at).unwrap().is_trusted);
    assert_eq!(trusted("math@1.0.1"), Ok((second, None)));
}
