//! What a program reads as its stdin: the content of a file, or a stream.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use crate::hostel::{Place, Ran, interrupt};

/// Runs a command with its stdin from there.
fn run_from(place: &Place, line: &str, stdin: impl Into<Stdio>) -> Ran {
    Ran::of(place.command(line).stdin(stdin).output().unwrap())
}

/// Opens a file of the place.
fn open(place: &Place, name: &str) -> File {
    File::open(place.path().join(name)).unwrap()
}

/// What the cache did for a run that was told to explain it.
fn explained(ran: &Ran) -> &str {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = ran.stderr.lines().find_map(|line| line.strip_prefix("cache: "));
    line.unwrap_or_else(|| panic!("{}", ran.stderr))
}

/// The line that names the key.
fn key(ran: &Ran) -> &str {
    ran.stderr.lines().find(|line| line.contains(", key ")).unwrap()
}

#[test]
fn the_head_of_an_endless_pipe_comes_at_once() {
    let place = Place::new();
    for option in ["", "--stdin -"] {
        let mut yes = Command::new("yes").stdout(Stdio::piped()).spawn().unwrap();
        let pipe = yes.stdout.take().unwrap();
        let ran = run_from(&place, &format!("run command.wasm -q {option} -- --head 3"), pipe);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "y\ny\ny\n"), "{option}: {}", ran.stderr);
        // Nobody reads from it any more.
        assert!(!yes.wait().unwrap().success());
    }
}

#[test]
fn a_program_sees_each_line_as_it_comes() {
    let place = Place::new();
    let mut child = place.start("run command.wasm -q -- --head 2");
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for line in ["one\n", "two\n"] {
        stdin.write_all(line.as_bytes()).unwrap();
        let mut printed = String::new();
        stdout.read_line(&mut printed).unwrap();
        assert_eq!(printed, line);
    }
    assert!(child.wait().unwrap().success(), "it ends while the pipe is open");
    drop(stdin);
}

#[test]
fn a_program_that_reads_nothing_does_not_wait() {
    let place = Place::new();
    for line in ["run command.wasm -q hello", "run command.wasm -q --stdin - hello"] {
        let mut child = place.start(line);
        let stdin = child.stdin.take().unwrap();
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stdout.as_str()), (0, "HELLO\n"), "{line}: {}", ran.stderr);
        drop(stdin);
    }
}

#[test]
fn a_pipe_and_a_socket_are_read_with_and_without_the_option() {
    let place = Place::new();
    for line in ["run command.wasm -q", "run command.wasm -q --stdin -", "run command.wasm -q --json '{}'"] {
        assert_eq!(place.run_with_stdin(line, "piped\n").stdout, "PIPED\n", "{line}");
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"from a socket\n").unwrap();
        drop(ours);
        assert_eq!(run_from(&place, line, OwnedFd::from(theirs)).stdout, "FROM A SOCKET\n", "{line}");
    }
    let ran = place.run_with_stdin("run command.wasm -q --json '{\"stdin\": [104, 105]}'", "piped\n");
    assert_eq!(ran.stdout, "HI\n", "a value comes before it");
    let ran = place.run_with_stdin("run command.wasm -q --json -", "{\"args\": []}");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    let ran = place.run_with_stdin("run command.wasm -q --json - --stdin -", "{}");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("named twice"), "{}", ran.stderr);
}

#[test]
fn a_named_pipe_is_opened_when_the_program_reads() {
    let place = Place::new();
    let fifo = place.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let ran = place.run("run command.wasm -q --stdin fifo hello");
    assert_eq!(ran.stdout, "HELLO\n", "nobody writes to it: {}", ran.stderr);
    let child = place.start("run command.wasm -q --stdin fifo");
    // Waits for someone who reads.
    let mut writer = fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    writer.write_all(b"named\n").unwrap();
    drop(writer);
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).stdout, "NAMED\n");
}

