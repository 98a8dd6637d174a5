//! The data directory: who can use what is in it, whom the command refuses to trust, and what is in place of files.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::hostel::{Place, Ran};

/// A user that is not the one who runs the tests.
const SOMEBODY: u32 = 65_534;

/// One short and one long result, of which the second has a file of its own, and compiled code.
const LINES: [&str; 2] =
    ["run arith.wasm#add 40 2 --cache inputs", "run arith.wasm#pow 9 40000 --cache inputs --output json"];

/// Runs a command in a shell with this umask, and this data directory.
fn with_umask(place: &Place, umask: &str, data_dir: &Path, line: &str) -> Ran {
    let hostel = place.command(line);
    let words: Vec<_> = hostel.get_args().map(|word| word.to_str().unwrap()).collect();
    let script =
        format!("umask {umask}; exec '{}' '{}'", hostel.get_program().to_str().unwrap(), words.join("' '"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(place.path()).env("HOSTEL_DATA_DIR", data_dir);
    Ran::of(shell.stdin(Stdio::null()).output().unwrap())
}

/// Everything in a directory, and the directory.
fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    if path.is_dir() {
        all.extend(fs::read_dir(path).unwrap().flat_map(|entry| all_below(&entry.unwrap().path())));
    }
    all
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_private(data_dir: &Path) {
    let all = all_below(data_dir);
    for name in
        ["results", "compiled", "flights", "index-2-0.sqlite", "index-2-0.sqlite-wal", "index-2-0.sqlite-shm"]
    {
        assert!(all.iter().any(|path| path.ends_with(name)), "{name} is not in {all:?}");
    }
    let is_blob = |path: &&PathBuf| path.is_file() && path.to_string_lossy().contains("/blobs-2/");
    assert_eq!(all.iter().filter(is_blob).count(), 1);
    for path in all {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&path), expected, "{}: {:o}", path.display(), mode(&path));
    }
}

#[test]
fn only_its_owner_can_use_what_is_in_it_whatever_the_umask() {
    for umask in ["000", "022", "077", "0277"] {
        let place = Place::with_data_dir();
        let data_dir = place.data_dir().join("above/data");
        for line in LINES {
            let ran = with_umask(&place, umask, &data_dir, line);
            assert_eq!((ran.code, ran.stderr.contains("warning")), (0, false), "{umask}: {}", ran.stderr);
        }
        assert_private(&data_dir);
        assert_eq!(mode(data_dir.parent().unwrap()), 0o700, "{umask}");
    }
}

#[test]
fn what_an_earlier_version_left_open_is_shut() {
    let place = Place::with_data_dir();
    let open = |path: &Path| set_mode(path, if path.is_dir() { 0o755 } else { 0o644 });
    LINES.iter().for_each(|line| assert_eq!(place.run(line).code, 0));
    all_below(place.data_dir()).iter().for_each(|path| open(path));
    let ran = place.run(LINES[0]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.contains("warning")),
        (0, "42\n", false),
        "{}",
        ran.stderr
    );
    assert_private(place.data_dir());

    // What is not the host's stays as it is, and so does a directory that holds such things.
    let strange = place.data_dir().join("strange");
    fs::write(&strange, "").unwrap();
    all_below(place.data_dir()).iter().for_each(|path| open(path));
    assert_eq!(place.run("cache ls").code, 0);
    assert_eq!((mode(place.data_dir()), mode(&strange)), (0o755, 0o644));
    assert!(all_below(&place.data_dir().join("results")).iter().all(|path| mode(path) & 0o077 == 0));
}

/// Refused by every command that would use it.
#[track_caller]
fn refused(place: &Place, data_dir: &Path, path: &Path, expected: &str) {
    for line in [LINES[0], "cache ls", "cache gc"] {
        let ran = with_umask(place, "022", data_dir, line);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{line}: {}", ran.stderr);
        let text =
            format!("the data directory {} cannot be trusted: {} ", data_dir.display(), path.display());
        assert!(ran.stderr.contains(&text) && ran.stderr.contains(expected), "{line}: {}", ran.stderr);
    }
}

#[track_caller]
fn accepted(place: &Place, data_dir: &Path) {
    let ran = with_umask(place, "022", data_dir, LINES[0]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "42\n"), "{}", ran.stderr);
}

