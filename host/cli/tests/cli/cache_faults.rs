//! The cache under everything that can befall it: killed processes, full disks, directories that cannot be written.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cache::files;
use crate::hostel::{Place, Ran};

/// Whom root becomes to be denied something.
const NOBODY: u32 = 65_534;

fn map(from: u64, to: u64) -> String {
    format!("map arith.wasm#add-one --over x={from}..{to} --cache inputs")
}

fn expected(from: u64, to: u64) -> String {
    (from..to).map(|x| format!("{}\n", x + 1)).collect()
}

/// Runs a map, whose results must be right whatever the cache is like.
#[track_caller]
fn right(place: &Place, from: u64, to: u64) -> Ran {
    let ran = place.run(&map(from, to));
    assert_eq!((ran.code, &ran.stdout), (0, &expected(from, to)), "{}", ran.stderr);
    ran
}

/// How many results a map did not have to compute.
fn cached(ran: &Ran) -> u64 {
    let summary = ran.stderr.lines().find(|line| line.contains(" completed")).unwrap();
    let cached = summary.split_once(" completed (").and_then(|(_, rest)| rest.split_once(" cached)"));
    cached.map_or(0, |(number, _)| number.replace(',', "").parse().unwrap())
}

#[test]
fn whoever_is_killed_leaves_only_right_results() {
    const ROUNDS: u64 = 12;
    const EACH: u64 = 100_000;
    let place = Place::with_data_dir();
    let mut found = 0;
    for round in 0..ROUNDS {
        let (from, to) = (round * EACH, (round + 1) * EACH);
        let mut child = place.start(&map(from, to));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed when this many results are out, while more are being put.
        let seen = 1 + round as usize * 997;
        for (line, x) in lines.by_ref().take(seen).zip(from..) {
            assert_eq!(line.unwrap(), (x + 1).to_string());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let again = right(&place, from, from + seen as u64);
        assert_eq!(again.stderr.matches("warning").count(), 0, "{}", again.stderr);
        found += cached(&again);
    }
    assert!(found > 0, "some results were on disk before the end came");
    let listed = place.run("cache ls --output json");
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""), "every entry is whole");
    let checked = place.run("cache stats --output json");
    assert!(checked.stdout.contains("\"damaged\":0"), "{}", checked.stdout);
}

