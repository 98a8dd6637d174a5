//! The history of `hostel run` and `hostel map`, and `hostel replay`.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use crate::hostel::{Place, Ran};

#[track_caller]
fn completed(place: &Place, line: &str) -> String {
    let ran = place.run(line);
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran.stdout.trim_end().to_owned()
}

#[track_caller]
fn refused(place: &Place, line: &str, code: i32, messages: &[&str]) {
    let ran = place.run(line);
    assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
    for message in messages {
        assert!(ran.stderr.contains(message), "{line}: {message}: {}", ran.stderr);
    }
}

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The runs that match, newest first.
#[track_caller]
fn listed(place: &Place, filter: &str) -> Vec<Value> {
    parsed(&completed(place, &format!("runs ls --output json {filter}")))
}

#[track_caller]
fn shown(place: &Place, run: &str) -> Value {
    serde_json::from_str(&completed(place, &format!("runs show {run} --output json"))).unwrap()
}

/// The id of the newest run.
#[track_caller]
fn newest(place: &Place) -> String {
    listed(place, "").first().unwrap()["run"].as_str().unwrap().to_owned()
}

/// The files that wait to be stored in the journal.
fn waiting(place: &Place) -> usize {
    fs::read_dir(place.data_dir().join("history")).map_or(0, Iterator::count)
}

/// A component whose task returns a text of so many MiB.
fn text_of(mib: usize) -> String {
    let (pages, length) = (mib * 16 + 1, mib << 20);
    format!(
        r#"(component
            (core module $m (memory (export "m") {pages})
                (func (export "f") (result i32)
                    (memory.fill (i32.const 8) (i32.const 97) (i32.const {length}))
                    (i32.store (i32.const 0) (i32.const 8))
                    (i32.store (i32.const 4) (i32.const {length}))
                    i32.const 0))
            (core instance $i (instantiate $m))
            (func (export "f") (result string)
                (canon lift (core func $i "f") (memory (core memory $i "m")) string-encoding=utf8)))"#
    )
}

#[test]
fn a_result_that_is_too_large_for_the_history_is_not_recorded() {
    let place = Place::with_data_dir();
    // The attempt has it, and the run: a bit too much for 64 MiB.
    place.write("large.wat", text_of(33));
    let ran = place.run("run large.wat#f");
    assert_eq!((ran.code, ran.stdout.len()), (0, (33 << 20) + 3), "{}", ran.stderr);
    let expected = "the run is not in the history: it has at least 69206016 bytes: expected at most 67108864";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    // A cached run has it once.
    let cached = place.run("run large.wat#f");
    assert!(cached.stderr.starts_with("Cached"), "{}", cached.stderr);
    assert_eq!(listed(&place, "")[0]["state"], "Cached");
    place.write("small.wat", text_of(1));
    completed(&place, "run small.wat#f --quiet");
    assert_eq!(listed(&place, "").len(), 2);
}

#[test]
fn a_run_is_in_the_history_with_all_that_is_known_of_it() {
    let place = Place::with_data_dir();
    let ran = place.run("run arith.wasm#add 2 3 --tag sums --env WORD=secret");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (0, "5\n", 1), "{}", ran.stderr);
    assert!(!place.data_dir().join("journal-1.db").exists(), "it did not open the journal");
    assert_eq!(waiting(&place), 1);
    let runs = listed(&place, "");
    assert_eq!(waiting(&place), 0);
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((&run["state"], &run["queue"]), (&"Completed".into(), &"hostel.run".into()));
    let run = run["run"].as_str().unwrap();
    let all = shown(&place, run);
    assert_eq!((&all["value"], &all["inputs"]), (&5.into(), &serde_json::json!([2, 3])));
    assert_eq!((&all["tags"], &all["attempt_count"]), (&serde_json::json!(["sums"]), &1.into()));
    assert_eq!(all["receipt"]["input_bytes"], 64);
    assert_eq!(parsed(&completed(&place, "runs export")), [all]);
    let text = completed(&place, &format!("runs show {run}"));
    for part in
        ["by the command that asked for it", "input     2", "value     5", "of processor time", "host      "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret") && !text.contains("queue"), "{text}");
}

/// Whether a file below the directory has this text.
fn has_text(dir: &Path, text: &str) -> bool {
    let has = |path: &Path| fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes());
    fs::read_dir(dir).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { has_text(&path, text) } else { has(&path) }
    })
}