#[test]
fn what_others_can_write_is_refused() {
    let place = Place::with_data_dir();
    let above = place.data_dir().join("above");
    let data_dir = above.join("data");
    accepted(&place, &data_dir);
    let dirs =
        [data_dir.clone(), data_dir.join("compiled"), data_dir.join("results"), data_dir.join("flights")];
    for dir in &dirs {
        for bad in [0o770, 0o702, 0o1777] {
            set_mode(dir, bad);
            refused(&place, &data_dir, dir, &format!("has mode {bad:04o}"));
            assert_eq!(mode(dir), bad, "it is not mended: what is in it may be anyone's");
        }
        set_mode(dir, 0o700);
        accepted(&place, &data_dir);
    }
    // Who can write above it can put another one in its place, unless only the owner may rename there.
    for bad in [0o702, 0o777] {
        set_mode(&above, bad);
        refused(&place, &data_dir, &above, &format!("`chmod go-w {}`", above.display()));
    }
    for good in [0o755, 0o1777] {
        set_mode(&above, good);
        accepted(&place, &data_dir);
    }
    // What earlier ones wrote of the registry and of runs counts as well.
    for name in ["components", "blobs"] {
        let dir = data_dir.join(name);
        fs::create_dir(&dir).unwrap();
        set_mode(&dir, 0o777);
        refused(&place, &data_dir, &dir, "has mode 0777");
        set_mode(&dir, 0o700);
    }
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&data_dir, &link).unwrap();
    accepted(&place, &link);
    set_mode(&above, 0o777);
    refused(&place, &link, &above, "has mode 0777");
}

#[test]
fn what_somebody_else_owns_is_refused() {
    let place = Place::with_data_dir();
    if fs::metadata(place.path()).unwrap().uid() != 0 {
        return eprintln!("only root can give a directory to somebody else");
    }
    let above = place.data_dir().join("above");
    let data_dir = above.join("data");
    accepted(&place, &data_dir);
    let text = format!("belongs to user {SOMEBODY}, expected user 0 or root");
    for dir in
        [&above, &data_dir, &data_dir.join("compiled"), &data_dir.join("results"), &data_dir.join("flights")]
    {
        std::os::unix::fs::chown(dir, Some(SOMEBODY), None).unwrap();
        refused(&place, &data_dir, dir, &text);
        std::os::unix::fs::chown(dir, Some(0), None).unwrap();
        accepted(&place, &data_dir);
    }
    let link = place.path().join("link");
    std::os::unix::fs::symlink(&data_dir, &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(SOMEBODY), None).unwrap();
    refused(&place, &link, &link, &text);
}

#[test]
fn code_that_somebody_else_may_have_written_is_compiled_again() {
    let place = Place::with_data_dir();
    accepted(&place, place.data_dir());
    let [code] = &fs::read_dir(place.data_dir().join("compiled")).unwrap().collect::<Vec<_>>()[..] else {
        panic!("one component was compiled")
    };
    let code = code.as_ref().unwrap().path();
    set_mode(&code, 0o666);
    let ran = place.run("run arith.wasm#add 1 2");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "3\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("other users may write to it; compiling again"), "{}", ran.stderr);
    assert_eq!(mode(&code), 0o600, "replaced");
}

