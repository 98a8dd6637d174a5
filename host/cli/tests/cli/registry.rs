//! `hostel push` and `hostel components`, and registered components in place of files.

use std::fs;

use serde_json::{Value, json};

use crate::hostel::{Place, Ran};

/// Returns 1, and asks for nothing.
const ONE: &str = r#"(component
    (core module $m (func (export "one") (result i32) i32.const 1))
    (core instance $i (instantiate $m))
    (func (export "one") (result u32) (canon lift (core func $i "one"))))"#;

/// Returns 2, and may ask for the time.
const TWO: &str = r#"(component
    (import "wasi:clocks/monotonic-clock@0.2.6" (instance (export "now" (func (result u64)))))
    (core module $m (func (export "one") (result i32) i32.const 2))
    (core instance $i (instantiate $m))
    (func (export "one") (result u32) (canon lift (core func $i "one"))))"#;

fn place() -> Place {
    let place = Place::with_data_dir();
    place.write("one.wat", ONE);
    place.write("two.wat", TWO);
    place
}

#[track_caller]
fn completed(place: &Place, line: &str) -> Ran {
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran
}

#[track_caller]
fn refused(place: &Place, line: &str, code: i32, message: &str) {
    let ran = place.run(line);
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
    assert!(ran.stderr.starts_with(&format!("error: {message}")), "{line}: {}", ran.stderr);
}