#[test]
fn values_of_variables_are_not_recorded() {
    let place = Place::with_data_dir();
    completed(&place, "run peek.wasm#env-var OTHER --env GREETING=hushhush");
    completed(&place, &format!("replay {}", newest(&place)));
    assert!(has_text(place.data_dir(), "GREETING") && !has_text(place.data_dir(), "hushhush"));
    completed(&place, "run peek.wasm#env-var GREETING --env GREETING=hushhush");
    let ran = place.run(&format!("replay {}", newest(&place)));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("whose values are not recorded"), "{}", ran.stdout);
}

#[test]
fn what_is_recorded_can_be_chosen() {
    let place = Place::with_data_dir();
    let runs = [
        "run arith.wasm#add 1 2",
        "run batch.wasm#process-data -1",
        "map batch.wasm#process-data --over item=-1..1",
    ];
    for line in runs {
        place.run(&format!("{line} --record none"));
        place.run(&format!("{line} --no-data-dir"));
    }
    let names: Vec<_> =
        fs::read_dir(place.data_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name != "history" && name != "journal-1.db"), "{names:?}");
    for line in runs {
        place.run(&format!("{line} --record failed"));
    }
    place.run("map arith.wasm#add-one --over x=0..3 --record failed");
    let states: Vec<_> = listed(&place, "").into_iter().map(|run| run["state"].clone()).collect();
    assert_eq!(states, ["Failed"; 3], "the failed run, the map, and its failed item");
    place.run("map arith.wasm#add-one --over x=0..3");
    assert_eq!(listed(&place, "state:completed").len(), 1, "the map, and none of its items");
}

#[test]
fn a_map_is_one_run_and_its_failed_items() {
    let place = Place::with_data_dir();
    let items: Vec<_> =
        (0..1_000).map(|item| if item % 400 == 7 { -item } else { item }.to_string()).collect();
    place.write("items.jsonl", items.join("\n"));
    let ran = place.run("map batch.wasm#process-data --over item=@items.jsonl --quiet");
    assert_eq!(ran.code, 1);
    let maps = listed(&place, "queue:hostel.map");
    let [map] = maps.as_slice() else { panic!("{maps:?}") };
    assert_eq!(map["name"], "map of process-data: 1,000 runs, 3 not completed");
    assert_eq!((&map["state"], &map["needs_attention"]), (&"Failed".into(), &false.into()));
    let id = map["run"].as_str().unwrap();
    let all = shown(&place, id);
    let inputs = serde_json::json!([{ "over": ["item=@items.jsonl"], "with": [] }]);
    assert_eq!(all["inputs"], inputs);
    let summary = &all["error"]["value"];
    let count = |name: &str| summary[name].as_u64().unwrap();
    assert_eq!(["runs", "completed", "failed", "recorded"].map(count), [1_000, 997, 3, 3]);
    let samples = summary["timeline"].as_array().unwrap();
    assert!(samples.len() > 100 && samples.len() <= 256, "{}", samples.len());
    assert!(samples.windows(2).all(|pair| pair[0]["item"].as_u64() < pair[1]["item"].as_u64()));
    let items = listed(&place, "queue:hostel.run");
    let inputs = items.iter().map(|item| {
        let item = shown(&place, item["run"].as_str().unwrap());
        assert_eq!(item["parent"], id);
        item["inputs"][0].clone()
    });
    assert_eq!(inputs.collect::<Vec<_>>(), [-807, -407, -7]);
    refused(&place, &format!("replay {id}"), 2, &["is a map: expected one of its runs"]);
    completed(&place, &format!("replay {}", items[0]["run"].as_str().unwrap()));
}

