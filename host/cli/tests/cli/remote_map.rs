//! `hostel map --server`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value as Json;

use crate::hostel::{Place, Ran, interrupt};
use crate::server::{Server, Watchdog};

/// The summary without its times.
fn summary(ran: &Ran) -> String {
    let last = ran.stderr.lines().find(|line| line.contains(" runs: ")).unwrap_or_default();
    last.split(" in ").next().unwrap_or_default().to_owned()
}

#[test]
fn a_map_on_a_server_looks_as_without_one() {
    let server = Server::start("--workers 2");
    let here = Place::with_data_dir();
    here.write("items.jsonl", "1\n-3\n2\n");
    server.client.write("items.jsonl", "1\n-3\n2\n");
    let lines = [
        "map arith.wasm#add-one --over x=0..200",
        "map batch.wasm#process-data --over item=@items.jsonl",
        "map batch.wasm#process-data --over item=@items.jsonl --output wave",
        "map arith.wasm#add --over 'a=[1, 2]' --with b=40 --output table",
        "map command.wasm --over 'args=[[\"from\", \"a map\"], [\"--bytes\"]]' --output wave",
        "map arith.wasm#add-one --over x=0..0",
        "map arith.wasm#add-one --over 'x=[1, \"two\"]'",
    ];
    for line in lines {
        let (there, here) = (server.run(line), here.run(line));
        assert_eq!((there.code, &there.stdout), (here.code, &here.stdout), "{line}: {}", there.stderr);
        assert_eq!(summary(&there), summary(&here), "{line}");
    }
}

#[test]
fn each_item_is_a_run_of_the_server() {
    let server = Server::start("--workers 2");
    let ran = server
        .run("map batch.wasm#process-data --over 'item=[1, -3, 2]' --states --name 'item {item}' --receipt");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let items: Vec<Json> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let parts: Vec<_> = items.iter().map(|item| (item["index"].as_u64(), item["name"].as_str())).collect();
    assert_eq!(parts, [(Some(0), Some("item 1")), (Some(1), Some("item -3")), (Some(2), Some("item 2"))]);
    assert!(
        items.iter().all(|item| item["receipt"].is_object() && item.get("task").is_none()),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("item 1 (item = -3): returned the error"), "{}", ran.stderr);
    // All have the tag of the map.
    let heads = server.completed("runs ls --output json");
    let tags: BTreeSet<String> = heads
        .lines()
        .map(|head| serde_json::from_str::<Json>(head).unwrap()["tags"][0].as_str().unwrap().to_owned())
        .collect();
    assert!(heads.lines().count() == 3 && tags.len() == 1, "{heads}");
    assert!(tags.iter().all(|tag| tag.starts_with("map:")), "{tags:?}");

    let ran = server.run("map arith.wasm#add-one --over x=0..20 --as-completed --quiet");
    let found: BTreeSet<u64> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["index"].as_u64().unwrap())
        .collect();
    assert_eq!(found, (0..20).collect());
}

#[test]
fn items_of_stdin_run_as_they_arrive() {
    let server = Server::start("--workers 1");
    let mut command = server.command("map arith.wasm#add-one --over x=-");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _watchdog = Watchdog::of(&child);
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout);
    for number in 0..3 {
        stdin.write_all(format!("{number}\n").as_bytes()).unwrap();
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{}\n", number + 1));
    }
    drop(stdin);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

/// A map that stops at its first failure.
#[track_caller]
fn ends_early(server: &Server, line: &str) -> Ran {
    let ran = server.run(line);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped after the first failure"), "{}", ran.stderr);
    ran
}

#[test]
fn a_map_ends_early_on_its_server() {
    let server = Server::start("--workers 1");
    ends_early(&server, "map batch.wasm#process-data --over item=-200..0 --fail-fast");
    assert_eq!(server.completed("runs ls state:unfinished --output json"), "");
}

#[test]
fn a_map_that_ends_early_does_not_look_at_the_other_rows() {
    let server = Server::start("--workers 1");
    ends_early(&server, "map batch.wasm#process-data --over item=-1..1000000000 --fail-fast --quiet");
}

#[test]
fn a_failure_ends_a_map_before_its_turn() {
    let server = Server::start("--workers 2");
    server.client.write(
        "loop-or-trap.wat",
        r#"(component
            (core module $module (func (export "run") (param i32) (result i32)
                (loop $again (br_if $again (local.get 0))) unreachable))
            (core instance $instance (instantiate $module))
            (func (export "run") (param "loops" u32) (result u32) (canon lift (core func $instance "run"))))"#,
    );
    // The first item never ends, and the second one fails.
    let ran = ends_early(&server, "map loop-or-trap.wat#run --over 'loops=[1, 0]' --fail-fast");
    assert!(ran.stderr.contains("first failure: 1 run cancelled"), "{}", ran.stderr);
    assert_eq!(server.completed("runs ls state:unfinished --output json"), "");
}

/// Starts a map whose first value is 0, and waits for that.
fn started(server: &Server, line: &str) -> (Child, Watchdog, BufReader<ChildStdout>) {
    let mut child = server.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let watchdog = Watchdog::of(&child);
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert_eq!(first, "0\n");
    (child, watchdog, stdout)
}

#[test]
fn a_server_that_is_lost_may_have_runs_that_go_on() {
    let mut server = Server::start("--workers 1");
    let line = "map elevator.wasm#stop-at-floor --over 'floor=[0, 3600]' --quiet";
    let (child, _watchdog, _stdout) = started(&server, line);
    server.kill();
    interrupt(&child);
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 run may still be running"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hostel runs cancel --where tag:map:"), "{}", ran.stderr);
}

#[test]
fn ctrl_c_cancels_the_runs_of_a_map() {
    let server = Server::start("--workers 1");
    let line = "map elevator.wasm#stop-at-floor --over 'floor=[0, 3600, 3600]' --quiet";
    let (child, _watchdog, mut stdout) = started(&server, line);
    interrupt(&child);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.last().contains("2 cancelled in "), "{}", ran.stderr);
    assert_eq!(server.completed("runs ls state:unfinished --output json"), "");
}

#[test]
fn options_of_one_machine_are_refused_for_a_map() {
    let server = Server::start("--workers 0");
    let map = "map arith.wasm#add-one --over x=0..3";
    for option in
        ["--workers 2", "--tag-limit a=1", "--rate-limit a=1/1s", "--explain-cache", "--record none"]
    {
        let name = option.split(' ').next().unwrap();
        let message = format!("{name} cannot be used with a server (set by HOSTEL_SERVER): ");
        server.refused(&format!("{map} --tag a {option}"), 2, &message);
    }
}
