//! The ways to write arguments, and what is said of those that do not fit.

use crate::hostel::{Place, check};

#[test]
fn ways_to_write_arguments() {
    let place = Place::new();
    place.write("text.txt", "one two\nthree\n");
    place.write("args.json", r#"{"b": 2, "a": 40}"#);
    let lines = [
        "run arith.wasm#add a=40 b=2",
        "run arith.wasm#add b=2 40",
        "run arith.wasm#add -1 -2",
        "run arith.wasm 'add(40, 2)'",
        "run arith.wasm#add 'add(40, 2)'",
        "run interface.wat 'more.add(1, 2)'",
        "run arith.wasm#add --json '[40, 2]'",
        "run arith.wasm#add --json @args.json",
        "run text.wasm#greet 'a=b'",
        "run text.wasm#greet name=a=b",
        "run text.wasm#greet '\"quoted\"'",
        "run text.wasm#greet 'greet(me)'",
        "run text.wasm#greet @@home",
        "run text.wasm#greet '\"@home\"'",
        "run text.wasm#word-count @text.txt",
        "run text.wasm#word-count-bytes data=@text.txt",
        "run elevator.wasm#stop-at-floor 0",
        "run elevator.wasm#stop-at-floor 0 'some(1)'",
    ];
    let lines = lines.map(|line| format!("{line} --quiet"));
    check!("arguments", place.session(&lines.each_ref().map(String::as_str)));
    assert_eq!(place.run_with_stdin("run text.wasm#greet @- --quiet", "stdin").stdout, "\"Hello, stdin!\"\n");
    assert_eq!(place.run_with_stdin("run arith.wasm#add --json - --quiet", "[40, 2]").stdout, "42\n");
}

#[test]
fn arguments_that_do_not_fit() {
    let place = Place::new();
    place.write("latin.txt", b"caf\xe9");
    place.write("wide.json", "[1, 2");
    let lines = [
        "run arith.wasm#add",
        "run arith.wasm#add 1",
        "run arith.wasm#add 1 2 3",
        "run arith.wasm#add 1 a=2",
        "run arith.wasm#add a=1 a=2 b=3",
        "run arith.wasm#add aa=1 b=2",
        "run arith.wasm#add one 2",
        "run arith.wasm#add 1.5 2",
        "run arith.wasm#add 9223372036854775808 2",
        "run arith.wasm#add @text.txt 2",
        "run arith.wasm#add '[1' 2",
        "run arith.wasm 'subtract(1, 2)'",
        "run arith.wasm#add --json '{\"a\": 1}'",
        "run arith.wasm#add --json '{\"a\": 1, \"b\": \"2x\"}'",
        "run arith.wasm#add --json 5",
        "run arith.wasm#add --json @wide.json",
        "run arith.wasm#add --json @missing.json",
        "run models.wasm#train-model '{name: \"a\"}' '{name: \"b\", hyper: {rate: \"fast\", layers: [1]}}'",
        "run models.wasm#train-model '{name: \"a\"}' '{name: \"b\", hyper: {rate: 0.5, layers: [1, two]}}'",
        "run models.wasm#train-model '{nme: \"a\"}' '{name: \"b\"}'",
        "run models.wasm#train-model '{name: a}' '{name: \"b\"}'",
        "run text.wasm#word-count @latin.txt",
        "run text.wasm#word-count @missing.txt",
        "run text.wasm#word-count @.",
        "run text.wasm#word-count @latin.txt --max-input 3",
        "run text.wasm#word-count 'some text' --max-input 8",
        "run text.wasm#word-count --json '{\"text\": \"\\ud800\"}'",
    ];
    check!("arguments_that_do_not_fit", place.session(&lines));
}

#[test]
fn a_hundred_megabytes_of_text() {
    let place = Place::new();
    place.write("large.txt", "x y\n".repeat(25_000_000));
    let ran = place.run("run text.wasm#word-count @large.txt --output json --quiet");
    assert_eq!(ran.stderr, "");
    let counts: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((counts["bytes"].as_u64(), counts["words"].as_u64()), (Some(100_000_000), Some(50_000_000)));
}