#[test]
fn runs_of_several_commands_at_once_are_all_there() {
    let place = Place::with_data_dir();
    completed(&place, "compile arith.wasm");
    let children: Vec<_> =
        (0..6).map(|n| place.start(&format!("run arith.wasm#add {n} 1 --cache none"))).collect();
    let listing: Vec<_> = (0..2).map(|_| place.start("runs ls")).collect();
    for child in children.into_iter().chain(listing) {
        let ran = Ran::of(child.wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let mut values: Vec<_> =
        parsed(&completed(&place, "runs export")).into_iter().map(|run| run["value"].as_u64()).collect();
    values.sort_unstable();
    assert_eq!(values, (1..=6).map(Some).collect::<Vec<_>>());
}

#[test]
fn a_command_that_is_killed_after_its_result_leaves_nothing_damaged() {
    let place = Place::with_data_dir();
    for _ in 0..5 {
        let mut child = place.start("run arith.wasm#add 1 2");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(line, "3\n");
    }
    let runs = listed(&place, "").len();
    assert!(runs <= 5);
    completed(&place, "run arith.wasm#add 1 2");
    assert_eq!(listed(&place, "").len(), runs + 1);
}

#[test]
fn when_many_runs_wait_the_next_one_stores_them() {
    let place = Place::with_data_dir();
    completed(&place, "run arith.wasm#add 1 2");
    for number in 0..64 {
        fs::write(place.data_dir().join(format!("history/{number}")), "damaged").unwrap();
    }
    completed(&place, "run arith.wasm#add 1 2");
    assert_eq!(waiting(&place), 0);
    assert_eq!(listed(&place, "").len(), 2);
}

#[test]
fn a_history_that_cannot_be_written_is_no_failure() {
    let place = Place::with_data_dir();
    fs::write(place.data_dir().join("history"), "a file").unwrap();
    let ran = place.run("run arith.wasm#add 1 2");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (0, "3\n", 1), "{}", ran.stderr);
    let absent = place.command("run arith.wasm#add 1 2").env_remove("HOSTEL_DATA_DIR").output().unwrap();
    let absent = Ran::of(absent);
    assert_eq!((absent.code, absent.stderr.lines().count()), (0, 1), "{}", absent.stderr);
    let unusable = place.command("run arith.wasm#add 1 2").env("HOSTEL_DATA_DIR", "/dev/null/data").output();
    let unusable = Ran::of(unusable.unwrap());
    assert_eq!((unusable.code, unusable.stdout.as_str()), (0, "3\n"));
    assert_eq!(unusable.stderr.matches("warning").count(), 1, "{}", unusable.stderr);
}

#[test]
fn a_replay_compares_the_results() {
    let place = Place::with_data_dir();
    completed(&place, "run arith.wasm#add 40 2");
    let run = newest(&place);
    // Neither the file nor the registry is needed.
    fs::remove_file(place.path().join("arith.wasm")).unwrap();
    assert_eq!(completed(&place, &format!("replay {run}")), "same  42");
    let json = completed(&place, &format!("replay {run} --output json"));
    let expected = serde_json::json!({
        "run": run, "same": true, "recorded": { "value": 42 }, "replayed": { "value": 42 }, "may_differ": [],
    });
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
    assert_eq!(listed(&place, "").len(), 1, "a replay is not in the history");
    for (line, shown) in [
        ("run batch.wasm#process-data -1", "same  returned the error \"Cannot process negative value: -1\""),
        ("run spin-forever.wasm#spin --timeout 100ms", "same  timed out"),
    ] {
        assert_eq!(place.run(line).code, 1, "{line}");
        let same = completed(&place, &format!("replay {}", newest(&place)));
        assert!(same.starts_with(shown), "{same}");
    }
}

#[test]
fn what_was_not_recorded_explains_a_difference() {
    let place = Place::with_data_dir();
    completed(&place, "run puppet.wasm now");
    let run = newest(&place);
    let ran = place.run(&format!("replay {run}"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let lines: Vec<_> = ran.stdout.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["different", "recorded", "replayed", "because"], "{}", ran.stdout);
    assert!(ran.stdout.contains("it reads the clock"), "{}", ran.stdout);
    completed(&place, "run puppet.wasm now --deterministic");
    assert!(completed(&place, &format!("replay {}", newest(&place))).starts_with("same"));
}

#[test]
fn a_replay_changes_no_file() {
    let place = Place::with_data_dir();
    completed(&place, "run puppet.wasm 'put new.txt one' --dir .::/:rw");
    place.write("new.txt", "two");
    let ran = place.run(&format!("replay {} --output json", newest(&place)));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stdout.contains("it may write files, which a replay cannot"), "{}", ran.stdout);
    assert_eq!(fs::read_to_string(place.path().join("new.txt")).unwrap(), "two");
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::with_data_dir();
    completed(&place, "run arith.wasm#add 1 2");
    let run = newest(&place);
    for name in fs::read_dir(place.data_dir().join("compiled")).unwrap() {
        let path = name.unwrap().path();
        if path.is_file() { fs::remove_file(path).unwrap() } else { fs::remove_dir_all(path).unwrap() }
    }
    refused(&place, &format!("replay {run}"), 3, &["is not stored here", "--component FILE"]);
    refused(
        &place,
        &format!("replay {run} --component text.wasm"),
        2,
        &["the component is sha256:", "had sha256:"],
    );
    assert_eq!(completed(&place, &format!("replay {run} --component arith.wasm")), "same  3");
    refused(&place, "replay 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11", 3, &["the journal has no run"]);
    let delayed = completed(&place, "delay arith.wasm#add 1 2");
    refused(&place, &format!("replay {delayed}"), 2, &["is Pending: expected one that has ended"]);
    completed(&place, &format!("runs cancel {delayed}"));
    refused(&place, &format!("replay {delayed}"), 2, &["is Cancelled: its guest has no result"]);
    let ran = place.run_with_stdin("run command.wasm -q -- --head 1", "one\ntwo\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "one\n"), "{}", ran.stderr);
    refused(&place, &format!("replay {}", newest(&place)), 3, &["inputs of run", "from a pipe"]);
}

#[test]
fn a_delayed_run_is_replayed_too() {
    let place = Place::with_data_dir();
    let run = completed(&place, "delay arith.wasm#add 40 2 --retries 2");
    completed(&place, "worker --until-idle --quiet");
    assert_eq!(completed(&place, &format!("replay {run}")), "same  42");
}

#[test]
fn the_logs_of_runs_and_of_failed_items_are_recorded() {
    let place = Place::with_data_dir();
    place.run("run elevator.wasm#stop-at-floor 0");
    let run = newest(&place);
    let lines = parsed(&completed(&place, &format!("runs logs {run} --output json")));
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["elevator moving to floor 0", "elevator stops on floor 0"]);
    place.run("run arith.wasm#add 1 2");
    assert_eq!(completed(&place, &format!("runs logs {}", newest(&place))), "");
    completed(&place, &format!("runs rm {run}"));
    refused(&place, &format!("runs logs {run}"), 3, &["the journal has no run"]);
}

#[test]
fn runs_of_the_history_are_not_retried() {
    let place = Place::with_data_dir();
    place.run("run batch.wasm#process-data -1");
    let run = newest(&place);
    refused(&place, &format!("runs retry {run}"), 2, &["was not executed by a worker", "hostel replay"]);
    assert_eq!(completed(&place, "runs retry --where state:failed"), "retried 0 runs");
    let delayed = completed(&place, "delay arith.wasm#add 1 2");
    let pending = ["has not ended: it is Pending", "hostel runs wait"];
    refused(&place, &format!("runs retry {delayed}"), 2, &pending);
    completed(&place, "worker --until-idle --quiet");
    let ended = ["is Completed: expected a run that failed, crashed or was cancelled", "hostel replay"];
    refused(&place, &format!("runs retry {delayed}"), 2, &ended);
    assert_eq!(completed(&place, &format!("runs rm {delayed} {delayed}")), format!("removed {delayed}"));
}

#[test]
fn an_export_has_keys_and_schedules() {
    let place = Place::with_data_dir();
    completed(&place, "delay text.wasm#greet name=Ada --unique greeting:replace");
    let all = parsed(&completed(&place, "runs export"));
    assert_eq!(all[0]["inputs"], serde_json::json!(["Ada"]));
    assert_eq!((&all[0]["unique_key"], &all[0]["unique_mode"]), (&"greeting".into(), &"replace".into()));
}

/// Reads lines of `runs ls --follow` until one fits.
#[track_caller]
fn until(lines: &mut impl BufRead, fits: impl Fn(&Value) -> bool) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it has ended");
        let run: Value = serde_json::from_str(&line).unwrap();
        if fits(&run) {
            return run;
        }
    }
}

