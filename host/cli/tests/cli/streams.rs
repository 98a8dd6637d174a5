//! Pipes: streamed input, closed output, full output.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::hostel::{Place, Ran, check};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_hundred_thousand_lines_from_stdin() {
    let numbers: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    let ran = Place::new().run_with_stdin("map arith.wasm#add-one --over x=-", numbers);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.lines().eq((1..=100_000).map(|n| n.to_string())));
    assert!(ran.stderr.starts_with("100,000 runs: 100,000 completed in "), "{}", ran.stderr);
}

#[test]
fn results_come_while_stdin_is_open() {
    let place = Place::new();
    let mut child = place.start("map arith.wasm#add-one --over x=@- --quiet");
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (send, lines) = mpsc::channel();
    let reader = thread::spawn(move || stdout.lines().for_each(|line| send.send(line.unwrap()).unwrap()));
    for n in [1, 41] {
        writeln!(stdin, "{n}").unwrap();
        assert_eq!(
            lines.recv_timeout(PATIENCE).expect("a result before the end of stdin"),
            (n + 1).to_string()
        );
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    reader.join().unwrap();
}

#[test]
fn what_a_program_prints_comes_while_it_runs() {
    let place = Place::new();
    let mut child = place.start("run command.wasm --quiet -- --hang at once");
    let mut begun = [0; 7];
    child.stdout.as_mut().unwrap().read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"at once");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A program that prints more than a pipe holds and goes on, and a reader that reads nothing.
#[cfg(unix)]
fn stalled(place: &Place) -> (std::process::Child, BufReader<std::process::ChildStderr>) {
    let line = "run command.wasm --timeout 1s -- --flood";
    let mut child = place.start(line);
    drop(child.stdin.take());
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (child, stderr)
}

#[cfg(unix)]
#[test]
fn a_reader_that_stands_still_keeps_no_timeout_from_ending_a_program() {
    let place = Place::new();
    let (mut child, mut stderr) = stalled(&place);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("TimedOut after "), "{line}");
    // Now it reads.
    let mut printed = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut printed).unwrap();
    assert!(printed.len() > 100_000, "{} bytes", printed.len());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[cfg(unix)]
#[test]
fn a_program_whose_reader_stands_still_can_be_interrupted() {
    let place = Place::new();
    let (mut child, mut stderr) = stalled(&place);
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    crate::hostel::interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn maps_go_into_maps() {
    let place = Place::new();
    let first = place.run("map arith.wasm#add-one --over x=0..3 --quiet");
    let second = place.run_with_stdin("map batch.wasm#process-data --over item=- --quiet", first.stdout);
    assert_eq!(second.stdout, "\"Processed 1\"\n\"Processed 2\"\n\"Processed 3\"\n");
    let failed = place.run("map batch.wasm#process-data --over item=-1..0 --quiet");
    let third = place.run_with_stdin("map text.wasm#greet --over name=- --quiet", failed.stdout);
    assert_eq!(third.code, 2, "the line of a failure is no value: {}", third.stderr);
}

#[test]
fn a_wrong_line_ends_a_stream_after_the_lines_before_it() {
    let place = Place::new();
    let mut session = String::new();
    for stdin in ["1\n2\n\"three\"\n4\n", "1\n2\nthree\n4\n", "1\n\n2"] {
        let ran = place.run_with_stdin("map arith.wasm#add-one --over x=-", stdin);
        session += &format!("{stdin:?} |\n{ran}\n");
    }
    let ran = place.run_with_stdin("map arith.wasm#add --over a=- --over b=0..3", "1\n2\n");
    session += &format!("two lines | a=- b=0..3\n{ran}\n");
    check!("streams_that_do_not_fit", session.trim_end());
}

#[test]
fn a_closed_stdout_ends_it_quietly() {
    let place = Place::new();
    for line in ["map arith.wasm#add-one --over x=0..1000000000", "inspect arith.wasm", "completions bash"] {
        let mut child = place.start(line);
        let mut stdout = child.stdout.take().unwrap();
        if line.starts_with("map") {
            stdout.read_exact(&mut [0; 2]).unwrap();
        }
        drop(stdout);
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{line}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let place = Place::new();
    let mut command = place.command("run arith.wasm#add 40 2");
    let ran = Ran::of(command.stdout(Stdio::from(full)).output().unwrap());
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (5, "error: cannot write to stdout: No space left on device\n")
    );
}
