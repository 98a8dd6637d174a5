//! `hostel inspect`

use std::fs;

use crate::hostel::{Place, check};

/// Only guests that import nothing read the same whichever toolchain built them.
#[test]
fn inspecting() {
    let place = Place::new();
    let lines = [
        "arith.wasm",
        "interface.wat",
        "not-callable.wat",
        "no-exports.wat",
        "unknown-import.wat",
        "later-wasi.wat",
        "nested.wat",
        "sleeper.wat",
        "wrong-hooks.wat",
    ];
    let lines = lines.map(|file| format!("inspect {file}"));
    check!("inspect", place.session(&lines.each_ref().map(String::as_str)));
}

#[test]
fn inspecting_as_wit() {
    let place = Place::new();
    let lines = [
        "inspect arith.wasm --wit",
        "inspect interface.wat --wit",
        "inspect sleeper.wat --wit",
        "inspect nested.wat --wit",
        "inspect core-module.wat --wit",
        "inspect arith.wasm --wit --output json",
    ];
    check!("inspect_wit", place.session(&lines));
}

#[test]
fn inspecting_for_programs() {
    let place = Place::new();
    let ran = place.run("inspect arith.wasm --output json");
    let sheet: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(sheet["size_bytes"].as_u64().unwrap() > 1_000);
    let without_size =
        ran.stdout.lines().filter(|line| !line.contains("size_bytes")).collect::<Vec<_>>().join("\n");
    check!("inspect_json", without_size);
}

#[test]
fn every_guest_can_be_inspected_and_every_name_it_shows_can_be_run() {
    let place = Place::new();
    let guests = hostel_guests::all().iter().map(|(name, _)| format!("{name}.wasm"));
    let not_components = [
        "core-module.wat",
        "core-module-wasip1.wat",
        "invalid.wat",
        "big-table.wat",
        "hostile-many-memories.wat",
        "hostile-wide-memory.wat",
        "objects.wat",
        "threads.wat",
    ];
    let texts = hostel_guests::wat::all().iter().map(|(name, _)| format!("{name}.wat"));
    for file in guests.chain(texts.filter(|file| !not_components.contains(&file.as_str()))) {
        let ran = place.run(&format!("inspect {file} --output json"));
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{file}");
        let sheet: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let tasks = sheet["tasks"].as_array().unwrap();
        let task = tasks.last().filter(|_| sheet["runnable"] == true);
        if let Some(task) = task.and_then(|task| task["task"].as_str()) {
            // A parameter that no function has: the task was found, and nothing ran.
            let ran = place.run(&format!("run {task} --json '{{\"no such parameter\": 1}}'"));
            assert!(
                ran.stderr.starts_with("error: unknown argument \"no such parameter\""),
                "{task}: {}",
                ran.stderr
            );
        }
    }
}

#[test]
fn hooks_are_shown_apart_from_tasks() {
    let place = Place::new();
    let text = place.run("inspect ledger.wasm").stdout;
    let tasks = "Tasks\n  ledger.wasm#book(account: string, amount: s64) -> string\n\nHooks: on-commit, on-rollback; ";
    assert!(text.contains(tasks) && !text.contains("Not callable"), "{text}");
    let ran = place.run("inspect ledger.wasm --output json");
    let sheet: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(sheet["hooks"], serde_json::json!(["on-commit", "on-rollback"]));
    assert_eq!(sheet["not_callable"], serde_json::json!([]));
}

#[test]
fn capabilities_are_what_is_imported() {
    let place = Place::new();
    let text = place.run("inspect pages.wasm").stdout;
    let line = text.lines().find(|line| line.contains("outgoing HTTP")).unwrap();
    assert!(
        line.contains("denied, except with --http HOST  ") && line.contains("outgoing-handler"),
        "{line}"
    );
    let text = place.run("inspect models.wasm").stdout;
    assert!(text.contains("  in hostel:examples/ops@0.1.0\n    models.wasm#rank(results: list<"), "{text}");
    assert!(text.contains("    models.wasm#hostel:more/ops.add(a: string, b: string) -> string"), "{text}");
    let text = place.run("inspect command.wasm").stdout;
    assert!(text.contains("command.wasm#run  a program: ARGS are its argv"), "{text}");
    let text = place.run("inspect asyncy.wasm").stdout;
    assert!(text.contains("asyncy.wasm#double(x: s64) -> s64  (async)"), "{text}");
}

#[test]
fn no_name_steers_the_terminal_or_looks_like_another() {
    let place = Place::new();
    let name = "a\u{202e}b\u{1b}[2J\u{200b}.wat";
    fs::copy(place.path().join("add-one.wat"), place.path().join(name)).unwrap();
    place.write(
        "hostel.toml",
        format!("[tasks.\"{}\"]\ndir = \"d\u{202e}\"", name.replace('\u{1b}', "\\u001b")),
    );
    let inspect = |options: &str| {
        let output = place.command("inspect").arg(name).args(options.split_whitespace()).output().unwrap();
        let ran = crate::hostel::Ran::of(output);
        assert_eq!(ran.code, 0, "{ran}");
        ran.stdout
    };
    let text = inspect("");
    assert!(text.starts_with("a\\u{202e}b\\u{1b}[2J\\u{200b}.wat\n"), "{text}");
    assert!(text.contains("d\\u{202e}"), "{text}");
    assert!(!text.contains(['\u{202e}', '\u{1b}', '\u{200b}']), "{text}");
    let json: serde_json::Value = serde_json::from_str(&inspect("--output json")).unwrap();
    assert_eq!(json["file"], name, "for programs it stays as it is");
}