#[test]
fn a_full_disk_costs_only_the_cache() {
    // So many of 512 bytes each may a file have: no index at all, an index but hardly a log, more and more of the entries.
    for blocks in [8, 64, 256, 1000] {
        let place = Place::with_data_dir();
        assert_eq!(place.run("run arith.wasm#add-one 1").code, 0, "compiled while there is room");
        let hostel = place.command(&map(0, 5000));
        let words = hostel.get_args().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join("' '");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec '{}' '{words}'",
            hostel.get_program().to_str().unwrap()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(place.path()).env("HOSTEL_DATA_DIR", place.data_dir());
        let ran = Ran::of(shell.stdin(Stdio::null()).output().unwrap());
        assert_eq!((ran.code, &ran.stdout), (0, &expected(0, 5000)), "{blocks} blocks: {}", ran.stderr);
        assert!(
            (1..=3).contains(&ran.stderr.matches("warning: ").count()),
            "{blocks} blocks: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("results are not stored in "), "{blocks} blocks: {}", ran.stderr);
        // What was kept is right, and with room all of it is.
        right(&place, 0, 5000);
        assert_eq!(cached(&right(&place, 0, 5000)), 5000, "{blocks} blocks");
    }
}

/// Takes the right to write to all that is in a directory, or gives it back.
fn set_writable(dir: &Path, is_writable: bool) {
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let paths: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    set(dir, 0o755);
    for path in paths {
        if path.is_dir() {
            set_writable(&path, is_writable)
        } else {
            set(&path, if is_writable { 0o644 } else { 0o444 })
        }
    }
    set(dir, if is_writable { 0o755 } else { 0o555 });
}

/// Runs a command as someone to whom permissions apply: nobody, if we are root.
fn as_someone(place: &Place, line: &str) -> Ran {
    let mut command = place.command(line);
    if fs::metadata(place.path()).unwrap().uid() == 0 {
        // The command may lie where nobody else may look.
        let hostel = place.path().join("hostel");
        if !hostel.exists() {
            fs::copy(command.get_program(), &hostel).unwrap();
        }
        let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let id = |option: &str| format!("--{option}={NOBODY}");
        command = Command::new("setpriv");
        command.args([id("reuid"), id("regid")]).arg("--clear-groups").arg(hostel).args(words);
        command.current_dir(place.path()).env("HOSTEL_DATA_DIR", place.data_dir()).stdin(Stdio::null());
    }
    Ran::of(command.output().expect("as root, the test needs setpriv of util-linux"))
}

#[test]
fn a_directory_that_cannot_be_written_still_hits() {
    for has_log in [true, false] {
        let place = Place::with_data_dir();
        right(&place, 0, 3000);
        if !has_log {
            // Removing something shortens the log to nothing; without it there is only the database.
            let line = format!("cache gc --max-bytes {}", 200_000);
            assert_eq!(place.run(&line).code, 0);
            for file in files(&place.data_dir().join("results")) {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                if name.ends_with("-wal") || name.ends_with("-shm") {
                    assert!(!name.ends_with("-wal") || fs::metadata(&file).unwrap().len() == 0);
                    fs::remove_file(file).unwrap();
                }
            }
        }
        let before = cached(&right(&copy(&place), 0, 3000));
        assert!(before > 100);
        set_writable(place.data_dir(), false);
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();

        let again = as_someone(&place, &map(0, 3000));
        assert_eq!((again.code, &again.stdout), (0, &expected(0, 3000)), "{}", again.stderr);
        assert_eq!(cached(&again), before, "{}", again.stderr);

        let more = as_someone(&place, &map(2000, 9000));
        assert_eq!((more.code, &more.stdout), (0, &expected(2000, 9000)), "{}", more.stderr);
        assert_eq!(more.stderr.matches("warning: ").count(), 1, "{}", more.stderr);
        assert!(more.stderr.contains("results are not stored in "), "{}", more.stderr);

        let listed = as_someone(&place, "cache ls");
        assert_eq!((listed.code, listed.stdout.lines().count() as u64), (0, before + 1), "{}", listed.stderr);
        let cleared = as_someone(&place, "cache clear");
        assert_eq!((cleared.code, cleared.stdout.as_str()), (4, ""), "{}", cleared.stderr);
        set_writable(place.data_dir(), true);
    }
}

/// A place with the same data.
fn copy(place: &Place) -> Place {
    let copy = Place::with_data_dir();
    for file in files(place.data_dir()) {
        let to = copy.data_dir().join(file.strip_prefix(place.data_dir()).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
    copy
}

#[test]
fn many_processes_share_one_directory() {
    const PROCESSES: u64 = 6;
    let place = Place::with_data_dir();
    // Each has half of its numbers in common with the next.
    let range = |process: u64| (process * 1000, process * 1000 + 2000);
    let start = |process| {
        let (from, to) = range(process);
        (process, place.start(&map(from, to)))
    };
    let children: Vec<(u64, Child)> = (0..PROCESSES).map(start).collect();
    for (process, child) in children {
        let ran = Ran::of(child.wait_with_output().unwrap());
        let (from, to) = range(process);
        assert_eq!((ran.code, &ran.stdout), (0, &expected(from, to)), "{}", ran.stderr);
        assert_eq!(ran.stderr.matches("warning").count(), 0, "{}", ran.stderr);
    }
    let all = right(&place, 0, 7000);
    assert_eq!(cached(&all), 7000, "{}", all.stderr);
    assert!(place.run("cache stats --output json").stdout.contains("\"entries\":7000,"));
}

#[test]
fn another_version_of_the_host_is_not_disturbed() {
    let place = Place::with_data_dir();
    let results = place.data_dir().join("results");
    fs::create_dir_all(results.join("blobs-3/aa")).unwrap();
    let theirs =
        ["index-3-0.sqlite", "index-3-0.sqlite-wal", "blobs-3/aa/value"].map(|name| results.join(name));
    theirs.iter().for_each(|file| fs::write(file, "of a later version").unwrap());
    right(&place, 0, 100);
    assert_eq!(cached(&right(&place, 0, 100)), 100);
    for line in ["cache gc --max-bytes 0", "cache clear"] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    for file in theirs {
        assert_eq!(fs::read(file).unwrap(), b"of a later version");
    }
}