fn put_fifo(path: &Path) {
    fs::remove_file(path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_fifo(path: &Path) -> bool {
    fs::symlink_metadata(path).unwrap().file_type().is_fifo()
}

/// Runs a command that must end by itself; a minute later it is killed, with exit code 124 or 137.
fn ends(place: &Place, line: &str) -> Ran {
    let hostel = place.command(line);
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).arg(hostel.get_program()).args(hostel.get_args());
    command.current_dir(place.path()).env("HOSTEL_DATA_DIR", place.data_dir()).stdin(Stdio::null());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    Ran::of(output)
}

#[test]
fn nothing_waits_for_a_fifo_in_place_of_a_file() {
    let filled = || {
        let place = Place::with_data_dir();
        LINES.into_iter().chain(["cache gc"]).for_each(|line| assert_eq!(place.run(line).code, 0));
        place
    };
    let kinds = filled();
    // Each run leaves a file of its own name in the history, which only `hostel runs` reads.
    let is_read = |path: &PathBuf| path.is_file() && !path.starts_with(kinds.data_dir().join("history"));
    let files: Vec<_> = all_below(kinds.data_dir()).into_iter().filter(is_read).collect();
    assert!(files.len() >= 7, "index, log, its index, marker, value, code, locks: {files:?}");
    let expected = kinds.run(LINES[1]).stdout;
    for file in files {
        let name = file.strip_prefix(kinds.data_dir()).unwrap();
        let place = filled();
        let file = place.data_dir().join(name);
        put_fifo(&file);
        // Another value first, so that something is written.
        let other = ends(&place, "run arith.wasm#add 20 1 --cache inputs");
        let (short, long) = (ends(&place, LINES[0]), ends(&place, LINES[1]));
        assert_eq!((other.stdout.as_str(), short.stdout.as_str(), &long.stdout), ("21\n", "42\n", &expected));
        let gc = ends(&place, "cache gc");
        let warnings = [other, short, long, gc].map(|ran| ran.stderr).concat();
        assert!(warnings.contains("warning: "), "{}: {warnings}", name.display());
        ends(&place, "cache ls");
        ends(&place, "cache stats");
        if !name.starts_with("flights") && !name.to_string_lossy().contains("index-2-0") {
            assert!(!is_fifo(&file), "{}: it is replaced", name.display());
        }
    }
}

#[test]
fn everything_in_place_of_files_at_once_costs_only_the_cache() {
    let place = Place::with_data_dir();
    LINES.iter().for_each(|line| assert_eq!(place.run(line).code, 0));
    let files: Vec<_> = all_below(place.data_dir()).into_iter().filter(|path| path.is_file()).collect();
    files.iter().for_each(|file| put_fifo(file));
    assert_eq!(ends(&place, LINES[0]).stdout, "42\n");
    assert_eq!(ends(&place, LINES[0]).stdout, "42\n");
    assert!(ends(&place, "cache ls").stdout.contains("add"));
}

#[test]
fn the_option_precedes_the_variable_and_that_the_usual_place() {
    let used = |variable: bool, option: bool| {
        let place = Place::with_data_dir();
        let [usual, named, given] = ["usual", "named", "given"].map(|name| place.path().join(name));
        let option = if option { format!(" --data-dir {}", given.display()) } else { String::new() };
        let mut command = place.command(&format!("run add-one.wat 1{option}"));
        command.env_remove("HOSTEL_DATA_DIR").env("XDG_DATA_HOME", &usual).env("HOME", &usual);
        if variable {
            command.env("HOSTEL_DATA_DIR", &named);
        }
        let ran = Ran::of(command.output().unwrap());
        assert_eq!((ran.code, &*ran.stdout), (0, "2\n"), "{}", ran.stderr);
        [usual, named, given].map(|dir| dir.exists())
    };
    assert_eq!(used(false, false), [true, false, false]);
    assert_eq!(used(true, false), [false, true, false]);
    assert_eq!(used(true, true), [false, false, true]);
    assert_eq!(used(false, true), [false, false, true]);
}

#[test]
fn the_journal_is_as_private_as_the_rest() {
    for umask in ["000", "077", "0277", "0777"] {
        let place = Place::with_data_dir();
        let above = place.data_dir().join("above");
        let data_dir = above.join("data");
        for _ in 0..2 {
            let ran = with_umask(&place, umask, &data_dir, "delay arith.wasm#add 40 2");
            assert_eq!(ran.code, 0, "{umask}: {}", ran.stderr);
        }
        for path in all_below(&data_dir) {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), expected, "{umask}: {}: {:o}", path.display(), mode(&path));
        }
    }
}

#[test]
fn a_journal_that_others_can_replace_is_refused() {
    let place = Place::with_data_dir();
    let above = place.data_dir().join("above");
    let data_dir = above.join("data");
    assert_eq!(with_umask(&place, "022", &data_dir, "delay arith.wasm#add 40 2").code, 0);
    set_mode(&above, 0o777);
    let none = above.join("none");
    let lines = ["runs ls", "runs stats", "schedule ls", "limits ls", "components ls"];
    // Without a registry, the list of runtimes opens nothing.
    for (dir, more) in [(&data_dir, &["runtime ls"][..]), (&none, &[])] {
        for line in lines.iter().chain(more) {
            let ran = with_umask(&place, "022", dir, line);
            assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{line}: {}", ran.stderr);
            let text = format!("{} cannot be trusted: it has mode 0777", above.display());
            assert!(ran.stderr.contains(&text), "{line}: {}", ran.stderr);
        }
    }
    assert!(!none.exists());
}
