//! The cache and the data directory.

use std::fs;

use crate::hostel::{Place, Ran, check};

#[test]
fn the_second_time_everything_is_cached() {
    let place = Place::with_data_dir();
    let lines = [
        "run arith.wasm#add 40 2 --cache 'inputs + task-source'",
        "run arith.wasm#add 40 2 --cache 'inputs + task-source'",
        "run arith.wasm#add b=2 a=40 --cache inputs --refresh-cache",
        "run arith.wasm#add 40 2",
        "map arith.wasm#pow --over base=0..5 --with exponent=3 --cache 'inputs + task-source'",
        "map arith.wasm#pow --over base=0..5 --with exponent=3 --cache 'inputs + task-source'",
        "map arith.wasm#pow --over base=3..7 --with exponent=3 --cache 'inputs + task-source' --quiet --states",
        "map batch.wasm#process-data --over 'item=[1, -1]' --cache inputs",
        "map batch.wasm#process-data --over 'item=[1, -1]' --cache inputs",
        "run arith.wasm#add 40 2 --cache 'inputs + task-source' --no-data-dir",
    ];
    check!("cached", place.session(&lines));
}

#[test]
fn what_the_cache_did_is_explained() {
    let place = Place::with_data_dir();
    let lines = [
        "run arith.wasm#add 40 2 --explain-cache",
        "run arith.wasm#add 40 2 --explain-cache",
        "run arith.wasm#add 40 2 --explain-cache --cache-expiration 30d",
        "run arith.wasm#add 40 2 --explain-cache --refresh-cache",
        "run arith.wasm#add 40 2 --explain-cache --cache none",
        "run arith.wasm#add 40 2 --explain-cache --cache 'auto - input:b'",
        "run arith.wasm#add 40 2 --explain-cache --cache run-id",
        "run arith.wasm#add 40 2 --explain-cache --cache 'key:\"{a}\"'",
        "run watcher.wasm#look-up localhost --lookup localhost --explain-cache",
        "run batch.wasm#process-data -- -1 --explain-cache",
        "run batch.wasm#process-data item=-1 --explain-cache",
        "map arith.wasm#add-one --over x=0..5 --explain-cache",
        "map arith.wasm#add-one --over x=3..7 --explain-cache",
        "map watcher.wasm#look-up --over 'name=[\"localhost\", \"elsewhere\"]' --lookup localhost --explain-cache",
        "cache verify --sample 100",
        "cache verify --sample 100 --output json",
        "cache verify --sample many",
    ];
    check!("explained", place.session(&lines));
}

#[test]
fn a_policy_cannot_change_what_a_terminal_shows() {
    let place = Place::with_data_dir();
    for command in ["run arith.wasm#add 1 2", "map arith.wasm#add --over a=[1] --with b=2"] {
        let policy = "key:\"\u{1b}]0;owned\u{7}\u{202e}\ncache: hit\"";
        let mut command = place.command(command);
        let ran = Ran::of(command.args(["--explain-cache", "--cache", policy]).output().unwrap());
        assert_eq!(ran.code, 0, "{ran}");
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{ran}");
        assert!(!ran.stderr.contains("\ncache: hit"), "{ran}");
    }
}

#[test]
fn policies_that_cannot_be() {
    let place = Place::with_data_dir();
    let lines = [
        "run arith.wasm#add 40 2 --cache 'inputs + moon'",
        "run arith.wasm#add 40 2 --cache imputs",
        "run arith.wasm#add 40 2 --cache 'inputs - input:c'",
        "run arith.wasm#add 40 2 --cache 'task-source - input:a'",
        "run arith.wasm#add 40 2 --cache 'key:\"{c}\"'",
        "run arith.wasm#add 40 2 --cache 'key:{a}'",
        "run arith.wasm#add 40 2 --cache flow-parameters",
        "run arith.wasm#add 40 2 --cache-expiration -1d",
        "run arith.wasm#add 40 2 --cache-expiration 0d",
    ];
    check!("policies_that_cannot_be", place.session(&lines));
}

#[test]
fn nothing_is_left_behind_without_a_data_dir() {
    let place = Place::with_data_dir();
    let ran = place.run("run arith.wasm#add 40 2 --cache inputs --no-data-dir");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(fs::read_dir(place.data_dir()).unwrap().count(), 0);
}

#[test]
fn results_are_shared_through_a_remote_cache() {
    let place = Place::new();
    let shared = place.path().join("shared");
    let url = format!("file://{}", shared.display());
    let run = |rest: &str| {
        let ran = place.run(&format!("run arith.wasm#add 40 2 --no-data-dir --cache inputs {rest}"));
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "42\n"), "{}", ran.stderr);
        ran.stderr.contains("Cached")
    };
    let flag = format!("--remote-cache {url}");
    assert!(!run(&flag));
    assert!(run(&flag));
    assert!(!run(""));
    place.write("hostel.toml", format!("[remote-cache]\nurl = \"{url}\""));
    let file = "--config hostel.toml";
    assert!(run(file));
    assert!(!run(&format!("{file} --no-remote-cache")));

    for entry in files(&shared) {
        fs::write(entry, "not an entry").unwrap();
    }
    assert!(!run(file));
    assert!(run(file), "it was mended");
}