fn listed(place: &Place) -> Vec<Value> {
    let ran = completed(place, "components ls --output json");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_registered_component_stands_where_a_file_does() {
    let place = place();
    assert_eq!(completed(&place, "push one.wat --name acme.math").stdout, "acme.math@1.0.0\n");
    let digest = listed(&place)[0]["digest"].as_str().unwrap().to_owned();
    fs::remove_file(place.path().join("one.wat")).unwrap();
    for component in ["acme.math", "acme.math@1.0.0", &digest] {
        assert_eq!(completed(&place, &format!("run {component}#one")).stdout, "1\n", "{component}");
        assert_eq!(completed(&place, &format!("run {component}")).stdout, "1\n", "{component}");
        let sheet = completed(&place, &format!("inspect {component} --output json")).stdout;
        let sheet: Value = serde_json::from_str(&sheet).unwrap();
        assert_eq!(sheet["tasks"][0]["task"], json!(format!("{component}#one")));
        completed(&place, &format!("compile {component}"));
    }
    refused(&place, "run acme.math#two", 3, "");
    refused(&place, "run acme.meth#one", 3, "cannot read acme.meth");
    refused(&place, "run acme.math@2.0.0#one", 3, "the registry has no component acme.math@2.0.0");
    refused(&place, "run acme.math@2#one", 2, "invalid version \"2\"");
    refused(&place, "run sha256:12#one", 2, "`sha256:12` is not a digest");
}

#[test]
fn a_file_comes_before_a_name() {
    let place = place();
    completed(&place, "push one.wat --name math");
    place.write("math", TWO);
    assert_eq!(completed(&place, "run math#one").stdout, "2\n");
    assert_eq!(completed(&place, "run math@1.0.0#one").stdout, "1\n");
}

#[test]
fn options_of_a_registered_component_are_found_by_its_name() {
    let place = place();
    completed(&place, "push one.wat --name math");
    place.write("hostel.toml", "[tasks.\"math#one\"]\ntags = [\"from-the-file\"]\n");
    let ran = completed(&place, "run math#one --states");
    let object: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(object["tags"], json!(["from-the-file"]));
}

#[test]
fn a_version_that_asks_for_more_is_used_once_it_is_accepted() {
    let place = place();
    completed(&place, "push one.wat --name math");
    let ran = completed(&place, "push two.wat --name math");
    assert_eq!(ran.stdout, "math@1.0.1\n");
    for part in [
        "math@1.0.1 asks for more than 1.0.0, and is not used until it is accepted",
        "+ clocks (wasi:clocks/monotonic-clock@0.2.6)",
        "hostel components accept math@1.0.1",
    ] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    let ran = completed(&place, "run math#one");
    assert_eq!(ran.stdout, "1\n");
    assert!(ran.stderr.contains("math is 1.0.0: 1.0.1 asks for more and was not accepted"), "{}", ran.stderr);
    assert_eq!(completed(&place, "run math@1.0.1#one").stdout, "2\n");

    let diff = completed(&place, "components diff math math@1.0.1").stdout;
    assert_eq!(diff, "+ clocks (wasi:clocks/monotonic-clock@0.2.6)\n");
    let diff = completed(&place, "components diff math@1.0.1 math --output json").stdout;
    let diff: Value = serde_json::from_str(&diff).unwrap();
    let clocks = json!([{"capability": "clocks", "imports": ["wasi:clocks/monotonic-clock@0.2.6"]}]);
    assert_eq!(diff, json!({"asks_for_more": false, "more": [], "less": clocks, "exports": []}));
    assert_eq!(listed(&place)[0]["accepted_at"], Value::Null);

    assert_eq!(completed(&place, "components accept math@1.0.1").stdout, "accepted math@1.0.1\n");
    assert_eq!(completed(&place, "run math#one").stdout, "2\n");
    let newest = &listed(&place)[0];
    assert_eq!((&newest["version"], &newest["accepted"]), (&json!("1.0.1"), &json!(true)));
    assert!(newest["accepted_at"].is_string() && newest["accepted_by"].is_string(), "{newest}");
}

#[test]
fn a_version_may_be_accepted_when_it_is_pushed() {
    let place = place();
    completed(&place, "push one.wat --name math");
    let ran = completed(&place, "push two.wat --name math@3.0.0 --accept --output json");
    let pushed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&pushed["component"], &pushed["compared_with"]), (&json!("math@3.0.0"), &json!("1.0.0")));
    assert_eq!(
        (&pushed["diff"]["asks_for_more"], &pushed["version"]["accepted"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(completed(&place, "run math#one").stdout, "2\n");
}

#[test]
fn grants_in_the_configuration_are_asked_for() {
    let place = place();
    completed(&place, "push one.wat --name math");
    place.write("three.wat", ONE.replace("i32.const 1", "i32.const 3"));
    place.write("hostel.toml", "[tasks.\"three.wat\"]\nhttp = [\"example.org\"]\nenv = [\"TOKEN=geheim\"]\n");
    let ran = completed(&place, "push three.wat --name math");
    for part in ["+ grant env TOKEN=…", "+ grant http example.org"] {
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
    }
    assert_eq!(completed(&place, "run math#one --no-config").stdout, "1\n");
    let shown = completed(&place, "components show math@1.0.1").stdout;
    assert!(shown.contains("http example.org") && !shown.contains("geheim"), "{shown}");
}

#[test]
fn a_version_stays_what_it_is() {
    let place = place();
    completed(&place, "push one.wat --name math@1.0.0");
    let ran = completed(&place, "push one.wat --name math@1.0.0");
    assert!(ran.stderr.contains("math@1.0.0 was stored before"), "{}", ran.stderr);
    let ran = place.run("push two.wat --name math@1.0.0");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("error: math@1.0.0 is sha256:"), "{}", ran.stderr);
    assert!(ran.stderr.matches("sha256:").count() == 2, "both digests: {}", ran.stderr);
    assert_eq!(listed(&place).len(), 1);
}

#[test]
fn what_is_no_component_is_not_stored() {
    let place = place();
    refused(&place, "push missing.wasm", 3, "cannot read missing.wasm");
    refused(&place, "push invalid.wat --name math", 2, "invalid.wat: ");
    refused(&place, "push core-module.wat --name math", 2, "core-module.wat: ");
    for (name, message) in [
        ("Math", "invalid component name \"Math\""),
        ("a/b", "invalid component name \"a/b\""),
        ("math@1", "invalid version \"1\""),
        ("math@1.0.0+b", "invalid version \"1.0.0+b\""),
    ] {
        let ran = place.run(&format!("push one.wat --name {name}"));
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    assert_eq!(listed(&place), [Value::Null; 0]);
    refused(&place, "push one.wat --no-data-dir", 2, "there is no data directory");
    assert_eq!(place.run("push one.wat --accept").code, 2);
}

#[test]
fn components_are_removed_with_their_last_version() {
    let place = place();
    let digest = completed(&place, "push one.wat").stdout.trim().to_owned();
    assert!(digest.starts_with("sha256:"), "{digest}");
    assert_eq!(listed(&place), [json!({ "digest": digest })]);
    completed(&place, "push one.wat --name math");
    refused(&place, &format!("components rm {digest}"), 2, &format!("{digest} is math@1.0.0: remove"));
    refused(&place, "components rm math", 2, "math stands for many versions");
    refused(&place, "components rm math@2.0.0", 3, "the registry has no component math@2.0.0");
    let ran = completed(&place, "components rm math@1.0.0");
    assert_eq!(ran.stdout, "removed math@1.0.0\n");
    assert!(ran.stderr.contains(&format!("{digest} was removed too")), "{}", ran.stderr);
    refused(&place, &format!("run {digest}"), 3, "the registry has no component sha256:");
    assert!(completed(&place, "components ls").stderr.contains("there are no components"));
}

#[test]
fn a_component_that_was_changed_on_disk_does_not_run() {
    let place = place();
    completed(&place, "push one.wat --name math");
    completed(&place, "push two.wat --name other");
    let components = place.data_dir().join("components");
    let file = |name: &str| {
        let shown = completed(&place, &format!("components show {name} --output json")).stdout;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let digest = shown["digest"].as_str().unwrap().replace("sha256:", "");
        components.join(format!("{digest}.wasm"))
    };
    fs::copy(file("other"), file("math")).unwrap();
    let ran = place.run("run math#one");
    assert_eq!((ran.code, ran.stdout.as_str()), (5, ""));
    assert!(ran.stderr.contains("is damaged") && ran.stderr.contains("push it again"), "{}", ran.stderr);
    completed(&place, "push one.wat --name math");
    assert_eq!(completed(&place, "run math#one").stdout, "1\n");
}

#[test]
fn components_are_listed_and_shown() {
    let place = place();
    completed(&place, "push one.wat --name math@0.1.0");
    completed(&place, "push two.wat --name math");
    let table = completed(&place, "components ls");
    let lines: Vec<_> = table.stdout.lines().collect();
    assert!(lines[0].starts_with("NAME  VERSION  DIGEST"), "{}", table.stdout);
    assert!(
        lines[1].starts_with("math  0.1.1    ") && lines[1].ends_with("asks for more"),
        "{}",
        table.stdout
    );
    assert!(lines[2].starts_with("math  0.1.0    ") && lines[2].ends_with("accepted"), "{}", table.stdout);
    assert!(table.stderr.contains("2 components"), "{}", table.stderr);
    let shown = completed(&place, "components show math").stdout;
    assert!(
        shown.contains("one: func() -> u32") && shown.contains("nothing; it can only compute"),
        "{shown}"
    );
    refused(&place, "components show moth", 3, "the registry has no component moth");
}

#[cfg(unix)]
#[test]
fn what_has_the_name_of_a_component_and_is_no_file_is_not_waited_for() {
    let place = place();
    completed(&place, "push one.wat --name acme.math");
    let file = fs::read_dir(place.data_dir().join("components")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&file).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    for line in ["run acme.math#one", "inspect acme.math", "compile acme.math"] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (5, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("is damaged (expected a regular file, found a FIFO)"), "{}", ran.stderr);
    }
    completed(&place, "push one.wat");
    assert_eq!(completed(&place, "run acme.math#one").stdout, "1\n");
}

#[cfg(unix)]
#[test]
fn a_journal_that_is_no_file_or_that_others_can_write_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let place = place();
    completed(&place, "push one.wat --name acme.math");
    let (journal, target) = (place.data_dir().join("journal-1.db"), place.path().join("target"));
    let refused = |code: i32, expected: &str| {
        for line in ["run acme.math#one", "components ls", "runs ls", "push one.wat"] {
            let ran = place.run(line);
            assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
            assert!(ran.stderr.contains(expected), "{line}: {}", ran.stderr);
        }
    };
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o666)).unwrap();
    refused(4, "has mode 0666");
    fs::remove_file(&journal).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&journal).status().unwrap().success());
    refused(2, "is not a regular file");
    fs::remove_file(&journal).unwrap();
    symlink(&target, &journal).unwrap();
    refused(2, "is not a regular file");
    fs::write(&target, "").unwrap();
    refused(2, "is not a regular file");
    assert_eq!(fs::metadata(&target).unwrap().len(), 0);
}

#[test]
fn what_a_killed_push_left_is_removed_with_the_other_leftovers() {
    let place = place();
    completed(&place, "push one.wat --name acme.math");
    let [old, young] = [".new-old", ".new-young"].map(|name| place.data_dir().join("components").join(name));
    for file in [&old, &young] {
        fs::write(file, "half").unwrap();
    }
    let two_hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 60 * 60);
    fs::File::options().append(true).open(&old).unwrap().set_modified(two_hours_ago).unwrap();
    let report = completed(&place, "cache gc --output json").stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((old.exists(), young.exists()), (false, true), "{report}");
    assert_eq!(completed(&place, "run acme.math#one").stdout, "1\n");
}