#[test]
fn a_function_does_not_read_it() {
    let place = Place::new();
    assert_eq!(place.run_with_stdin("run hostile.wasm#drain-stdin -q", "piped").stdout, "0\n");
    let mut child = place.start("run arith.wasm#add 40 2 -q");
    let stdin = child.stdin.take().unwrap();
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).stdout, "42\n");
    drop(stdin);
}

#[test]
fn the_limit_counts_what_was_read() {
    let place = Place::new();
    let line = |flag: &str| format!("run command.wasm -q --max-input 2KiB -- {flag}");
    let ran = place.run_with_stdin(&line("--cat"), "x".repeat(1000));
    assert_eq!((ran.code, ran.stdout.len()), (0, 1000), "{}", ran.stderr);
    let ran = place.run_with_stdin(&line("--cat"), "x".repeat(3000));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the input is over 2 KiB"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--max-input"), "{}", ran.stderr);
    let ran = place.run_with_stdin(&line("--head 1"), "line\n".repeat(300));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "line\n"), "{}", ran.stderr);
}

#[test]
fn a_file_is_part_of_the_key_by_its_content() {
    let place = Place::with_data_dir();
    place.write("input.txt", "some\n");
    place.write("same.txt", "some\n");
    let line = "run command.wasm --explain-cache";
    let first = place.run(&format!("{line} --stdin input.txt"));
    assert!(explained(&first).starts_with("miss") && explained(&first).ends_with("; stored"), "{first}");
    let hits = [
        place.run(&format!("{line} --stdin same.txt")),
        run_from(&place, &format!("{line} --stdin -"), open(&place, "input.txt")),
        run_from(&place, line, open(&place, "input.txt")),
    ];
    for ran in &hits {
        assert!(explained(ran).starts_with("hit"), "{ran}");
        assert_eq!((ran.stdout.as_str(), key(ran)), ("SOME\n", key(&first)));
    }
    place.write("input.txt", "other\n");
    let changed = run_from(&place, line, open(&place, "input.txt"));
    assert!(explained(&changed).starts_with("miss"), "{changed}");
    assert_eq!(changed.stdout, "OTHER\n");
    // The rest of a file, if others have read some of it.
    place.write("input.txt", "skipped\nsome\n");
    let mut file = open(&place, "input.txt");
    file.seek(SeekFrom::Start(8)).unwrap();
    let rest = run_from(&place, line, file);
    assert!(explained(&rest).starts_with("hit"), "{rest}");
}