#[test]
fn a_remote_cache_that_cannot_be_is_an_error_and_one_that_is_away_a_warning() {
    let place = Place::new();
    place.write("wrong.toml", "[remote-cache]\nurl = \"results\"");
    place.write("unknown.toml", "[remote-cache]\nuri = \"s3://results\"");
    place.write("empty.toml", "[remote-cache]\n");
    place.write("bare.toml", "url = \"s3://results\"");
    place.write("misplaced.toml", "[defaults]\nremote-cache = \"s3://results\"");
    place.write("option.toml", "[remote-cache]\ncache = \"inputs\"");
    place.write("file", "");
    let away = format!(
        "run arith.wasm#add 40 2 --cache inputs --remote-cache file://{}/file",
        place.path().display()
    );
    let lines = [
        "run arith.wasm#add 40 2 --remote-cache results",
        "map arith.wasm#add-one --over x=0..2 --remote-cache 's3://key:secret@results'",
        "run arith.wasm#add 40 2 --remote-cache 's3://results?region=eu'",
        "run arith.wasm#add 40 2 --config wrong.toml",
        "run arith.wasm#add 40 2 --remote-cache az://results",
        "run arith.wasm#add 40 2 --config unknown.toml",
        "run arith.wasm#add 40 2 --config empty.toml",
        "run arith.wasm#add 40 2 --config bare.toml",
        "run arith.wasm#add 40 2 --config misplaced.toml",
        "run arith.wasm#add 40 2 --config option.toml",
    ];
    check!("wrong_remote_cache", place.session(&lines));
    let ran = place.run(&format!("{away} --no-data-dir"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "42\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot be"), "{}", ran.stderr);
}

#[test]
fn code_is_compiled_before_it_is_needed() {
    let place = Place::with_data_dir();
    let lines = [
        "compile arith.wasm",
        "compile arith.wasm --no-data-dir",
        "compile nothing.wasm",
        "compile threads.wat",
        "compile arith.wasm --data-dir file/inside",
    ];
    place.write("file", "");
    check!("compiling", place.session(&lines));
    let kept = || fs::read_dir(place.data_dir().join("compiled")).unwrap().count();
    assert_eq!(kept(), 1);
    // Another process compiles it, or there is nothing to do: either way it ends well and leaves nothing behind.
    let ran = place.run("compile --background arith.wasm");
    assert_eq!((ran.code, kept()), (0, 1), "{}", ran.stderr);
    // A pipe in place of the mark is not waited for.
    let digest = hostel::Digest::of(&fs::read(hostel_guests::ARITH).unwrap()).hex();
    let mark = place.data_dir().join(format!("compiled/.new-optimising-{digest}"));
    assert!(std::process::Command::new("mkfifo").arg(&mark).status().unwrap().success());
    let ran = place.run("compile --background arith.wasm");
    assert_eq!((ran.code, mark.exists()), (0, true), "{}", ran.stderr);
    // A process that was ended while it compiled left its mark: it is not tried again before the mark is removed.
    let digest = hostel::Digest::of(&fs::read(hostel_guests::TEXT).unwrap()).hex();
    let mark = place.data_dir().join(format!("compiled/.new-optimising-{digest}"));
    fs::write(&mark, "begun").unwrap();
    let before = kept();
    assert_eq!((place.run("compile --background text.wasm").code, kept(), mark.exists()), (0, before, true));
    fs::remove_file(&mark).unwrap();
    assert_eq!((place.run("compile --background text.wasm").code, kept(), mark.exists()), (0, before, false));
}

#[test]
fn a_data_directory_that_cannot_be_used_is_a_warning() {
    let place = Place::new();
    place.write("file", "");
    fs::create_dir(place.path().join("half")).unwrap();
    place.write("half/compiled", "");
    place.write("half/results", "");
    let lines = [
        "run arith.wasm#add 40 2 --data-dir file/inside",
        "run arith.wasm#add 40 2 --data-dir half --cache inputs",
        "map arith.wasm#add-one --over x=0..5 --data-dir half --cache inputs",
        "run arith.wasm#add 40 2 --data-dir file",
    ];
    // Told by the thread that writes, in its own time.
    let late = "! warning: results are not stored in half/results: Not a directory\n";
    let session = place.session(&lines);
    assert_eq!(session.matches(late).count(), 2, "{session}");
    check!("unusable_data_dir", session.replace(late, ""));
}

#[test]
fn a_damaged_entry_is_a_warning_and_a_miss() {
    let place = Place::with_data_dir();
    // So long that it has a file of its own.
    let line = "run arith.wasm#pow 9 40000 --cache inputs";
    let first = place.run(line);
    assert_eq!(first.code, 0);
    let mut damaged = 0;
    for kind in ["compiled", "results/blobs-2"] {
        for file in files(&place.data_dir().join(kind)) {
            let mut content = fs::read(&file).unwrap();
            let last = content.len() - 1;
            content[last] ^= 1;
            fs::write(&file, content).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 2);
    let ran = place.run(line);
    assert_eq!((ran.code, &ran.stdout), (0, &first.stdout));
    assert_eq!(ran.stderr.matches("warning: ").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("damaged").count(), 2, "{}", ran.stderr);
    assert!(place.run(line).stderr.starts_with("Cached (made by run "));
}

#[test]
fn a_damaged_index_is_a_warning_and_begun_anew() {
    let place = Place::with_data_dir();
    let line = "run arith.wasm#add 40 2 --cache inputs";
    assert_eq!(place.run(line).code, 0);
    fs::write(place.data_dir().join("results/index-2-0.sqlite"), "no database at all").unwrap();
    let ran = place.run(line);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "42\n"));
    assert_eq!(ran.stderr.matches("warning: ").count(), 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("is damaged (") && ran.stderr.contains("a new one is created"),
        "{}",
        ran.stderr
    );
    assert!(place.run(line).stderr.starts_with("Cached (made by run "));
}

pub(crate) fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
