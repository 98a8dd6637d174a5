//! What a run may use up, and what it has used up.

use crate::hostel::{Place, check};

#[test]
fn each_limit_says_how_to_raise_it() {
    let lines = [
        "run loop.wat --max-fuel 1000000",
        "run sleeper.wat 60000 --idle-timeout 50ms",
        "run many-handles.wat 100 --max-handles 10",
        "run fork.wat 100 --max-subtasks 10",
        "run log-flood.wasm#flood 100 --max-log-lines 3 --output json",
    ];
    let session = Place::new().session(&lines);
    assert!(session.contains("fuel of 1,000,000 is not enough"), "{session}");
    check!("limits", session);
}

#[test]
fn limits_that_cannot_be_are_refused() {
    let lines = [
        "run add-one.wat 1 --max-fuel many",
        "run add-one.wat 1 --max-sockets 0",
        "run add-one.wat 1 --max-open-files 1000000",
        "run add-one.wat 1 --idle-timeout 0s",
        "run add-one.wat 1 --idle-timeout 367d",
        "run add-one.wat 1 --timeout 5",
        "run add-one.wat 1 --run-timeout 53w",
        "run add-one.wat 1 --max-written 2TiB",
        "run add-one.wat 1 --max-host-memory 0",
    ];
    check!("limits_refused", Place::new().session(&lines));
}

#[test]
fn a_receipt_tells_what_was_used() {
    let place = Place::new();
    let ran = place.run("run sleeper.wat 0 --receipt");
    let told: Vec<_> = ran.stderr.lines().skip(1).collect();
    assert!(told[0].starts_with("used     ") && told[0].contains(" of processor time"), "{}", ran.stderr);
    assert_eq!(
        told[1..],
        ["bytes    32 bytes of input, 32 bytes of result", "host     3 calls: 1 clock, 2 other"]
    );
    let ran = place.run("run pages.wasm http://example.org/ --receipt");
    assert!(ran.stderr.lines().any(|line| line == "denied   1 http"), "{}", ran.stderr);
}

#[test]
fn a_cached_run_has_used_nothing() {
    let place = Place::with_data_dir();
    assert!(place.run("run arith.wasm#add 40 2 --receipt").stderr.contains(" of processor time"));
    let told = place.run("run arith.wasm#add 40 2 --receipt").stderr;
    let lines: Vec<_> = told.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("Cached "), "{told}");
    assert_eq!(lines[1], "used     nothing: its value was cached");
}

#[test]
fn a_receipt_is_part_of_the_states() {
    let place = Place::new();
    let receipt = |line: &str| {
        let ran = place.run(line);
        let object: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
        object["receipt"].clone()
    };
    let of_run = receipt("run sleeper.wat 0 --states");
    assert_eq!(of_run["host_calls"], serde_json::json!({"clock": 1, "other": 2}));
    assert!(of_run["cpu_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(of_run.get("fuel"), None);
    let of_item = receipt("map sleeper.wat --over ms=[0,0] --states --receipt");
    assert_eq!(of_item["host_calls"], of_run["host_calls"]);
    assert_eq!(receipt("map sleeper.wat --over ms=[0,0] --states"), serde_json::Value::Null);
    let loop_ended = receipt("run loop.wat --max-fuel 5000 --states");
    assert_eq!(loop_ended["fuel"], 5000);
}

#[test]
fn a_map_tells_what_its_runs_used_together() {
    let ran = Place::new().run("map sleeper.wat --over ms=[0,0,0] --receipt");
    let told: Vec<_> = ran.stderr.lines().collect();
    assert!(told.contains(&"host     9 calls: 3 clock, 6 other"), "{}", ran.stderr);
    assert!(told.contains(&"bytes    96 bytes of input, 96 bytes of result"), "{}", ran.stderr);
}

#[test]
fn limits_may_stand_in_a_file() {
    let place = Place::new();
    place.write("hostel.toml", "[defaults]\nmax-fuel = 1000\ncache = \"none\"\n");
    let ran = place.run("run loop.wat");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("fuel of 1,000 is not enough"), "{}", ran.stderr);
}