#[test]
fn nothing_and_dev_null_are_the_same() {
    let place = Place::with_data_dir();
    // That is what all tests have, unless they say otherwise.
    let nothing = place.run("run command.wasm --explain-cache");
    assert!(explained(&nothing).ends_with("; stored"), "{nothing}");
    let null = run_from(&place, "run command.wasm --explain-cache", File::open("/dev/null").unwrap());
    assert!(explained(&null).starts_with("hit"), "{null}");
    // Named, it is an empty file.
    place.write("empty", "");
    let empty = place.run("run command.wasm --explain-cache --stdin empty");
    assert_ne!(key(&empty), key(&nothing));
    for line in
        ["run command.wasm --explain-cache --stdin -", "run command.wasm --explain-cache --stdin /dev/null"]
    {
        let named = place.run(line);
        assert!(explained(&named).starts_with("hit"), "{named}");
        assert_eq!(key(&named), key(&empty));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_read_only_if_it_is_named() {
    let place = Place::with_data_dir();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let line = "run command.wasm --explain-cache";
    let ran = run_from(&place, line, terminal.slave.try_clone().unwrap());
    assert_eq!((explained(&ran).ends_with("; stored"), ran.stdout.as_str()), (true, ""), "{ran}");
    assert_eq!(key(&ran), key(&place.run(line)), "as if there were nothing");
    // A line, and what a terminal has for an end.
    File::from(terminal.master.try_clone().unwrap()).write_all(b"typed\n\x04").unwrap();
    let ran = run_from(&place, &format!("{line} --stdin -"), terminal.slave);
    assert!(explained(&ran).contains("read its standard input"), "{ran}");
    assert_eq!(ran.stdout, "TYPED\n");
}

#[test]
fn what_was_read_from_a_pipe_is_not_cached() {
    let place = Place::with_data_dir();
    for policy in ["auto", "inputs", "task-source"] {
        let line = format!("run command.wasm --explain-cache --cache {policy}");
        for input in ["one\n", "two\n"] {
            let ran = place.run_with_stdin(&line, input);
            let expected = "miss (no result under this key); not stored: read its standard input ";
            assert!(explained(&ran).starts_with(expected), "{policy}: {ran}");
            assert_eq!(ran.stdout, input.to_uppercase());
        }
        // What does not read is.
        let line = format!("{line} hello");
        let ran = place.run_with_stdin(&line, "one");
        assert!(
            explained(&ran).starts_with("miss") && explained(&ran).ends_with("; stored"),
            "{policy}: {ran}"
        );
        let again = place.run_with_stdin(&line, "two");
        assert!(explained(&again).starts_with("hit"), "{policy}: {again}");
        let without = place.run(&line);
        assert!(explained(&without).starts_with("miss"), "{policy}: {without}");
    }
}

#[test]
fn a_file_over_the_limit_is_a_stream() {
    let place = Place::with_data_dir();
    place.write("large.txt", "line\n".repeat(1000));
    let line = "run command.wasm --explain-cache --max-input 1KiB";
    let head = [
        place.run(&format!("{line} --stdin large.txt -- --head 1")),
        run_from(&place, &format!("{line} -- --head 1"), open(&place, "large.txt")),
        // The arguments count too.
        place.run("run command.wasm --explain-cache --max-input 5000 --stdin large.txt -- --head 1"),
    ];
    for ran in head {
        assert!(explained(&ran).contains("not stored: read its standard input "), "{ran}");
        assert_eq!(ran.stdout, "line\n");
    }
    let ran = place.run("run command.wasm -q --max-input 1KiB --stdin large.txt");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("the input is over 1 KiB"), "{}", ran.stderr);
}

#[test]
fn a_file_that_nobody_named_is_left_where_it_was() {
    let place = Place::new();
    place.write("list.txt", "first\nsecond\n");
    let mut file = open(&place, "list.txt");
    file.read_exact(&mut [0; 6]).unwrap();
    let ran = run_from(&place, "run command.wasm -q hello", file.try_clone().unwrap());
    assert_eq!(ran.stdout, "HELLO\n");
    assert_eq!(file.stream_position().unwrap(), 6, "a loop over its lines goes on");
    let ran = run_from(&place, "run command.wasm -q --stdin -", file.try_clone().unwrap());
    assert_eq!(ran.stdout, "SECOND\n");
    assert_eq!(file.stream_position().unwrap(), 13);
}

#[test]
fn each_attempt_reads_the_same_bytes() {
    let place = Place::new();
    let line = "run command.wasm --states --retries 2 -- --cat-and-fail";
    let ran = place.run_with_stdin(line, "piped\n");
    let states: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let attempts = states["attempts"].as_array().unwrap();
    let printed: Vec<_> = attempts.iter().map(|attempt| attempt["stdout"].as_str().unwrap()).collect();
    assert_eq!(printed, ["piped\n"; 3], "{ran}");
}

#[test]
fn a_run_that_waits_for_it_can_be_stopped() {
    let place = Place::new();
    let mut child = place.start("run command.wasm -q --timeout 300ms");
    let stdin = child.stdin.take().unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.starts_with("TimedOut after 300 ms"), "{}", ran.stderr);
    drop(stdin);

    let mut child = place.start("run command.wasm -q -- --head 2");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\n").unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 4]).unwrap();
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    drop(stdin);
}
