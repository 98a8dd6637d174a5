//! `hostel map`

use crate::hostel::{Place, check};

#[test]
fn results_of_maps() {
    let place = Place::new();
    let lines = [
        "map arith.wasm#add-one --over x=0..3",
        "map arith.wasm#add-one --over x=0..0",
        "map arith.wasm#add-one --over x=-1..=1 --quiet",
        "map arith.wasm#add --over 'a=[1, 2]' --over b=10..12",
        "map sum-plus.wasm --over 'x=[4, 5, 6]' --with 'list=[1, 2, 3]'",
        "map elevator.wasm#explain-tasks --over x=0..3",
        "map text.wasm#greet --over 'name=[\"Ada\", \"\", \"Grace\"]'",
        "map text.wasm#greet --over 'name=[\"Ada\", \"\", \"Grace\"]' --output wave",
        "map text.wasm#greet --over 'name=[\"Ada\", \"\"]' --states",
        "map text.wasm#greet --over 'name=[\"Ada\", \"\"]' --states --output wave",
        "map text.wasm#word-count --over 'text=[\"a bc\", \"d\"]' --output table",
        "map batch.wasm#process-data --over 'item=[1, -2, 300]' --output table",
        "map models.wasm#train-model --with 'dataset={name: \"orders\"}' --over 'model-config=[{\"name\": \"a\"}, {\"name\": \"b\"}]' --output table",
        "map spin-forever.wasm#spin-after --over 'ms=[0]' --timeout 20ms --quiet",
        "map trap.wat#unreachable --over 'x=[1]'",
    ];
    check!("maps", place.session(&lines));
}

#[test]
fn failures_are_named_and_counted() {
    let ran = Place::new().run("map batch.wasm#process-data --over item=-1000..0");
    assert_eq!((ran.code, ran.stdout.lines().count()), (1, 1_000));
    check!("many_failures", ran.stderr);
}

#[test]
fn what_a_guest_said_before_it_failed_is_with_its_error() {
    let ran = Place::new().run("map panic.wasm --over 'message=[\"so much for that\"]' --quiet");
    let line: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(line["$error"]["kind"], "trap");
    let stderr = line["$error"]["stderr"].as_array().unwrap();
    assert!(stderr.contains(&"so much for that".into()), "{stderr:?}");
}

#[test]
fn results_keep_the_order_of_the_items_unless_they_come_as_completed() {
    let place = Place::new();
    let line = "map elevator.wasm#stop-at-floor --over 'floor=[3, 0, 2, 1]' --with ms-per-floor=200";
    let ordered = place.run(line);
    assert_eq!(ordered.stdout, "3\n0\n2\n1\n");
    let completed = place.run(&format!("{line} --as-completed --output wave"));
    assert_eq!(completed.stdout, "[1] 0\n[3] 1\n[2] 2\n[0] 3\n");
    let json = place.run(&format!("{line} --as-completed"));
    let indices: Vec<_> = json.stdout.lines().map(|line| line.split([':', ',']).nth(1).unwrap()).collect();
    assert_eq!(indices, ["1", "3", "2", "0"]);
}

#[test]
fn sleepers_sleep_together() {
    // One worker, and each waits for the end of a second that they all share.
    let ran = Place::new()
        .run("map elevator.wasm#stop-at-floor --over floor=0..100 --with ms-per-floor=5 --workers 1 --quiet");
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stdout.lines().count(), 100);
}

#[test]
fn each_line_of_the_log_has_its_item() {
    let ran = Place::new().run("map elevator.wasm#stop-at-floor --over 'floor=[5, 7]' --with ms-per-floor=0");
    assert!(ran.stderr.contains("[0] out  elevator stops on floor 5\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("[1] out  elevator stops on floor 7\n"), "{}", ran.stderr);
}

#[test]
fn lists_that_do_not_fit() {
    let place = Place::new();
    place.write("three.jsonl", "1\n2\n\n3");
    place.write("wrong.jsonl", "1\n\"two\"\n3\n");
    place.write("broken.jsonl", "1\n{\n");
    place.write("latin.jsonl", b"1\n\"caf\xe9\"\n");
    let lines = [
        "map arith.wasm#add --over a=0..3 --over 'b=[1, 2]'",
        "map arith.wasm#add --over a=0..5 --over b=@three.jsonl",
        "map arith.wasm#add --over a=0..3 --over b=@three.jsonl --quiet",
        "map arith.wasm#add --over a=0..3",
        "map arith.wasm#add --over a=0..3 --with b=two",
        "map arith.wasm#add --over a=0..3 --with c=2",
        "map arith.wasm#add --over a=0..3 --over a=0..3 --with b=1",
        "map arith.wasm#add --over a=0..3 --with b=1 --with a=1",
        "map arith.wasm#add-one --over 'x=[1, 2, \"three\"]'",
        "map arith.wasm#add-one --over 'x=[1, 2'",
        "map arith.wasm#add-one --over x=5",
        "map arith.wasm#add-one --over x=9223372036854775800..9223372036854775900",
        "map text.wasm#greet --over name=0..3",
        "map text.wasm#greet --over 'name=[Ada]'",
        "map arith.wasm#add-one --over x=@missing.jsonl",
        "map arith.wasm#add-one --over x=@.",
        "map arith.wasm#add-one --over x=@wrong.jsonl",
        "map arith.wasm#add-one --over x=@broken.jsonl",
        "map arith.wasm#add-one --over x=@latin.jsonl",
        "map arith.wasm#add --over a=- --over b=-",
        "map arith.wasm --over x=0..3",
        "map models.wasm#train-model --with 'dataset={name: \"a\"}' --over 'model-config=[{name: \"a\"}, {name: \"b\", hyper: {rate: \"fast\", layers: []}}]'",
    ];
    check!("lists_that_do_not_fit", place.session(&lines));
}

#[test]
fn a_million_elements_on_the_command_line_or_in_a_range() {
    let place = Place::new();
    let list: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let ran = place.run(&format!("map arith.wasm#add-one --quiet --over 'x=[{}]'", list.join(",")));
    assert_eq!((ran.code, ran.stdout.lines().last()), (0, Some("10000")));
    let ran = place.run("map arith.wasm#add --over a=0..1000000 --over 'b=[1]'");
    assert_eq!(ran.code, 2, "the lengths are compared before anything runs");
}
