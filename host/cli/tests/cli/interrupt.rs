//! Ctrl-C. Each test waits for something the command writes, and only then interrupts it.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};

use crate::hostel::{Place, Ran, check, interrupt, send};

#[test]
fn an_interrupted_map_keeps_what_has_finished() {
    let place = Place::new();
    let mut child = place.start("map elevator.wasm#stop-at-floor --over 'floor=[0, 3600, 0, 3600]' --quiet");
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert_eq!(first, "0\n");
    interrupt(&child);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130);
    // The third has finished, or has not begun; in its place either way.
    let lines: Vec<_> = rest.lines().collect();
    assert!(
        matches!(lines.as_slice(), [] | [r#"{"$error":{"kind":"cancelled","message":"cancelled"}}"#, "0"]),
        "{rest}"
    );
    assert!(ran.last().starts_with("4 runs: "), "{}", ran.stderr);
    assert!(ran.last().contains(" cancelled in "), "{}", ran.stderr);
}

#[test]
fn a_map_that_waits_for_stdin_can_be_interrupted() {
    let place = Place::new();
    let mut child = place.start("map elevator.wasm#stop-at-floor --over floor=-");
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"0\n").unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130);
    assert!(ran.last().starts_with("1 run: 1 completed in "), "{}", ran.stderr);
    drop(stdin);
}

#[test]
fn an_interrupted_run_is_cancelled_even_while_it_computes() {
    let place = Place::new();
    for signal in ["INT", "TERM"] {
        let mut child = place.start("run spin-forever.wasm#spin-after 0");
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.ends_with("spinning\n"), "{line}");
        send(signal, &child);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        check!("interrupted_run", rest);
    }
}

#[test]
fn a_run_that_awaits_its_retry_is_cancelled_at_once() {
    let place = Place::new();
    let mut child = place.start("run batch.wasm#process-data item=-3 --retries 1 --retry-delay 1h");
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(
        line.starts_with("attempt 1 of 2 failed in ") && line.ends_with("; next in 1 h 0 min\n"),
        "{line}"
    );
    interrupt(&child);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    check!("interrupted_run", rest);
}