#[cfg(unix)]
#[test]
fn runs_are_followed_until_a_signal() {
    let place = Place::with_data_dir();
    let first = completed(&place, "delay arith.wasm#add 1 2 --tag seen");
    let mut child = place.start("runs ls --follow --output json tag:seen");
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let is = |run: &str, state: &str| {
        let (run, state) = (run.to_owned(), state.to_owned());
        move |line: &Value| line["run"] == run && line["state"] == state
    };
    until(&mut lines, is(&first, "Pending"));
    completed(&place, "delay arith.wasm#add 1 2 --tag other");
    let second = completed(&place, "delay arith.wasm#add 1 2 --tag seen");
    until(&mut lines, is(&second, "Pending"));
    completed(&place, &format!("runs cancel {first}"));
    until(&mut lines, is(&first, "Cancelled"));
    completed(&place, "run arith.wasm#add 1 2 --tag seen");
    let ran = until(&mut lines, |line| line["queue"] == "hostel.run");
    assert_eq!((&ran["state"], &ran["tags"]), (&"Completed".into(), &serde_json::json!(["seen"])));
    // Not SIGINT, which background jobs of a shell ignore.
    crate::hostel::send("TERM", &child);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!child.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn the_history_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_data_dir();
    completed(&place, "run arith.wasm#add 1 2");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = place.data_dir().join("history");
    let file = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
}
