//! `hostel run`

use crate::hostel::{Place, check};

#[test]
fn results() {
    let place = Place::new();
    let lines = [
        "run arith.wasm#add 40 2",
        "run arith.wasm#add 40 2 --quiet",
        "run arith.wasm#pow 323 20 --output json",
        "run text.wasm#greet Ada",
        "run text.wasm#greet Ada --output json",
        "run text.wasm#word-count 'one two three' --output table",
        "run models.wasm#rank '[{dataset: \"a\", model: \"x\", score: 0.1}, {dataset: \"a\", model: \"y\", score: 0.2}]'",
        "run interface.wat#ops.add 1 2",
        "run add-one.wat 41",
        "run asyncy.wasm#double 21",
        "run elevator.wasm#explain-tasks",
        "run elevator.wasm#explain-tasks --quiet --output json",
        "run elevator.wasm#stop-at-floor ms-per-floor=1 floor=2",
    ];
    check!("results", place.session(&lines));
}

#[test]
fn numbers_that_are_none() {
    let place = Place::new();
    let lines = [
        "run models.wasm#scores.add nan inf",
        "run models.wasm#scores.add a=-inf b=1 --output json",
        "run models.wasm#scores.add -- -inf 1",
        "run models.wasm#scores.add --json '[\"NaN\", \"Infinity\"]' --output json",
        "run models.wasm#scores.add 1e999 1",
        "run models.wasm#scores.add --quiet -inf -.5",
        "run models.wasm#scores.add -1e-3 -2 --quiet",
        "run models.wasm#scores.add -abc 1",
    ];
    check!("not_a_number", place.session(&lines));
}

#[test]
fn failures() {
    let place = Place::new();
    let lines = [
        "run batch.wasm#process-data item=-3",
        "run spin-forever.wasm#spin --timeout 20ms",
        "run trap.wat#unreachable",
        "run command.wasm -- --fail oops",
        "run command.wasm --quiet -- --fail oops",
        "run big-memory.wat --max-memory 1MiB",
        "run big-result.wat 2000000 --max-result 1MiB --quiet",
        "run start-loop.wat --timeout 20ms",
    ];
    check!("failures", place.session(&lines));
}

#[test]
fn a_trap_has_a_backtrace_with_names_and_the_message_once() {
    let place = Place::new();
    let loud = place.run("run panic.wasm 'so much for that'");
    assert_eq!((loud.code, loud.stdout.as_str()), (1, ""));
    assert_eq!(loud.stderr.matches("so much for that").count(), 1, "{}", loud.stderr);
    let names = ["explode", "watch_it_burn", "light_the_fuse"].map(|name| loud.stderr.find(name));
    assert!(names.iter().all(Option::is_some) && names.is_sorted(), "{}", loud.stderr);
    assert!(loud.stderr.contains("\nFailed in "), "{}", loud.stderr);

    let quiet = place.run("run panic.wasm 'so much for that' --quiet");
    assert!(quiet.stderr.starts_with("Failed in "), "{}", quiet.stderr);
    assert_eq!(quiet.stderr.matches("so much for that").count(), 1, "{}", quiet.stderr);
}

#[test]
fn a_deep_backtrace_is_cut() {
    let ran = Place::new().run("run deep-recursion.wasm --json '[4294967295]'");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("calls nest too deeply"), "{}", ran.stderr);
    assert!(ran.stderr.lines().count() < 30, "{}", ran.stderr);
}

#[test]
fn programs() {
    let place = Place::new();
    place.write("input.txt", "some\ninput\n");
    let lines = [
        "run command.wasm hello a=b @home 'add(1, 2)'",
        "run command.wasm -- --argv one 'two words'",
        "run command.wasm --stdin input.txt",
        "run command.wasm --output json hello",
        "run command.wasm --output json -- --bytes",
        "run command.wasm --json '{\"args\": [\"from json\"]}'",
        "map command.wasm --over 'args=[[\"from\", \"a map\"], [\"--bytes\"]]' --output wave",
        "run command.wasm hello --output json",
        "run command.wasm hello --name bob -q",
        "run command.wasm --stdin missing.txt",
    ];
    check!("programs", place.session(&lines));
    assert_eq!(place.run_with_stdin("run command.wasm --stdin -", "piped\n").stdout, "PIPED\n");
    place.write("bytes", b"\0\xff\xfe\n\r\n\x80");
    let output = place.command("run command.wasm --quiet --stdin bytes -- --cat").output().unwrap();
    assert_eq!(output.stdout, b"\0\xff\xfe\n\r\n\x80");
}

#[test]
fn what_a_program_printed_before_it_failed_is_not_lost() {
    let place = Place::new();
    for line in ["run command.wasm -q -- --break so far", "run command.wasm -q --retries 2 -- --break so far"]
    {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, "so far"), "{line}: {}", ran.stderr);
    }
    let ran = place.run("run command.wasm -q --timeout 200ms -- --hang so far");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "so far"), "{}", ran.stderr);
    let ran = place.run("run command.wasm --states --retries 1 -- --break so far");
    let states: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let printed = |attempt: &serde_json::Value| attempt["stdout"] == "so far";
    assert!(
        states["attempts"].as_array().is_some_and(|all| all.len() == 2 && all.iter().all(printed)),
        "{ran}"
    );
}

#[test]
fn a_log_has_levels_and_fields() {
    let place = Place::new();
    let lines = [
        "run reporter.wasm#count-to 2",
        "run reporter.wasm#say warn 'disk is nearly full' '[(\"free\", \"3 %\"), (\"disk\", \"/dev/sda\")]'",
        "run reporter.wasm#say error '\"two\\nlines, \\u{1b}[2J\"' '[(\"id\", \"a\\nb\")]'",
        "map reporter.wasm#count-to --over n=1..2",
    ];
    check!("log", place.session(&lines));
}

#[test]
fn a_log_is_bounded_and_cannot_steer_the_terminal() {
    let place = Place::new();
    let ran = place.run("run log-flood.wasm#flood 100000 --max-log 10KiB");
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.len() < 100_000, "{}", ran.stderr.len());
    assert!(ran.stderr.contains("host  cut here: the log is over 10 KiB"), "{}", ran.stderr);

    let ran = place.run("run log-flood.wasm#no-newline '\u{1b}[2J\rgone'");
    assert!(ran.stderr.contains(r"out  \u{1b}[2J\rgone"), "{}", ran.stderr);
    let ran = place.run("run log-flood.wasm#not-text");
    assert!(ran.stderr.contains("out  \u{fffd}\u{fffd}\u{fffd}"), "{}", ran.stderr);
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let place = Place::new();
    let plain = place.run("run batch.wasm#process-data item=-3");
    assert!(!plain.stderr.contains('\u{1b}'), "{}", plain.stderr);
    let coloured = place.run("run batch.wasm#process-data item=-3 --color always");
    assert!(coloured.stderr.starts_with("\u{1b}[1m\u{1b}[31mFailed in "), "{:?}", coloured.stderr);
    let coloured = place.run("--color always inspect arith.wasm");
    assert!(coloured.stdout.starts_with("\u{1b}[1marith.wasm\u{1b}[0m\n"), "{:?}", coloured.stdout);
}
